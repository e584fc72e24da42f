//! A seeded network of virtual sockets in virtual time, for tests. A seed reproduces a run.
#![expect(clippy::exhaustive_structs, reason = "tests build links")]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mp_core::{Instant, Readiness, Rng};

use crate::io::DatagramSocket;

/// The properties of the network. Probabilities are in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Delay of each datagram.
    pub latency: Duration,
    /// Maximum additional delay. If it exceeds the time between two datagrams, they may be
    /// reordered.
    pub jitter: Duration,
    /// Probability that a datagram is lost.
    pub loss_permille: u16,
    /// Probability that a datagram is duplicated.
    pub duplication_permille: u16,
    /// Probability that the delay is three times `latency` and `jitter`, so that later datagrams
    /// overtake the datagram.
    pub reordering_permille: u16,
}

/// A network. Clones share it.
#[derive(Clone, Debug)]
pub struct Network(Arc<Mutex<State>>);

/// A socket of a [`Network`].
#[derive(Debug)]
pub struct Socket {
    network: Network,
    address: SocketAddr,
}

#[derive(Debug)]
struct State {
    now: Instant,
    rng: Rng,
    link: Link,
    inboxes: BTreeMap<SocketAddr, Inbox>,
    next_number: u64,
    log: Option<Vec<Sent>>,
}

#[derive(Debug, Default)]
struct Inbox {
    /// Datagrams by the time of arrival, then by the order of sending.
    datagrams: BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>,
    /// Number of datagrams that the socket may still send. `None`: unlimited.
    allowance: Option<usize>,
}

/// A datagram that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// Time of sending.
    pub at: Instant,
    /// Address of the sender.
    pub from: SocketAddr,
    /// Address of the receiver.
    pub to: SocketAddr,
    /// Payload.
    pub bytes: Vec<u8>,
}

impl Network {
    /// Returns a network with random numbers from `rng`.
    pub fn new(rng: Rng, link: Link) -> Self {
        Self(Arc::new(Mutex::new(State {
            now: Instant::ZERO,
            rng,
            link,
            inboxes: BTreeMap::new(),
            next_number: 0,
            log: None,
        })))
    }

    /// Returns a socket at `address`. Datagrams to an address without a socket are lost.
    pub fn socket(&self, address: SocketAddr) -> Socket {
        self.state().inboxes.entry(address).or_default();
        Socket { network: self.clone(), address }
    }

    /// Advances the time to `now`, unless it is earlier.
    pub fn advance(&self, now: Instant) {
        let mut state = self.state();
        state.now = state.now.max(now);
    }

    /// Returns the time.
    pub fn now(&self) -> Instant {
        self.state().now
    }

    /// Returns the time at which the next unreceived datagram arrives. It may be in the past.
    pub fn next_arrival(&self) -> Option<Instant> {
        let state = self.state();
        let first = |inbox: &Inbox| inbox.datagrams.keys().next().map(|&(at, _)| at);
        state.inboxes.values().filter_map(first).min()
    }

    /// Sets the properties of the network for datagrams sent from now on.
    pub fn set_link(&self, link: Link) {
        self.state().link = link;
    }

    /// Limits the socket at `address` to `datagrams` more before it blocks. `None`: unlimited.
    pub fn set_allowance(&self, address: SocketAddr, datagrams: Option<usize>) {
        self.state().inboxes.entry(address).or_default().allowance = datagrams;
    }

    /// Returns the datagrams sent since the last call. The first call starts recording.
    pub fn take_log(&self) -> Vec<Sent> {
        self.state().log.replace(Vec::new()).unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_lucky(&mut self, permille: u16) -> bool {
        permille > 0 && self.rng.below(1_000) < u64::from(permille)
    }

    fn deliver(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) {
        let link = self.link;
        let factor = if self.is_lucky(link.reordering_permille) { 3 } else { 1 };
        let jitter = u64::try_from(link.jitter.as_micros()).unwrap_or(u64::MAX);
        let jitter = Duration::from_micros(self.rng.below(jitter));
        let at = self.now + (link.latency + jitter) * factor;
        self.next_number += 1;
        let number = self.next_number;
        if let Some(inbox) = self.inboxes.get_mut(&to)
            && inbox.datagrams.len() < INBOX_MAX
        {
            inbox.datagrams.insert((at, number), (from, bytes.to_vec()));
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.network.state().inboxes.remove(&self.address);
    }
}

impl DatagramSocket for Socket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut state = self.network.state();
        if let Some(allowance) =
            state.inboxes.get_mut(&self.address).and_then(|inbox| inbox.allowance.as_mut())
        {
            *allowance = allowance.checked_sub(1).ok_or(io::ErrorKind::WouldBlock)?;
        }
        let at = state.now;
        if let Some(log) = &mut state.log {
            log.push(Sent { at, from: self.address, to, bytes: datagram.to_vec() });
        }
        let link = state.link;
        if state.is_lucky(link.loss_permille) {
            return Ok(());
        }
        if state.is_lucky(link.duplication_permille) {
            state.deliver(self.address, to, datagram);
        }
        state.deliver(self.address, to, datagram);
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut state = self.network.state();
        let now = state.now;
        let inbox = state.inboxes.entry(self.address).or_default();
        let first = inbox.datagrams.first_entry().filter(|first| first.key().0 <= now);
        let (from, bytes) = first.ok_or(io::ErrorKind::WouldBlock)?.remove();
        let len = bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&bytes[..len]);
        Ok((len, from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }

    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(1))
    }
}

/// Maximum number of datagrams in the receive buffer of a socket. Further ones are lost.
const INBOX_MAX: usize = 4_096;
