//! Both directions of a virtual connection.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mp_core::{Instant, Rng};

use super::Line;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Pipes {
    line: Line,
    rng: Rng,
    now: Instant,
    /// Directions from the client and from the server.
    ways: [Way; 2],
}

#[derive(Debug, Default)]
struct Way {
    /// Chunks in flight, each with its arrival time.
    pieces: VecDeque<(Instant, VecDeque<u8>)>,
    len: usize,
    /// Arrival time of the end of the stream.
    ends: Option<Instant>,
    /// True after the reading end was dropped: with unread bytes, or when it is written to
    /// afterwards.
    is_reset: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Client,
    Server,
}

/// One end of a connection.
#[derive(Debug)]
pub(super) struct End {
    pub(super) pipes: Arc<Mutex<Pipes>>,
    pub(super) side: Side,
}

impl Pipes {
    pub(super) fn new(line: Line, rng: Rng, now: Instant) -> Self {
        Self { line, rng, now, ways: Default::default() }
    }

    pub(super) fn advance(&mut self, now: Instant) {
        self.now = now;
        for way in &mut self.ways {
            way.wake_reader(now);
        }
    }

    fn some_of(&mut self, len: usize) -> usize {
        len.min(1 + self.rng.below(self.line.chunk as u64) as usize)
    }
}

impl Way {
    fn wake_reader(&mut self, now: Instant) {
        let has_bytes = self.pieces.front().is_some_and(|&(at, _)| at <= now);
        let ends = self.ends.is_some_and(|at| at <= now);
        if (has_bytes || ends || self.is_reset)
            && let Some(reader) = self.reader.take()
        {
            reader.wake();
        }
    }
}

impl End {
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipes = self.lock();
        let most = pipes.some_of(buf.len());
        let now = pipes.now;
        let way = &mut pipes.ways[self.side.other()];
        if way.is_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let Some((at, piece)) = way.pieces.front_mut().filter(|(at, _)| *at <= now) else {
            if way.pieces.is_empty() && way.ends.is_some_and(|at| at <= now) {
                return Poll::Ready(Ok(0));
            }
            way.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        debug_assert!(*at <= now);
        let len = most.min(piece.len());
        for (to, from) in buf.iter_mut().zip(piece.drain(..len)) {
            *to = from;
        }
        if piece.is_empty() {
            way.pieces.pop_front();
        }
        way.len -= len;
        if let Some(writer) = way.writer.take() {
            writer.wake();
        }
        Poll::Ready(Ok(len))
    }

    pub(super) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let mut pipes = self.lock();
        let (now, line) = (pipes.now, pipes.line);
        let most = pipes.some_of(bytes.len());
        let way = &mut pipes.ways[self.side.own()];
        if way.is_reset || way.ends.is_some() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let len = most.min(line.capacity.saturating_sub(way.len));
        if len == 0 {
            way.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        way.pieces.push_back((now + line.latency, bytes[..len].iter().copied().collect()));
        way.len += len;
        way.wake_reader(now);
        Poll::Ready(Ok(len))
    }

    pub(super) fn has_timeout(&self) -> bool {
        self.lock().line.has_timeout
    }

    pub(super) fn shutdown(&mut self) {
        let mut pipes = self.lock();
        let (now, latency) = (pipes.now, pipes.line.latency);
        let way = &mut pipes.ways[self.side.own()];
        way.ends.get_or_insert(now + latency);
        way.wake_reader(now);
    }

    fn lock(&self) -> MutexGuard<'_, Pipes> {
        self.pipes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for End {
    /// Closes the end like a socket: unread bytes reset the connection, which discards bytes that
    /// the remote end has not read.
    fn drop(&mut self) {
        self.shutdown();
        let mut pipes = self.lock();
        let now = pipes.now;
        let unread = pipes.ways[self.side.other()].len > 0;
        if unread {
            let own = &mut pipes.ways[self.side.own()];
            own.is_reset = true;
            own.wake_reader(now);
        }
        let other = &mut pipes.ways[self.side.other()];
        other.is_reset = true;
        if let Some(writer) = other.writer.take() {
            writer.wake();
        }
    }
}

impl Side {
    fn own(self) -> usize {
        self as usize
    }

    fn other(self) -> usize {
        1 - self as usize
    }
}
