//! A connection with its byte stream.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

use mp_core::{ConnectionConditions, ConnectionStats, DisconnectReason, Instant, LinkStats, Rng};

use crate::io::ByteStream;
use crate::limits::{CONNECTION_BYTES_PER_POLL, KEEPALIVES_PER_TIMEOUT};
use crate::proto::connection::Connection;
use crate::proto::session::{Session, Settings};
use crate::shaped_stream::ShapedStream;

/// A connection with its byte stream and the state that its peer keeps about it.
#[derive(Debug)]
pub(crate) struct ConnectionIo<S> {
    pub(crate) connection: Connection,
    stream: ShapedStream<S>,
    waker: Waker,
    /// Bytes of the last write that the stream has not accepted.
    unsent: Vec<u8>,
    /// Reason of a failed write. The connection ends when all bytes received before have been read.
    broken: Option<DisconnectReason>,
    is_shut: bool,
    /// True if reading stopped although bytes may be available.
    has_stopped_reading: bool,
    /// True if the connection is listed for the next flush.
    pub(crate) is_dirty: bool,
    /// True if the connection counts as one whose handshake is incomplete.
    pub(crate) is_handshaking: bool,
    /// Time of the connection's entry among the peer's timers.
    pub(crate) timer: Option<Instant>,
    /// Waiting bytes that the peer has charged for the connection.
    pub(crate) waiting: usize,
}

impl<S: ByteStream> ConnectionIo<S> {
    pub(crate) fn new(
        mut connection: Connection,
        mut stream: S,
        waker: Waker,
        settings: &Settings,
    ) -> Self {
        if stream.set_timeout(settings.tcp_timeout) {
            connection.set_keepalive(settings.tcp_timeout / KEEPALIVES_PER_TIMEOUT);
        }
        Self {
            connection,
            stream: ShapedStream::new(stream),
            waker,
            unsent: Vec::new(),
            broken: None,
            is_shut: false,
            has_stopped_reading: false,
            is_dirty: false,
            is_handshaking: true,
            timer: None,
            waiting: 0,
        }
    }

