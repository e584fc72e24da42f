//! `SceneMultiplayer`: the session of a branch, calls and replication.
//!
//! It receives the events of transports ([`ToBranch`](mp_core::ToBranch)) and queues messages for
//! them. Signals and calls are queued as [`ApiEvent`]s, which the branch takes after each input, so
//! that a program receives them in Godot's order.
//!
//! The parts: `session` admits peers, `paths` handles calls and path ids, `replication` spawns
//! nodes and synchronizes properties, `sender` encodes and queues packets.

mod api_impl;
mod authentication;
mod call;
mod checkpoint;
mod error;
mod events;
mod inspection;
mod moves;
mod packet_stats;
mod paths;
mod quirks;
mod receive;
mod refusal;
mod replication;
mod resume;
mod sender;
mod session;
mod stats;
mod traffic;

use std::time::Duration;

use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Instant,
    PeerId, RunningClock, Target, TransferMode,
};

pub use error::{AuthError, MoveError, PacketSizeError, RpcError, SendBytesError};
use events::Events;
pub use packet_stats::{PacketCounts, PacketKind, PacketStats};
pub use quirks::GodotQuirks;
pub(crate) use refusal::NotAccepted;
pub use refusal::{Refusal, Refusals};

use crate::api::ApiEvent;
use crate::codec::{Codec, Objects};
use crate::ids::IdBlocks;
use crate::tree::NodeTree;
use paths::Paths;
use replication::Replication;
use sender::Sender;
use session::{Context, Session, SessionChange};
pub use session::{RelayContext, RelayDecision, RelayPolicy};
pub use stats::SceneStats;
use traffic::Traffic;
pub use traffic::{TrafficCount, TrafficReport, TrafficRow, TrafficViewer};

/// Godot's `SceneMultiplayer`, without the engine. It is part of a [`Scene`](crate::Scene), through
/// which most programs use it.
///
/// Without an endpoint it behaves like Godot's `OfflineMultiplayerPeer`: id 1, connected, no other
/// peers.
#[derive(Debug)]
pub struct SceneMultiplayer {
    sender: Sender,
    session: Session,
    paths: Paths,
    replication: Replication,
    /// True while packets that `paths` has released are being received.
    is_receiving_released: bool,
    /// Packets received by kind.
    received: PacketCounts,
    traffic: Traffic,
    quirks: GodotQuirks,
    disconnects_over_limits: bool,
    /// The clock of all timeouts. Time in which the process did not run does not count.
    clock: RunningClock,
    events: Events,
}

impl SceneMultiplayer {
    /// Creates the protocol of an engine that has its own [`NodeTree`]. Other programs build a
    /// [`Branch`](crate::Branch), which contains one.
    pub fn new(codec: Codec) -> Self {
        Self {
            sender: Sender::new(codec),
            session: Session::new(),
            paths: Paths::default(),
            replication: Replication::default(),
            is_receiving_released: false,
            received: PacketCounts::default(),
            traffic: Traffic::default(),
            quirks: GodotQuirks::default(),
            disconnects_over_limits: false,
            clock: RunningClock::default(),
            events: Events::default(),
        }
    }

    /// Sets whether clients see each other and reach each other through the server (default: true).
    /// The setting matters on the server and on clients.
    ///
    /// A change during a session applies to peers that are admitted afterwards. Two peers that were
    /// announced to each other are still notified when one of them leaves, and other peers are not
    /// announced afterwards.
    pub fn set_server_relay(&mut self, relay: bool) {
        self.session.set_server_relay(relay);
    }

    /// Sets a policy that announces peers and forwards packets in place of Godot's relay.
    pub(crate) fn set_relay_policy(&mut self, mut policy: Box<dyn RelayPolicy>, ids: &IdBlocks) {
        self.paths.set_id_blocks(ids.clone());
        self.replication.set_id_blocks(ids.clone());
        policy.set_ids(ids);
        self.session.set_relay_policy(policy);
    }

