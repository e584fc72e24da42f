//! `SceneMultiplayer`: who takes part, and what their packets mean.
//!
//! It is told what transports report ([`ToBranch`](mp_core::ToBranch)) and queues what it has to say to them and to its program; it runs
//! nothing of the program's itself. A branch takes its [`ApiEvent`]s after each input, so that a
//! program sees signals and calls in the order of Godot.

mod auth;
mod departed;
mod drive;
mod early;
mod error;
mod overtaking;
mod pause;
mod peers;
mod quirks;
mod receive;
mod replication;
mod send;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use indexmap::IndexMap;
use mp_core::{
    ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Farewell, Instant,
    PeerId, RunningClock, ToEndpoint, Variant,
};

use departed::Departed;
use early::Early;
pub use error::{AuthError, PacketSizeError, RpcError, SendBytesError};
use overtaking::Overtaking;
use pause::Paused;
use peers::{Peers, Route};
pub use quirks::GodotQuirks;
pub(crate) use receive::Refusal;

use crate::SceneMessage;
use crate::api::ApiEvent;
use crate::codec::{Codec, Limits, Objects};
use crate::outbox::Outbox;
use crate::path_cache::{OwnPaths, RemotePaths};
use crate::signal::Signal;
use replication::Replication;

/// Godot's `SceneMultiplayer`, without the engine. A [`Scene`](crate::Scene) holds one beside its tree; most programs
/// use it through that.
///
/// Without an endpoint it behaves as with Godot's `OfflineMultiplayerPeer`: id 1, connected, nobody there.
#[derive(Debug)]
pub struct SceneMultiplayer {
    codec: Codec,
    objects: Objects,
    limits: Limits,
    server_relay: bool,
    quirks: GodotQuirks,
    refuse_new_connections: bool,
    authentication: bool,
    auth_timeout: Duration,

    unique_id: PeerId,
    status: ConnectionStatus,
    /// The server has not admitted this client yet.
    is_joining: bool,
    /// It has said goodbye: what is said after that would arrive nowhere.
    is_leaving: bool,
    endpoints: IndexMap<EndpointId, EndpointInfo>,
    peers: Peers,
    own_paths: OwnPaths,
    remote_paths: RemotePaths,

    early: Early,
    /// Whether packets that `early` has released are being received.
    is_receiving_released: bool,
    departed: Departed,
    /// Of peers that the server has not announced yet.
    unannounced: Overtaking,
    /// Of peers that have not said yet that the authentication is complete, when this side has.
    unadmitted: Overtaking,
    replication: Replication,
    paused: BTreeMap<PeerId, Paused>,
    /// Packets go in front of the last call of this turn while this is set.
    in_front_of_calls: bool,
    /// Values of a packet on their way to their properties: kept so that a packet takes no memory.
    values: Vec<Variant>,
    /// By which everything here is timed.
    clock: RunningClock,
    outboxes: BTreeMap<EndpointId, Outbox>,
    /// Endpoints that accept nothing and are abandoned before the next event is taken.
    stuck: BTreeSet<EndpointId>,
    events: VecDeque<ApiEvent>,
    stats: SceneStats,
}

/// Counters since the SceneMultiplayer was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SceneStats {
    /// Packets that arrived from admitted peers.
    pub packets_received: u64,
    /// Packets that could not be understood, or that their sender may not send.
    pub malformed_packets: u64,
    /// Calls that were understood and not made: no such node or method, or not allowed.
    pub refused_calls: u64,
    /// Packets passed on between clients.
    pub relayed_packets: u64,
    /// Packets of, or for, peers that are not there, and packets that the local relay setting
    /// refuses.
    pub stray_packets: u64,
    /// Peers turned away because their id was in use.
    pub duplicate_ids: u64,
    /// Unreliable packets dropped because an endpoint took nothing.
    pub outbox_drops: u64,
    /// Unreliable packets dropped because their peer was paused.
    pub paused_drops: u64,
    /// Steps in which a peer was not sent properties, because it was paused or its endpoint took nothing.
    pub skipped_steps: u64,
    /// Properties of synchronizers that were not taken: unknown ones, or of somebody else's.
    pub refused_elements: u64,
    /// Node paths that were announced again to peers that had not confirmed them.
    pub repeated_paths: u64,
    /// Numbers of nodes, given by peers, that were forgotten to make room for others.
    pub forgotten_paths: u64,
    /// Properties that came after newer ones.
    pub old_syncs: u64,
    /// Times the program did not run the branch for more than a second when it was due; that time
    /// is not counted against peers.
    pub stalls: u64,
}

