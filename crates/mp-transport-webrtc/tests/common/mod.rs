//! A virtual network in virtual time, and signaling without delay.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mp_core::Rng;
use mp_core::{
    Channel, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent,
    PeerId, Prefix, SendError, TransferMode,
};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::{
    AddPeerError, Signal, Signaling, SignalingError, WebRtcMultiplayerPeer, WebRtcOptions,
};

/// Properties of the network.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Conditions {
    /// Minimum delay.
    pub(crate) latency: Duration,
    /// Maximum additional delay.
    pub(crate) jitter: Duration,
    /// Number of datagrams in 1,000 that are lost.
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
            rng: Rng::seed_from_u64(seed),
            conditions,
            now: Instant::from_millis(1_000),
            sockets: BTreeMap::new(),
            travelling: Vec::new(),
            is_dark: false,
            next_port: 1_000,
        })))
    }

    /// Returns a socket with its own address.
    pub(crate) fn socket(&self) -> VirtualSocket {
        let mut state = self.0.borrow_mut();
        state.next_port += 1;
        let address = SocketAddr::from(([10, 0, 0, 1], state.next_port));
        state.sockets.insert(address, VecDeque::new());
        VirtualSocket { network: self.clone(), address, is_forged: false }
    }

    /// Returns a socket that sends with the forged address of another one.
    pub(crate) fn socket_at(&self, address: SocketAddr) -> VirtualSocket {
        VirtualSocket { network: self.clone(), address, is_forged: true }
    }

    pub(crate) fn now(&self) -> Instant {
        self.0.borrow().now
    }

    pub(crate) fn set_conditions(&self, conditions: Conditions) {
        self.0.borrow_mut().conditions = conditions;
    }

    /// Sets whether all datagrams are lost.
    pub(crate) fn set_dark(&self, is_dark: bool) {
        self.0.borrow_mut().is_dark = is_dark;
    }

    /// Advances the time.
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
    is_forged: bool,
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
        if !self.is_forged {
            self.network.0.borrow_mut().sockets.remove(&self.address);
        }
    }
}

/// Passes the signals of peers to each other.
#[derive(Debug, Default)]
pub(crate) struct Relay {
    peers: BTreeMap<PeerId, Signaling>,
    pub(crate) passes_candidates: bool,
    /// `true` if all session descriptions look like those of a browser.
    pub(crate) looks_like_web: bool,
    /// A peer whose session descriptions look like those of a browser.
    pub(crate) web_peer: Option<PeerId>,
    /// `true` if signals are dropped.
    pub(crate) is_broken: bool,
    /// Removed peers: the peer that removed, and the removed one.
    pub(crate) removed: RefCell<Vec<(PeerId, PeerId)>>,
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self { passes_candidates: true, ..Self::default() }
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

