//! Visibility of entities and synchronizers.
//!
//! As in Godot 4.6.3, an update first decides whether the entity is announced, and then who is sent
//! the synchronizer. An update for all peers runs the filters once for all of them and, if they
//! return false, once for each peer.

use std::rc::Rc;

use mp_core::{PeerId, Target};
use slotmap::DefaultKey as Key;

use super::state::Viewer;
use super::tree_changes::{is_own, synchronizer_at};
use super::{Context, EntityOrigin, PeerInfo, PeerNumbers, Replication};
use crate::path_cache::Announcement;
use crate::replication::Visibility;
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree};

impl Replication {
    /// Announces all visible entities and synchronizers to a new peer.
    pub(super) fn announce_all_to(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        PeerNumbers { time, last_net_id }: PeerNumbers,
    ) {
        if !cx.sender.routes().contains(peer) {
            return;
        }
        let earlier_net_id = last_net_id;
        let info =
            PeerInfo { is_new: true, time, last_net_id, earlier_net_id, ..PeerInfo::default() };
        self.peers.insert(peer, info);
        let entities = self.entities.iter();
        let own = entities.filter(|(_, entity)| matches!(entity.origin, EntityOrigin::Own { .. }));
        let mut own: Vec<_> = own.map(|(&node, entity)| (entity.order, node)).collect();
        own.sort_unstable();
        for (_, node) in own {
            self.update_spawn_visibility(cx, Some(peer), node);
        }
        if let Some(info) = self.peers.get_mut(&peer) {
            info.is_new = false;
        }
        let keys: Vec<_> = self.by_node.values().copied().collect();
        for key in keys {
            self.update_sync_visibility(cx, Some(peer), key);
        }
    }

    /// Updates the visibility of a synchronizer, for one peer or for all.
    pub(super) fn visibility_changed(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
        peer: Option<PeerId>,
    ) {
        let Some(&key) = self.by_node.get(&node) else { return };
        let Some(synchronizer) = self.synchronizers.get(key) else { return };
        let (entity, signals) = (synchronizer.entity, synchronizer.signals);
        if peer.is_none_or(|peer| self.peers.contains_key(&peer)) {
            self.update_spawn_visibility(cx, peer, entity);
            self.update_sync_visibility(cx, peer, key);
        }
        if signals {
            cx.events.emit(Signal::VisibilityChanged { synchronizer: node, peer });
        }
    }

    /// Runs the filters that run at each step.
    pub(super) fn run_filters(&mut self, cx: &mut Context<'_>) {
        if self.filtered.is_empty() || self.peers.is_empty() {
            return;
        }
        let asked: Vec<_> = self.filtered.iter().copied().collect();
        for key in asked {
            let Some(synchronizer) = self.synchronizers.get(key) else { continue };
            let entity = synchronizer.entity;
            self.update_spawn_visibility(cx, None, entity);
            self.update_sync_visibility(cx, None, key);
        }
    }

    /// Announces an entity to peers that now see it, and despawns it on those that do not.
    pub(super) fn update_spawn_visibility(
        &mut self,
        cx: &mut Context<'_>,
        peer: Option<PeerId>,
        node: NodeId,
    ) {
        let Some(entity) = self.entities.get(&node) else { return };
        let EntityOrigin::Own { spawner } = entity.origin else { return };
        let own = cx.own;
        if cx.tree.multiplayer_authority(spawner) != Some(own) || self.ready.contains(&node) {
            return;
        }
        let is_visible_to_all = peer.is_none() && self.is_entity_visible(cx, node, None);
        let peers: Vec<_> = match peer {
            Some(peer) => vec![peer],
            None => self.peers.keys().copied().collect(),
        };
        let (mut shown, mut hidden) = (Vec::new(), Vec::new());
        for peer in peers {
            let is_visible = is_visible_to_all || self.is_entity_visible(cx, node, Some(peer));
            let Some(entity) = self.entities.get(&node) else { return };
            let outer = entity.outer.and_then(|outer| self.entities.get(&outer));
            let is_visible =
                is_visible && outer.is_none_or(|outer| outer.announced_to.contains(&peer));
            match (is_visible, entity.announced_to.contains(&peer)) {
                (true, false) => shown.push(peer),
                (false, true) => hidden.push(peer),
                _ => {}
            }
        }
        self.announce(cx, node, &shown);
        self.despawn(cx, node, &hidden);
    }

