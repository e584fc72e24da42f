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
mod handover;
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
mod settings;
mod stats;
mod traffic;

use mp_core::{
    Channel, ConnectionId, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Instant,
    PeerId, RunningClock, Target, TransferMode,
};

pub use error::{AuthError, MoveError, PacketSizeError, RpcError, SendBytesError};
use events::Events;
pub use handover::Handover;
pub use packet_stats::{PacketCounts, PacketKind, PacketStats};
pub use quirks::GodotQuirks;
pub(crate) use refusal::NotAccepted;
pub use refusal::{Refusal, Refusals};

use crate::api::ApiEvent;
use crate::codec::Codec;
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
