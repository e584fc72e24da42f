//! `SceneMultiplayer`: who takes part, and what their packets mean.
//!
//! It is told what transports report ([`ToBranch`](mp_core::ToBranch)) and queues what it has to say to them and to its program; it runs
//! nothing of the program's itself. A branch takes its [`ApiEvent`]s after each input, so that a
//! program sees signals and calls in the order of Godot.

mod api_impl;
mod call;
mod error;
mod events;
mod paths;
mod quirks;
mod receive;
mod refusal;
mod replication;
mod sender;
mod session;
mod stats;

use std::time::Duration;

use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Instant,
    PeerId, RunningClock, Target, TransferMode,
};

pub use error::{AuthError, PacketSizeError, RpcError, SendBytesError};
use events::Events;
pub use quirks::GodotQuirks;
pub(crate) use refusal::NotAccepted;
pub use refusal::{Refusal, Refusals};

use crate::api::ApiEvent;
use crate::codec::{Codec, Objects};
use crate::tree::NodeTree;
use paths::Paths;
use replication::Replication;
use sender::Sender;
use session::{Context, Session, SessionChange};
pub use stats::SceneStats;

/// Godot's `SceneMultiplayer`, without the engine. A [`Scene`](crate::Scene) holds one beside its tree; most programs
/// use it through that.
///
/// Without an endpoint it behaves as with Godot's `OfflineMultiplayerPeer`: id 1, connected, nobody there.
#[derive(Debug)]
pub struct SceneMultiplayer {
    sender: Sender,
    session: Session,
    paths: Paths,
    replication: Replication,
    /// Whether packets that `paths` has released are being received.
    is_receiving_released: bool,
    quirks: GodotQuirks,
    /// Measures all times here.
    clock: RunningClock,
    events: Events,
}

impl SceneMultiplayer {
    pub(crate) fn new(codec: Codec) -> Self {
        Self {
            sender: Sender::new(codec),
            session: Session::new(),
            paths: Paths::default(),
            replication: Replication::default(),
            is_receiving_released: false,
            quirks: GodotQuirks::default(),
            clock: RunningClock::default(),
            events: Events::default(),
        }
    }

    /// Whether clients see each other and reach each other through the server (default: yes). Consulted on the server
    /// and on clients.
    ///
    /// A change in a session concerns the peers that are admitted from then on: two peers that were
    /// announced to each other learn when one of them leaves, whatever the setting is by then, and
    /// others do not learn of each other.
    pub fn set_server_relay(&mut self, relay: bool) {
        self.session.set_server_relay(relay);
    }

    /// What peers may do that Godot lets them do and mp does not (default: nothing).
    pub fn set_quirks(&mut self, quirks: GodotQuirks) {
        self.quirks = quirks;
    }

    /// Whether objects travel by their content (default: no). What arrives is data, of whatever class it says; nothing is
    /// created or run.
    pub fn set_allow_object_decoding(&mut self, allow: bool) {
        self.sender.wire_mut().set_allow_object_decoding(allow);
    }

