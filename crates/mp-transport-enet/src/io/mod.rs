//! The sockets under a peer.
//!
//! | socket | for |
//! |---|---|
//! | [`UdpSocket`] | game loops and threads: `std::net`, non-blocking, polled at an interval |
//! | [`TokioUdpSocket`] (feature `tokio`) | servers in tokio: wakes its task |

mod std;
#[cfg(feature = "tokio")]
mod tokio;

use ::std::io;
use ::std::net::SocketAddr;
use ::std::task::{Context, Poll};
use ::std::time::Duration;

use mp_core::Readiness;

pub use self::std::{BindError, UdpSocket};
#[cfg(feature = "tokio")]
pub use self::tokio::TokioUdpSocket;

/// Something that sends and receives datagrams without waiting.
pub trait DatagramSocket {
    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: not now, the same datagram will be offered again. Anything else: this datagram is
    /// lost.
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Receives a datagram into `buf`: its length and where it comes from. What does not fit is cut off; a length of
    /// all of `buf` means that it was too long.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: there is none. Anything else concerns one datagram only; there may be more.
    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// The address it is bound to.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// How a host learns that there is something to receive.
    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }

    /// For [`Readiness::Wakes`]: ready when there is something to receive, or room to send if `wants_to_send`; else the
    /// task is woken when there is.
    fn poll_ready(&mut self, _cx: &mut Context<'_>, _wants_to_send: bool) -> Poll<()> {
        Poll::Pending
    }
}
