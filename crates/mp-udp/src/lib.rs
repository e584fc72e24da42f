//! Non-blocking UDP sockets that receive and send many datagrams per system call, for ENet and
//! WebRTC.
//!
//! | socket | use |
//! |---|---|
//! | [`UdpSocket`] | game loops and threads: `std::net`, non-blocking, polled at an interval |
//! | [`TokioUdpSocket`] (feature `tokio`) | servers on tokio: wakes its task |
//! | [`ShapedSocket`] | simulated link conditions on top of another socket |
//!
//! On Linux both receive and send many datagrams per system call (`recvmmsg`, `sendmmsg`), and send
//! datagrams of equal length to one address with segmentation offload (GSO).
//!
//! # Hosts with several addresses
//!
//! On Linux, a socket that is bound to all addresses replies from the address that a datagram was
//! sent to, if the reply is sent in a batch. It notices a new address of the host within 30 s. On
//! other systems the operating system chooses the source address, and clients ignore replies from
//! an address that they did not send to. There, a server on a host with several addresses of a
//! family should bind to one of them.

mod batch;
mod failure;
mod host;
#[cfg(target_os = "linux")]
mod linux;
mod outgoing;
mod path;
mod shaped;
mod socket;
mod std;
#[cfg(all(feature = "tokio", not(target_os = "linux")))]
mod tokio;

pub use self::batch::{SendBatch, Transmit};
pub use self::failure::{ReceiveFailure, SendFailure};
pub use self::host::host_addresses;
#[cfg(all(feature = "tokio", target_os = "linux"))]
pub use self::linux::TokioUdpSocket;
pub use self::outgoing::OutgoingDatagrams;
pub use self::path::NetworkPath;
pub use self::shaped::ShapedSocket;
pub use self::socket::DatagramSocket;
pub use self::std::{BindError, UdpSocket};
#[cfg(all(feature = "tokio", not(target_os = "linux")))]
pub use self::tokio::TokioUdpSocket;

/// Maximum length of a received datagram in bytes: ENet's maximum MTU. Longer ones are cut off.
pub const DATAGRAM_BYTES_MAX: usize = 4_096;

/// Length in bytes of a receive buffer: one more than [`DATAGRAM_BYTES_MAX`], to detect longer
/// datagrams.
pub const DATAGRAM_BUFFER_BYTES: usize = DATAGRAM_BYTES_MAX + 1;

/// Size in bytes of the socket's receive buffer and of its send buffer. ENet uses 256 KiB, which is
/// too small for the acknowledgements of thousands of peers that connect at once. The operating
/// system may grant less (Linux: `net.core.rmem_max`, `net.core.wmem_max`).
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;
