//! A network in memory and virtual time, and signaling that passes everything on at once.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mp_core::{Instant, PeerId, Rng};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::{AddPeerError, Signal, Signaling, SignalingError};

/// How datagrams travel.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    /// Least time of travel.
    pub(crate) latency: Duration,
    /// Most time beyond it.
    pub(crate) jitter: Duration,
    /// Datagrams of 1,000 that are lost.
    pub(crate) loss: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Network(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    rng: Rng,
    conditions: Conditions,
    now: Instant,
    sockets: BTreeMap<SocketAddr, VecDeque<(SocketAddr, Vec<u8>)>>,
    travelling: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    is_dark: bool,
    next_port: u16,
}

impl Network {
    pub(crate) fn new(seed: u64, conditions: Conditions) -> Self {
        Self(Rc::new(RefCell::new(State {
            rng: Rng::from_number(seed),
            conditions,
            now: Instant::from_millis(1_000),
            sockets: BTreeMap::new(),
            travelling: Vec::new(),
            is_dark: false,
            next_port: 1_000,
        })))
    }

    /// A socket with an address of its own.
    pub(crate) fn socket(&self) -> VirtualSocket {
        let mut state = self.0.borrow_mut();
        state.next_port += 1;
        let address = SocketAddr::from(([10, 0, 0, 1], state.next_port));
        state.sockets.insert(address, VecDeque::new());
        VirtualSocket { network: self.clone(), address }
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.borrow().now
    }

    /// Loses every datagram from now on, or none but by the conditions.
    pub(crate) fn set_dark(&self, is_dark: bool) {
        self.0.borrow_mut().is_dark = is_dark;
    }

    /// Lets time pass.
    pub(crate) fn advance(&self, time: Duration) -> Instant {
        let mut state = self.0.borrow_mut();
        state.now += time;
        let now = state.now;
        let mut due: Vec<_> = state.travelling.extract_if(.., |(at, ..)| *at <= now).collect();
        due.sort_by_key(|(at, ..)| *at);
        for (_, from, to, datagram) in due {
            if let Some(queue) = state.sockets.get_mut(&to) {
                queue.push_back((from, datagram));
            }
        }
        now
    }
}

#[derive(Debug)]
pub(crate) struct VirtualSocket {
    network: Network,
    address: SocketAddr,
}

impl DatagramSocket for VirtualSocket {
    fn try_send_to(&mut self, datagram: &[u8], to: SocketAddr) -> io::Result<()> {
        let mut state = self.network.0.borrow_mut();
        let Conditions { latency, jitter, loss } = state.conditions;
        if state.is_dark || state.rng.below(1_000) < loss {
            return Ok(());
        }
        let jitter = state.rng.below(jitter.as_micros() as u64 + 1);
        let at = state.now + latency + Duration::from_micros(jitter);
        state.travelling.push((at, self.address, to, datagram.to_vec()));
        Ok(())
    }

    fn try_recv_from(&mut self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        let mut state = self.network.0.borrow_mut();
        let queue = state.sockets.get_mut(&self.address).ok_or(ErrorKind::NotConnected)?;
        let (from, datagram) = queue.pop_front().ok_or(ErrorKind::WouldBlock)?;
        buf[..datagram.len()].copy_from_slice(&datagram);
        Ok((datagram.len(), from))
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

impl Drop for VirtualSocket {
    fn drop(&mut self) {
        self.network.0.borrow_mut().sockets.remove(&self.address);
    }
}

/// Passes what peers signal to each other.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    peers: BTreeMap<PeerId, Signaling>,
    pub(crate) passes_candidates: bool,
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self { peers: BTreeMap::new(), passes_candidates: true }
    }

    pub(crate) fn insert(&mut self, id: PeerId, signaling: Signaling) {
        self.peers.insert(id, signaling);
    }

    /// Adds `offerer` and `answerer` to each other.
    pub(crate) fn connect(&self, offerer: PeerId, answerer: PeerId) {
        self.peers[&offerer].add_peer(answerer, 1).unwrap();
        self.peers[&answerer].add_peer(offerer, 1).unwrap();
        self.peers[&offerer].create_offer(answerer).unwrap();
    }

    /// Passes on what was signaled so far.
    pub(crate) fn run(&self) {
        for (&from, signaling) in &self.peers {
            while let Some(signal) = signaling.next_signal() {
                match signal {
                    Signal::SessionDescriptionCreated { peer, kind, sdp } => {
                        self.peers[&peer].set_remote_description(from, kind, sdp).unwrap();
                    }
                    Signal::IceCandidateCreated { peer, candidate } if self.passes_candidates => {
                        self.peers[&peer].add_ice_candidate(from, candidate).unwrap();
                    }
                    Signal::Failed { error, .. } if is_refusal(&error) => {}
                    Signal::Failed { peer, error } => panic!("{from} with {peer}: {error}"),
                    _ => {}
                }
            }
        }
    }
}

/// Whether a server that refuses new connections says so; what follows fails as well.
fn is_refusal(error: &SignalingError) -> bool {
    use mp_transport_webrtc::DescriptionError::UnknownPeer;
    let refusing = SignalingError::AddPeer(AddPeerError::Refusing);
    *error == refusing || *error == SignalingError::Description(UnknownPeer)
}
