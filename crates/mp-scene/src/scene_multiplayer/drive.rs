//! How SceneMultiplayer is driven: its side of [`MultiplayerApi`].

use mp_core::{
    Channel, ConnectionStatus, DisconnectReason, EndpointId, EndpointInfo, Instant, PeerEvent,
    PeerId, Target, ToEndpoint, TransferMode, Variant,
};

use super::SceneMultiplayer;
use super::early::Expired;
use crate::api::{ApiEvent, Called, Configuration, MultiplayerApi};
use crate::limits::TIMER_INTERVAL;
use crate::outbox::Outbox;
use crate::replication::{ReplicationError, SpawnError};
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree, TreeError};
use crate::{RpcError, SendBytesError};

impl SceneMultiplayer {
    /// Notes that it is `now` for the program; returns the time by the branch's own clock.
    fn advance(&mut self, now: Instant) -> Instant {
        let mut clock = self.clock;
        let now = clock.advance(now, || self.due());
        self.clock = clock;
        now
    }

    /// Returns the time at which the next turn is due by the branch's own clock. While something
    /// may time out that is soon, so that it is noticed when the process did not run.
    fn due(&self) -> Option<Instant> {
        let overtaking = [self.unannounced.next_sweep(), self.unadmitted.next_sweep()];
        let others = [self.early.next_sweep(), self.next_auth_timeout(), self.own_paths.next_due()];
        let first = overtaking.into_iter().chain(others).flatten().min()?;
        Some(first.min(self.clock.now() + TIMER_INTERVAL))
    }
}

impl MultiplayerApi for SceneMultiplayer {
    fn handle_opened(&mut self, endpoint: EndpointId, info: EndpointInfo) {
        if self.endpoints.is_empty() {
            // A peer takes the place of the offline one.
            self.clear();
            self.unique_id = info.unique_id;
            self.status = info.status;
            self.is_joining = info.status == ConnectionStatus::Connecting;
        }
        self.endpoints.insert(endpoint, info);
        let outbox = self.outboxes.entry(endpoint).or_default();
        if self.refuse_new_connections {
            outbox.command(ToEndpoint::RefuseNewConnections(true));
        }
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
            PeerEvent::UniqueId(id) => self.handle_unique_id(endpoint, id),
            PeerEvent::Connected { connection, claimed_id, origin } => {
                tracing::debug!(%connection, ?claimed_id, %origin, "connected");
                self.handle_connected(now, endpoint, connection, claimed_id);
            }
            PeerEvent::Packet(packet) => {
                let Some(sender) = self.peers.at(endpoint, packet.from) else {
                    self.stats.stray_packets += 1;
                    return;
                };
                self.receive(now, tree, sender, &packet);
            }
            PeerEvent::Disconnected { connection, reason } => {
                if let Some(peer) = self.peers.at(endpoint, connection) {
                    tracing::debug!(%peer, %reason, "disconnected");
                    self.remove_peer(peer, true);
                }
            }
            other => tracing::debug!(?other, "an event that this version does not know"),
        }
    }

    fn handle_closed(&mut self, endpoint: EndpointId, reason: DisconnectReason) {
        self.close_endpoint(endpoint, reason);
    }

    fn handle_replaced(&mut self, endpoint: EndpointId) {
        let before = self.events.len();
        self.close_endpoint(endpoint, DisconnectReason::Closed);
        let silent = self.events.split_off(before).into_iter();
        self.events.extend(silent.filter(|event| !matches!(event, ApiEvent::Signal(_))));
    }

    fn handle_changes(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        let now = self.advance(now);
        self.follow(now, tree);
    }

    fn handle_leave(&mut self, leave: &ToEndpoint) {
        // What waits for paused peers was accepted.
        let paused: Vec<_> = self.paused.keys().copied().collect();
        paused.into_iter().for_each(|peer| self.resume_peer(peer));
        for outbox in self.outboxes.values_mut() {
            outbox.command(leave.clone());
        }
        self.is_leaving = !self.endpoints.is_empty();
    }

    fn process(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        let now = self.advance(now);
        self.own_paths.set_now(now);
        self.repeat_paths(now, tree);
        self.check_auth_timeouts(now);
        for Expired { sender, path, packets } in self.early.expired(now) {
            let error = ReplicationError::NoNode { path, peer: sender, packets };
            tracing::debug!(%error, "announcements expired");
            self.emit(Signal::ReplicationFailed(Box::new(error)));
        }
        self.stats.refused_calls += self.early.sweep(now) as u64;
        self.stats.stray_packets += self.unannounced.sweep(now);
        self.stats.stray_packets += self.unadmitted.sweep(now);
    }

    fn tick(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        let now = self.advance(now);
        self.replicate(now, tree);
        for error in self.replication.take_errors() {
            self.emit(Signal::ReplicationFailed(Box::new(error)));
        }
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
    ) -> Result<Called, RpcError> {
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
        self.spawn_from_data(tree, spawner, data)
    }

    fn object_configuration_add(
        &mut self,
        tree: &mut dyn NodeTree,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        match configuration {
            Configuration::RootPath(path) => tree.set_root_path(path),
            Configuration::Spawner(node) | Configuration::Synchronizer(node) => {
                self.unfollow_node(tree, *node);
                self.follow_node(tree, *node);
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
                self.unfollow_node(tree, *node).then_some(()).ok_or(TreeError::NotInTree)
            }
        }
    }

    fn next_event(&mut self) -> Option<ApiEvent> {
        self.abandon_stuck_endpoints();
        self.events.pop_front()
    }

    fn deliver(
        &mut self,
        accept: &mut dyn FnMut(EndpointId, ToEndpoint) -> Result<(), ToEndpoint>,
    ) {
        for (&endpoint, outbox) in &mut self.outboxes {
            outbox.deliver(|message| accept(endpoint, message));
        }
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.due().map(|due| self.clock.to_program(due))
    }

    fn queued_packets(&self) -> usize {
        self.outboxes.values().map(Outbox::packets).max().unwrap_or(0)
    }

    fn is_blocked(&self) -> bool {
        self.outboxes.values().any(Outbox::is_blocked)
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
