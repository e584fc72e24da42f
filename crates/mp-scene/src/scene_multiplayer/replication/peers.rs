//! The sessions of peers: their beginning and their end.

use std::rc::Rc;

use mp_core::PeerId;

use super::{PeerNumbers, Replication};

impl Replication {
    /// Adds an admitted peer. The existing entities are announced to it at the next update.
    pub(in super::super) fn add_peer(&mut self, peer: PeerId) {
        self.to_free.extend(self.suspended.remove(&peer).into_iter().flatten());
        self.new_peers.push((peer, PeerNumbers::default()));
    }

    /// Ends the session of a peer that is kept: its state is removed, but its entities stay.
    pub(in super::super) fn suspend_peer(&mut self, peer: PeerId) {
        let entities: Vec<_> = match self.peers.get_mut(&peer) {
            Some(info) => std::mem::take(&mut info.entities).into_values().collect(),
            None => Vec::new(),
        };
        self.remove_peer(peer);
        if !entities.is_empty() {
            self.suspended.insert(peer, entities);
        }
    }

    /// Ends the session of a peer: its state is removed, and its entities are freed.
    ///
    /// Every field is named here, so that a new one must be classified as state of a peer or not.
    pub(in super::super) fn remove_peer(&mut self, peer: PeerId) {
        let Self {
            entities,
            synchronizers,
            peers,
            plans,
            new_peers,
            suspended,
            to_free,
            // State of nodes.
            spawners: _,
            spawn_parents: _,
            orphans: _,
            by_node: _,
            net_ids: _,
            last_order: _,
            ready: _,
            pending_removals: _,
            moved: _,
            data: _,
            inbox: _,
            busy: _,
            unseen: _,
            dirty: _,
            polled: _,
            path_nodes: _,
            touched: _,
            lagging: _,
            filtered: _,
            // State of the branch, or empty between two inputs.
            incoming: _,
            errors: _,
            syncs: _,
            deltas: _,
            value: _,
            values: _,
            sync_packet_max: _,
            delta_packet_max: _,
            stats: _,
            refusals: _,
        } = self;
        new_peers.retain(|&(new_peer, _)| new_peer != peer);
        to_free.extend(suspended.remove(&peer).into_iter().flatten());
        // Shifting keeps the order of the remaining peers, in which they are sent packets.
        let Some(info) = peers.shift_remove(&peer) else { return };
        to_free.extend(info.entities.into_values());
        for entity in entities.values_mut() {
            entity.announced_to.swap_remove(&peer);
        }
        for synchronizer in synchronizers.values_mut() {
            synchronizer.forget_peer(peer);
        }
        plans.retain(|_, plan| Rc::strong_count(plan) > 1);
    }

    /// Ends the session: peers are removed, their entities are freed, and ids start again.
    pub(in super::super) fn reset(&mut self) {
        self.new_peers.clear();
        self.to_free.extend(std::mem::take(&mut self.suspended).into_values().flatten());
        for (_, info) in std::mem::take(&mut self.peers) {
            self.to_free.extend(info.entities.into_values());
        }
        for entity in self.entities.values_mut() {
            entity.net_id = 0;
            entity.announced_to.clear();
        }
        for synchronizer in self.synchronizers.values_mut() {
            synchronizer.restart();
        }
        self.plans.clear();
        self.lagging.clear();
        self.net_ids.restart();
    }

    /// Handles that a peer has confirmed a path.
    pub(in super::super) fn confirmed(&mut self, peer: PeerId) {
        if let Some(info) = self.peers.get_mut(&peer)
            && info.unconfirmed
        {
            info.plan = None;
        }
    }
}
