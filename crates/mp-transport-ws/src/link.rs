//! A connection and its socket.

use std::io::{self, ErrorKind};
use std::task::{Context, Poll, Waker};

use mp_core::{DisconnectReason, Instant};

use crate::io::ByteStream;
use crate::limits::{KEEPALIVES_PER_TIMEOUT, LINK_BYTES_PER_POLL};
use crate::proto::connection::Connection;
use crate::proto::session::{Session, Settings};

/// One link with its socket.
#[derive(Debug)]
pub(crate) struct Link<S> {
    pub(crate) connection: Connection,
    stream: S,
    waker: Waker,
    /// What the socket has not taken of the last write.
    unsent: Vec<u8>,
    /// Reason of a failed write. The connection ends when all bytes received before have been read.
    broken: Option<DisconnectReason>,
    is_shut: bool,
    /// Whether reading stopped although there may be more.
    is_paused: bool,
    /// Whether it waits to be flushed.
    pub(crate) is_dirty: bool,
    /// Whether it counts as one that has not got through its handshake.
    pub(crate) is_handshaking: bool,
    /// When it is due, as its peer has noted.
    pub(crate) timer: Option<Instant>,
    /// Its waiting bytes, as its peer has noted.
    pub(crate) waiting: usize,
}

impl<S: ByteStream> Link<S> {
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
            stream,
            waker,
            unsent: Vec::new(),
            broken: None,
            is_shut: false,
            is_paused: false,
            is_dirty: false,
            is_handshaking: true,
            timer: None,
            waiting: 0,
        }
    }

    /// Takes in what the socket has, [`LINK_BYTES_PER_POLL`] at most: how much, and whether there may be more.
    pub(crate) fn read(
        &mut self,
        now: Instant,
        buffer: &mut [u8],
        session: &mut Session,
    ) -> (usize, bool) {
        let mut taken = 0;
        let mut cx = Context::from_waker(&self.waker);
        while taken < LINK_BYTES_PER_POLL {
            if !self.connection.wants_bytes() {
                self.is_paused = true;
                return (taken, false);
            }
            match self.stream.poll_read(&mut cx, buffer) {
                Poll::Pending => {
                    if let Some(reason) = self.broken {
                        self.connection.break_off(reason);
                    }
                    return (taken, false);
                }
                Poll::Ready(Ok(0)) => {
                    self.connection.break_off(self.broken.unwrap_or(DisconnectReason::Remote(0)));
                    return (taken, false);
                }
                Poll::Ready(Ok(len)) => {
                    taken += len;
                    self.connection.receive(now, &buffer[..len], session);
                }
                Poll::Ready(Err(error)) => {
                    self.connection.break_off(self.broken.unwrap_or_else(|| reason_of(&error)));
                    return (taken, false);
                }
            }
        }
        (taken, true)
    }

    /// Writes what there is, as far as the socket takes it. `out` is a buffer to pack in.
    pub(crate) fn flush(&mut self, now: Instant, out: &mut Vec<u8>, session: &mut Session) {
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
            let written = self.write(out);
            let all = written == out.len();
            self.connection.note_written(now, written > 0, all);
            if !all {
                self.unsent = out.split_off(written);
                break;
            }
        }
        if self.unsent.is_empty() && self.connection.wants_shutdown() && !self.is_shut {
            self.is_shut = true;
            out.clear();
            self.connection.close_tls(out);
            self.write(out);
            self.stream.shutdown();
        }
        self.resume();
    }

    /// Offers the last words of a link that is over to the socket, which closes with it.
    pub(crate) fn part(mut self, now: Instant, out: &mut Vec<u8>, session: &mut Session) {
        self.flush(now, out, session);
        if self.unsent.is_empty() && !self.is_shut {
            out.clear();
            self.connection.close_tls(out);
            self.write(out);
        }
    }

    /// Whether there is something to write.
    pub(crate) fn has_output(&self) -> bool {
        !self.unsent.is_empty()
            || self.connection.has_output()
            || (self.connection.wants_shutdown() && !self.is_shut)
    }

    /// Goes on reading, when it had stopped and may.
    pub(crate) fn resume(&mut self) {
        if self.is_paused && self.connection.wants_bytes() {
            self.is_paused = false;
            self.waker.wake_by_ref();
        }
    }

    /// Lists it for the next turn.
    pub(crate) fn wake(&self) {
        self.waker.wake_by_ref();
    }

    pub(crate) fn set_no_delay(&mut self, no_delay: bool) {
        self.stream.set_no_delay(no_delay);
    }

    #[cfg(all(test, target_os = "linux"))]
    pub(crate) fn stream(&self) -> &S {
        &self.stream
    }

    /// Bytes that wait in this process.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.unsent.len() + self.connection.waiting_bytes()
    }

    /// Bytes that the socket has not taken.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// How much of `bytes` the socket took. What it takes amiss counts as taken: it is lost.
    fn write(&mut self, bytes: &[u8]) -> usize {
        let mut cx = Context::from_waker(&self.waker);
        let mut written = 0;
        while written < bytes.len() {
            match self.stream.poll_write(&mut cx, &bytes[written..]) {
                Poll::Pending => break,
                Poll::Ready(Ok(len)) if len > 0 => written += len,
                Poll::Ready(failed) => {
                    let reason =
                        failed.map_or_else(|e| reason_of(&e), |_| DisconnectReason::Remote(0));
                    // The first error is the cause: the system reports it once.
                    self.broken.get_or_insert(reason);
                    self.unsent = Vec::new();
                    // Reading finds out what has happened.
                    self.waker.wake_by_ref();
                    return bytes.len();
                }
            }
        }
        written
    }
}

/// The reason of an end by an I/O error. After a timeout TCP reports why the remote host was not
/// reached, if a router said so.
fn reason_of(error: &io::Error) -> DisconnectReason {
    use ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    match error.kind() {
        TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown => DisconnectReason::Timeout,
        _ => DisconnectReason::Remote(0),
    }
}