impl SceneMultiplayer {
    pub(crate) fn new(codec: Codec) -> Self {
        Self {
            codec,
            objects: Objects::Ids,
            limits: Limits::default(),
            server_relay: true,
            quirks: GodotQuirks::default(),
            refuse_new_connections: false,
            authentication: false,
            auth_timeout: auth::TIMEOUT,
            unique_id: PeerId::SERVER,
            status: ConnectionStatus::Connected,
            is_joining: false,
            is_leaving: false,
            endpoints: IndexMap::new(),
            peers: Peers::default(),
            own_paths: OwnPaths::default(),
            remote_paths: RemotePaths::default(),
            early: Early::default(),
            is_receiving_released: false,
            departed: Departed::default(),
            unannounced: Overtaking::default(),
            unadmitted: Overtaking::default(),
            replication: Replication::default(),
            paused: BTreeMap::new(),
            in_front_of_calls: false,
            values: Vec::new(),
            clock: RunningClock::default(),
            outboxes: BTreeMap::new(),
            stuck: BTreeSet::new(),
            events: VecDeque::new(),
            stats: SceneStats::default(),
        }
    }

    /// Whether clients see each other and reach each other through the server (default: yes). Consulted on the server
    /// and on clients.
    ///
    /// A change in a session concerns the peers that are admitted from then on: two peers that were
    /// announced to each other learn when one of them leaves, whatever the setting is by then, and
    /// others do not learn of each other.
    pub fn set_server_relay(&mut self, relay: bool) {
        self.server_relay = relay;
    }

    /// What peers may do that Godot lets them do and mp does not (default: nothing).
    pub fn set_quirks(&mut self, quirks: GodotQuirks) {
        self.quirks = quirks;
    }

    /// Whether objects travel by their content (default: no). What arrives is data, of whatever class it says; nothing is
    /// created or run.
    pub fn set_allow_object_decoding(&mut self, allow: bool) {
        self.objects = if allow { Objects::Full } else { Objects::Ids };
        self.limits.full_objects = allow.then_some(|_| true);
    }

