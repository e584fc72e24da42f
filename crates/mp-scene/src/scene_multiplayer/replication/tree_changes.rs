//! Applies changes of the tree: added and removed spawners, synchronizers and entities.

use std::collections::hash_map::Entry;

use mp_core::PeerId;
use slotmap::DefaultKey as Key;

use super::state::{Property, Synchronizer};
use super::{Context, EntityOrigin, Replication, Spawner};
use crate::property::Mark;
use crate::replication::{Change, MultiplayerSpawner, MultiplayerSynchronizer, ReplicationError};
use crate::tree::{NodeId, NodeTree, TreeChange};

impl Replication {
    /// Applies the changes of the tree, of the peers, and of the settings of spawners and
    /// synchronizers. Releases messages that were deferred for added nodes.
    pub(in crate::scene_multiplayer) fn apply_tree_changes(&mut self, cx: &mut Context<'_>) {
        cx.paths.set_now(cx.now);
        if self.is_settled() {
            // After a call usually only its node was borrowed.
            if cx.tree.has_changes() {
                self.check_touched(cx);
            }
            if !cx.tree.has_changes() {
                return;
            }
        }
        // Entities that were not ready are announced after the changes made meanwhile.
        let waiting = std::mem::take(&mut self.ready);
        let mut has_waiting = !waiting.is_empty();
        for node in std::mem::take(&mut self.unseen) {
            self.role_added(cx, node);
        }
        for node in std::mem::take(&mut self.busy) {
            let entity = self.entities.get(&node);
            if entity.is_none_or(|entity| entity.origin == EntityOrigin::Scene) {
                self.entity_added_late(cx, node);
            }
            self.authority_changed(cx, node);
            self.apply_settings(cx, node);
        }
        self.check_touched(cx);
        self.announce_ready(cx);
        self.ready.extend(waiting);
        loop {
            let to_free = std::mem::take(&mut self.to_free);
            to_free.into_iter().for_each(|node| cx.tree.free(node));
            let changes = cx.tree.take_changes();
            cx.paths.record_vacated(cx.now, cx.tree);
            let new_peers = std::mem::take(&mut self.new_peers);
            let changed = std::mem::take(&mut *self.inbox.borrow_mut());
            let has_work = std::mem::take(&mut has_waiting);
            if changes.is_empty() && new_peers.is_empty() && changed.is_empty() && !has_work {
                break;
            }
            self.count_removals(&changes);
            for &change in &changes {
                self.apply_tree_change(cx, change);
            }
            self.renumber(cx, &changes);
            self.moved.clear();
            self.announce_ready(cx);
            for (peer, numbers) in new_peers {
                self.announce_all_to(cx, peer, numbers);
            }
            for node in changed {
                self.apply_settings(cx, node);
            }
            cx.paths.take_ready(cx.tree, &changes);
        }
        cx.paths.release_ready();
        self.errors.emit(cx.events);
    }

    /// Returns whether a synchronizer has properties, so that touched nodes matter.
    pub(in crate::scene_multiplayer) fn watches_objects(&self) -> bool {
        !self.path_nodes.is_empty()
    }

    /// Returns whether only the tree may have changes to apply.
    pub(in crate::scene_multiplayer) fn is_settled(&self) -> bool {
        let has_nodes = [&self.ready, &self.unseen, &self.busy].iter().any(|it| !it.is_empty());
        !has_nodes
            && self.to_free.is_empty()
            && self.new_peers.is_empty()
            && self.inbox.borrow().is_empty()
            && self.errors.is_empty()
    }

    /// Starts to replicate a spawner or synchronizer.
    pub(in crate::scene_multiplayer) fn add_node(&mut self, cx: &mut Context<'_>, node: NodeId) {
        self.node_added(cx, node);
    }

    /// Stops replicating a spawner or synchronizer; returns whether it was replicated.
    pub(in crate::scene_multiplayer) fn remove_node(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
    ) -> bool {
        let known = self.spawners.contains_key(&node) || self.by_node.contains_key(&node);
        self.spawner_removed(cx, node);
        self.synchronizer_removed(node);
        if let Some(synchronizer) = synchronizer_at(cx.tree, node) {
            synchronizer.unfollow();
        }
        known
    }

