//! Who may see what.
//!
//! As in Godot 4.6.3, an update settles whether the entity is announced first and then who is sent the synchronizer; an update for
//! everybody asks the filters for everybody, and then for each peer unless that was true.

use mp_core::{PeerId, Target};
use slotmap::DefaultKey as Key;

use super::super::SceneMultiplayer;
use super::follow::{is_own, synchronizer_at};
use super::state::Seen;
use super::{Origin, PeerInfo, Replication};
use crate::signal::Signal;
use crate::tree::{NodeId, NodeTree};

impl SceneMultiplayer {
    /// Tells a peer that was admitted of everything it may see.
    pub(super) fn tell_joiner(&mut self, tree: &mut dyn NodeTree, peer: PeerId) {
        if !self.peers.contains(peer) {
            return;
        }
        let info = PeerInfo { is_new: true, ..PeerInfo::default() };
        self.replication.peers.insert(peer, info);
        let entities = self.replication.entities.iter();
        let own = entities.filter(|(_, entity)| matches!(entity.origin, Origin::Own { .. }));
        let mut own: Vec<_> = own.map(|(&node, entity)| (entity.order, node)).collect();
        own.sort_unstable();
        for (_, node) in own {
            self.update_spawn_visibility(tree, Some(peer), node);
        }
        if let Some(info) = self.replication.peers.get_mut(&peer) {
            info.is_new = false;
        }
        let keys: Vec<_> = self.replication.by_node.values().copied().collect();
        for key in keys {
            self.update_sync_visibility(tree, Some(peer), key);
        }
    }

    /// Settles anew who may see a synchronizer.
    pub(super) fn visibility_changed(
        &mut self,
        tree: &mut dyn NodeTree,
        node: NodeId,
        peer: Option<PeerId>,
    ) {
        let Some(&key) = self.replication.by_node.get(&node) else { return };
        let Some(synchronizer) = self.replication.synchronizers.get(key) else { return };
        let (entity, signals) = (synchronizer.entity, synchronizer.signals);
        if peer.is_none_or(|peer| self.replication.peers.contains_key(&peer)) {
            self.update_spawn_visibility(tree, peer, entity);
            self.update_sync_visibility(tree, peer, key);
        }
        if signals {
            self.emit(Signal::VisibilityChanged { synchronizer: node, peer });
        }
    }

    /// Asks the filters that are to be asked at each step.
    pub(super) fn ask_filters(&mut self, tree: &mut dyn NodeTree) {
        if self.replication.asked.is_empty() || self.replication.peers.is_empty() {
            return;
        }
        let asked: Vec<_> = self.replication.asked.iter().copied().collect();
        for key in asked {
            let Some(synchronizer) = self.replication.synchronizers.get(key) else { continue };
            let entity = synchronizer.entity;
            self.update_spawn_visibility(tree, None, entity);
            self.update_sync_visibility(tree, None, key);
        }
    }

    /// Announces an entity to those that may see it now, and takes it back from those that may not.
    pub(super) fn update_spawn_visibility(
        &mut self,
        tree: &mut dyn NodeTree,
        peer: Option<PeerId>,
        node: NodeId,
    ) {
        let Some(entity) = self.replication.entities.get(&node) else { return };
        let Origin::Own { spawner } = entity.origin else { return };
        let own = self.unique_id;
        if tree.multiplayer_authority(spawner) != Some(own)
            || self.replication.ready.contains(&node)
        {
            return;
        }
        let everybody = peer.is_none() && self.sees_entity(tree, node, None);
        let peers: Vec<_> = match peer {
            Some(peer) => vec![peer],
            None => self.replication.peers.keys().copied().collect(),
        };
        let (mut come, mut go) = (Vec::new(), Vec::new());
        for peer in peers {
            let sees = everybody || self.sees_entity(tree, node, Some(peer));
            let Some(entity) = self.replication.entities.get(&node) else { return };
            let outer = entity.outer.and_then(|outer| self.replication.entities.get(&outer));
            let sees = sees && outer.is_none_or(|outer| outer.announced_to.contains(&peer));
            match (sees, entity.announced_to.contains(&peer)) {
                (true, false) => come.push(peer),
                (false, true) => go.push(peer),
                _ => {}
            }
        }
        self.announce(tree, node, &come);
        self.take_back(node, &go);
    }

    /// Whether an entity of this side is there for `peer`, or for everybody.
    fn sees_entity(&self, tree: &mut dyn NodeTree, node: NodeId, peer: Option<PeerId>) -> bool {
        let replication = &self.replication;
        let keys = replication.entities.get(&node).map(|entity| entity.synchronizers.as_slice());
        let own = keys.unwrap_or_default().iter().filter_map(|&key| {
            replication.synchronizers.get(key).filter(|s| s.authority == self.unique_id)
        });
        let mut any = false;
        for synchronizer in own {
            any = true;
            let sees = match synchronizer_at(tree, synchronizer.node) {
                Some(settings) => settings.is_visible_to(peer),
                // A method of it runs: as before.
                None => peer.is_some_and(|peer| synchronizer.seen_by.contains_key(&peer)),
            };
            if sees {
                return true;
            }
        }
        !any
    }