    /// Refuses new connections on every endpoint, or stops refusing them (default: no).
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refuse_new_connections = refuse;
        for outbox in self.outboxes.values_mut() {
            outbox.command(ToEndpoint::RefuseNewConnections(refuse));
        }
    }

    /// Sets the largest packet of always properties in bytes, without the transport's own (default: 1350, at least 128). A single
    /// synchronizer may pass it by its 11 bytes of headers.
    ///
    /// # Errors
    ///
    /// When it is less than 128.
    pub fn set_max_sync_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        self.replication.sync_packet_max = PacketSizeError::check("max_sync_packet_size", size)?;
        Ok(())
    }

    /// Sets the largest packet of changes in bytes, without the transport's own (default: 65535, at least 128). A single synchronizer may
    /// pass it by its 17 bytes of headers.
    ///
    /// # Errors
    ///
    /// When it is less than 128.
    pub fn set_max_delta_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        self.replication.delta_packet_max = PacketSizeError::check("max_delta_packet_size", size)?;
        Ok(())
    }

    /// Makes a peer leave. It is gone at once on this side, without [`Signal::PeerDisconnected`]; the others are told.
    pub fn disconnect_peer(&mut self, peer: PeerId) {
        let route = self.peers.route(peer);
        self.remove_peer(peer, false);
        self.events.extend(route.map(|_| ApiEvent::PeerGone(peer)));
        if let Some(Route::Link(endpoint, connection)) = route {
            self.disconnect(endpoint, connection, DisconnectReason::Kicked);
        }
    }

    /// Forgets peers, pending ones too, and the numbers of nodes, without signals. The transports stay, but who is on them is not
    /// admitted again.
    pub fn clear(&mut self) {
        let peers = std::mem::take(&mut self.peers);
        self.events.extend(peers.known().map(ApiEvent::PeerGone));
        self.own_paths.clear();
        self.remote_paths.clear();
        self.early = Early::default();
        self.departed = Departed::default();
        self.unannounced = Overtaking::default();
        self.unadmitted = Overtaking::default();
        self.replication.reset();
        self.paused.clear();
    }

    /// Whether clients see each other.
    #[doc(alias = "is_server_relay_enabled")]
    pub fn server_relay(&self) -> bool {
        self.server_relay
    }

    /// The largest packet of always properties in bytes.
    #[doc(alias = "get_max_sync_packet_size")]
    pub fn max_sync_packet_size(&self) -> usize {
        self.replication.sync_packet_max
    }

    /// The largest packet of changes in bytes.
    #[doc(alias = "get_max_delta_packet_size")]
    pub fn max_delta_packet_size(&self) -> usize {
        self.replication.delta_packet_max
    }

    /// Whether objects travel by their content.
    pub fn is_object_decoding_allowed(&self) -> bool {
        self.objects == Objects::Full
    }

    /// Whether new connections are refused.
    pub fn is_refusing_new_connections(&self) -> bool {
        self.refuse_new_connections
    }

    /// This side's own id; 1 when there is no endpoint.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    /// Whether there is a transport, the offline one included: false once a session has ended.
    pub fn has_multiplayer_peer(&self) -> bool {
        self.status != ConnectionStatus::Disconnected
    }

    /// Whether this side is peer 1.
    pub fn is_server(&self) -> bool {
        self.unique_id.is_server()
    }

    /// Whether this side takes part in a session.
    #[doc(alias = "get_connection_status")]
    pub fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    /// The admitted peers, relayed ones too, in Godot's order: as they came, but the last takes the place of one that
    /// leaves.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.peers.ids()
    }

    /// Whether `peer` is admitted.
    pub fn has_peer(&self, peer: PeerId) -> bool {
        self.peers.contains(peer)
    }

    /// The link that leads to `peer`; `None` when it is unknown, or another client behind the server.
    pub fn link(&self, peer: PeerId) -> Option<(EndpointId, ConnectionId)> {
        match self.peers.route(peer)? {
            Route::Link(endpoint, connection) => Some((endpoint, connection)),
            Route::Relayed => None,
        }
    }

    /// The endpoints that serve this branch.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = (EndpointId, EndpointInfo)> {
        self.endpoints.iter().map(|(&id, &info)| (id, info))
    }

    /// Counters.
    pub fn stats(&self) -> SceneStats {
        let outbox_drops = self.outboxes.values().map(Outbox::dropped).sum();
        let (forgotten_paths, stalls) = (self.remote_paths.forgotten(), self.clock.stalls());
        SceneStats { outbox_drops, forgotten_paths, stalls, ..self.stats }
    }

    /// Whether something can be said: there is a session, and this side has not said goodbye.
    fn is_in_session(&self) -> bool {
        self.status == ConnectionStatus::Connected && !self.is_leaving
    }

    /// Forgets the endpoints that turned out to be stuck while something was sent: their peers
    /// could only lose reliable packets.
    fn abandon_stuck_endpoints(&mut self) {
        while let Some(endpoint) = self.stuck.pop_first() {
            if self.endpoints.contains_key(&endpoint) {
                self.close_endpoint(endpoint, DisconnectReason::QueueFull);
                self.events.push_back(ApiEvent::EndpointAbandoned(endpoint));
            }
        }
    }

    /// Forgets an endpoint and its peers; with the last one the session.
    fn close_endpoint(&mut self, endpoint: EndpointId, reason: DisconnectReason) {
        if self.endpoints.shift_remove(&endpoint).is_none() {
            return;
        }
        tracing::debug!(?endpoint, %reason, "endpoint closed");
        self.outboxes.remove(&endpoint);
        if !self.endpoints.is_empty() {
            for peer in self.peers.of_endpoint(endpoint) {
                self.remove_peer(peer, true);
            }
            return;
        }
        self.is_leaving = false;
        let was = std::mem::replace(&mut self.status, ConnectionStatus::Disconnected);
        let is_joining = std::mem::take(&mut self.is_joining);
        match was {
            ConnectionStatus::Disconnected => {}
            _ if is_joining => self.emit(Signal::ConnectionFailed),
            _ => self.emit(Signal::ServerDisconnected),
        }
        self.clear();
    }

    /// A server has drawn this side's id.
    fn handle_unique_id(&mut self, endpoint: EndpointId, id: PeerId) {
        let Some(info) = self.endpoints.get_mut(&endpoint) else { return };
        info.unique_id = id;
        if !self.is_server() {
            self.unique_id = id;
        }
    }

    fn handle_connected(
        &mut self,
        now: Instant,
        endpoint: EndpointId,
        connection: ConnectionId,
        claimed_id: Option<PeerId>,
    ) {
        let Some(peer) = claimed_id else {
            return self.disconnect(endpoint, connection, DisconnectReason::InvalidId);
        };
        if peer == self.unique_id || self.peers.route(peer).is_some() {
            self.stats.duplicate_ids += 1;
            return self.disconnect(endpoint, connection, DisconnectReason::DuplicateId);
        }
        if peer.is_server() {
            self.status = ConnectionStatus::Connected;
        }
        if self.authentication {
            self.is_joining |= peer.is_server();
            self.peers.insert_pending(peer, endpoint, connection, now);
            self.emit(Signal::PeerAuthenticating(peer));
        } else {
            self.admit(peer, Route::Link(endpoint, connection));
        }
    }

    /// Lets `peer` take part; on a relaying server the others learn of it and it of them, in Godot's order.
    ///
    /// A relayed peer that takes part already is another session of the same id, and starts from
    /// nothing. One with a link of its own stays as it is.
    fn admit(&mut self, peer: PeerId, route: Route) {
        let is_there = self.peers.contains(peer);
        if !is_there || self.peers.route(peer) == Some(Route::Relayed) {
            if is_there {
                self.forget_peer(peer);
            }
            self.peers.insert(peer, route, self.is_server() && self.relays());
            let others = self.peers.informed_of(peer);
            self.send_to_all(&others, &SceneMessage::AddPeer(peer));
            for other in others {
                self.send_message(&SceneMessage::AddPeer(other), peer);
            }
            self.own_paths.add_peer(peer);
            self.remote_paths.add_peer(peer);
            self.departed.add_peer(peer);
            self.replication.add_peer(peer);
        }
        if peer.is_server() {
            self.is_joining = false;
            self.emit(Signal::ConnectedToServer);
        }
        self.emit(Signal::PeerConnected(peer));
    }

    /// Ends the session of a peer, admitted or not.
    fn remove_peer(&mut self, peer: PeerId, signal: bool) {
        let others = self.peers.informed_of(peer);
        self.send_to_all(&others, &SceneMessage::DelPeer(peer));
        let (was_pending, was_admitted) = self.peers.remove(peer);
        self.forget_peer(peer);
        if signal && was_pending {
            self.emit(Signal::PeerAuthenticationFailed(peer));
        }
        if signal && was_admitted {
            self.emit(Signal::PeerDisconnected(peer));
        }
    }

    /// Forgets everything that is kept of a peer, except that it takes part. Packets of it, and for
    /// it, are dropped and counted.
    ///
    /// Every field is named here: whoever adds one decides whether it belongs to the session of a
    /// peer.
    fn forget_peer(&mut self, peer: PeerId) {
        let Self {
            own_paths,
            remote_paths,
            early,
            departed,
            unannounced,
            unadmitted,
            replication,
            paused,
            stats,
            // The caller's.
            peers: _,
            // Of the branch.
            codec: _,
            objects: _,
            limits: _,
            server_relay: _,
            quirks: _,
            refuse_new_connections: _,
            authentication: _,
            auth_timeout: _,
            unique_id: _,
            status: _,
            is_joining: _,
            is_leaving: _,
            is_receiving_released: _,
            in_front_of_calls: _,
            values: _,
            clock: _,
            events: _,
            // Of connections.
            endpoints: _,
            outboxes: _,
            stuck: _,
        } = self;
        own_paths.remove_peer(peer);
        remote_paths.remove_peer(peer);
        departed.remove_peer(peer);
        replication.remove_peer(peer);
        let waiting = early.remove_peer(peer)
            + unannounced.take(peer).len()
            + unadmitted.take(peer).len()
            + paused.remove(&peer).map_or(0, |paused| paused.len());
        stats.stray_packets += waiting as u64;
    }

    /// Whether the relay is on here and every transport supports it.
    fn relays(&self) -> bool {
        self.server_relay
            && !self.endpoints.is_empty()
            && self.endpoints.values().all(|info| info.relay_supported)
    }

    fn emit(&mut self, signal: Signal) {
        self.events.push_back(ApiEvent::Signal(signal));
    }

    fn disconnect(
        &mut self,
        endpoint: EndpointId,
        connection: ConnectionId,
        reason: DisconnectReason,
    ) {
        tracing::debug!(?endpoint, %connection, %reason, "disconnecting");
        if let Some(outbox) = self.outboxes.get_mut(&endpoint) {
            let farewell = Farewell::Polite;
            outbox.command(ToEndpoint::Disconnect { connection, reason, farewell });
        }
    }
}
