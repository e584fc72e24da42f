//! [`DatagramSocket`]: the socket interface that transport protocols use.

use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{Instant, Readiness};

#[cfg(doc)]
use crate::DATAGRAM_BYTES_MAX;
use crate::{DATAGRAM_BUFFER_BYTES, NetworkPath, SendBatch};

/// A non-blocking datagram socket.
pub trait DatagramSocket {
    /// Sends a datagram.
    ///
    /// # Errors
    ///
    /// - [`io::ErrorKind::WouldBlock`]: the caller keeps the datagram and tries again later.
    /// - [`io::ErrorKind::OutOfMemory`]: the datagram is dropped, and the next one is sent later.
    /// - Any other: the datagram is dropped, and the next one is sent at once.
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()>;

    /// Receives a datagram into `buf`. Returns its length and source address. A longer datagram is
    /// cut off, so a length of `buf.len()` means that the datagram was too long.
    ///
    /// # Errors
    ///
    /// - [`io::ErrorKind::WouldBlock`]: no datagram is available.
    /// - An error that reports an undelivered datagram, such as
    ///   [`io::ErrorKind::ConnectionRefused`]: more datagrams may be available.
    /// - Any other: the caller polls the socket again later.
    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)>;

    /// Sends the datagrams of `batch`, oldest first, and removes those that were sent. A socket
    /// that is bound to several addresses should send each datagram from its path's local address.
    /// The default implementation lets the operating system choose.
    ///
    /// # Errors
    ///
    /// As [`try_send_to`](Self::try_send_to). An error applies to the oldest datagram left in
    /// `batch`.
    fn try_send_batch(&mut self, batch: &mut SendBatch) -> io::Result<()> {
        while let Some((path, datagram)) = batch.front() {
            self.try_send_to(datagram, path.remote)?;
            batch.pop_front();
        }
        Ok(())
    }

    /// Receives up to `most` datagrams and calls `take` with the path and bytes of each. Datagrams
    /// longer than [`DATAGRAM_BYTES_MAX`] are cut off to one byte more. Returns whether the socket
    /// is drained. The default implementation does not set the local address of paths.
    ///
    /// # Errors
    ///
    /// As [`try_recv_from`](Self::try_recv_from), except that `WouldBlock` is `Ok(true)`.
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

    /// Returns the local address of the socket.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    fn local_addr(&self) -> io::Result<SocketAddr>;

    /// Returns how a host is notified of received datagrams. Default: it polls every 5 ms.
    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }

    /// Returns ready when a datagram is available, or when `wants_to_send` and the send buffer has
    /// capacity. Otherwise the task is woken then. Only for [`Readiness::Waker`].
    fn poll_ready(&mut self, _cx: &mut Context<'_>, _wants_to_send: bool) -> Poll<()> {
        Poll::Pending
    }

    /// Stops received datagrams from waking the task until `pause` has passed. Then
    /// [`poll_ready`](Self::poll_ready) returns ready once and wake-ups resume. Returns false if
    /// the socket cannot pause; nothing changes then. Only for [`Readiness::Waker`].
    fn pause(&mut self, _pause: Duration) -> bool {
        false
    }

    /// Advances the time of a socket with timers of its own, such as one that encrypts. It is
    /// called in each turn before the first datagram is received and before the first one is sent.
    fn handle_timeout(&mut self, _now: Instant) {}

    /// Returns the time of the next [`handle_timeout`](Self::handle_timeout) call if no datagram is
    /// received or sent before.
    fn poll_timeout(&self) -> Option<Instant> {
        None
    }
}
