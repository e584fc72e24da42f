//! Statistics, and what viewers see of traffic and nodes.

use mp_core::PeerId;

use super::{PacketStats, Refusals, SceneMultiplayer, SceneStats, TrafficReport, TrafficViewer};
use crate::InspectedProperty;
use crate::tree::{NodeId, NodeTree};

impl SceneMultiplayer {
    /// Returns the statistics.
    pub fn stats(&self) -> SceneStats {
        let (session, paths) = (self.session.stats(), self.paths.stats());
        let replication = self.replication.stats();
        SceneStats {
            packets_received: session.packets_received,
            malformed_packets: session.malformed_packets,
            refused_calls: paths.refused_calls,
            // Counted by the scene.
            refused_answers: 0,
            refused_announcements: paths.refused_announcements + replication.refused_announcements,
            relayed_packets: session.relayed_packets,
            refused_relays: session.refused_relays,
            relay_limit_hits: self.session.policy_limit_hits(),
            stray_packets: session.stray_packets + paths.stray_packets + self.sender.unroutable(),
            duplicate_ids: session.duplicate_ids,
            silent_peers: session.silent_peers,
            outbox_drops: self.sender.outbox_drops(),
            paused_drops: self.sender.paused_drops(),
            kept_peers: session.kept_peers,
            refused_keeps: session.refused_keeps,
            resumed_peers: session.resumed_peers,
            expired_keeps: session.expired_keeps,
            kept_drops: self.sender.kept_drops(),
            queued_calls: session.queued_calls,
            skipped_steps: replication.skipped_steps,
            refused_elements: paths.refused_elements + replication.refused_elements,
            repeated_paths: paths.repeated_paths,
            discarded_paths: paths.discarded_paths,
            moved_packets: session.moved_packets + paths.moved_packets + replication.moved_packets,
            old_syncs: replication.old_syncs,
            oversized_states: self.replication.oversized_states(),
            stalls: self.clock.stalls(),
        }
    }

    /// Returns the number of refused packets by reason.
    pub fn refusals(&self) -> Refusals {
        let mut sum = *self.session.refusals();
        sum.add_all(self.paths.refusals());
        sum.add_all(self.replication.refusals());
        sum
    }

    /// Returns the number of refused calls by reason. It is a part of [`refusals`](Self::refusals).
    pub fn call_refusals(&self) -> Refusals {
        *self.paths.call_refusals()
    }

    /// Returns the number of packets, and their bytes, by kind.
    pub fn packet_stats(&self) -> PacketStats {
        PacketStats { received: self.received, sent: *self.sender.sent() }
    }

    /// Counts traffic by method, node and property until the viewer and all others are dropped.
    /// Without a viewer nothing is counted. With one, a call and a relayed packet cost a table
    /// lookup, and a property a few instructions for each step, whatever the number of receivers.
    ///
    /// Sent packets count when they are made, also those for paused peers.
    pub fn view_traffic(&mut self) -> TrafficViewer {
        self.end_accounting();
        self.traffic.view(self.packet_stats())
    }

    /// Returns the traffic since there is a [viewer](Self::view_traffic); `None` without one.
    pub fn traffic(&self) -> Option<TrafficReport> {
        self.traffic.report(&self.packet_stats())
    }

    /// Ends the accounting if all viewers have been dropped.
    pub(super) fn end_accounting(&mut self) {
        if self.traffic.end_without_viewer() {
            self.replication.forget_rows();
        }
    }

    /// Returns the peer that has announced a spawned node.
    pub(crate) fn spawner_of(&self, node: NodeId) -> Option<PeerId> {
        self.replication.spawned_by(node, self.unique_id())
    }

    /// Returns the properties of the synchronizer at `node`; `None` if there is none.
    pub(crate) fn inspect_synchronizer(
        &self,
        tree: &mut dyn NodeTree,
        node: NodeId,
    ) -> Option<Vec<InspectedProperty>> {
        self.replication.inspect_synchronizer(tree, node)
    }
}
