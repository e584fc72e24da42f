//! [`MultiplayerApi`] for `SceneMultiplayer`.

use mp_core::{
    Channel, DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent, PeerId, Target,
    ToEndpoint, TransferMode, Variant,
};

use super::SceneMultiplayer;
use super::paths::ExpiredMessages;
use super::replication::Replication;
use super::session::ResumingConnection;
use crate::api::{ApiEvent, Configuration, MultiplayerApi, RpcOutcome};
use crate::limits::TIMER_INTERVAL;
use crate::replication::{ReplicationError, SpawnError};
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree, TreeError};
use crate::{RpcError, SendBytesError};

impl SceneMultiplayer {
    /// Advances the branch's clock to the program's `now`; returns the time of the branch's clock.
    pub(super) fn advance(&mut self, now: Instant) -> Instant {
        // Most inputs of a turn have the same time.
        if self.clock.last() == Some(now) {
            return self.clock.now();
        }
        let mut clock = self.clock;
        let now = clock.advance(now, || self.due());
        self.clock = clock;
        now
    }

    /// Returns the time of the next turn, by the branch's clock. While a timeout is pending, it is
    /// at most [`TIMER_INTERVAL`] away, so that the clock can detect that the process did not run.
    fn due(&self) -> Option<Instant> {
        let all = [self.session.next_timeout(), self.paths.next_timeout()];
        let first = all.into_iter().flatten().min()?;
        Some(first.min(self.clock.now() + TIMER_INTERVAL))
    }
}

impl MultiplayerApi for SceneMultiplayer {
    fn handle_opened(&mut self, endpoint: EndpointId, info: EndpointInfo) {
        if self.session.endpoints().len() == 0 {
            // The endpoint replaces the offline peer.
            self.clear();
        }
        self.session.open(&mut self.sender, endpoint, info);
    }

    fn handle_event(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
        endpoint: EndpointId,
        event: PeerEvent,
    ) {
        let now = self.advance(now);
        match event {
            PeerEvent::UniqueId(id) => self.session.handle_unique_id(endpoint, id),
            PeerEvent::Connected { connection, claimed_id, origin } => {
                tracing::debug!(%connection, ?claimed_id, %origin, "connected");
                self.with_session(|session, cx| {
                    session.handle_connected(cx, now, endpoint, connection, claimed_id);
                });
            }
            PeerEvent::Held { connection } => {
                self.with_session(|session, cx| session.handle_held(cx, endpoint, connection));
            }
            PeerEvent::Moved { connection, claimed_id, origin, carried } => {
                tracing::debug!(%connection, ?claimed_id, %origin, "moved to this branch");
                let at = (endpoint, connection);
                self.handle_moved(now, tree, at, claimed_id, *carried);
            }
            PeerEvent::Resumed { connection, claimed_id, origin, of } => {
                tracing::debug!(%connection, ?claimed_id, %origin, %of, "resumes a session");
                let resuming = ResumingConnection { endpoint, connection, claimed_id, of };
                self.with_session(|session, cx| session.handle_resumed(cx, now, resuming));
            }
            PeerEvent::Packet(packet) => match self.sender.routes().at(endpoint, packet.from) {
                Some(sender) => {
                    if let Some(kind) = self.sender.wire().kind(&packet.payload) {
                        self.received.count(kind, 1, packet.payload.len());
                    }
                    self.receive(now, tree, sender, &packet);
                }
                None => self.session.count_stray(),
            },
            PeerEvent::Disconnected { connection, reason } => {
                if let Some(peer) = self.sender.routes().at(endpoint, connection) {
                    tracing::debug!(%peer, %reason, "disconnected");
                    self.with_session(|session, cx| {
                        session.handle_disconnected(cx, now, peer, reason);
                    });
                }
            }
            other => tracing::debug!(?other, "ignoring an unknown event"),
        }
    }

    fn handle_closed(&mut self, endpoint: EndpointId, reason: DisconnectReason) {
        self.close_endpoint(endpoint, reason);
    }