    /// Returns whether an own entity is visible to `peer`, or to all peers.
    fn is_entity_visible(&self, cx: &mut Context<'_>, node: NodeId, peer: Option<PeerId>) -> bool {
        let keys = self.entities.get(&node).map(|entity| entity.synchronizers.as_slice());
        let own = keys
            .unwrap_or_default()
            .iter()
            .filter_map(|&key| self.synchronizers.get(key).filter(|s| s.authority == cx.own));
        let mut any = false;
        for synchronizer in own {
            any = true;
            let is_visible = match visibility_at(cx.tree, synchronizer.node) {
                Some(visibility) => visibility.is_visible_to(cx.tree, peer),
                // A method of the synchronizer is running: the visibility is unchanged.
                None => peer.is_some_and(|peer| synchronizer.viewers.contains_key(&peer)),
            };
            if is_visible {
                return true;
            }
        }
        !any
    }

    /// Updates whether a peer is sent the synchronizers of an entity and its descendants.
    pub(super) fn update_sync_visibilities(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        node: NodeId,
    ) {
        let Some(entity) = self.entities.get(&node) else { return };
        // Synchronizers of descendants first, as in Godot, where they do not depend on the
        // announcement.
        let (own, below): (Vec<Key>, Vec<Key>) =
            entity.contained.iter().partition(|key| entity.synchronizers.contains(key));
        for key in below.into_iter().chain(own) {
            self.update_sync_visibility(cx, Some(peer), key);
        }
    }

    /// Updates which peers are sent an own synchronizer.
    pub(super) fn update_sync_visibility(
        &mut self,
        cx: &mut Context<'_>,
        peer: Option<PeerId>,
        key: Key,
    ) {
        let Some(synchronizer) = self.synchronizers.get(key) else { return };
        if !is_own(cx.own, synchronizer) {
            return;
        }
        let node = synchronizer.node;
        let Some(visibility) = visibility_at(cx.tree, node) else { return };
        let tree = &*cx.tree;
        let is_visible_to_all = peer.is_none() && visibility.is_visible_to(tree, None);
        // Synchronizers in announced entities are sent only to peers that have these entities.
        let entities = synchronizer.enclosing.iter().filter_map(|node| self.entities.get(node));
        let entities: Vec<_> = entities.collect();
        let has = |peer: &PeerId| entities.iter().all(|entity| entity.announced_to.contains(peer));
        let is_visible =
            |peer| has(&peer) && (is_visible_to_all || visibility.is_visible_to(tree, Some(peer)));
        let change = |&peer: &PeerId| {
            let is_visible = is_visible(peer);
            (is_visible != synchronizer.viewers.contains_key(&peer)).then_some((peer, is_visible))
        };
        let changes: Vec<_> = match peer {
            Some(peer) => self
                .peers
                .get_key_value(&peer)
                .and_then(|(peer, _)| change(peer))
                .into_iter()
                .collect(),
            None => self.peers.keys().filter_map(change).collect(),
        };
        for (peer, is_visible) in changes {
            if is_visible {
                self.add_viewer(peer, key);
            } else {
                self.remove_viewer(peer, key);
            }
        }
    }

    /// Returns whether a peer should have the entity `node`.
    fn has_entity(&self, cx: &mut Context<'_>, node: NodeId, peer: PeerId) -> bool {
        let Some(entity) = self.entities.get(&node) else { return true };
        match entity.origin {
            EntityOrigin::Peer { peer: other, .. } if other == peer => true,
            // It is announced when the peer resumes its session.
            EntityOrigin::Own { .. } if cx.sender.routes().is_kept(peer) => {
                self.is_entity_visible(cx, node, Some(peer))
            }
            EntityOrigin::Own { .. } if !self.ready.contains(&node) => {
                entity.announced_to.contains(&peer)
            }
            _ if entity.synchronizers.is_empty() => true,
            _ => entity.synchronizers.iter().any(|&key| {
                let Some(synchronizer) = self.synchronizers.get(key) else {
                    return false;
                };
                match visibility_at(cx.tree, synchronizer.node) {
                    Some(visibility) => visibility.is_visible_to(cx.tree, Some(peer)),
                    // A method of the synchronizer is running, and calls its own node.
                    None => {
                        synchronizer.authority != cx.own || synchronizer.viewers.contains_key(&peer)
                    }
                }
            }),
        }
    }

    /// Returns the peers that receive a call of `node` to `target`: those that have the node and
    /// the announced entity that contains it.
    pub(in crate::scene_multiplayer) fn callees(
        &self,
        cx: &mut Context<'_>,
        node: NodeId,
        target: Target,
    ) -> Vec<PeerId> {
        let mut peers = cx.sender.peers_of(target);
        if self.entities.is_empty() {
            return peers;
        }
        let outer = self.announced_entity(cx.tree, node).filter(|&outer| outer != node);
        for entity in [Some(node), outer].into_iter().flatten() {
            if self.entities.contains_key(&entity) {
                peers.retain(|&peer| self.has_entity(cx, entity, peer));
            }
        }
        peers
    }

