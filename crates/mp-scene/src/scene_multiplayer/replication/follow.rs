//! Keeping up with the tree: spawners, synchronizers and entities that come and go.

use std::collections::VecDeque;
use std::collections::hash_map::Entry;

use mp_core::{Instant, PeerId};
use slotmap::DefaultKey as Key;

use super::super::SceneMultiplayer;
use super::super::early::{Awaited, Waiting};
use super::state::{Property, Synchronizer};
use super::{Origin, Replication, Spawner};
use crate::property::Mark;
use crate::replication::{Change, MultiplayerSpawner, MultiplayerSynchronizer, ReplicationError};
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree, TreeChange};

impl SceneMultiplayer {
    /// Does what follows from what has become of the tree, of the peers and of the settings of
    /// spawners and synchronizers. Then receives the packets that waited for nodes that have
    /// entered.
    pub(in crate::scene_multiplayer) fn follow(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.follow_changes(now, tree);
        self.receive_released(now, tree);
    }

    /// Does the same, but leaves released packets to [`receive_released`](Self::receive_released).
    pub(super) fn follow_changes(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        self.own_paths.set_now(now);
        for node in std::mem::take(&mut self.replication.busy) {
            let entity = self.replication.entities.get(&node);
            if entity.is_none_or(|entity| entity.origin == Origin::Scene) {
                self.entity_added_late(tree, node);
            }
            self.authority_changed(now, tree, node);
            self.follow_settings(tree, node);
        }
        self.follow_touched(tree);
        self.announce_ready(tree);
        let mut released = VecDeque::new();
        loop {
            let doomed = std::mem::take(&mut self.replication.doomed);
            doomed.into_iter().for_each(|node| tree.free(node));
            let changes = tree.take_changes();
            self.follow_vacated(now, tree);
            let joiners = std::mem::take(&mut self.replication.joiners);
            let noted = std::mem::take(&mut *self.replication.inbox.borrow_mut());
            if changes.is_empty() && joiners.is_empty() && noted.is_empty() {
                break;
            }
            self.replication.note_leaving(&changes);
            for &change in &changes {
                self.follow_change(now, tree, change);
            }
            self.renumber(tree, &changes);
            self.replication.moved.clear();
            self.announce_ready(tree);
            for peer in joiners {
                self.tell_joiner(tree, peer);
            }
            for node in noted {
                self.follow_settings(tree, node);
            }
            released.append(&mut self.take_early(tree, &changes));
        }
        self.early.release(released);
        for error in self.replication.take_errors() {
            self.events.emit(Signal::ReplicationFailed(Box::new(error)));
        }
    }

    /// Follows a spawner or synchronizer that was left alone.
    pub(in crate::scene_multiplayer) fn follow_node(
        &mut self,
        tree: &mut dyn NodeTree,
        node: NodeId,
    ) {
        self.node_added(tree, node);
    }

    /// Leaves a spawner or synchronizer alone; false when it was not followed.
    pub(in crate::scene_multiplayer) fn unfollow_node(
        &mut self,
        tree: &mut dyn NodeTree,
        node: NodeId,
    ) -> bool {
        let known = self.replication.spawners.contains_key(&node)
            || self.replication.by_node.contains_key(&node);
        self.spawner_removed(node);
        self.synchronizer_removed(node);
        if let Some(synchronizer) = synchronizer_at(tree, node) {
            synchronizer.unfollow();
        }
        known
    }

    /// Takes the packets that waited for nodes that have entered or have a new path in `changes`.
    fn take_early(&mut self, tree: &dyn NodeTree, changes: &[TreeChange]) -> VecDeque<Waiting> {
        let mut taken = VecDeque::new();
        for change in changes {
            let (TreeChange::Added(node) | TreeChange::Renamed(node)) = *change else { continue };
            if !self.early.awaits_nodes() {
                break;
            }
            let Some(path) = tree.path_of(node) else { continue };
            taken.append(&mut self.early.take(&Awaited::Path(path)));
        }
        taken
    }

