//! [`WebRtcMultiplayerPeer`]: connections, and Godot's way of using them.

mod multiplayer_peer;
mod peers;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use mp_core::{
    ConnectionId, ConnectionStatus, DisconnectReason, Farewell, Instant, PeerEvent, PeerId,
    RunningClock, TransferMode,
};
use mp_udp::host_addresses;
use str0m::crypto::CryptoProvider;
use str0m::crypto::dtls::DtlsCert;

use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::connection::{Connection, ConnectionState, Context, Outcome};
use crate::connections::Connections;
#[cfg(feature = "tokio")]
use crate::io::TokioUdpSocket;
use crate::io::{DatagramSocket, NetworkPath, SocketDriver, UdpSocket};
use crate::limits::LOCAL_CANDIDATES_MAX;
use crate::options::{CreateError, Options};
use crate::routes::{Routes, is_stun};
use crate::signal::Signal;
use crate::signaling::Signaling;

pub use self::peers::AddPeerError;

/// Godot's `WebRTCMultiplayerPeer`: a server, a client or a member of a mesh.
///
/// All connections share one UDP socket. The program passes session descriptions and candidates
/// through signaling of its own: [`Signal`]s go out, [`set_remote_description`] and
/// [`add_ice_candidate`] take what came in. One side of each connection calls [`create_offer`].
///
/// A connection is reported when all its channels are open, and ends when one of them closes, when
/// ICE notices an interruption, or when it is not established within
/// [`CONNECT_TIMEOUT`](crate::limits::CONNECT_TIMEOUT).
///
/// [`set_remote_description`]: Self::set_remote_description
/// [`add_ice_candidate`]: Self::add_ice_candidate
/// [`create_offer`]: Self::create_offer
#[derive(Debug)]
pub struct WebRtcMultiplayerPeer<S: DatagramSocket = UdpSocket> {
    mode: Mode,
    unique_id: PeerId,
    status: ConnectionStatus,
    options: Options,
    table: ChannelTable,
    socket: SocketDriver<S>,
    local_candidates: Vec<SocketAddr>,
    crypto: Arc<CryptoProvider>,
    certificate: DtlsCert,
    clock: Clock,
    /// Time in which this process ran, which [`now`](Self::now) is of.
    running: RunningClock,
    now: Instant,
    connections: Connections,
    routes: Routes,
    outcome: Outcome,
    is_refusing: bool,
    is_closed: bool,
    signaling: Option<Signaling>,
    stats: PeerStats,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Server,
    Client,
    Mesh,
}

/// Counters of a [`WebRtcMultiplayerPeer`] since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerStats {
    /// Datagrams received.
    pub received_datagrams: u64,
    /// Datagrams of addresses and ICE user names that no connection has.
    pub unrouted_datagrams: u64,
    /// Datagrams that are neither STUN nor DTLS, or that the protocols rejected.
    pub malformed_datagrams: u64,
    /// Datagrams dropped because too many waited for a full socket, or because the system refused
    /// them.
    pub dropped_datagrams: u64,
    /// Unreliable packets dropped because all connections together had too many waiting bytes.
    pub queue_drops: u64,
    /// Times that this process did not run for a second or more.
    pub stalls: u64,
    /// Packets and datagrams dropped because their connection was paused.
    pub paused_drops: u64,
    /// Messages on channels that the remote peer opened itself.
    pub foreign_messages: u64,
    /// Signals dropped because the program took none.
    pub dropped_signals: u64,
    /// Connections that made way for new ones before their channels were open.
    pub replaced_peers: u64,
    /// Packets that were not sent to peers which receive no packets of that size.
    pub too_large_packets: u64,
    /// Empty packets that were not sent: WebRTC does not carry them.
    pub empty_packets: u64,
}

impl WebRtcMultiplayerPeer<UdpSocket> {
    /// Creates a server on a UDP socket bound to `address` (Godot: `create_server`).
    ///
    /// # Errors
    ///
    /// When the socket or an option cannot be used.
    pub fn create_server(address: SocketAddr, options: Options) -> Result<Self, CreateError> {
        Self::server(UdpSocket::bind(address)?, options)
    }

    /// Creates a client with the id that its signaling gave it (Godot: `create_client`).
    ///
    /// # Errors
    ///
    /// When the socket or an option cannot be used, and when `id` is 1.
    pub fn create_client(
        address: SocketAddr,
        id: PeerId,
        options: Options,
    ) -> Result<Self, CreateError> {
        Self::client(UdpSocket::bind(address)?, id, options)
    }

    /// Creates a member of a mesh (Godot: `create_mesh`).
    ///
    /// # Errors
    ///
    /// When the socket or an option cannot be used.
    pub fn create_mesh(
        address: SocketAddr,
        id: PeerId,
        options: Options,
    ) -> Result<Self, CreateError> {
        Self::mesh(UdpSocket::bind(address)?, id, options)
    }
}

