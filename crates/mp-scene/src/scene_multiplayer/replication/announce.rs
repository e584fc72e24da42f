//! Sending SPAWN and DESPAWN.

use bytes::Bytes;
use indexmap::IndexSet;
use mp_core::{PeerId, Prefix, bug};

use super::super::sender::SendOptions;
use super::tree_changes::spawner_at;
use super::{Context, EntityOrigin, Replication};
use crate::SceneMessage;
use crate::codec::godot::sync::BY_PATH;
use crate::message::{Spawn, SpawnSource};
use crate::path_cache::ConfirmedPath;
use crate::property::PropertyError;
use crate::replication::ReplicationError;
use crate::tree::{NodeId, NodeTree, is_plain_name};

impl Replication {
    /// Announces the entities that have entered the tree, with their current state. An entity whose
    /// removal is not applied yet is not announced: it or an ancestor may have moved below nodes
    /// that its peers do not have. One whose `ready` method has not run yet waits for it.
    pub(super) fn announce_ready(&mut self, cx: &mut Context<'_>) {
        if self.ready.is_empty() {
            return;
        }
        let (left, ready): (_, IndexSet<_>) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|node| self.pending_removals.contains_key(node) || !cx.tree.is_ready(*node));
        self.ready = left;
        // An outer entity may be known only after those below it.
        for &node in &ready {
            self.find_outer_entity(cx, node);
        }
        for node in ready {
            self.update_spawn_visibility(cx, None, node);
        }
    }

    /// Announces an entity to peers that do not have it.
    pub(super) fn announce(&mut self, cx: &mut Context<'_>, node: NodeId, peers: &[PeerId]) {
        if peers.is_empty() {
            return;
        }
        let Some(entity) = self.entities.get(&node) else { return };
        let EntityOrigin::Own { spawner } = entity.origin else { return };
        let Some(spawn) = self.spawn_message(cx, node, spawner) else { return };
        let state = spawn.state.clone();
        let Some(spawn) = cx.sender.encode(&SceneMessage::Spawn(spawn), peers) else { return };
        self.count_sent_spawn(cx, node, (spawn.len(), &state), peers.len());
        for &peer in peers {
            cx.paths.announce(cx.sender, cx.tree, peer, spawner);
            cx.sender.send_packet(&[peer], SendOptions::INTERNAL, Prefix::EMPTY, &spawn);
            if let Some(entity) = self.entities.get_mut(&node) {
                entity.announced_to.insert(peer);
            }
            // The peer may now have the descendants.
            for (id, below) in cx.paths.unconfirmed(peer) {
                let mut upwards = std::iter::successors(Some(below), |&it| cx.tree.parent_of(it));
                if upwards.any(|above| above == node) {
                    self.repeat_path(cx, peer, id, below);
                }
            }
            // A new peer is sent properties in the order of all synchronizers; see
            // `announce_all_to`.
            if self.peers.get(&peer).is_some_and(|info| !info.is_new) {
                self.update_sync_visibilities(cx, peer, node);
            }
        }
        let inner = self.entities.get(&node).map(|entity| &entity.inner);
        for inner in inner.into_iter().flatten().copied().collect::<Vec<_>>() {
            for &peer in peers {
                self.update_spawn_visibility(cx, Some(peer), inner);
            }
        }
    }

    /// Despawns an entity on peers that have it, after the entities below it.
    pub(super) fn despawn(&mut self, cx: &mut Context<'_>, node: NodeId, peers: &[PeerId]) {
        let Some(entity) = self.entities.get(&node) else { return };
        if !peers.is_empty() && !entity.inner.is_empty() {
            for inner in entity.inner.iter().rev().copied().collect::<Vec<_>>() {
                let Some(entity) = self.entities.get(&inner) else {
                    bug!("{inner:?} is an inner entity of {node:?}, but no entity");
                    continue;
                };
                let has_entity = |peer: &PeerId| entity.announced_to.contains(peer);
                let peers: Vec<_> = peers.iter().copied().filter(has_entity).collect();
                self.despawn(cx, inner, &peers);
            }
        }
        let Some(entity) = self.entities.get_mut(&node) else { return };
        let net_id = entity.net_id;
        for peer in peers {
            entity.announced_to.swap_remove(peer);
        }
        for key in entity.contained.clone() {
            peers.iter().for_each(|&peer| self.remove_viewer(peer, key));
        }
        if !peers.is_empty() {
            cx.sender.send_to_all(peers, &SceneMessage::Despawn(net_id));
        }
    }

    /// Despawns an entity on all peers that have it, in the order of the peers.
    pub(super) fn despawn_for_all(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let Some(entity) = self.entities.get(&node) else { return };
        let has_entity = |peer: &PeerId| entity.announced_to.contains(peer);
        let peers: Vec<_> = self.peers.keys().copied().filter(has_entity).collect();
        self.despawn(cx, node, &peers);
    }

    /// Announces paths again that peers have not confirmed. A peer whose node was absent the last
    /// time would otherwise never resolve the path.
    pub(in crate::scene_multiplayer) fn repeat_paths(&mut self, cx: &mut Context<'_>) {
        while let Some((peer, id, node)) = cx.paths.take_due(cx.now) {
            self.repeat_path(cx, peer, id, node);
        }
    }

    fn repeat_path(&mut self, cx: &mut Context<'_>, peer: PeerId, id: u32, node: NodeId) {
        if cx.sender.accepts_properties(peer) && !self.callees(cx, node, peer.into()).is_empty() {
            cx.paths.announce_again(cx.sender, cx.tree, peer, id, node);
        }
    }

    /// Handles that a peer has confirmed a path. If it is the path of a spawner and was announced
    /// repeatedly, earlier SPAWNs of the spawner may be lost: Godot does not defer them.
    pub(in crate::scene_multiplayer) fn path_confirmed(
        &mut self,
        cx: &mut Context<'_>,
        peer: PeerId,
        path: ConfirmedPath,
    ) {
        self.confirmed(peer);
        let spawner = self.spawners.get(&path.node).filter(|_| path.was_late);
        let own = spawner.map(|spawner| spawner.own.clone()).unwrap_or_default();
        if cx.tree.multiplayer_authority(path.node) == Some(cx.own) {
            own.into_iter().for_each(|node| self.announce_again(cx, peer, node));
        }
    }

    /// Announces an entity again to a peer that may have lost the SPAWN. The peer may also have the
    /// entity, so it stays in `announced_to`. An entity that is now hidden from the peer is
    /// despawned instead.
    fn announce_again(&mut self, cx: &mut Context<'_>, peer: PeerId, node: NodeId) {
        let is_announced = |replication: &Self| {
            let entity = replication.entities.get(&node);
            entity.is_some_and(|entity| entity.announced_to.contains(&peer))
        };
        if !is_announced(self) {
            return;
        }
        self.update_spawn_visibility(cx, Some(peer), node);
        if !is_announced(self) {
            return;
        }
        // The peer is sent all properties again.
        let contained = self.entities.get(&node).map(|entity| entity.contained.clone());
        contained.into_iter().flatten().for_each(|key| self.remove_viewer(peer, key));
        self.announce(cx, node, &[peer]);
        self.update_sync_visibilities(cx, peer, node);
    }

    fn spawn_message(
        &mut self,
        cx: &mut Context<'_>,
        node: NodeId,
        spawner: NodeId,
    ) -> Option<Spawn> {
        let source = match self.data.get(&node) {
            Some((_, data)) => SpawnSource::Data(data.clone()),
            None => {
                let path = cx.tree.scene_file_path(node)?.to_owned();
                SpawnSource::Scene(spawner_at(cx.tree, spawner)?.scene_index(&path)?)
            }
        };
        let name = cx.tree.name_of(node)?.to_owned();
        if !is_plain_name(&name) {
            let entity = self.entities.get_mut(&node)?;
            if !std::mem::replace(&mut entity.reported, true) {
                let node = cx.tree.path_of(node).unwrap_or(name);
                self.errors.report(ReplicationError::Name { node });
            }
            return None;
        }
        let (own, objects) = (cx.own, cx.sender.wire().objects());

        // The state first: if it cannot be encoded, nothing is announced and no net id is used.
        let keys = self.entities.get(&node)?.synchronizers.clone();
        let mut state = bytes::BytesMut::new();
        let mut sent = Vec::new();
        for key in keys {
            let Some(synchronizer) = self.synchronizers.get_mut(key) else { continue };
            if synchronizer.authority != own {
                continue;
            }
            for property in &synchronizer.spawned {
                if let Err(error) = property.encode(cx.tree, objects, &mut state) {
                    let property = property.path().to_string();
                    let error = cannot_read(cx.tree, synchronizer.node, property, error);
                    self.errors.fail(&mut synchronizer.reported, error);
                    return None;
                }
            }
            sent.push(key);
        }

        let is_known = !self.entities.get(&node)?.announced_to.is_empty();
        let fresh = self.entities.get(&node)?.net_id == 0;
        if fresh {
            let net_id = self.net_ids.next();
            self.entities.get_mut(&node)?.net_id = net_id;
        }
        let mut synchronizers = Vec::new();
        for key in sent {
            let synchronizer = self.synchronizers.get(key)?;
            if synchronizer.net_id == 0 {
                // Peers that received the SPAWN without this synchronizer know it only by its path.
                let net_id = if is_known {
                    BY_PATH | cx.paths.id_of(synchronizer.node)
                } else {
                    self.net_ids.next()
                };
                self.synchronizers.get_mut(key)?.net_id = net_id;
            }
            synchronizers.push(self.synchronizers.get(key)?.net_id);
        }
        let net_id = self.entities.get(&node)?.net_id;
        let spawner = cx.paths.id_of(spawner);
        Some(Spawn { source, spawner, net_id, synchronizers, name, state: Bytes::from(state) })
    }
}

pub(super) fn cannot_read(
    tree: &dyn NodeTree,
    synchronizer: NodeId,
    property: String,
    error: PropertyError,
) -> ReplicationError {
    let synchronizer = tree.path_of(synchronizer).unwrap_or_default();
    ReplicationError::Property { synchronizer, property, source: error }
}