    /// Receives the packets that were released, one after the other. A packet that releases others
    /// is processed to its end before these are received: announcements do not nest, so that a
    /// remote peer cannot overflow the stack.
    pub(super) fn receive_released(&mut self, now: Instant, tree: &mut dyn NodeTree) {
        if std::mem::replace(&mut self.is_receiving_released, true) {
            return;
        }
        while let Some(waiting) = self.early.next_released() {
            self.receive_inner(now, tree, waiting.sender, &waiting.packet);
        }
        self.is_receiving_released = false;
    }

    fn follow_change(&mut self, now: Instant, tree: &mut dyn NodeTree, change: TreeChange) {
        match change {
            TreeChange::Added(node) => {
                self.resolve_parent(tree, node);
                self.node_added(tree, node);
            }
            TreeChange::Removed(node) => {
                // What came before it is announced before it.
                self.announce_ready(tree);
                self.replication.has_left(node);
                self.own_paths.remove_node(node);
                // Peers' numbers stay with a node that was moved, as in Godot.
                if tree.name_of(node).is_none() {
                    self.remote_paths.remove_node(node);
                }
                self.spawner_removed(node);
                self.synchronizer_removed(node);
                self.entity_removed(node);
                self.resolve_around(tree, node);
            }
            TreeChange::Renamed(node) => {
                self.resolve_around(tree, node);
                self.resolve_parent(tree, node);
            }
            TreeChange::Authority(node) => self.authority_changed(now, tree, node),
        }
    }

    fn node_added(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        self.entity_added(tree, node);
        let inbox = std::rc::Rc::clone(&self.replication.inbox);
        if let Some(spawner) = spawner_at(tree, node) {
            spawner.follow(node, &inbox);
            self.replication.spawners.insert(node, Spawner::default());
            self.find_spawn_parent(tree, node);
        } else if synchronizer_at(tree, node).is_some() {
            self.synchronizer_added(tree, node);
        }
        // It may be the spawn parent that a spawner waits for.
        for index in (0..self.replication.orphans.len()).rev() {
            if let Some(&orphan) = self.replication.orphans.get_index(index) {
                self.find_spawn_parent(tree, orphan);
            }
        }
    }

    fn synchronizer_added(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        let Some(authority) = tree.multiplayer_authority(node) else { return };
        let replication = &mut self.replication;
        let inbox = std::rc::Rc::clone(&replication.inbox);
        let Some(settings) = synchronizer_at(tree, node) else { return };
        settings.follow(node, &inbox);
        let asked = settings.is_asked_each_tick();
        let root_path = settings.root_path().to_owned();
        let mut synchronizer = Synchronizer::new(node, node, authority, settings);
        let root = tree.find_from(node, &root_path);
        synchronizer.entity = root.unwrap_or(node);
        let key = replication.synchronizers.insert(synchronizer);
        let resolved = replication.resolve(tree, key);
        let mark = Mark::new(key, &replication.dirty);
        replication.synchronizers[key].mark = Some(mark);
        replication.attach_marks(tree, key);
        replication.by_node.insert(node, key);
        if asked {
            replication.asked.insert(key);
        }

        let name = || tree.path_of(node).unwrap_or_default();
        // One that cannot be sent still says who sees its entity, and has its share in announcements.
        if root.is_none() {
            let error = ReplicationError::NoRoot { synchronizer: name(), root_path };
            self.refuse(key, error);
        } else {
            if let Err((property, error)) = resolved {
                // The other properties are sent; this one may be there later.
                let error = ReplicationError::Property { synchronizer: name(), property, error };
                self.replication.fail(key, error);
            }
            self.check_sizes(tree, key);
        }
        let entity = self.replication.synchronizers[key].entity;
        let entity = self.replication.entities.entry(entity).or_default();
        entity.synchronizers.push(key);
        self.find_entities_around(tree, key);
        self.update_sync_visibility(tree, None, key);
        self.apply_announced(tree, key);
    }

