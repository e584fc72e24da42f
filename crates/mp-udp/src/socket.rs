//! [`DatagramSocket`]: what protocols need of a socket.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{Instant, Readiness};

#[cfg(doc)]
use crate::DATAGRAM_BYTES_MAX;
use crate::{DATAGRAM_BUFFER_BYTES, NetworkPath, SendBatch};

/// Something that sends and receives datagrams without waiting.
pub trait DatagramSocket {
    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: not now, the same datagram will be offered again. Anything else: this datagram is
    /// lost, and the next one is offered; later, if the error is [`io::ErrorKind::OutOfMemory`].
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Receives a datagram into `buf`: its length and where it comes from. What does not fit is cut off; a length of
    /// all of `buf` means that it was too long.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`]: there is none. An error that reports an undelivered datagram, such as
    /// [`io::ErrorKind::ConnectionRefused`]: there may be more. Anything else: the socket is polled again later.
    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Sends the datagrams of `batch`, oldest first, and forgets those that went. A socket that is
    /// bound to several addresses should send each from its path's local address; as provided, the
    /// system chooses.
    ///
    /// # Errors
    ///
    /// As [`try_send_to`](Self::try_send_to); it concerns the oldest datagram that is left.
    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        while let Some((path, datagram)) = batch.front() {
            self.try_send_to(datagram, path.remote)?;
            batch.pop_front();
        }
        Ok(())
    }

    /// Receives up to `most` datagrams and gives each to `take`, with the path that it came by; one
    /// of more than [`DATAGRAM_BYTES_MAX`] bytes is cut off behind the first byte too many. Whether there are
    /// no more for now. As provided, the local address of paths is not known.
    ///
    /// # Errors
    ///
    /// As [`try_recv_from`](Self::try_recv_from), but that there is none is no error.
    fn try_recv_batch(
        &mut self,
        most: usize,
        take: &mut dyn FnMut(NetworkPath, &[u8]),
    ) -> io::Result<bool> {
        let mut buf = [0; DATAGRAM_BUFFER_BYTES];
        for _ in 0..most {
            match self.try_recv_from(&mut buf) {
                Ok((len, from)) => take(from.into(), &buf[..len]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

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

    /// For [`Readiness::Wakes`]: lets arrivals wait, so that nothing wakes the task before `pause` has passed; then
    /// [`poll_ready`](Self::poll_ready) is ready once, and arrivals wake it as before. Whether it can; else nothing changes.
    fn pause(&mut self, _pause: Duration) -> bool {
        false
    }

    /// Tells the time, before a turn's first datagram is received and before its first is sent: for sockets around others, which
    /// have something to do in time.
    fn handle_timeout(&mut self, _now: Instant) {}

    /// When [`handle_timeout`](Self::handle_timeout) is due without a datagram either way.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
