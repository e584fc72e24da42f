//! Non-blocking UDP sockets that receive and send many datagrams per system call. ENet and WebRTC
//! share them.
//!
//! | socket | for |
//! |---|---|
//! | [`UdpSocket`] | game loops and threads: `std::net`, non-blocking, polled at an interval |
//! | [`TokioUdpSocket`] (feature `tokio`) | servers in tokio: wakes its task |
//!
//! A socket that is bound to all addresses of a host sends answers from the address that was asked:
//! on Linux, by batches. It notices within 30 s that the host has got another address. Elsewhere
//! the system chooses from where answers leave, and clients ignore them when that is another
//! address. There a server on a host with several addresses of a family should bind one of them.
//!
//! On Linux both receive and send many datagrams in one system call, and datagrams of equal length
//! to one address as one that the kernel cuts up (GSO).

mod batch;
mod failure;
mod host;
#[cfg(target_os = "linux")]
mod linux;
mod path;
mod socket;
mod std;
#[cfg(all(feature = "tokio", not(target_os = "linux")))]
mod tokio;

pub use self::batch::{SendBatch, Transmit};
pub use self::failure::{ReceiveFailure, SendFailure};
pub use self::host::host_addresses;
#[cfg(all(feature = "tokio", target_os = "linux"))]
pub use self::linux::TokioUdpSocket;
pub use self::path::NetworkPath;
pub use self::socket::DatagramSocket;
pub use self::std::{BindError, UdpSocket};
#[cfg(all(feature = "tokio", not(target_os = "linux")))]
pub use self::tokio::TokioUdpSocket;

/// Size in bytes of the largest datagram that is received whole: the largest mtu of ENet.
pub const DATAGRAM_BYTES_MAX: usize = 4_096;

/// Size in bytes of the buffer for a received datagram: one more than [`DATAGRAM_BYTES_MAX`], to
/// recognise longer ones.
pub const DATAGRAM_BUFFER_BYTES: usize = DATAGRAM_BYTES_MAX + 1;

/// Size in bytes of the buffers of a socket, each way. ENet asks for 256 KiB; a server of thousands
/// of peers that come at once, and acknowledge what each is told of the others, needs more. The
/// system grants what it has for it (Linux: `net.core.rmem_max`).
pub const SOCKET_BUFFER_BYTES: usize = 4 << 20;
