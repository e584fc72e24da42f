//! A network of virtual sockets in virtual time, for tests: seeded, so that a seed is a run.
#![expect(clippy::exhaustive_structs, reason = "tests build links")]

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mp_core::{Instant, Readiness, Rng};

use crate::io::DatagramSocket;

/// What happens to datagrams on their way. Chances are in thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// How long every datagram takes.
    pub latency: Duration,
    /// Up to how much longer some take; more than the time between two datagrams reorders them.
    pub jitter: Duration,
    /// How many are lost.
    pub loss_permille: u16,
    /// How many arrive twice.
    pub duplication_permille: u16,
    /// How many take three times `latency` and `jitter`, and so arrive after those sent behind them.
    pub reordering_permille: u16,
}

/// A network; clones are the same one.
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
    /// By arrival, then in the order of sending.
    datagrams: BTreeMap<(Instant, u64), (SocketAddr, Vec<u8>)>,
    /// How many datagrams its socket may still send; without a limit when `None`.
    allowance: Option<usize>,
}

/// A datagram that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sent {
    /// When.
    pub at: Instant,
    /// By whom.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Network {
    /// A network whose luck comes from `rng`.
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

    /// A socket at `address`. Datagrams to an address without a socket are lost.
    pub fn socket(&self, address: SocketAddr) -> Socket {
        self.state().inboxes.entry(address).or_default();
        Socket { network: self.clone(), address }
    }

    /// Moves time to `now`, if it is later.
    pub fn advance(&self, now: Instant) {
        let mut state = self.state();
        state.now = state.now.max(now);
    }

    /// The time.
    pub fn now(&self) -> Instant {
        self.state().now
    }

    /// When the next datagram arrives that was not received yet; that may be in the past.
    pub fn next_arrival(&self) -> Option<Instant> {
        let state = self.state();
        let first = |inbox: &Inbox| inbox.datagrams.keys().next().map(|&(at, _)| at);
        state.inboxes.values().filter_map(first).min()
    }

    /// Changes what happens to datagrams sent from now on.
    pub fn set_link(&self, link: Link) {
        self.state().link = link;
    }

    /// Lets the socket at `address` send `datagrams` more before it has no room (`None`: always has).
    pub fn set_allowance(&self, address: SocketAddr, datagrams: Option<usize>) {
        self.state().inboxes.entry(address).or_default().allowance = datagrams;
    }

    /// Datagrams sent since the last call; the first call starts the recording.
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

/// Datagrams that wait at a socket; beyond it they are lost, as in a real one.
const INBOX_MAX: usize = 4_096;