#[cfg(feature = "tokio")]
impl WebRtcMultiplayerPeer<TokioUdpSocket> {
    /// Creates a server on a socket that wakes its task. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// When the socket or an option cannot be used.
    pub fn create_async_server(address: SocketAddr, options: Options) -> Result<Self, CreateError> {
        Self::server(TokioUdpSocket::bind(address)?, options)
    }
}

impl<S: DatagramSocket> WebRtcMultiplayerPeer<S> {
    /// Creates a server on any socket.
    ///
    /// # Errors
    ///
    /// When an option cannot be used.
    pub fn server(socket: S, options: Options) -> Result<Self, CreateError> {
        Self::new(socket, Mode::Server, PeerId::SERVER, options)
    }

    /// Creates a client on any socket.
    ///
    /// # Errors
    ///
    /// When an option cannot be used, and when `id` is 1.
    pub fn client(socket: S, id: PeerId, options: Options) -> Result<Self, CreateError> {
        if id.is_server() {
            return Err(CreateError::InvalidId);
        }
        Self::new(socket, Mode::Client, id, options)
    }

    /// Creates a member of a mesh on any socket.
    ///
    /// # Errors
    ///
    /// When an option cannot be used.
    pub fn mesh(socket: S, id: PeerId, options: Options) -> Result<Self, CreateError> {
        Self::new(socket, Mode::Mesh, id, options)
    }

    fn new(
        socket: S,
        mode: Mode,
        unique_id: PeerId,
        options: Options,
    ) -> Result<Self, CreateError> {
        options.check()?;
        let socket = SocketDriver::new(socket);
        let address = socket.local_addr().map_err(CreateError::Socket)?;
        let local_candidates = local_candidates(address, &options)?;
        let crypto = Arc::new(str0m::crypto::from_feature_flags());
        let certificate = crypto
            .dtls_provider
            .generate_certificate()
            .ok_or_else(|| CreateError::Certificate("the provider made none".to_owned()))?;
        let status = match mode {
            Mode::Client => ConnectionStatus::Connecting,
            Mode::Server | Mode::Mesh => ConnectionStatus::Connected,
        };
        Ok(Self {
            mode,
            unique_id,
            status,
            table: ChannelTable::new(&options.channels_config),
            options,
            socket,
            local_candidates,
            crypto,
            certificate,
            clock: Clock::new(),
            running: RunningClock::default(),
            now: Instant::ZERO,
            connections: Connections::default(),
            routes: Routes::default(),
            outcome: Outcome::default(),
            is_refusing: false,
            is_closed: false,
            signaling: None,
            stats: PeerStats::default(),
        })
    }

    /// Returns whether a peer was added and is there.
    pub fn has_peer(&self, peer: PeerId) -> bool {
        self.connections.slot_of(peer).is_some()
    }

    /// The state of a peer's connection (Godot: `get_peer`).
    #[doc(alias = "get_peer")]
    pub fn peer(&self, peer: PeerId) -> Option<PeerInfo> {
        self.info(self.connections.slot_of(peer)?)
    }

    /// The peers that were added and are there, by id (Godot: `get_peers`).
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl Iterator<Item = (PeerId, PeerInfo)> {
        self.connections.peers().filter_map(|(peer, slot)| Some((peer, self.info(slot)?)))
    }

    /// The address that the socket is bound to.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The addresses that remote peers are told to reach the socket at.
    pub fn local_candidates(&self) -> &[SocketAddr] {
        &self.local_candidates
    }

    /// Counters.
    pub fn stats(&self) -> PeerStats {
        PeerStats {
            malformed_datagrams: self.outcome.malformed_datagrams,
            dropped_datagrams: self.outcome.dropped_datagrams + self.socket.dropped(),
            queue_drops: self.outcome.queue_drops,
            stalls: self.running.stalls(),
            paused_drops: self.outcome.paused_drops,
            foreign_messages: self.outcome.foreign_messages,
            dropped_signals: self.outcome.dropped_signals,
            ..self.stats
        }
    }

    /// The modes of transfer channels 1, 2, …
    pub fn channels_config(&self) -> &[TransferMode] {
        &self.options.channels_config
    }

    fn info(&self, slot: usize) -> Option<PeerInfo> {
        let connection = self.connections.at(slot)?;
        Some(PeerInfo {
            connection: connection.id(),
            state: connection.state(),
            is_connected: connection.is_open(),
        })
    }

