//! A network of virtual connections in virtual time, for tests: a seed decides everything.
#![expect(clippy::exhaustive_structs, reason = "tests build lines")]

mod pipe;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use mp_core::{Instant, Readiness, Rng};

use self::pipe::{End, Pipes, Side};
use crate::io::{ByteStream, StreamSource};

/// How a connection behaves.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    /// Time from one end to the other.
    pub latency: Duration,
    /// Bytes that a direction holds before a write has to wait: socket buffers and what is under way.
    pub capacity: usize,
    /// Most bytes that one read or write moves; each moves a random number of them. So frames come in pieces of any size.
    pub chunk: usize,
    /// True if the time of unacknowledged bytes is limited, as on Linux.
    pub has_timeout: bool,
}

impl Default for Line {
    /// No latency, 256 KiB, 64 KiB at once, no timeout.
    fn default() -> Self {
        Self { latency: Duration::ZERO, capacity: 256 * 1024, chunk: 64 * 1024, has_timeout: false }
    }
}

/// A network with one server.
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: Rng,
    line: Line,
    now: Instant,
    backlog: VecDeque<(VirtualStream, SocketAddr)>,
    listens: bool,
    listener: Option<Waker>,
    pipes: Vec<Arc<Mutex<Pipes>>>,
    dialed: u16,
}

impl Network {
    /// A network of `line`s.
    pub fn new(rng: Rng, line: Line) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng,
            line,
            now: Instant::ZERO,
            backlog: VecDeque::new(),
            listens: false,
            listener: None,
            pipes: Vec::new(),
            dialed: 0,
        })))
    }

    /// Where a server gets its clients from.
    pub fn listener(&self) -> Virtual {
        self.lock().listens = true;
        Virtual { network: self.clone(), dials: None }
    }

    /// A client's way to the server. It does not wake: some hosts poll at an interval.
    pub fn dialer(&self) -> Virtual {
        Virtual { network: self.clone(), dials: Some(true) }
    }

    /// Connects at once, for tests that speak for themselves.
    ///
    /// # Errors
    ///
    /// When nobody listens.
    pub fn connect(&self) -> io::Result<VirtualStream> {
        let mut state = self.lock();
        if !state.listens {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        state.dialed += 1;
        let address =
            SocketAddr::from(([10, 0, (state.dialed >> 8) as u8, state.dialed as u8], 5_000));
        let pipes = Arc::new(Mutex::new(Pipes::new(state.line, state.rng.fork(), state.now)));
        state.pipes.push(Arc::clone(&pipes));
        let [near, far] = [Side::Client, Side::Server]
            .map(|side| VirtualStream(End { pipes: Arc::clone(&pipes), side }));
        state.backlog.push_back((far, address));
        if let Some(listener) = state.listener.take() {
            listener.wake();
        }
        Ok(near)
    }

    /// Lets time pass.
    pub fn advance(&self, now: Instant) {
        let mut state = self.lock();
        state.now = now;
        state.pipes.retain(|pipes| Arc::strong_count(pipes) > 1);
        for pipes in &state.pipes {
            pipes.lock().unwrap_or_else(PoisonError::into_inner).advance(now);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source of virtual connections.
#[derive(Debug)]
pub struct Virtual {
    network: Network,
    /// A dialer's, until it has dialed.
    dials: Option<bool>,
}

impl StreamSource for Virtual {
    type Stream = VirtualStream;

    fn poll_stream(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(VirtualStream, SocketAddr)>> {
        if let Some(dials) = &mut self.dials {
            if !std::mem::take(dials) {
                return Poll::Pending;
            }
            let server = SocketAddr::from(([10, 0, 0, 1], 80));
            return Poll::Ready(self.network.connect().map(|stream| (stream, server)));
        }
        let mut state = self.network.lock();
        match state.backlog.pop_front() {
            Some(accepted) => Poll::Ready(Ok(accepted)),
            None => {
                state.listener = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(SocketAddr::from(([10, 0, 0, 1], 80)))
    }

    fn readiness(&self) -> Readiness {
        match self.dials {
            None => Readiness::Wakes,
            Some(_) => Readiness::Interval(Duration::from_millis(5)),
        }
    }
}

impl Drop for Virtual {
    fn drop(&mut self) {
        if self.dials.is_none() {
            let mut state = self.network.lock();
            state.listens = false;
            state.backlog.clear();
        }
    }
}

/// One end of a virtual connection.
#[derive(Debug)]
pub struct VirtualStream(End);

impl ByteStream for VirtualStream {
    fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        self.0.poll_read(cx, buf)
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn shutdown(&mut self) {
        self.0.shutdown();
    }

    fn set_timeout(&mut self, _timeout: Duration) -> bool {
        self.0.has_timeout()
    }
}