    /// Returns the [relay policy](crate::BranchBuilder::relay_policy), if it is a `P`.
    pub fn relay_policy<P: RelayPolicy>(&self) -> Option<&P> {
        self.session.relay_policy()
    }

    /// Sets which peers may send to others through the server, for example players but not
    /// spectators (default: all). `may_send` is called once for each peer, when it is admitted.
    ///
    /// Packets of a peer that may not are refused ([`Refusal::MayNotRelay`]), except confirmations
    /// and announcements of paths, without which others could not send properties to it. It
    /// receives the packets of others, and may send to the server. A
    /// [relay policy](crate::BranchBuilder::relay_policy) forwards packets without this check.
    pub fn set_relay_permission(&mut self, may_send: impl Fn(PeerId) -> bool + Send + 'static) {
        self.session.set_relay_permission(may_send);
    }

    /// Sets the unsafe behavior of Godot that is allowed (default: none).
    pub fn set_quirks(&mut self, quirks: GodotQuirks) {
        self.quirks = quirks;
    }

    /// Sets whether a peer that exceeds a limit of an RPC ([`RpcConfig::rate`],
    /// [`RpcConfig::max_bytes`]) is disconnected (default: false, only the call is dropped). A
    /// relayed peer is not.
    ///
    /// [`RpcConfig::rate`]: crate::rpc::RpcConfig::rate
    /// [`RpcConfig::max_bytes`]: crate::rpc::RpcConfig::max_bytes
    pub fn set_disconnect_over_limits(&mut self, disconnect: bool) {
        self.disconnects_over_limits = disconnect;
    }

    /// Sets whether objects are sent with their content (default: false, only their ids). Received
    /// objects are data, whatever class they name: no object is created and no code is run.
    pub fn set_allow_object_decoding(&mut self, allow: bool) {
        self.sender.wire_mut().set_allow_object_decoding(allow);
    }