    fn apply_tree_change(&mut self, cx: &mut Context<'_>, change: TreeChange) {
        match change {
            TreeChange::Added(node) => {
                self.resolve_through_parent(cx, node);
                self.node_added(cx, node);
            }
            TreeChange::Removed(node) => {
                // Entities that entered the tree earlier are announced before the removal.
                self.announce_ready(cx);
                self.removal_applied(node);
                cx.paths.remove_node(cx.tree, node);
                self.spawner_removed(cx, node);
                self.synchronizer_removed(node);
                self.entity_removed(cx, node);
                self.resolve_through(cx, node);
            }
            TreeChange::Renamed(node) => {
                self.resolve_through(cx, node);
                self.resolve_through_parent(cx, node);
            }
            TreeChange::Authority(node) => self.authority_changed(cx, node),
        }
    }

    fn node_added(&mut self, cx: &mut Context<'_>, node: NodeId) {
        self.entity_added(cx, node);
        self.role_added(cx, node);
        // The node may be the spawn parent of an orphaned spawner.
        for index in (0..self.orphans.len()).rev() {
            if let Some(&orphan) = self.orphans.get_index(index) {
                self.find_spawn_parent(cx, orphan);
            }
        }
    }

    /// Starts to replicate a node if it is a spawner or synchronizer. One that is checked out is
    /// examined again at the next update.
    fn role_added(&mut self, cx: &mut Context<'_>, node: NodeId) {
        if cx.tree.object_mut(node).is_none() && cx.tree.name_of(node).is_some() {
            self.unseen.insert(node);
            return;
        }
        let inbox = std::rc::Rc::clone(&self.inbox);
        if let Some(spawner) = spawner_at(cx.tree, node) {
            spawner.follow(node, &inbox);
            self.spawners.insert(node, Spawner::default());
            self.find_spawn_parent(cx, node);
        } else if synchronizer_at(cx.tree, node).is_some() {
            self.synchronizer_added(cx, node);
        }
    }

    fn synchronizer_added(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let Some(authority) = cx.tree.multiplayer_authority(node) else { return };
        let inbox = std::rc::Rc::clone(&self.inbox);
        let Some(settings) = synchronizer_at(cx.tree, node) else { return };
        settings.follow(node, &inbox);
        let asked = settings.has_filters_each_tick();
        let root_path = settings.root_path().to_owned();
        let mut synchronizer = Synchronizer::new(node, node, authority, settings);
        let root = cx.tree.find_from(node, &root_path);
        synchronizer.entity = root.unwrap_or(node);
        let key = self.synchronizers.insert(synchronizer);
        let resolved = self.resolve(cx.tree, key);
        let mark = Mark::new(key, &self.dirty);
        self.synchronizers[key].mark = Some(mark);
        self.attach_marks(cx.tree, key);
        self.by_node.insert(node, key);
        if asked {
            self.filtered.insert(key);
        }

        let name = || cx.tree.path_of(node).unwrap_or_default();
        // A refused synchronizer still controls the visibility of its entity, and has a net id in
        // SPAWNs.
        if root.is_none() {
            let error = ReplicationError::NoRoot { synchronizer: name(), root_path };
            self.refuse(key, error);
        } else {
            if let Err((property, source)) = resolved {
                // The other properties are sent. This one may be added later.
                let error = ReplicationError::Property { synchronizer: name(), property, source };
                self.errors.fail(&mut self.synchronizers[key].reported, error);
            }
            self.check_sizes(cx, key);
        }
        let entity = self.synchronizers[key].entity;
        let entity = self.entities.entry(entity).or_default();
        entity.synchronizers.push(key);
        self.find_enclosing_entities(cx, key);
        self.update_sync_visibility(cx, None, key);
        self.apply_announced(cx, key);
    }

