//! The TCP connections under a peer.
//!
//! | source | for |
//! |---|---|
//! | [`Tcp`] | game loops and threads: `std::net`, non-blocking, polled at an interval |
//! | [`TokioTcp`] (feature `tokio`) | servers in tokio: each connection wakes its task, so that idle ones cost nothing |

mod bind;
mod dial;
mod errno;
mod std;
#[cfg(feature = "tokio")]
mod tokio;
mod wakes;

use ::std::io;
use ::std::net::SocketAddr;
use ::std::task::{Context, Poll};
use ::std::time::Duration;

use mp_core::Readiness;

pub use self::bind::BindError;
pub(crate) use self::errno::{is_of_one_connection, is_shortage};
pub use self::std::{Tcp, TcpStream};
#[cfg(feature = "tokio")]
pub use self::tokio::{TokioTcp, TokioTcpStream};
pub(crate) use self::wakes::{SOURCE, Wakes};

/// Where connections come from: a server's listener, or a client's one attempt to connect.
pub trait StreamSource {
    /// Its connections.
    type Stream: ByteStream;

    /// The next connection and the address of its other side. Pending when there is none now; `cx` is then woken when there may be,
    /// if [`readiness`](Self::readiness) says so.
    ///
    /// # Errors
    ///
    /// A client's attempt has failed. A server's system has nothing left to give; it is asked again.
    fn poll_stream(&mut self, cx: &mut Context<'_>)
    -> Poll<io::Result<(Self::Stream, SocketAddr)>>;

    /// The address it is bound to; a client's is not known before it has connected.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// How a host learns that there is something to do.
    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }
}

/// One connection: bytes both ways, without waiting. Where the source [wakes](Readiness::Wakes), whoever got `Pending` is woken.
pub trait ByteStream {
    /// Reads into `buf`; 0 bytes are the end.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes the first of `bytes`; how many.
    ///
    /// # Errors
    ///
    /// The connection is broken.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Says that nothing more will be written.
    fn shutdown(&mut self);

    /// Whether small writes leave at once (default: yes).
    fn set_no_delay(&mut self, _no_delay: bool) {}

    /// Sets how long the remote host may acknowledge nothing before reads and writes fail with
    /// [`TimedOut`](io::ErrorKind::TimedOut); see [`TCP_TIMEOUT`](crate::limits::TCP_TIMEOUT).
    /// Returns whether this limits the time of unacknowledged bytes. By default nothing is set, for
    /// streams without a network.
    fn set_timeout(&mut self, _timeout: Duration) -> bool {
        false
    }
}