    /// Settles whether a peer is sent the synchronizers of an entity.
    pub(super) fn update_sync_visibilities(
        &mut self,
        tree: &mut dyn NodeTree,
        peer: PeerId,
        node: NodeId,
    ) {
        let entity = self.replication.entities.get(&node);
        for key in entity.map(|entity| entity.synchronizers.clone()).unwrap_or_default() {
            self.update_sync_visibility(tree, Some(peer), key);
        }
    }

    /// Settles who is sent a synchronizer of this side.
    pub(super) fn update_sync_visibility(
        &mut self,
        tree: &mut dyn NodeTree,
        peer: Option<PeerId>,
        key: Key,
    ) {
        let replication = &mut self.replication;
        let Some(synchronizer) = replication.synchronizers.get(key) else { return };
        if !is_own(self.unique_id, synchronizer) {
            return;
        }
        let node = synchronizer.node;
        let Some(settings) = synchronizer_at(tree, node) else { return };
        let everybody = peer.is_none() && settings.is_visible_to(None);
        // Of a node that is announced, only who has it is sent anything.
        let entity = replication.entities.get(&synchronizer.entity);
        let entity = entity.filter(|entity| matches!(entity.origin, Origin::Own { .. }));
        let has = |peer: &PeerId| entity.is_none_or(|entity| entity.announced_to.contains(peer));
        let sees = |peer| has(&peer) && (everybody || settings.is_visible_to(Some(peer)));
        let news = |&peer: &PeerId| {
            let sees = sees(peer);
            (sees != synchronizer.seen_by.contains_key(&peer)).then_some((peer, sees))
        };
        let news: Vec<_> = match peer {
            Some(peer) => replication
                .peers
                .get_key_value(&peer)
                .and_then(|(peer, _)| news(peer))
                .into_iter()
                .collect(),
            None => replication.peers.keys().filter_map(news).collect(),
        };
        for (peer, sees) in news {
            if sees {
                self.replication.see(peer, key);
            } else {
                self.replication.unsee(peer, key);
            }
        }
    }

    /// Whether calls of `node` are for `peer` to know of.
    pub(in crate::scene_multiplayer) fn is_rpc_visible(
        &self,
        tree: &mut dyn NodeTree,
        node: NodeId,
        peer: PeerId,
    ) -> bool {
        let Some(entity) = self.replication.entities.get(&node) else { return true };
        if entity.synchronizers.is_empty() {
            return true;
        }
        match entity.origin {
            Origin::Peer { peer: other, .. } if other == peer => true,
            Origin::Own { .. } if !self.replication.ready.contains(&node) => {
                entity.announced_to.contains(&peer)
            }
            _ => entity.synchronizers.iter().any(|&key| {
                let Some(synchronizer) = self.replication.synchronizers.get(key) else {
                    return false;
                };
                match synchronizer_at(tree, synchronizer.node) {
                    Some(settings) => settings.is_visible_to(Some(peer)),
                    // A method of it runs, and calls its own node.
                    None => {
                        synchronizer.authority != self.unique_id
                            || synchronizer.seen_by.contains_key(&peer)
                    }
                }
            }),
        }
    }

    /// The peers that a call of `node` on `target` goes to.
    pub(in crate::scene_multiplayer) fn callees(
        &self,
        tree: &mut dyn NodeTree,
        node: NodeId,
        target: Target,
    ) -> Vec<PeerId> {
        let mut peers = self.peers_of(target);
        if self.replication.entities.contains_key(&node) {
            peers.retain(|&peer| self.is_rpc_visible(tree, node, peer));
        }
        peers
    }
}

impl Replication {
    /// A peer is sent a synchronizer from now on.
    fn see(&mut self, peer: PeerId, key: Key) {
        let Some(info) = self.peers.get_mut(&peer) else { return };
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        let (place, _) = info.synchronizers.insert_full(key);
        info.plan = None;
        synchronizer.seen_by.insert(peer, Seen { place, last: None });
        synchronizer.next_delta = None;
        if !synchronizer.watched.is_empty() {
            self.lagging.insert(key);
        }
    }

    /// A peer is not sent a synchronizer any more.
    pub(super) fn unsee(&mut self, peer: PeerId, key: Key) {
        if let Some(info) = self.peers.get_mut(&peer)
            && let Some((place, _)) = info.synchronizers.swap_remove_full(&key)
        {
            info.plan = None;
            let moved = info.synchronizers.get_index(place);
            let moved = moved.and_then(|&key| self.synchronizers.get_mut(key));
            if let Some(seen) = moved.and_then(|moved| moved.seen_by.get_mut(&peer)) {
                seen.place = place;
            }
        }
        if let Some(synchronizer) = self.synchronizers.get_mut(key) {
            synchronizer.seen_by.swap_remove(&peer);
        }
    }

    /// Nobody is sent a synchronizer any more.
    pub(super) fn unsee_all(&mut self, key: Key) {
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        for peer in std::mem::take(&mut synchronizer.seen_by).into_keys() {
            self.unsee(peer, key);
        }
    }
}
