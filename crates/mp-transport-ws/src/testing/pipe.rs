//! Both directions of a virtual connection.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use mp_core::{Instant, Rng};

use super::StreamConditions;

/// Both directions of a connection.
#[derive(Debug)]
pub(super) struct Pipes {
    conditions: StreamConditions,
    rng: Rng,
    now: Instant,
    /// Directions from the client and from the server.
    directions: [Direction; 2],
}

#[derive(Debug, Default)]
struct Direction {
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
    pub(super) fn new(conditions: StreamConditions, rng: Rng, now: Instant) -> Self {
        Self { conditions, rng, now, directions: Default::default() }
    }

    pub(super) fn advance(&mut self, now: Instant) {
        self.now = now;
        for direction in &mut self.directions {
            direction.wake_reader(now);
        }
    }

    fn some_of(&mut self, len: usize) -> usize {
        len.min(1 + self.rng.below(self.conditions.chunk as u64) as usize)
    }
}

impl Direction {
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
        let direction = &mut pipes.directions[self.side.other()];
        if direction.is_reset {
            return Poll::Ready(Err(ErrorKind::ConnectionReset.into()));
        }
        let Some((at, piece)) = direction.pieces.front_mut().filter(|(at, _)| *at <= now) else {
            if direction.pieces.is_empty() && direction.ends.is_some_and(|at| at <= now) {
                return Poll::Ready(Ok(0));
            }
            direction.reader = Some(cx.waker().clone());
            return Poll::Pending;
        };
        debug_assert!(*at <= now);
        let len = most.min(piece.len());
        for (to, from) in buf.iter_mut().zip(piece.drain(..len)) {
            *to = from;
        }
        if piece.is_empty() {
            direction.pieces.pop_front();
        }
        direction.len -= len;
        if let Some(writer) = direction.writer.take() {
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
        let (now, conditions) = (pipes.now, pipes.conditions);
        let most = pipes.some_of(bytes.len());
        let direction = &mut pipes.directions[self.side.own()];
        if direction.is_reset || direction.ends.is_some() {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        let len = most.min(conditions.capacity.saturating_sub(direction.len));
        if len == 0 {
            direction.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        direction
            .pieces
            .push_back((now + conditions.latency, bytes[..len].iter().copied().collect()));
        direction.len += len;
        direction.wake_reader(now);
        Poll::Ready(Ok(len))
    }

    pub(super) fn has_timeout(&self) -> bool {
        self.lock().conditions.has_timeout
    }

    pub(super) fn shutdown(&mut self) {
        let mut pipes = self.lock();
        let (now, latency) = (pipes.now, pipes.conditions.latency);
        let direction = &mut pipes.directions[self.side.own()];
        direction.ends.get_or_insert(now + latency);
        direction.wake_reader(now);
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
        let unread = pipes.directions[self.side.other()].len > 0;
        if unread {
            let own = &mut pipes.directions[self.side.own()];
            own.is_reset = true;
            own.wake_reader(now);
        }
        let other = &mut pipes.directions[self.side.other()];
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