    fn handle_replaced(&mut self, endpoint: EndpointId) {
        let before = self.events.len();
        self.close_endpoint(endpoint, DisconnectReason::Closed);
        self.events.drop_signals_after(before);
    }

    fn handle_changes(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        let now = self.advance(now);
        // Each received call asks several times, and usually there are none.
        let has_changes = match self.replication.watches_objects() {
            true => tree.has_changes(),
            false => tree.has_structural_changes(),
        };
        if has_changes || !self.replication.is_settled() {
            self.apply_tree_changes(now, tree);
        } else {
            self.paths.set_now(now);
        }
    }

    fn handle_leave(&mut self, leave: &ToEndpoint) {
        self.session.leave(&mut self.sender, leave);
    }

    fn process(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        let now = self.advance(now);
        self.end_accounting();
        self.paths.set_now(now);
        self.replicating(now, tree, Replication::repeat_paths);
        for silent in self.with_session(|session, cx| session.process(cx, now)) {
            self.paths.probe(&mut self.sender, tree, silent);
        }
        for ExpiredMessages { sender, path, packets } in self.paths.sweep(now) {
            let error = ReplicationError::NoNode { path, peer: sender, packets };
            tracing::debug!(%error, "announcements expired");
            self.events.emit(Signal::ReplicationFailed(Box::new(error)));
        }
    }

    fn tick(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        let now = self.advance(now);
        self.replicating(now, tree, Replication::replicate);
    }

    fn wants_ticks(&self) -> bool {
        self.replication.wants_steps()
    }

    fn rpc(
        &mut self,
        tree: &mut dyn NodeTree,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) -> Result<RpcOutcome, RpcError> {
        self.call(tree, target, node, method, args)
    }

    fn send_bytes(
        &mut self,
        data: &[u8],
        target: Target,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError> {
        Self::send_bytes(self, data, target, mode, channel)
    }

    fn spawn(
        &mut self,
        tree: &mut dyn NodeTree,
        spawner: NodeId,
        data: Variant,
    ) -> Result<NodeId, SpawnError> {
        self.replicating(self.clock.now(), tree, |it, cx| it.spawn(cx, spawner, data))
    }

    fn object_configuration_add(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        match configuration {
            Configuration::RootPath(path) => tree.set_root_path(path),
            Configuration::Spawner(node) | Configuration::Synchronizer(node) => {
                self.replicating(self.clock.now(), tree, |it, cx| {
                    it.remove_node(cx, *node);
                    it.add_node(cx, *node);
                });
                tree.name_of(*node).map(drop).ok_or(TreeError::NotInTree)
            }
        }
    }

    fn object_configuration_remove(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        match configuration {
            Configuration::RootPath(path) if *path == tree.root_path() => Err(TreeError::IsRoot),
            Configuration::RootPath(path) => Err(TreeError::NotFound(path.clone())),
            Configuration::Spawner(node) | Configuration::Synchronizer(node) => {
                let was_configured =
                    self.replicating(self.clock.now(), tree, |it, cx| it.remove_node(cx, *node));
                was_configured.then_some(()).ok_or(TreeError::NotInTree)
            }
        }
    }

    fn next_event(&mut self) -> Option<ApiEvent> {
        self.abandon_stuck_endpoints();
        self.events.pop()
    }

    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        self.sender.deliver(accept);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|due| self.clock.to_program(due))
    }

    fn queued_packets(&self) -> usize {
        self.sender.queued_packets()
    }

    fn is_blocked(&self) -> bool {
        self.sender.is_blocked()
    }

    fn unique_id(&self) -> PeerId {
        Self::unique_id(self)
    }

    fn peer_ids(&self) -> Vec<PeerId> {
        self.peers().collect()
    }

    fn scene_multiplayer(&self) -> &SceneMultiplayer {
        self
    }

    fn scene_multiplayer_mut(&mut self) -> &mut SceneMultiplayer {
        self
    }
}
