//! SPAWN and DESPAWN.

use bytes::Bytes;
use indexmap::IndexSet;
use mp_core::{Instant, PeerId, Prefix};

use super::super::SceneMultiplayer;
use super::super::sender::SendOptions;
use super::follow::spawner_at;
use super::{Origin, Replication};
use crate::SceneMessage;
use crate::codec::godot::sync::BY_PATH;
use crate::message::{Spawn, SpawnOf};
use crate::path_cache::ConfirmedPath;
use crate::property::PropertyError;
use crate::replication::ReplicationError;
use crate::tree::{NodeId, NodeTree, is_plain_name};

impl SceneMultiplayer {
    /// Announces the entities that have entered the tree, as they are now. One that has left since
    /// is not announced: it, or a node above it, may be elsewhere now, where its peers do not have
    /// what is above it.
    pub(super) fn announce_ready(&mut self, tree: &mut dyn NodeTree) {
        let replication = &mut self.replication;
        let (left, ready): (_, IndexSet<_>) = std::mem::take(&mut replication.ready)
            .into_iter()
            .partition(|node| replication.leaving.contains_key(node));
        replication.ready = left;
        // An outer one may have become known after those below it.
        for &node in &ready {
            self.find_outer(tree, node);
        }
        for node in ready {
            self.update_spawn_visibility(tree, None, node);
        }
    }

    /// Announces an entity to peers that lack it.
    pub(super) fn announce(&mut self, tree: &mut dyn NodeTree, node: NodeId, peers: &[PeerId]) {
        if peers.is_empty() {
            return;
        }
        let Some(entity) = self.replication.entities.get(&node) else { return };
        let Origin::Own { spawner } = entity.origin else { return };
        let spawn = match self.spawn_message(tree, node, spawner) {
            Some(spawn) => self.sender.wire().encode(&SceneMessage::Spawn(spawn)),
            None => return,
        };
        for &peer in peers {
            self.tell_path(tree, peer, spawner);
            self.sender.send_packet(&[peer], SendOptions::INTERNAL, Prefix::EMPTY, &spawn);
            if let Some(entity) = self.replication.entities.get_mut(&node) {
                entity.announced_to.insert(peer);
            }
            // Nodes below it may be there now.
            let late: Vec<_> = self.own_paths.unconfirmed(peer).collect();
            for (id, below) in late {
                let mut upwards = std::iter::successors(Some(below), |&it| tree.parent_of(it));
                if upwards.any(|above| above == node) {
                    self.repeat_path(tree, peer, id, below);
                }
            }
            // A joiner is sent properties in the order of all synchronizers: see `tell_joiner`.
            if self.replication.peers.get(&peer).is_some_and(|info| !info.is_new) {
                self.update_sync_visibilities(tree, peer, node);
            }
        }
        let inner = self.replication.entities.get(&node).map(|entity| &entity.inner);
        for inner in inner.into_iter().flatten().copied().collect::<Vec<_>>() {
            for &peer in peers {
                self.update_spawn_visibility(tree, Some(peer), inner);
            }
        }
    }

    /// Takes an entity back from peers that have it, with those below it first.
    pub(super) fn take_back(&mut self, node: NodeId, peers: &[PeerId]) {
        let Some(entity) = self.replication.entities.get(&node) else { return };
        if !peers.is_empty() && !entity.inner.is_empty() {
            for inner in entity.inner.iter().rev().copied().collect::<Vec<_>>() {
                let Some(entity) = self.replication.entities.get(&inner) else { continue };
                let knows = |peer: &PeerId| entity.announced_to.contains(peer);
                let peers: Vec<_> = peers.iter().copied().filter(knows).collect();
                self.take_back(inner, &peers);
            }
        }
        let Some(entity) = self.replication.entities.get_mut(&node) else { return };
        let net_id = entity.net_id;
        for peer in peers {
            entity.announced_to.swap_remove(peer);
        }
        for key in entity.holds.clone() {
            peers.iter().for_each(|&peer| self.replication.unsee(peer, key));
        }
        if !peers.is_empty() {
            let despawn = self.sender.wire().encode(&SceneMessage::Despawn(net_id));
            self.sender.send_packet(peers, SendOptions::INTERNAL, Prefix::EMPTY, &despawn);
        }
    }

    /// Takes an entity back from everyone that has it, in the order of the peers.
    pub(super) fn say_gone(&mut self, node: NodeId) {
        let replication = &self.replication;
        let Some(entity) = replication.entities.get(&node) else { return };
        let knows = |peer: &PeerId| entity.announced_to.contains(peer);
        let peers: Vec<_> = replication.peers.keys().copied().filter(knows).collect();
        self.take_back(node, &peers);
    }

    /// Announces the path of a node to a peer that was not told; whether the peer has confirmed it.
    pub(super) fn tell_path(&mut self, tree: &dyn NodeTree, peer: PeerId, node: NodeId) -> bool {
        let id = self.own_paths.id_of(node);
        if self.own_paths.note_announced(peer, id, node) {
            self.send_path(tree, peer, id, node);
        }
        self.own_paths.is_confirmed(peer, id)
    }

    fn send_path(&mut self, tree: &dyn NodeTree, peer: PeerId, id: u32, node: NodeId) {
        if let (Some(path), Some(ids)) = (tree.path_of(node), tree.rpc_ids(node)) {
            let checksum = *ids.checksum();
            self.sender.send_message(&SceneMessage::SimplifyPath { id, checksum, path }, peer);
        }
    }

