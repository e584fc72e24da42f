//! Sockets on Linux: many datagrams per system call, replies from the address that the client sent
//! to, and pausing wake-ups.

mod calls;
mod local;
#[cfg(feature = "tokio")]
mod tokio;

pub(crate) use self::calls::{SocketState, receive, send, to_std};
#[cfg(feature = "tokio")]
pub use self::tokio::TokioUdpSocket;