    /// Finds the own entities that contain a synchronizer. It is not sent to peers that lack one of
    /// them.
    pub(super) fn find_enclosing_entities(&mut self, cx: &mut Context<'_>, key: Key) {
        self.forget_enclosing_entities(key);
        let Some(synchronizer) = self.synchronizers.get(key) else { return };
        // The root of the synchronizer may be elsewhere in the tree.
        let nodes = [synchronizer.node, synchronizer.entity];
        let mut enclosing: Vec<_> =
            nodes.iter().filter_map(|&node| self.announced_entity(cx.tree, node)).collect();
        enclosing.dedup();
        for entity in &enclosing {
            if let Some(entity) = self.entities.get_mut(entity) {
                entity.contained.insert(key);
            }
        }
        self.synchronizers[key].enclosing = enclosing;
    }

    /// Removes the viewers of synchronizers that were added before `node` became an own entity: no
    /// peer has the node yet.
    pub(super) fn hide_below(&mut self, cx: &mut Context<'_>, node: NodeId) {
        for key in self.synchronizers.keys().collect::<Vec<_>>() {
            self.find_enclosing_entities(cx, key);
            if self.synchronizers[key].enclosing.contains(&node) {
                self.remove_all_viewers(key);
            }
        }
    }
}

impl Replication {
    /// Returns the innermost own entity that is or contains `node`.
    pub(super) fn announced_entity(&self, tree: &dyn NodeTree, node: NodeId) -> Option<NodeId> {
        let mut upwards = std::iter::successors(Some(node), |&above| tree.parent_of(above));
        upwards.find(|&above| self.is_own_entity(above))
    }

    /// Returns the announcement of `node`, or of the innermost announced node above it.
    pub(in crate::scene_multiplayer) fn announcement_of(
        &self,
        tree: &dyn NodeTree,
        node: NodeId,
    ) -> Option<Announcement> {
        let mut upwards = std::iter::successors(Some(node), |&above| tree.parent_of(above));
        upwards.find_map(|above| {
            let entity = self.entities.get(&above)?;
            match entity.origin {
                EntityOrigin::Scene => None,
                EntityOrigin::Own { .. } => Some(Announcement::Own(above)),
                EntityOrigin::Peer { peer, .. } => Some(Announcement::Peer(peer, entity.net_id)),
            }
        })
    }

    /// Forgets the entities that contain a synchronizer.
    pub(super) fn forget_enclosing_entities(&mut self, key: Key) {
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        for entity in std::mem::take(&mut synchronizer.enclosing) {
            if let Some(entity) = self.entities.get_mut(&entity) {
                entity.contained.shift_remove(&key);
            }
        }
    }

    /// Starts to send a synchronizer to a peer.
    fn add_viewer(&mut self, peer: PeerId, key: Key) {
        let Some(info) = self.peers.get_mut(&peer) else { return };
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        let (position, _) = info.synchronizers.insert_full(key);
        info.plan = None;
        synchronizer.viewers.insert(peer, Viewer { position, last: None });
        synchronizer.next_delta = None;
        if !synchronizer.watched.is_empty() {
            self.lagging.insert(key);
        }
    }

    /// Stops sending a synchronizer to a peer.
    pub(super) fn remove_viewer(&mut self, peer: PeerId, key: Key) {
        if let Some(info) = self.peers.get_mut(&peer)
            && let Some((position, _)) = info.synchronizers.swap_remove_full(&key)
        {
            info.plan = None;
            let moved = info.synchronizers.get_index(position);
            let moved = moved.and_then(|&key| self.synchronizers.get_mut(key));
            if let Some(viewer) = moved.and_then(|moved| moved.viewers.get_mut(&peer)) {
                viewer.position = position;
            }
        }
        if let Some(synchronizer) = self.synchronizers.get_mut(key) {
            synchronizer.viewers.swap_remove(&peer);
        }
    }

    /// Stops sending a synchronizer to any peer.
    pub(super) fn remove_all_viewers(&mut self, key: Key) {
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        for peer in std::mem::take(&mut synchronizer.viewers).into_keys() {
            self.remove_viewer(peer, key);
        }
    }
}

/// Returns the visibility of the synchronizer at `node`; `None` also while one of its methods runs.
fn visibility_at(tree: &mut dyn NodeTree, node: NodeId) -> Option<Rc<Visibility>> {
    synchronizer_at(tree, node).map(|synchronizer| synchronizer.visibility())
}