    /// Passes the queued signals.
    pub(crate) fn run(&self) {
        for (&from, signaling) in &self.peers {
            while let Some(signal) = signaling.next_signal() {
                match signal {
                    Signal::PeerRemoved { peer } => self.removed.borrow_mut().push((from, peer)),
                    _ if self.is_broken => {}
                    Signal::SessionDescriptionCreated { peer, kind, mut sdp } => {
                        if self.looks_like_web || self.web_peer == Some(from) {
                            sdp = sdp.replace("o=str0m", "o=browser");
                        }
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

/// Returns whether an error follows from a server that refuses new connections.
fn is_refusal(error: &SignalingError) -> bool {
    use mp_transport_webrtc::DescriptionError::UnknownPeer;
    let refusing = SignalingError::AddPeer(AddPeerError::Refusing);
    *error == refusing || *error == SignalingError::Description(UnknownPeer)
}

/// A server and a client, and their events.
pub(crate) struct Pair {
    pub(crate) network: Network,
    pub(crate) relay: Relay,
    pub(crate) server: WebRtcMultiplayerPeer<VirtualSocket>,
    pub(crate) client: WebRtcMultiplayerPeer<VirtualSocket>,
    pub(crate) to_client: Option<ConnectionId>,
    pub(crate) to_server: Option<ConnectionId>,
    pub(crate) at_server: Vec<PeerEvent>,
    pub(crate) at_client: Vec<PeerEvent>,
}

impl Pair {
    pub(crate) fn new(seed: u64, conditions: Conditions) -> Self {
        Self::with_options(seed, conditions, WebRtcOptions::default())
    }

    pub(crate) fn with_options(seed: u64, conditions: Conditions, options: WebRtcOptions) -> Self {
        let network = Network::new(seed, conditions);
        let mut relay = Relay::new();
        let id = PeerId::new(2).unwrap();
        let mut server = WebRtcMultiplayerPeer::server(network.socket(), options.clone()).unwrap();
        let mut client = WebRtcMultiplayerPeer::client(network.socket(), id, options).unwrap();
        relay.insert(PeerId::SERVER, server.signaling());
        relay.insert(id, client.signaling());
        relay.connect(id, PeerId::SERVER);
        Self {
            network,
            relay,
            server,
            client,
            to_client: None,
            to_server: None,
            at_server: Vec::new(),
            at_client: Vec::new(),
        }
    }

    pub(crate) fn turn(&mut self) -> Instant {
        self.relay.run();
        let now = self.network.advance(Duration::from_millis(5));
        self.server.poll(now);
        while let Some(event) = self.server.next_event() {
            if let PeerEvent::Connected { connection, .. } = event {
                self.to_client = Some(connection);
            }
            self.at_server.push(event);
        }
        self.server.flush(now);
        self.client.poll(now);
        while let Some(event) = self.client.next_event() {
            if let PeerEvent::Connected { connection, .. } = event {
                self.to_server = Some(connection);
            }
            self.at_client.push(event);
        }
        self.client.flush(now);
        now
    }

    pub(crate) fn connect(&mut self) {
        for _ in 0..6_000 {
            self.turn();
            if self.to_client.is_some() && self.to_server.is_some() {
                return;
            }
        }
        panic!("no connection");
    }

    /// Runs turns for `time`.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.network.now() + time;
        while self.network.now() < end {
            self.turn();
        }
    }

    pub(crate) fn send(&mut self, from_server: bool, mode: TransferMode, payload: Vec<u8>) {
        self.try_send(from_server, mode, Channel(0), payload).unwrap();
    }

    pub(crate) fn try_send(
        &mut self,
        from_server: bool,
        mode: TransferMode,
        channel: Channel,
        payload: Vec<u8>,
    ) -> Result<(), SendError> {
        let (peer, to) = match from_server {
            true => (&mut self.server, self.to_client),
            false => (&mut self.client, self.to_server),
        };
        let (to, prefix) = (to.unwrap().into(), Prefix::EMPTY);
        peer.send(OutgoingPacket { to, mode, channel, prefix, payload: payload.into() })
    }
}

pub(crate) fn packets(events: &[PeerEvent]) -> Vec<&[u8]> {
    let packets = events.iter().filter_map(|event| match event {
        PeerEvent::Packet(packet) => Some(&packet.payload[..]),
        _ => None,
    });
    packets.collect()
}

pub(crate) fn end(events: &[PeerEvent]) -> Option<DisconnectReason> {
    events.iter().find_map(|event| match event {
        PeerEvent::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    })
}

/// A server and several clients.
pub(crate) struct Swarm {
    pub(crate) network: Network,
    pub(crate) relay: Relay,
    pub(crate) server: WebRtcMultiplayerPeer<VirtualSocket>,
    clients: Vec<WebRtcMultiplayerPeer<VirtualSocket>>,
    /// Bytes of the packets received by each client.
    pub(crate) received: Vec<usize>,
    connections: Vec<ConnectionId>,
    /// Reasons of connections that ended, at the server.
    pub(crate) ends: Vec<DisconnectReason>,
}

impl Swarm {
    pub(crate) fn new(clients: i32) -> Self {
        let network = Network::new(1, Conditions::default());
        let mut relay = Relay::new();
        let mut server =
            WebRtcMultiplayerPeer::server(network.socket(), WebRtcOptions::default()).unwrap();
        relay.insert(PeerId::SERVER, server.signaling());
        let clients = (2..2 + clients).map(|number| {
            let id = PeerId::new(number).unwrap();
            let socket = network.socket();
            let mut client =
                WebRtcMultiplayerPeer::client(socket, id, WebRtcOptions::default()).unwrap();
            relay.insert(id, client.signaling());
            relay.connect(id, PeerId::SERVER);
            client
        });
        let clients: Vec<_> = clients.collect();
        let received = vec![0; clients.len()];
        let (connections, ends) = (Vec::new(), Vec::new());
        Self { clients, network, relay, server, received, connections, ends }
    }

    pub(crate) fn turn(&mut self) {
        self.relay.run();
        let now = self.network.advance(Duration::from_millis(5));
        self.server.poll(now);
        while let Some(event) = self.server.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => self.connections.push(connection),
                PeerEvent::Disconnected { reason, .. } => self.ends.push(reason),
                _ => {}
            }
        }
        self.server.flush(now);
        for (client, received) in self.clients.iter_mut().zip(&mut self.received) {
            client.poll(now);
            while let Some(event) = client.next_event() {
                if let PeerEvent::Packet(packet) = event {
                    *received += packet.payload.len();
                }
            }
            client.flush(now);
        }
    }

    /// Sends a reliable packet to all clients.
    pub(crate) fn broadcast(&mut self, payload: bytes::Bytes) -> Result<(), SendError> {
        let to = mp_core::Connections::Many(self.connections[..].into());
        let (mode, channel, prefix) = (TransferMode::Reliable, Channel(0), Prefix::EMPTY);
        self.server.send(OutgoingPacket { to, mode, channel, prefix, payload })
    }

    pub(crate) fn connect(&mut self) {
        for _ in 0..2_000 {
            self.turn();
        }
        assert_eq!(self.connections.len(), self.clients.len());
    }

    pub(crate) fn send(&mut self, index: usize, payload: bytes::Bytes) {
        let to = self.connections[index].into();
        let (mode, channel, prefix) = (TransferMode::Reliable, Channel(0), Prefix::EMPTY);
        self.server.send(OutgoingPacket { to, mode, channel, prefix, payload }).unwrap();
    }
}