    /// Refuses new connections on every endpoint, or stops refusing them (default: no).
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.session.set_refuse_new_connections(&mut self.sender, refuse);
    }

    /// Sets the largest packet of always properties in bytes, without the transport's own (default: 1350, at least 128). A single
    /// synchronizer may pass it by its 11 bytes of headers.
    ///
    /// # Errors
    ///
    /// When it is less than 128.
    pub fn set_max_sync_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        let size = PacketSizeError::check("max_sync_packet_size", size)?;
        self.replication.set_sync_packet_max(size);
        Ok(())
    }

    /// Sets the largest packet of changes in bytes, without the transport's own (default: 65535, at least 128). A single synchronizer may
    /// pass it by its 17 bytes of headers.
    ///
    /// # Errors
    ///
    /// When it is less than 128.
    pub fn set_max_delta_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        let size = PacketSizeError::check("max_delta_packet_size", size)?;
        self.replication.set_delta_packet_max(size);
        Ok(())
    }

    /// Makes a peer leave. It is gone at once on this side, without [`Signal::PeerDisconnected`]; the others are told.
    pub fn disconnect_peer(&mut self, peer: PeerId) {
        self.with_session(|session, cx| session.disconnect_peer(cx, peer));
    }

    /// Forgets peers, pending ones too, and the numbers of nodes, without signals. The transports stay, but who is on them is not
    /// admitted again.
    pub fn clear(&mut self) {
        self.session.clear(&mut self.sender, &mut self.events);
        self.paths.clear();
        self.replication.reset();
    }

    /// Sends bytes of the program's own; the others' signal is [`PeerPacket`](crate::Signal::PeerPacket).
    ///
    /// On a client with the relay on, anything but the server goes through the server, which must have admitted this side and need
    /// not know the target.
    ///
    /// # Errors
    ///
    /// See [`SendBytesError`].
    pub fn send_bytes(
        &mut self,
        data: &[u8],
        target: impl Into<Target>,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError> {
        self.session.send_bytes(&mut self.sender, data, target.into(), mode, channel)
    }

    /// Sends `peer` nothing until it is [resumed](Self::resume_peer): calls, announcements and raw packets that are reliable wait for it,
    /// unreliable ones are dropped and counted, and properties are skipped. When more than 8 MiB or 16,384 packets wait, the peer is
    /// disconnected. One that is unknown or paused already is left as it is.
    ///
    /// Its answers go on to arrive, so that it can say when it has loaded.
    pub fn pause_peer(&mut self, peer: PeerId) {
        self.sender.pause(peer);
    }

    /// Sends `peer` what waited for it, and from the next tick on properties as they are then.
    pub fn resume_peer(&mut self, peer: PeerId) {
        self.sender.resume(peer);
    }

    /// Whether `peer` is paused.
    pub fn is_paused(&self, peer: PeerId) -> bool {
        self.sender.is_paused(peer)
    }

    /// Whether peers have to authenticate themselves (default: no). In Godot: whether there is an `auth_callback`; here what
    /// peers send is [`Signal::PeerAuth`](crate::Signal::PeerAuth).
    ///
    /// Both sides must. A connection of which only one side does ends with the first packet that
    /// shows it to either ([`OneSidedAuthentication`](DisconnectReason::OneSidedAuthentication)),
    /// or else with the [timeout](Self::set_auth_timeout).
    #[doc(alias = "set_auth_callback")]
    pub fn set_authentication(&mut self, required: bool) {
        self.session.set_authentication(required);
    }

    /// Sets the time that a peer may take to authenticate, in whole milliseconds (default: 3 s);
    /// zero is for ever. A peer that takes longer is disconnected. Time in which this process did
    /// not run (stopped, suspended, a turn of seconds) is not counted.
    pub fn set_auth_timeout(&mut self, timeout: Duration) {
        self.session.set_auth_timeout(timeout);
    }

    /// Sends bytes to a peer that authenticates itself; they arrive there as
    /// [`Signal::PeerAuth`](crate::Signal::PeerAuth).
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub fn send_auth(&mut self, peer: PeerId, data: &[u8]) -> Result<(), AuthError> {
        self.session.send_auth(&mut self.sender, peer, data)
    }

    /// Says that `peer` may take part, as far as this side is concerned. It is admitted when it says the same.
    ///
    /// # Errors
    ///
    /// See [`AuthError`].
    pub fn complete_auth(&mut self, peer: PeerId) -> Result<(), AuthError> {
        self.with_session(|session, cx| session.complete_auth(cx, peer))
    }

    /// Whether peers have to authenticate themselves.
    #[doc(alias = "get_auth_callback")]
    pub fn authentication(&self) -> bool {
        self.session.authentication()
    }

    /// How long a peer may take.
    #[doc(alias = "get_auth_timeout")]
    pub fn auth_timeout(&self) -> Duration {
        self.session.auth_timeout()
    }

    /// The peers that authenticate themselves, as they came.
    #[doc(alias = "get_authenticating_peers")]
    pub fn authenticating_peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.session.authenticating_peers()
    }

    /// Whether clients see each other.
    #[doc(alias = "is_server_relay_enabled")]
    pub fn server_relay(&self) -> bool {
        self.session.server_relay()
    }

    /// The largest packet of always properties in bytes.
    #[doc(alias = "get_max_sync_packet_size")]
    pub fn max_sync_packet_size(&self) -> usize {
        self.replication.sync_packet_max()
    }

    /// The largest packet of changes in bytes.
    #[doc(alias = "get_max_delta_packet_size")]
    pub fn max_delta_packet_size(&self) -> usize {
        self.replication.delta_packet_max()
    }

    /// Whether objects travel by their content.
    pub fn is_object_decoding_allowed(&self) -> bool {
        self.sender.wire().objects() == Objects::Full
    }

    /// Whether new connections are refused.
    pub fn is_refusing_new_connections(&self) -> bool {
        self.session.refuses_new_connections()
    }

    /// This side's own id; 1 when there is no endpoint.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.session.unique_id()
    }

    /// Whether there is a transport, the offline one included: false once a session has ended.
    pub fn has_multiplayer_peer(&self) -> bool {
        self.connection_status() != ConnectionStatus::Disconnected
    }

    /// Whether this side is peer 1.
    pub fn is_server(&self) -> bool {
        self.session.is_server()
    }

    /// Whether this side takes part in a session.
    #[doc(alias = "get_connection_status")]
    pub fn connection_status(&self) -> ConnectionStatus {
        self.session.status()
    }

    /// The admitted peers, relayed ones too, in Godot's order: as they came, but the last takes the place of one that
    /// leaves.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.sender.routes().ids()
    }

    /// Whether `peer` is admitted.
    pub fn has_peer(&self, peer: PeerId) -> bool {
        self.sender.routes().contains(peer)
    }

    /// The link that leads to `peer`; `None` when it is unknown, or another client behind the server.
    pub fn link(&self, peer: PeerId) -> Option<(EndpointId, ConnectionId)> {
        self.sender.routes().connection(peer)
    }

    /// The endpoints that serve this branch.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = (EndpointId, EndpointInfo)> {
        self.session.endpoints()
    }

    /// Counters.
    pub fn stats(&self) -> SceneStats {
        let (session, paths) = (self.session.stats(), self.paths.stats());
        let replication = self.replication.stats();
        SceneStats {
            packets_received: session.packets_received,
            malformed_packets: session.malformed_packets,
            refused_calls: paths.refused_calls,
            refused_announcements: paths.refused_announcements + replication.refused_announcements,
            relayed_packets: session.relayed_packets,
            stray_packets: session.stray_packets + paths.stray_packets + self.sender.unroutable(),
            duplicate_ids: session.duplicate_ids,
            outbox_drops: self.sender.outbox_drops(),
            paused_drops: self.sender.paused_drops(),
            skipped_steps: replication.skipped_steps,
            refused_elements: paths.refused_elements + replication.refused_elements,
            repeated_paths: paths.repeated_paths,
            forgotten_paths: paths.forgotten_paths,
            old_syncs: replication.old_syncs,
            stalls: self.clock.stalls(),
        }
    }

    /// How often packets were refused, by reason.
    pub fn refusals(&self) -> Refusals {
        let mut sum = *self.session.refusals();
        sum.add_all(self.paths.refusals());
        sum.add_all(self.replication.refusals());
        sum
    }

    /// Follows what the program has done to the tree, and receives the packets that waited for that.
    fn apply_tree_changes(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.replicating(tree, Replication::apply_tree_changes);
        self.receive_released(now, tree);
    }

    /// Runs `run` on the replication.
    fn replicating<R>(
        &mut self,
        tree: &mut dyn NodeTree,
        run: impl FnOnce(&mut Replication, &mut replication::Context<'_>) -> R,
    ) -> R {
        let Self { sender, session, paths, replication, quirks, clock, events, .. } = self;
        let (now, own, quirks) = (clock.now(), session.unique_id(), *quirks);
        run(
            replication,
            &mut replication::Context { now, own, quirks, tree, sender, paths, events },
        )
    }

    /// Runs `run` on the session, and lets the other parts follow the sessions of peers that began and
    /// ended.
    fn with_session<R>(&mut self, run: impl FnOnce(&mut Session, &mut Context<'_>) -> R) -> R {
        let Self { session, sender, events, quirks, .. } = self;
        let mut cx = Context { sender, events, quirks: *quirks, changes: Vec::new() };
        let result = run(session, &mut cx);
        for change in cx.changes {
            match change {
                SessionChange::Began(peer) => {
                    self.paths.add_peer(peer);
                    self.replication.add_peer(peer);
                }
                SessionChange::Ended(peer) => self.forget_peer(peer),
            }
        }
        result
    }

    /// Forgets everything that the parts other than the session keep of a peer. Packets of it are
    /// dropped and counted.
    ///
    /// Every field is named here: whoever adds one decides whether it belongs to the session of a
    /// peer.
    fn forget_peer(&mut self, peer: PeerId) {
        let Self {
            paths,
            replication,
            // Done by the session.
            session: _,
            sender: _,
            // Of the branch.
            is_receiving_released: _,
            quirks: _,
            clock: _,
            events: _,
        } = self;
        paths.remove_peer(peer);
        replication.remove_peer(peer);
    }

    /// Forgets the endpoints that turned out to be stuck while something was sent: their peers
    /// could only lose reliable packets.
    fn abandon_stuck_endpoints(&mut self) {
        while let Some(endpoint) = self.sender.take_stuck() {
            if self.session.has_endpoint(endpoint) {
                self.close_endpoint(endpoint, DisconnectReason::QueueFull);
                self.events.push(ApiEvent::EndpointAbandoned(endpoint));
            }
        }
    }

    /// Forgets an endpoint and its peers; with the last one the session.
    fn close_endpoint(&mut self, endpoint: EndpointId, reason: DisconnectReason) {
        if self.with_session(|session, cx| session.close_endpoint(cx, endpoint, reason)) {
            self.clear();
        }
    }
}