    /// Refuses a synchronizer whose state exceeds the maximum packet size, as soon as it is
    /// configured.
    fn check_sizes(&mut self, cx: &mut Context<'_>, key: Key) {
        let (own, objects) = (cx.own, cx.sender.wire().objects());
        let synchronizer = &mut self.synchronizers[key];
        if synchronizer.authority != own {
            return;
        }
        let scratch = &mut self.value;
        // Properties that cannot be read now may be readable later.
        let mut size_of = |properties: &mut dyn Iterator<Item = &Property>| {
            scratch.clear();
            properties.for_each(|property| drop(property.encode(cx.tree, objects, scratch)));
            scratch.len()
        };
        let synced = size_of(&mut synchronizer.synced.iter());
        let deltas = size_of(&mut synchronizer.watched.iter().map(|watched| &watched.property));
        let (sync_max, delta_max) = (self.sync_packet_max, self.delta_packet_max);
        let node = synchronizer.node;
        if synced > sync_max {
            let error = too_large(cx.tree, node, SYNC, synced, sync_max);
            self.refuse(key, error);
        } else if deltas > delta_max {
            let error = too_large(cx.tree, node, DELTA, deltas, delta_max);
            self.refuse(key, error);
        }
    }

    fn refuse(&mut self, key: Key, error: ReplicationError) {
        let synchronizer = &mut self.synchronizers[key];
        synchronizer.refused = true;
        self.errors.fail(&mut synchronizer.reported, error);
    }

    pub(super) fn synchronizer_removed(&mut self, node: NodeId) {
        let Some(key) = self.by_node.swap_remove(&node) else { return };
        self.remove_all_viewers(key);
        self.forget_enclosing_entities(key);
        self.forget_targets(key);
        let Some(synchronizer) = self.synchronizers.remove(key) else { return };
        if let Some(mark) = synchronizer.mark {
            mark.end();
        }
        self.polled.swap_remove(&key);
        self.lagging.swap_remove(&key);
        self.filtered.swap_remove(&key);
        if let Some((peer, id)) = synchronizer.announced_id
            && let Some(info) = self.peers.get_mut(&peer)
            && info.by_net_id.get(&id) == Some(&key)
        {
            info.by_net_id.remove(&id);
        }
        if let Some(entity) = self.entities.get_mut(&synchronizer.entity) {
            entity.synchronizers.retain(|&other| other != key);
            if entity.synchronizers.is_empty() && entity.origin == EntityOrigin::Scene {
                self.entities.swap_remove(&synchronizer.entity);
            }
        }
    }

    /// Restarts a synchronizer whose authority has changed.
    fn authority_changed(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let Some(&key) = self.by_node.get(&node) else { return };
        let before = self.synchronizers.get(key).map(|s| s.authority);
        let authority = cx.tree.multiplayer_authority(node);
        if before == authority {
            return;
        }
        if cx.tree.object_mut(node).is_none() {
            self.busy.insert(node);
            return;
        }
        // Peers from which the synchronizer was hidden in this turn are not sent its last state.
        // The new authority is skipped: it continues from that state if it was a viewer before.
        let peers = self.peers.keys().copied();
        for peer in peers.filter(|&peer| Some(peer) != authority).collect::<Vec<_>>() {
            self.update_sync_visibility(cx, Some(peer), key);
        }
        if self.send_last_state(cx, key) {
            self.restart(cx, node);
        } else {
            self.busy.insert(node);
        }
    }

    /// Removes a synchronizer and adds it again, at the same position in its entity, and updates
    /// the visibility of the entity.
    fn restart(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let key = self.by_node.get(&node).copied();
        let old = key.and_then(|key| self.synchronizers.get(key));
        let old = old.and_then(|old| self.entities.get(&old.entity).map(|e| (old.entity, e)));
        let position = old.and_then(|(entity, state)| {
            let position = state.synchronizers.iter().position(|other| Some(*other) == key)?;
            Some((entity, position))
        });
        let old = key.and_then(|key| self.synchronizers.get(key));
        let old = old.map(|old| (old.announced_id, old.authority, old.received_time));
        self.synchronizer_removed(node);
        self.synchronizer_added(cx, node);
        if let Some((announced_id, authority, received_time)) = old {
            self.restore_announced_id(node, announced_id, authority, received_time);
        }
        let Some((entity, position)) = position else { return };
        let key = self.by_node.get(&node).copied();
        if let Some(state) = self.entities.get_mut(&entity)
            && state.synchronizers.last().copied() == key
            && let Some(last) = state.synchronizers.pop()
        {
            // SPAWNs list synchronizers in the order in which they entered the tree.
            state.synchronizers.insert(position.min(state.synchronizers.len()), last);
        }
        self.update_spawn_visibility(cx, None, entity);
    }

