//! A network of virtual connections under virtual time, for tests. A seed determines its behavior.
#![expect(clippy::exhaustive_structs, reason = "tests construct them")]

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

/// Properties of virtual connections.
#[derive(Clone, Copy, Debug)]
pub struct StreamConditions {
    /// One-way latency.
    pub latency: Duration,
    /// Bytes in flight per direction beyond which writes are `Pending`, like socket buffers.
    pub capacity: usize,
    /// Maximum bytes per read or write. Each moves a random number of bytes, so that frames are
    /// split anywhere.
    pub chunk: usize,
    /// True if the stream limits the time of unacknowledged bytes, as on Linux.
    pub has_timeout: bool,
}

impl Default for StreamConditions {
    /// Returns no latency, a capacity of 256 KiB, chunks of up to 64 KiB and no timeout.
    fn default() -> Self {
        Self { latency: Duration::ZERO, capacity: 256 * 1024, chunk: 64 * 1024, has_timeout: false }
    }
}

/// A network with one server.
#[derive(Clone, Debug)]
pub struct VirtualNetwork(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    rng: Rng,
    conditions: StreamConditions,
    now: Instant,
    backlog: VecDeque<(VirtualStream, SocketAddr)>,
    listens: bool,
    listener: Option<Waker>,
    pipes: Vec<Arc<Mutex<Pipes>>>,
    dialed: u16,
}

impl VirtualNetwork {
    /// Creates a network whose connections have the properties `line`.
    pub fn new(rng: Rng, conditions: StreamConditions) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng,
            conditions,
            now: Instant::ZERO,
            backlog: VecDeque::new(),
            listens: false,
            listener: None,
            pipes: Vec::new(),
            dialed: 0,
        })))
    }

    /// Returns the source of a server, which accepts all connections of the network.
    pub fn listener(&self) -> VirtualSource {
        self.lock().listens = true;
        VirtualSource { network: self.clone(), dials: None }
    }

    /// Returns the source of a client, which connects once. It does not wake: its host polls at an
    /// interval.
    pub fn dialer(&self) -> VirtualSource {
        VirtualSource { network: self.clone(), dials: Some(true) }
    }

    /// Connects to the server, for tests that exchange bytes themselves.
    ///
    /// # Errors
    ///
    /// Returns `ConnectionRefused` if no server listens.
    pub fn connect(&self) -> io::Result<VirtualStream> {
        let mut state = self.lock();
        if !state.listens {
            return Err(ErrorKind::ConnectionRefused.into());
        }
        state.dialed += 1;
        let address =
            SocketAddr::from(([10, 0, (state.dialed >> 8) as u8, state.dialed as u8], 5_000));
        let pipes = Arc::new(Mutex::new(Pipes::new(state.conditions, state.rng.fork(), state.now)));
        state.pipes.push(Arc::clone(&pipes));
        let [near, far] = [Side::Client, Side::Server]
            .map(|side| VirtualStream(End { pipes: Arc::clone(&pipes), side }));
        state.backlog.push_back((far, address));
        if let Some(listener) = state.listener.take() {
            listener.wake();
        }
        Ok(near)
    }

    /// Advances the time to `now` and delivers bytes.
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
pub struct VirtualSource {
    network: VirtualNetwork,
    /// `None` for a listener; for a client, true until it has connected.
    dials: Option<bool>,
}

impl StreamSource for VirtualSource {
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
            None => Readiness::Waker,
            Some(_) => Readiness::Interval(Duration::from_millis(5)),
        }
    }
}

impl Drop for VirtualSource {
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
