//! TCP connections of a peer.
//!
//! | source | purpose |
//! |---|---|
//! | [`Tcp`] | game loops and threads: `std::net`, non-blocking, polled at an interval |
//! | [`TokioTcp`] (feature `tokio`) | servers in tokio: each connection wakes its task, so that idle ones need no CPU time |

mod bind;
mod dial;
mod errno;
mod ready_list;
mod std;
#[cfg(feature = "tokio")]
mod tokio;

use ::std::io;
use ::std::net::SocketAddr;
use ::std::task::{Context, Poll};
use ::std::time::Duration;

use mp_core::Readiness;

pub use self::bind::BindError;
pub(crate) use self::errno::{is_of_one_connection, is_shortage};
pub(crate) use self::ready_list::{ReadyList, SOURCE};
pub use self::std::{Tcp, TcpStream};
#[cfg(feature = "tokio")]
pub use self::tokio::{TokioTcp, TokioTcpStream};

/// A source of connections: a server's listener, or a client's attempt to connect.
pub trait StreamSource {
    /// Type of the connections.
    type Stream: ByteStream;

    /// Returns the next connection and its remote address. `Pending` if there is none; if
    /// [`readiness`](Self::readiness) is [`Readiness::Waker`], the task of `cx` is then woken when
    /// there may be one.
    ///
    /// # Errors
    ///
    /// Returns an error if a client's attempt failed, or if a server cannot accept, for example for
    /// lack of descriptors. A server is polled again after a delay.
    fn poll_stream(&mut self, cx: &mut Context<'_>)
    -> Poll<io::Result<(Self::Stream, SocketAddr)>>;

    /// Returns the local address of a listener. That of a client is unknown before it has
    /// connected.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system cannot report the address.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns how the host learns that there is something to receive. Default: polling every 5 ms.
    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }
}

/// A non-blocking byte stream in both directions. If its source [wakes](Readiness::Waker), a call
/// that returns `Pending` registers the task to be woken.
pub trait ByteStream {
    /// Reads into `buf` and returns the number of bytes; 0 at the end of the stream.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is broken.
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Writes the first bytes of `bytes` and returns their number.
    ///
    /// # Errors
    ///
    /// Returns an error if the connection is broken.
    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>>;

    /// Shuts the stream down for writing.
    fn shutdown(&mut self);

    /// Sets whether small writes are sent immediately (default: true).
    fn set_no_delay(&mut self, _no_delay: bool) {}

    /// Sets the time after which reads and writes fail with [`TimedOut`](io::ErrorKind::TimedOut)
    /// because the remote host acknowledges nothing; see
    /// [`TCP_TIMEOUT`](crate::limits::TCP_TIMEOUT). Returns whether this limits the time of
    /// unacknowledged bytes. Default: sets nothing, for streams without a network.
    fn set_timeout(&mut self, _timeout: Duration) -> bool {
        false
    }
}
