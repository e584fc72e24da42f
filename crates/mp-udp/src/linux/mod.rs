//! System calls of Linux: many datagrams per system call, answers from the address that was
//! asked, and a socket that lets arrivals wait.

mod calls;
mod local;
#[cfg(feature = "tokio")]
mod tokio;

pub(crate) use self::calls::{Traits, receive, send, to_std};
#[cfg(feature = "tokio")]
pub use self::tokio::TokioUdpSocket;