    /// Does something with a connection, then everything that follows from it.
    fn with<T>(
        &mut self,
        slot: usize,
        act: impl FnOnce(&mut Connection, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let connection = self.connections.at_mut(slot)?;
        let mut context = Context {
            clock: &self.clock,
            now: self.now,
            table: &self.table,
            outcome: &mut self.outcome,
        };
        let result = act(connection, &mut context);
        connection.record_usage(&mut context);
        self.settle(slot);
        Some(result)
    }

    fn end(&mut self, slot: usize, reason: DisconnectReason, farewell: Farewell) {
        self.with(slot, |connection, cx| {
            connection.disconnect(cx, (reason, farewell));
        });
    }

    /// Advances the peer's clock to the program time `now`.
    fn advance(&mut self, now: Instant) {
        let mut running = self.running;
        self.now = running.advance(now, || self.timer_due());
        self.running = running;
    }

    /// Returns the time of the next timer of a connection by the peer's clock, at most 1 s after
    /// the last turn so that a late turn is detected.
    fn timer_due(&self) -> Option<Instant> {
        let due = self.connections.next_due()?;
        Some(due.min(self.running.now() + RunningClock::STALL_MIN))
    }

    /// Follows what has become of a connection.
    fn settle(&mut self, slot: usize) {
        self.connections.update(slot);
        if self.connections.at(slot).is_some_and(Connection::wants_flush) {
            self.connections.mark_dirty(slot);
        }
        let has_connected = std::mem::take(&mut self.outcome.has_connected);
        if has_connected && self.mode == Mode::Client {
            self.status = ConnectionStatus::Connected;
        }
        let Some(connection) = self.connections.at(slot) else {
            mp_core::bug!("something was done with slot {slot}, which has no connection");
            return;
        };
        let (id, peer) = (connection.id(), connection.peer());
        let is_current = self.connections.slot_of(peer) == Some(slot);
        if let Some(end) = connection.end()
            && is_current
        {
            if self.mode == Mode::Client {
                self.status = ConnectionStatus::Disconnected;
            }
            if let Some(reason) = end.reported {
                let event = PeerEvent::Disconnected { connection: id, reason };
                self.outcome.events.push_back(event);
            }
            self.outcome.signal(Signal::PeerRemoved { peer });
            if let Some(oldest) = self.connections.retire(slot) {
                self.discard(oldest);
            }
        }
        if self.connections.at(slot).is_some_and(Connection::is_finished) {
            self.discard(slot);
        }
    }

    fn discard(&mut self, slot: usize) {
        match self.connections.remove(slot) {
            Some(connection) => self.routes.remove(connection.ufrag(), slot),
            None => mp_core::bug!("the connection of slot {slot} is discarded, but is gone"),
        }
    }

    /// Receives a datagram.
    fn handle_datagram(&mut self, path: NetworkPath, datagram: &[u8]) {
        let from = path.remote;
        self.stats.received_datagrams += 1;
        let slot = match self.routes.by_user_name(datagram) {
            Some(slot) => Some(slot),
            None => self.routes.by_address(from).or_else(|| self.find(from, datagram)),
        };
        let Some(slot) = slot else {
            if !self.routes.keep_early(self.now, from, datagram) {
                self.stats.unrouted_datagrams += 1;
            }
            return;
        };
        let accepts = self.connections.at(slot).is_some_and(|connection| {
            !is_stun(datagram) || connection.accepts(&self.clock, self.now, from, datagram)
        });
        if !accepts {
            self.stats.unrouted_datagrams += 1;
            return;
        }
        let early = match self.routes.by_address(from) == Some(slot) {
            true => Vec::new(),
            false => self.routes.learn(from, slot),
        };
        self.with(slot, |connection, cx| {
            connection.handle_datagram(cx, (path, datagram));
            for datagram in early {
                connection.handle_datagram(cx, (path, &datagram));
            }
        });
    }

    /// The connection that a STUN response from a new address is for. An ICE-lite side sends no
    /// requests, so that it gets no responses.
    fn find(&self, from: SocketAddr, datagram: &[u8]) -> Option<usize> {
        if self.options.ice_lite || !is_stun(datagram) {
            return None;
        }
        let mut opening = self.connections.peers().map(|(_, slot)| slot);
        opening.find(|&slot| {
            self.connections
                .at(slot)
                .is_some_and(|connection| connection.accepts(&self.clock, self.now, from, datagram))
        })
    }
}

/// The connection of a peer (Godot: the dictionary that `get_peer` returns).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerInfo {
    /// Its connection, as events name it.
    pub connection: ConnectionId,
    /// The state of the connection.
    pub state: ConnectionState,
    /// True if all its channels are open.
    pub is_connected: bool,
}

/// The addresses that remote peers are told of a socket that is bound to `address`.
fn local_candidates(
    address: SocketAddr,
    options: &Options,
) -> Result<Vec<SocketAddr>, CreateError> {
    if !options.advertised.is_empty() {
        return Ok(options.advertised.clone());
    }
    if !address.ip().is_unspecified() {
        return Ok(vec![address]);
    }
    let addresses = host_addresses().map_err(|_| CreateError::NoAddress(address))?;
    let reachable = addresses.into_iter().filter(|ip| ip.is_ipv4() || address.is_ipv6());
    let candidates = reachable.map(|ip| SocketAddr::new(ip, address.port()));
    let candidates: Vec<_> = candidates.take(LOCAL_CANDIDATES_MAX).collect();
    if candidates.is_empty() { Err(CreateError::NoAddress(address)) } else { Ok(candidates) }
}
