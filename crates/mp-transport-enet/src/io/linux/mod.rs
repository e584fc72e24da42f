//! What Linux can do better: many datagrams per system call, and a socket that lets arrivals wait.

mod calls;
#[cfg(feature = "tokio")]
mod tokio;

pub(super) use self::calls::{Traits, receive, send};
#[cfg(feature = "tokio")]
pub use self::tokio::TokioUdpSocket;