    /// Sets whether every endpoint refuses new connections (default: false).
    pub fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.session.set_refuse_new_connections(&mut self.sender, refuse);
    }

    /// Sets the maximum size of a SYNC packet (properties that are always sent), in bytes without
    /// the transport's headers. Default: 1350, minimum: 128. A packet with a single synchronizer
    /// may exceed it by 11 bytes of headers.
    ///
    /// # Errors
    ///
    /// Returns an error if `size` is less than 128.
    pub fn set_max_sync_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        let size = PacketSizeError::check("max_sync_packet_size", size)?;
        self.replication.set_sync_packet_max(size);
        Ok(())
    }

    /// Sets the maximum size of a DELTA packet (properties that are sent when they change), in
    /// bytes without the transport's headers. Default: 65535, minimum: 128. A packet with a single
    /// synchronizer may exceed it by 17 bytes of headers.
    ///
    /// # Errors
    ///
    /// Returns an error if `size` is less than 128.
    pub fn set_max_delta_packet_size(&mut self, size: usize) -> Result<(), PacketSizeError> {
        let size = PacketSizeError::check("max_delta_packet_size", size)?;
        self.replication.set_delta_packet_max(size);
        Ok(())
    }

    /// Disconnects a peer. It is removed immediately, without
    /// [`PeerDisconnected`](crate::Signal::PeerDisconnected); a relaying server notifies the other
    /// peers.
    pub fn disconnect_peer(&mut self, peer: PeerId) {
        self.with_session(|session, cx| session.disconnect_peer(cx, peer));
    }

    /// Removes all peers, pending ones included, and all path ids, without signals. The endpoints
    /// stay, but their connected peers are not admitted again.
    pub fn clear(&mut self) {
        self.session.clear(&mut self.sender, &mut self.events);
        self.paths.clear();
        self.replication.reset();
    }

    /// Sends bytes of the program, which the remote peer receives as
    /// [`PeerPacket`](crate::Signal::PeerPacket).
    ///
    /// A client with the relay enabled sends packets for any other target through the server. The
    /// server must have admitted the client, and need not know the target.
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

    /// Pauses sending to `peer` until it is [resumed](Self::resume_peer). Reliable packets are
    /// queued, unreliable ones are dropped and counted, and properties are skipped. A peer for
    /// which more than 8 MiB or 16,384 packets are queued is disconnected. Does nothing if `peer`
    /// is unknown or already paused.
    ///
    /// Packets from the peer are still received, so that it can report that it has loaded.
    pub fn pause_peer(&mut self, peer: PeerId) {
        self.sender.pause(peer);
    }

    /// Sends `peer` the queued packets, and its properties from the next tick on.
    pub fn resume_peer(&mut self, peer: PeerId) {
        self.sender.resume(peer);
    }

    /// Returns whether `peer` is paused.
    pub fn is_paused(&self, peer: PeerId) -> bool {
        self.sender.is_paused(peer)
    }

    /// Sets the time without a packet after which a peer is disconnected (default: 30 s; zero: no
    /// limit), on transports whose connections outlive the program of the remote peer: WebRTC. The
    /// silence of all peers begins again.
    ///
    /// A peer that has sent nothing for 10 s (or half the timeout, if that is shorter) is probed
    /// with a SIMPLIFY_PATH of the root, which Godot confirms by itself. So a peer that only
    /// listens stays, and one whose main loop has stopped is disconnected; that includes web
    /// exports in hidden tabs, whose frames browsers stop. Paused peers are not disconnected.
    ///
    /// Each probe uses a new path id, which takes about 100 bytes at a Godot peer until it leaves.
    /// A Godot peer whose multiplayer root has other RPC methods than the local one logs an error
    /// for each probe.
    pub fn set_silence_timeout(&mut self, timeout: Duration) {
        self.session.set_silence_timeout(timeout);
    }

    /// Returns the time without a packet after which a peer is disconnected; zero: no limit.
    pub fn silence_timeout(&self) -> Duration {
        self.session.silence_timeout()
    }

    /// Returns whether clients see each other.
    #[doc(alias = "is_server_relay_enabled")]
    pub fn server_relay(&self) -> bool {
        self.session.server_relay()
    }

    /// Returns the maximum size of a SYNC packet in bytes.
    #[doc(alias = "get_max_sync_packet_size")]
    pub fn max_sync_packet_size(&self) -> usize {
        self.replication.sync_packet_max()
    }

    /// Returns the maximum size of a DELTA packet in bytes.
    #[doc(alias = "get_max_delta_packet_size")]
    pub fn max_delta_packet_size(&self) -> usize {
        self.replication.delta_packet_max()
    }

    /// Returns whether objects are sent with their content.
    pub fn is_object_decoding_allowed(&self) -> bool {
        self.sender.wire().objects() == Objects::Full
    }

    /// Returns whether new connections are refused.
    pub fn is_refusing_new_connections(&self) -> bool {
        self.session.refuses_new_connections()
    }

    /// Returns whether a peer that exceeds a limit of an RPC is disconnected.
    pub fn disconnects_over_limits(&self) -> bool {
        self.disconnects_over_limits
    }

    /// Returns the id of the local peer; 1 without an endpoint.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.session.unique_id()
    }

    /// Returns whether there is a transport. The offline peer counts; false after a session has
    /// ended.
    pub fn has_multiplayer_peer(&self) -> bool {
        self.connection_status() != ConnectionStatus::Disconnected
    }

    /// Returns whether the branch was [closed](crate::Branch::close) and its connections are
    /// ending.
    pub fn is_closing(&self) -> bool {
        self.session.is_leaving()
    }

    /// Returns whether the local peer is the server (id 1).
    pub fn is_server(&self) -> bool {
        self.session.is_server()
    }

    /// Returns the state of the session.
    #[doc(alias = "get_connection_status")]
    pub fn connection_status(&self) -> ConnectionStatus {
        self.session.status()
    }

    /// Returns the admitted peers, relayed ones included, in Godot's order: the order of admission,
    /// except that the last peer takes the position of one that is removed.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl ExactSizeIterator<Item = PeerId> {
        self.sender.routes().ids()
    }

    /// Returns whether `peer` is admitted.
    pub fn has_peer(&self, peer: PeerId) -> bool {
        self.sender.routes().contains(peer)
    }

    /// Returns the connection to `peer`; `None` if the peer is unknown or relayed.
    pub fn connection(&self, peer: PeerId) -> Option<(EndpointId, ConnectionId)> {
        self.sender.routes().connection(peer)
    }

    /// Returns the endpoints that serve the branch.
    pub fn endpoints(&self) -> impl ExactSizeIterator<Item = (EndpointId, EndpointInfo)> {
        self.session.endpoints()
    }

    /// Applies the program's changes of the tree, and receives the packets that they release.
    fn apply_tree_changes(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.replicating(now, tree, Replication::apply_tree_changes);
        self.receive_released(now, tree);
    }

    /// Calls a function of the replication with its context.
    fn replicating<R>(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        run: impl FnOnce(&mut Replication, &mut replication::Context<'_>) -> R,
    ) -> R {
        let Self { sender, session, paths, replication, traffic, quirks, events, .. } = self;
        let (own, quirks) = (session.unique_id(), *quirks);
        run(
            replication,
            &mut replication::Context { now, own, quirks, tree, sender, paths, traffic, events },
        )
    }

    /// Calls a function of the session with its context, and notifies the other parts of the peers
    /// whose sessions it began and ended.
    fn with_session<R>(&mut self, run: impl FnOnce(&mut Session, &mut Context<'_>) -> R) -> R {
        let Self { session, sender, traffic, events, quirks, .. } = self;
        let mut cx = Context { sender, traffic, events, quirks: *quirks, changes: Vec::new() };
        let result = run(session, &mut cx);
        for change in cx.changes {
            match change {
                SessionChange::Began(peer) => {
                    self.paths.add_peer(peer);
                    self.replication.add_peer(peer);
                }
                SessionChange::Suspended(peer) => {
                    self.paths.remove_peer(peer);
                    self.replication.suspend_peer(peer);
                }
                SessionChange::Ended(peer) => self.forget_peer(peer),
            }
        }
        result
    }

    /// Removes the state of a peer from all parts but the session. Deferred packets of the peer are
    /// dropped and counted.
    ///
    /// Every field is named here, so that a new one must be classified as state of a peer or not.
    fn forget_peer(&mut self, peer: PeerId) {
        let Self {
            paths,
            replication,
            traffic,
            // Removed by the session.
            session: _,
            sender: _,
            // State of the branch.
            is_receiving_released: _,
            quirks: _,
            disconnects_over_limits: _,
            clock: _,
            received: _,
            events: _,
        } = self;
        paths.remove_peer(peer);
        replication.remove_peer(peer);
        traffic.remove_peer(peer);
    }

    /// Closes endpoints whose outboxes overflowed with reliable packets, and disconnects their
    /// peers: further reliable packets would be lost.
    fn abandon_stuck_endpoints(&mut self) {
        while let Some(endpoint) = self.sender.take_stuck() {
            if self.session.has_endpoint(endpoint) {
                self.close_endpoint(endpoint, DisconnectReason::QueueFull);
                self.events.push(ApiEvent::EndpointAbandoned(endpoint));
            }
        }
    }

    /// Removes an endpoint and its peers; with the last endpoint, ends the session.
    fn close_endpoint(&mut self, endpoint: EndpointId, reason: DisconnectReason) {
        if self.with_session(|session, cx| session.close_endpoint(cx, endpoint, reason)) {
            self.clear();
        }
    }
}