    /// Refuses a state that no packet could carry, as soon as it is configured.
    fn check_sizes(&mut self, tree: &mut dyn NodeTree, key: Key) {
        let (own, objects) = (self.session.unique_id(), self.sender.wire().objects());
        let replication = &mut self.replication;
        let synchronizer = &mut replication.synchronizers[key];
        if synchronizer.authority != own {
            return;
        }
        let scratch = &mut replication.scratch.value;
        // Properties that cannot be read now may be readable later.
        let mut size_of = |properties: &mut dyn Iterator<Item = &Property>| {
            scratch.clear();
            properties.for_each(|property| drop(property.encode(tree, objects, scratch)));
            scratch.len()
        };
        let synced = size_of(&mut synchronizer.synced.iter());
        let deltas = size_of(&mut synchronizer.watched.iter().map(|watched| &watched.property));
        let (sync_max, delta_max) = (replication.sync_packet_max, replication.delta_packet_max);
        let node = synchronizer.node;
        if synced > sync_max {
            let error = too_large(tree, node, SYNC, synced, sync_max);
            self.refuse(key, error);
        } else if deltas > delta_max {
            let error = too_large(tree, node, DELTA, deltas, delta_max);
            self.refuse(key, error);
        }
    }

    fn refuse(&mut self, key: Key, error: ReplicationError) {
        if let Some(synchronizer) = self.replication.synchronizers.get_mut(key) {
            synchronizer.refused = true;
        }
        self.replication.fail(key, error);
    }

    pub(super) fn synchronizer_removed(&mut self, node: NodeId) {
        let replication = &mut self.replication;
        let Some(key) = replication.by_node.swap_remove(&node) else { return };
        replication.unsee_all(key);
        replication.leave_entities(key);
        replication.leave_targets(key);
        let Some(synchronizer) = replication.synchronizers.remove(key) else { return };
        if let Some(mark) = synchronizer.mark {
            mark.end();
        }
        replication.polled.swap_remove(&key);
        replication.lagging.swap_remove(&key);
        replication.asked.swap_remove(&key);
        if let Some((peer, id)) = synchronizer.given
            && let Some(info) = replication.peers.get_mut(&peer)
            && info.named.get(&id) == Some(&key)
        {
            info.named.remove(&id);
        }
        if let Some(entity) = replication.entities.get_mut(&synchronizer.entity) {
            entity.synchronizers.retain(|&other| other != key);
            if entity.synchronizers.is_empty() && entity.origin == Origin::Scene {
                replication.entities.swap_remove(&synchronizer.entity);
            }
        }
    }

    /// A synchronizer under another authority begins anew.
    fn authority_changed(&mut self, now: Instant, tree: &mut dyn NodeTree, node: NodeId) {
        let Some(&key) = self.replication.by_node.get(&node) else { return };
        let before = self.replication.synchronizers.get(key).map(|s| s.authority);
        let authority = tree.multiplayer_authority(node);
        if before == authority {
            return;
        }
        if tree.object_mut(node).is_none() {
            self.replication.busy.insert(node);
            return;
        }
        // Peers from which it was hidden in this turn are not sent its last state. The new
        // authority continues from that state, so it is sent what it saw until now.
        let peers = self.replication.peers.keys().copied();
        for peer in peers.filter(|&peer| Some(peer) != authority).collect::<Vec<_>>() {
            self.update_sync_visibility(tree, Some(peer), key);
        }
        if self.send_last_state(now, tree, key) {
            self.restart(tree, node);
        } else {
            self.replication.busy.insert(node);
        }
    }

    /// Lets a synchronizer begin anew, at its place among those of its entity, and settles anew who may see that.
    fn restart(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        let replication = &self.replication;
        let key = replication.by_node.get(&node).copied();
        let old = key.and_then(|key| replication.synchronizers.get(key));
        let old =
            old.and_then(|old| replication.entities.get(&old.entity).map(|e| (old.entity, e)));
        let place = old.and_then(|(entity, state)| {
            let place = state.synchronizers.iter().position(|other| Some(*other) == key)?;
            Some((entity, place))
        });
        let replication = &self.replication;
        let old = key.and_then(|key| replication.synchronizers.get(key));
        let old = old.map(|old| (old.given, old.authority, old.received_time));
        self.synchronizer_removed(node);
        self.synchronizer_added(tree, node);
        if let Some((given, authority, received_time)) = old {
            self.replication.keep_given(node, given, authority, received_time);
        }
        let Some((entity, place)) = place else { return };
        let key = self.replication.by_node.get(&node).copied();
        if let Some(state) = self.replication.entities.get_mut(&entity)
            && state.synchronizers.last().copied() == key
            && let Some(last) = state.synchronizers.pop()
        {
            // Announcements list them in the order in which they entered the tree.
            state.synchronizers.insert(place.min(state.synchronizers.len()), last);
        }
        self.update_spawn_visibility(tree, None, entity);
    }

