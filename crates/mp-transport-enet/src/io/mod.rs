//! The sockets of a peer: those of [`mp_udp`], and `DtlsSocket` (feature `dtls`), which adds
//! encryption to one of them.

#[cfg(feature = "dtls")]
mod dtls;
mod lookup;

#[cfg(feature = "tokio")]
pub use mp_udp::TokioUdpSocket;
pub use mp_udp::{BindError, DatagramSocket, SendBatch, UdpSocket};
pub(crate) use mp_udp::{ReceiveFailure, SendFailure};

#[cfg(feature = "dtls")]
pub use self::dtls::DtlsSocket;
pub(crate) use self::lookup::Lookup;