    /// Receives up to [`CONNECTION_BYTES_PER_POLL`] bytes from the stream. Returns their number,
    /// and whether there may be more.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        session: &mut Session,
    ) -> (usize, bool) {
        let mut taken = 0;
        let mut cx = Context::from_waker(&self.waker);
        while taken < CONNECTION_BYTES_PER_POLL {
            if !self.connection.wants_input() {
                self.has_stopped_reading = true;
                return (taken, false);
            }
            match self.stream.poll_read(now, &mut cx, buffer) {
                Poll::Pending => {
                    if let Some(reason) = self.broken.filter(|_| !self.stream.has_input()) {
                        self.connection.handle_disconnect(reason);
                    }
                    return (taken, false);
                }
                Poll::Ready(Ok(0)) => {
                    self.connection
                        .handle_disconnect(self.broken.unwrap_or(DisconnectReason::Remote(0)));
                    return (taken, false);
                }
                Poll::Ready(Ok(len)) => {
                    taken += len;
                    self.connection.receive(now, &buffer[..len], session);
                }
                Poll::Ready(Err(error)) => {
                    self.connection
                        .handle_disconnect(self.broken.unwrap_or_else(|| reason_of(&error)));
                    return (taken, false);
                }
            }
        }
        (taken, true)
    }

    /// Writes queued output until the stream accepts no more. `out` is a scratch buffer.
    pub(crate) fn flush(&mut self, now: Instant, out: &mut Vec<u8>, session: &mut Session) {
        self.advance(now);
        while self.broken.is_none() {
            out.clear();
            if self.unsent.is_empty() {
                self.connection.transmit(now, out, session);
            } else {
                std::mem::swap(&mut self.unsent, out);
            }
            if out.is_empty() {
                break;
            }
            let written = self.write(now, out);
            session.network_bytes_sent += written as u64;
            let all = written == out.len();
            self.connection.record_written(now, written > 0, all);
            if !all {
                self.unsent = out.split_off(written);
                break;
            }
        }
        if self.unsent.is_empty() && self.connection.wants_shutdown() && !self.is_shut {
            self.is_shut = true;
            out.clear();
            self.connection.close_tls(out);
            self.write(now, out);
            self.stream.shutdown();
        }
        self.resume();
    }

    /// Writes the last bytes of a closed connection, as far as the stream accepts them, and drops
    /// the stream. Returns the final statistics.
    pub(crate) fn finish(
        mut self,
        now: Instant,
        out: &mut Vec<u8>,
        session: &mut Session,
    ) -> ConnectionStats {
        self.stream.write_all(&mut Context::from_waker(&self.waker));
        self.flush(now, out, session);
        if self.unsent.is_empty() && !self.is_shut {
            out.clear();
            self.connection.close_tls(out);
            self.write(now, out);
        }
        self.connection.stats()
    }

    /// Returns whether there are bytes to write, or the stream is to be shut down.
    pub(crate) fn has_output(&self) -> bool {
        !self.unsent.is_empty()
            || self.connection.has_output()
            || self.stream.has_output()
            || (self.connection.wants_shutdown() && !self.is_shut)
    }

    /// Continues reading if it stopped and input is wanted again.
    pub(crate) fn resume(&mut self) {
        if self.has_stopped_reading && self.connection.wants_input() {
            self.has_stopped_reading = false;
            self.waker.wake_by_ref();
        }
    }

    /// Lists the connection for the next turn.
    pub(crate) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    pub(crate) fn set_no_delay(&mut self, no_delay: bool) {
        self.stream.set_no_delay(no_delay);
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn stream(&self) -> &S {
        self.stream.inner()
    }

    /// Returns the bytes that wait in this process: unsent ones, queued packets, an incomplete
    /// message, and those on a simulated link.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.unsent.len() + self.connection.waiting_bytes() + self.stream.queued()
    }

    /// Returns the time of the first timer.
    pub(crate) fn due(&self) -> Option<Instant> {
        let link = self.stream.due(!self.has_stopped_reading);
        [self.connection.due(), link].into_iter().flatten().min()
    }

    /// Runs the timers that are due. Returns whether the connection is to be read.
    pub(crate) fn handle_timeout(&mut self, now: Instant, session: &mut Session) -> bool {
        self.advance(now);
        self.connection.handle_timeout(now, session);
        self.stream.notify(now)
    }

    /// Sets the simulated conditions of the stream, `None`: removes them.
    pub(crate) fn set_conditions(
        &mut self,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) {
        self.stream.set_conditions(conditions, rng);
    }

    /// Returns the simulated conditions of the stream and the statistics of its link.
    pub(crate) fn conditions(&self) -> Option<(ConnectionConditions, LinkStats)> {
        self.stream.conditions()
    }

    /// Returns the number of bytes that the stream has not accepted.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Writes what has passed the simulated link.
    fn advance(&mut self, now: Instant) {
        if let Err(error) = self.stream.advance(now, &mut Context::from_waker(&self.waker)) {
            self.fail(reason_of(&error));
        }
    }

    /// Records that the stream is broken: the connection ends when it is read.
    fn fail(&mut self, reason: DisconnectReason) {
        // The first error is the cause: the system reports it once.
        self.broken.get_or_insert(reason);
        self.unsent = Vec::new();
        self.waker.wake_by_ref();
    }

    /// Writes `bytes` and returns how many the stream accepted. After an error all of them count as
    /// accepted; they are lost.
    fn write(&mut self, now: Instant, bytes: &[u8]) -> usize {
        let mut cx = Context::from_waker(&self.waker);
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.poll_write(now, &mut cx, &bytes[written..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(len)) if len > 0 => written += len,
                Poll::Ready(failed) => {
                    let reason =
                        failed.map_or_else(|e| reason_of(&e), |_| DisconnectReason::Remote(0));
                    self.fail(reason);
                    return bytes.len();
                }
            }
        }
        written
    }
}

/// Returns the disconnect reason for an I/O error. After a timeout, TCP reports why the remote host
/// was unreachable, if a router reported it.
fn reason_of(error: &io::Error) -> DisconnectReason {
    use ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    match error.kind() {
        TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown => DisconnectReason::Timeout,
        _ => DisconnectReason::Remote(0),
    }
}