    fn apply_settings(&mut self, cx: &mut Context<'_>, node: NodeId) {
        if let Some(spawner) = spawner_at(cx.tree, node) {
            if spawner.take_changed() {
                self.find_spawn_parent(cx, node);
            }
            return;
        }
        let Some(synchronizer) = synchronizer_at(cx.tree, node) else {
            if cx.tree.name_of(node).is_some() && cx.tree.object_mut(node).is_none() {
                self.busy.insert(node);
            }
            return;
        };
        let changes = synchronizer.take_changes();
        if changes.contains(&Change::Content) {
            self.restart(cx, node);
            return;
        }
        for change in changes {
            match change {
                Change::Content => {}
                Change::Timing => self.apply_timing(cx, node),
                Change::Visibility(peer) => self.visibility_changed(cx, node, peer),
            }
        }
    }

    fn apply_timing(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let Some(&key) = self.by_node.get(&node) else { return };
        let Some(settings) = synchronizer_at(cx.tree, node) else { return };
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        synchronizer.interval = settings.replication_interval();
        synchronizer.delta_interval = settings.delta_interval();
        synchronizer.signals = settings.has_signals();
        synchronizer.next_delta = None;
        if settings.has_filters_each_tick() {
            self.filtered.insert(key);
        } else {
            self.filtered.swap_remove(&key);
        }
    }
}

impl Replication {
    /// Counts the removals in `changes`, which are about to be applied.
    fn count_removals(&mut self, changes: &[TreeChange]) {
        for change in changes {
            if let TreeChange::Removed(node) = change {
                *self.pending_removals.entry(*node).or_default() += 1;
            }
        }
    }

    /// Records that a removal of `node` has been applied.
    fn removal_applied(&mut self, node: NodeId) {
        if let Entry::Occupied(mut times) = self.pending_removals.entry(node) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
            }
        }
    }

    /// Restores the net id by which a peer continues to name a restarted synchronizer.
    fn restore_announced_id(
        &mut self,
        node: NodeId,
        announced_id: Option<(PeerId, u32)>,
        authority: PeerId,
        received_time: Option<u16>,
    ) {
        let Some(&key) = self.by_node.get(&node) else { return };
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        if synchronizer.authority == authority {
            synchronizer.received_time = received_time;
        }
        let Some((peer, id)) = announced_id else { return };
        synchronizer.announced_id = announced_id;
        if let Some(info) = self.peers.get_mut(&peer) {
            info.by_net_id.insert(id, key);
        }
    }
}

/// Returns the spawner at `node`; `None` also while one of its methods runs.
pub(super) fn spawner_at(tree: &mut dyn NodeTree, node: NodeId) -> Option<&mut MultiplayerSpawner> {
    tree.object_mut(node)?.as_spawner()
}

/// Returns the synchronizer at `node`; `None` also while one of its methods runs.
pub(super) fn synchronizer_at(
    tree: &mut dyn NodeTree,
    node: NodeId,
) -> Option<&mut MultiplayerSynchronizer> {
    tree.object_mut(node)?.as_synchronizer()
}

/// The kind of properties in a packet, and the setting that limits its size.
type PacketLimit = (&'static str, &'static str);

pub(super) const SYNC: PacketLimit = ("always", "max_sync_packet_size");
pub(super) const DELTA: PacketLimit = ("on_change", "max_delta_packet_size");

pub(super) fn too_large(
    tree: &dyn NodeTree,
    node: NodeId,
    (kind, setting): PacketLimit,
    len: usize,
    max: usize,
) -> ReplicationError {
    let synchronizer = tree.path_of(node).unwrap_or_default();
    ReplicationError::TooLarge { synchronizer, kind, len, setting, max }
}

/// Returns whether `own`, the id of the local peer, is the authority of `synchronizer`, and the
/// synchronizer's configuration was accepted.
pub(super) fn is_own(own: PeerId, synchronizer: &Synchronizer) -> bool {
    synchronizer.authority == own && !synchronizer.refused
}
