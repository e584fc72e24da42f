//! A virtual network in virtual time, and signaling without delay.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use mp_core::link_shaper::{Arrival, LinkConditions, LinkShaper};
use mp_core::{
    Channel, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent,
    PeerId, Prefix, Rng, SendError, TransferMode,
};
use mp_transport_webrtc::io::DatagramSocket;
use mp_transport_webrtc::{
    AddPeerError, CandidateError, Signal, Signaling, SignalingError, WebRtcMultiplayerPeer,
    WebRtcOptions,
};

#[derive(Clone, Debug)]
pub(crate) struct Network(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    rng: Rng,
    conditions: LinkConditions,
    /// The links that carried a datagram, by sender and receiver.
    links: HashMap<(SocketAddr, SocketAddr), LinkShaper>,
    now: Instant,
    sockets: BTreeMap<SocketAddr, VecDeque<(SocketAddr, Vec<u8>)>>,
    travelling: Vec<(Instant, SocketAddr, SocketAddr, Vec<u8>)>,
    is_dark: bool,
    next_port: u16,
}

impl Network {
    pub(crate) fn new(seed: u64, conditions: LinkConditions) -> Self {
        Self(Rc::new(RefCell::new(State {
            rng: Rng::seed_from_u64(seed),
            conditions,
            links: HashMap::new(),
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

    /// Sets the conditions of all links.
    pub(crate) fn set_conditions(&self, conditions: LinkConditions) {
        let mut state = self.0.borrow_mut();
        state.conditions = conditions;
        state.links.values_mut().for_each(|link| link.set_conditions(conditions));
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
        let State { rng, conditions, links, now, travelling, is_dark, .. } = &mut *state;
        let link = links.entry((self.address, to));
        let link = link.or_insert_with(|| LinkShaper::new(*conditions, rng.fork()));
        if *is_dark {
            return Ok(());
        }
        if let Ok(Arrival { at, copy }) = link.carry_datagram(*now, datagram.len()) {
            let arrivals = [Some(at), copy].into_iter().flatten();
            travelling.extend(arrivals.map(|at| (at, self.address, to, datagram.to_vec())));
        }
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
    /// `true` if the session descriptions of clients look like those of a browser.
    pub(crate) looks_like_web: bool,
    /// A peer whose session descriptions look like those of a browser.
    pub(crate) web_peer: Option<PeerId>,
    /// The origin line of the client's session descriptions, instead of str0m's.
    pub(crate) origin: Option<String>,
    /// `true` if signals are dropped.
    pub(crate) is_broken: bool,
    /// Removed peers: the peer that removed, and the removed one.
    pub(crate) removed: RefCell<Vec<(PeerId, PeerId)>>,
    /// Session descriptions for peers that the relay does not know.
    descriptions: RefCell<BTreeMap<PeerId, String>>,
}

impl Relay {
    pub(crate) fn new() -> Self {
        Self { passes_candidates: true, ..Self::default() }
    }

    pub(crate) fn insert(&mut self, id: PeerId, signaling: Signaling) {
        self.peers.insert(id, signaling);
    }

    pub(crate) fn remove(&mut self, id: PeerId) {
        self.peers.remove(&id);
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
            let looks_like_web = self.looks_like_web && !from.is_server();
            while let Some(signal) = signaling.next_signal() {
                match signal {
                    // A peer outside the relay, which the test plays.
                    Signal::SessionDescriptionCreated { peer, sdp, .. }
                        if !self.peers.contains_key(&peer) =>
                    {
                        self.descriptions.borrow_mut().insert(peer, sdp);
                    }
                    Signal::PeerRemoved { peer } => self.removed.borrow_mut().push((from, peer)),
                    _ if self.is_broken => {}
                    Signal::SessionDescriptionCreated { peer, kind, mut sdp } => {
                        if looks_like_web || self.web_peer == Some(from) {
                            sdp = sdp.replace("o=str0m", "o=browser");
                        }
                        if let (Some(origin), false) = (&self.origin, from.is_server()) {
                            let own = sdp.lines().find(|line| line.starts_with("o=")).unwrap();
                            sdp = sdp.replacen(own, &format!("o={origin}"), 1);
                        }
                        let Some(to) = self.peers.get(&peer) else { continue };
                        to.set_remote_description(from, kind, sdp).unwrap();
                    }
                    Signal::IceCandidateCreated { peer, candidate } if self.passes_candidates => {
                        let Some(to) = self.peers.get(&peer) else { continue };
                        to.add_ice_candidate(from, candidate).unwrap();
                    }
                    Signal::Failed { error, .. } if is_refusal(&error) => {}
                    Signal::Failed { peer, error } => panic!("{from} with {peer}: {error}"),
                    _ => {}
                }
            }
        }
    }
}

/// Returns whether an error follows from a server that refuses new connections, or does not use
/// candidates of a private network.
fn is_refusal(error: &SignalingError) -> bool {
    use mp_transport_webrtc::DescriptionError::UnknownPeer;
    if *error == SignalingError::Candidate(CandidateError::Forbidden) {
        return true;
    }
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
    pub(crate) fn new(seed: u64, conditions: LinkConditions) -> Self {
        Self::with_options(seed, conditions, WebRtcOptions::default())
    }

    pub(crate) fn with_options(
        seed: u64,
        conditions: LinkConditions,
        options: WebRtcOptions,
    ) -> Self {
        let network = Network::new(seed, conditions);
        let mut relay = Relay::new();
        let id = PeerId::new(2).unwrap();
        let mut server = WebRtcMultiplayerPeer::server(network.socket(), options.clone()).unwrap();
        let options = options.ice_lite(false);
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
                self.to_client.get_or_insert(connection);
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

    /// Returns the server's session description for a peer that the relay does not know.
    pub(crate) fn answer(&mut self, peer: PeerId) -> String {
        self.turn();
        self.relay.run();
        self.relay.descriptions.borrow_mut().remove(&peer).expect("an answer")
    }

    /// Removes the client from the server, and starts another one with its id.
    pub(crate) fn reopen(&mut self) {
        let id = PeerId::new(2).unwrap();
        self.server.remove_peer(id);
        let options = WebRtcOptions::default();
        let mut client = WebRtcMultiplayerPeer::client(self.network.socket(), id, options).unwrap();
        self.relay.insert(id, client.signaling());
        self.client = client;
        (self.to_client, self.to_server) = (None, None);
        self.at_server.clear();
        self.at_client.clear();
        self.relay.connect(id, PeerId::SERVER);
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
    /// `None`: killed.
    clients: Vec<Option<WebRtcMultiplayerPeer<VirtualSocket>>>,
    pub(crate) at_server: Vec<PeerEvent>,
    pub(crate) at_clients: Vec<Vec<PeerEvent>>,
    /// Connections to the clients, by their order.
    pub(crate) connections: Vec<ConnectionId>,
}

impl Swarm {
    pub(crate) fn new(clients: i32) -> Self {
        Self::with_options(clients, 1, LinkConditions::default(), WebRtcOptions::default())
    }

    /// `options` are those of the server.
    pub(crate) fn with_options(
        clients: i32,
        seed: u64,
        conditions: LinkConditions,
        options: WebRtcOptions,
    ) -> Self {
        let network = Network::new(seed, conditions);
        let mut relay = Relay::new();
        let mut server = WebRtcMultiplayerPeer::server(network.socket(), options).unwrap();
        relay.insert(PeerId::SERVER, server.signaling());
        let mut swarm = Self {
            clients: Vec::new(),
            network,
            relay,
            server,
            at_server: Vec::new(),
            at_clients: Vec::new(),
            connections: Vec::new(),
        };
        (0..clients).for_each(|_| swarm.join());
        swarm
    }

    /// Starts another client.
    pub(crate) fn join(&mut self) {
        let id = PeerId::new(2 + self.clients.len() as i32).unwrap();
        let socket = self.network.socket();
        let mut client =
            WebRtcMultiplayerPeer::client(socket, id, WebRtcOptions::default()).unwrap();
        self.relay.insert(id, client.signaling());
        self.relay.connect(id, PeerId::SERVER);
        self.clients.push(Some(client));
        self.at_clients.push(Vec::new());
    }

    /// Ends a client without a last datagram, as when its process is killed.
    pub(crate) fn kill(&mut self, index: usize) {
        self.relay.remove(PeerId::new(2 + index as i32).unwrap());
        self.clients[index] = None;
    }

    pub(crate) fn turn(&mut self) {
        self.relay.run();
        let now = self.network.advance(Duration::from_millis(5));
        self.server.poll(now);
        let events = std::iter::from_fn(|| self.server.next_event());
        self.at_server.extend(events);
        self.server.flush(now);
        for (client, events) in self.clients.iter_mut().zip(&mut self.at_clients) {
            let Some(client) = client else { continue };
            client.poll(now);
            events.extend(std::iter::from_fn(|| client.next_event()));
            client.flush(now);
        }
    }

    /// Runs turns for `time`.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.network.now() + time;
        while self.network.now() < end {
            self.turn();
        }
    }

    /// Returns the reasons of connections that ended, at the server.
    pub(crate) fn ends(&self) -> Vec<DisconnectReason> {
        let ends = self.at_server.iter().filter_map(|event| match event {
            PeerEvent::Disconnected { reason, .. } => Some(*reason),
            _ => None,
        });
        ends.collect()
    }

    /// Returns the packets that the server received on a connection.
    pub(crate) fn packets_from(&self, connection: ConnectionId) -> Vec<&[u8]> {
        let packets = self.at_server.iter().filter_map(|event| match event {
            PeerEvent::Packet(packet) if packet.from == connection => Some(&packet.payload[..]),
            _ => None,
        });
        packets.collect()
    }

    /// Sends a reliable packet to all clients.
    pub(crate) fn broadcast(&mut self, payload: bytes::Bytes) -> Result<(), SendError> {
        let to = mp_core::Connections::Many(self.connections[..].into());
        let (mode, channel, prefix) = (TransferMode::Reliable, Channel(0), Prefix::EMPTY);
        self.server.send(OutgoingPacket { to, mode, channel, prefix, payload })
    }

    /// Runs turns until all clients are connected.
    pub(crate) fn connect(&mut self) {
        for _ in 0..6_000 {
            self.turn();
            let connected = self.at_clients.iter().filter(|events| !events.is_empty()).count();
            self.connections = self.connections();
            if connected == self.clients.len() && self.connections.len() == connected {
                return;
            }
        }
        panic!("{} of {} connected", self.connections.len(), self.clients.len());
    }

    /// Returns the open connections at the server, by the order of the clients.
    fn connections(&self) -> Vec<ConnectionId> {
        let peers = self.server.peers().filter(|(_, info)| info.is_connected);
        peers.map(|(_, info)| info.connection).collect()
    }

    pub(crate) fn send(&mut self, index: usize, payload: bytes::Bytes) {
        let to = self.connections[index];
        send(&mut self.server, to, payload);
    }

    pub(crate) fn send_to_server(&mut self, index: usize, payload: bytes::Bytes) {
        let client = self.clients[index].as_mut().expect("a client that was not killed");
        let to = client.peer(PeerId::SERVER).expect("a connected client").connection;
        send(client, to, payload);
    }
}

/// Sends a reliable packet.
fn send(peer: &mut WebRtcMultiplayerPeer<VirtualSocket>, to: ConnectionId, payload: bytes::Bytes) {
    let (mode, channel, prefix) = (TransferMode::Reliable, Channel(0), Prefix::EMPTY);
    peer.send(OutgoingPacket { to: to.into(), mode, channel, prefix, payload }).unwrap();
}