    /// Announces paths again to peers that have not confirmed them, or what had no node the last
    /// time would stay unknown to them for ever.
    pub(in crate::scene_multiplayer) fn repeat_paths(
        &mut self,
        now: Instant,
        tree: &mut dyn NodeTree,
    ) {
        while let Some((peer, id, node)) = self.own_paths.take_due(now) {
            self.repeat_path(tree, peer, id, node);
        }
    }

    fn repeat_path(&mut self, tree: &mut dyn NodeTree, peer: PeerId, id: u32, node: NodeId) {
        if self.sender.accepts_properties(peer) && !self.callees(tree, node, peer.into()).is_empty()
        {
            self.send_path(tree, peer, id, node);
            self.stats.repeated_paths += 1;
            self.own_paths.note_repeated(peer, id);
        }
    }

    /// Follows that a peer has confirmed a path. If that is a spawner's and had to be repeated,
    /// what the spawner announced before may be lost: Godot does not keep it.
    pub(in crate::scene_multiplayer) fn path_confirmed(
        &mut self,
        tree: &mut dyn NodeTree,
        peer: PeerId,
        path: ConfirmedPath,
    ) {
        self.replication.confirmed(peer);
        let spawner = self.replication.spawners.get(&path.node).filter(|_| path.was_late);
        let own = spawner.map(|spawner| spawner.own.clone()).unwrap_or_default();
        if tree.multiplayer_authority(path.node) == Some(self.session.unique_id()) {
            own.into_iter().for_each(|node| self.announce_again(tree, peer, node));
        }
    }

    /// Announces an entity again to a peer that may have lost it. The peer may have it as well, so
    /// that it still is one to which the entity is announced: one that has left the tree since the
    /// tree was followed, or is hidden, is taken back.
    fn announce_again(&mut self, tree: &mut dyn NodeTree, peer: PeerId, node: NodeId) {
        let is_announced = |replication: &Replication| {
            let entity = replication.entities.get(&node);
            entity.is_some_and(|entity| entity.announced_to.contains(&peer))
        };
        if !is_announced(&self.replication) {
            return;
        }
        self.update_spawn_visibility(tree, Some(peer), node);
        if !is_announced(&self.replication) {
            return;
        }
        // It is sent all properties again.
        let holds = self.replication.entities.get(&node).map(|entity| entity.holds.clone());
        holds.into_iter().flatten().for_each(|key| self.replication.unsee(peer, key));
        self.announce(tree, node, &[peer]);
        self.update_sync_visibilities(tree, peer, node);
    }

    fn spawn_message(
        &mut self,
        tree: &mut dyn NodeTree,
        node: NodeId,
        spawner: NodeId,
    ) -> Option<Spawn> {
        let of = match self.replication.data.get(&node) {
            Some((_, data)) => SpawnOf::Data(data.clone()),
            None => {
                let path = tree.scene_file_path(node)?.to_owned();
                SpawnOf::Scene(spawner_at(tree, spawner)?.number_of(&path)?)
            }
        };
        let name = tree.name_of(node)?.to_owned();
        if !is_plain_name(&name) {
            let entity = self.replication.entities.get_mut(&node)?;
            if !std::mem::replace(&mut entity.reported, true) {
                let node = tree.path_of(node).unwrap_or(name);
                self.replication.report(ReplicationError::Name { node });
            }
            return None;
        }
        let (own, objects) = (self.session.unique_id(), self.sender.wire().objects());

        // The state first: without it nothing is announced, and no number is used up.
        let replication = &mut self.replication;
        let keys = replication.entities.get(&node)?.synchronizers.clone();
        let mut state = bytes::BytesMut::new();
        let mut sent = Vec::new();
        for key in keys {
            let Some(synchronizer) = replication.synchronizers.get_mut(key) else { continue };
            if synchronizer.authority != own {
                continue;
            }
            for property in &synchronizer.spawned {
                if let Err(error) = property.encode(tree, objects, &mut state) {
                    let property = property.path().to_string();
                    let error = cannot_read(tree, synchronizer.node, property, error);
                    replication.fail(key, error);
                    return None;
                }
            }
            sent.push(key);
        }

        let is_known = !replication.entities.get(&node)?.announced_to.is_empty();
        let fresh = replication.entities.get(&node)?.net_id == 0;
        if fresh {
            let net_id = replication.next_net_id();
            replication.entities.get_mut(&node)?.net_id = net_id;
        }
        let mut synchronizers = Vec::new();
        for key in sent {
            let synchronizer = replication.synchronizers.get(key)?;
            if synchronizer.net_id == 0 {
                // Those who were told of the entity without it know it by its path only.
                let net_id = if is_known {
                    BY_PATH | self.own_paths.id_of(synchronizer.node)
                } else {
                    replication.next_net_id()
                };
                replication.synchronizers.get_mut(key)?.net_id = net_id;
            }
            synchronizers.push(replication.synchronizers.get(key)?.net_id);
        }
        let net_id = replication.entities.get(&node)?.net_id;
        let spawner = self.own_paths.id_of(spawner);
        Some(Spawn { of, spawner, net_id, synchronizers, name, state: Bytes::from(state) })
    }
}

pub(super) fn cannot_read(
    tree: &dyn NodeTree,
    synchronizer: NodeId,
    property: String,
    error: PropertyError,
) -> ReplicationError {
    let synchronizer = tree.path_of(synchronizer).unwrap_or_default();
    ReplicationError::Property { synchronizer, property, error }
}