    fn follow_settings(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        if let Some(spawner) = spawner_at(tree, node) {
            if spawner.take_changed() {
                self.find_spawn_parent(tree, node);
            }
            return;
        }
        let Some(synchronizer) = synchronizer_at(tree, node) else {
            if tree.name_of(node).is_some() && tree.object_mut(node).is_none() {
                self.replication.busy.insert(node);
            }
            return;
        };
        let changes = synchronizer.take_changes();
        if changes.contains(&Change::Content) {
            self.restart(tree, node);
            return;
        }
        for change in changes {
            match change {
                Change::Content => {}
                Change::Timing => self.follow_timing(tree, node),
                Change::Visibility(peer) => self.visibility_changed(tree, node, peer),
            }
        }
    }

    fn follow_timing(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        let Some(&key) = self.replication.by_node.get(&node) else { return };
        let Some(settings) = synchronizer_at(tree, node) else { return };
        let Some(synchronizer) = self.replication.synchronizers.get_mut(key) else { return };
        synchronizer.interval = settings.interval();
        synchronizer.delta_interval = settings.interval_of_deltas();
        synchronizer.signals = settings.has_signals();
        synchronizer.next_delta = None;
        if settings.is_asked_each_tick() {
            self.replication.asked.insert(key);
        } else {
            self.replication.asked.swap_remove(&key);
        }
    }
}

impl Replication {
    /// Notes the nodes that leave the tree in `changes`, which are about to be followed.
    fn note_leaving(&mut self, changes: &[TreeChange]) {
        for change in changes {
            if let TreeChange::Removed(node) = change {
                *self.leaving.entry(*node).or_default() += 1;
            }
        }
    }

    /// Notes that it is followed now that `node` has left the tree.
    fn has_left(&mut self, node: NodeId) {
        if let Entry::Occupied(mut times) = self.leaving.entry(node) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
            }
        }
    }

    /// Gives a synchronizer that began anew the number by which a peer goes on to name it.
    fn keep_given(
        &mut self,
        node: NodeId,
        given: Option<(PeerId, u32)>,
        authority: PeerId,
        received_time: Option<u16>,
    ) {
        let Some(&key) = self.by_node.get(&node) else { return };
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        if synchronizer.authority == authority {
            synchronizer.received_time = received_time;
        }
        let Some((peer, id)) = given else { return };
        synchronizer.given = given;
        if let Some(info) = self.peers.get_mut(&peer) {
            info.named.insert(id, key);
        }
    }
}

/// The spawner that `node` is; `None` also while a method of it runs.
pub(super) fn spawner_at(tree: &mut dyn NodeTree, node: NodeId) -> Option<&mut MultiplayerSpawner> {
    tree.object_mut(node)?.as_spawner()
}

/// The synchronizer that `node` is; `None` also while a method of it runs.
pub(super) fn synchronizer_at(
    tree: &mut dyn NodeTree,
    node: NodeId,
) -> Option<&mut MultiplayerSynchronizer> {
    tree.object_mut(node)?.as_synchronizer()
}

/// What an error says of a packet: its kind of properties, and the setting that bounds it.
type Packet = (&'static str, &'static str);

pub(super) const SYNC: Packet = ("always", "max_sync_packet_size");
pub(super) const DELTA: Packet = ("on_change", "max_delta_packet_size");

pub(super) fn too_large(
    tree: &dyn NodeTree,
    node: NodeId,
    (kind, setting): Packet,
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
