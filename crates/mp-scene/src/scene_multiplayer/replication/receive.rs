//! Receiving SPAWN and DESPAWN. All of them are untrusted input: they are checked in Godot 4.6.3's
//! order, and refused without a reply.

use mp_core::PeerId;
use slotmap::DefaultKey as Key;

use super::super::paths::Awaited;
use super::super::{NotAccepted, Refusal, refusal};
use super::state::set_state;
use super::tree_changes::spawner_at;
use super::{Context, Entity, EntityOrigin, IncomingSpawn, Replication};
use crate::SceneMessage;
use crate::codec::godot::variant::Decoder;
use crate::limits::SPAWNED_NODES_MAX;
use crate::message::{Spawn, SpawnSource};
use crate::replication::ReplicationError;
use crate::signal::Signal;
use crate::tree::{NodeId, is_plain_name};

impl Replication {
    pub(in crate::scene_multiplayer) fn receive_spawn(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        spawn: Spawn,
    ) -> Result<(), NotAccepted> {
        self.note_net_ids(sender, &spawn);
        let spawner = self.resolve_number(cx, sender, spawn.spawner);
        let spawner = spawner.map_err(|refusal| {
            let path = cx.paths.awaited_path(sender, spawn.spawner);
            path.map_or(refusal, |path| NotAccepted::Absent(path.to_owned()))
        })?;
        let info = self.peers.get(&sender);
        let known = info.and_then(|info| info.entities.get(&spawn.net_id));
        if known.is_some_and(|&node| cx.tree.name_of(node) == Some(&*spawn.name)) {
            // A repeated SPAWN: its sender could not know that the first one was deferred for the
            // spawner.
            return Ok(());
        }
        let Some(settings) = spawner_at(cx.tree, spawner) else {
            return Err(Refusal::NoSpawner.into());
        };
        let path = settings.spawn_path().to_owned();
        let instance = match &spawn.source {
            SpawnSource::Scene(number) => {
                let scene = settings.spawnable_scenes().get(usize::from(*number)).cloned();
                Ok(scene)
            }
            SpawnSource::Data(data) => Err((settings.function(), data)),
        };
        if cx.tree.multiplayer_authority(spawner) != Some(sender) {
            return Err(Refusal::SpawnerAuthority.into());
        }
        if !is_plain_name(&spawn.name) {
            return Err(Refusal::NameNotPlain.into());
        }
        let parent = cx.tree.find_from(spawner, &path);
        let parent = parent.ok_or(Refusal::NoSpawnParent)?;
        if cx.tree.find_from(parent, &spawn.name).is_some() {
            return Err(Refusal::NameTaken.into());
        }
        let Some(info) = self.peers.get(&sender) else {
            return Err(Refusal::UnknownPeer.into());
        };
        if info.entities.contains_key(&spawn.net_id) {
            return Err(Refusal::NetIdTaken.into());
        }
        if info.entities.len() >= SPAWNED_NODES_MAX {
            return Err(Refusal::TooManySpawns.into());
        }
        // Code of the program runs last, after all checks.
        let instance = match instance {
            Ok(scene) => scene.map(|scene| scene.instantiate()),
            Err((function, data)) => function.and_then(|function| function.make(data)),
        };
        let instance = instance.ok_or(Refusal::NothingSpawned)?;
        let node = cx
            .tree
            .instantiate(parent, instance.named(&spawn.name))
            .map_err(|_| Refusal::TreeRejected)?;
        self.enter(cx, sender, spawner, node, spawn);
        Ok(())
    }

    /// Applies a SPAWN whose node was created: adds it with its net ids and its state.
    fn enter(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        spawner: NodeId,
        node: NodeId,
        spawn: Spawn,
    ) {
        let origin = EntityOrigin::Peer { spawner, peer: sender };
        let entity = Entity { origin, net_id: spawn.net_id, ..Entity::default() };
        self.entities.insert(node, entity);
        if let Some(info) = self.peers.get_mut(&sender) {
            info.entities.insert(spawn.net_id, node);
        }
        let ids: std::collections::VecDeque<_> = spawn.synchronizers.iter().copied().collect();
        let (state, readable, without_id) = (spawn.state, true, 0);
        self.incoming =
            Some(IncomingSpawn { sender, entity: node, ids, state, readable, without_id });
        self.apply_tree_changes(cx);
        if let Some(incoming) = self.incoming.take()
            && (incoming.without_id > 0 || !incoming.ids.is_empty())
        {
            let announced = spawn.synchronizers.len();
            let error = ReplicationError::Announcement {
                node: cx.tree.path_of(node).unwrap_or_default(),
                peer: sender,
                announced,
                found: announced - incoming.ids.len() + incoming.without_id,
            };
            tracing::debug!(%error, "announced synchronizers do not match");
            self.stats.refused_announcements += 1;
            refusal::count(&mut self.refusals, sender, Refusal::MismatchedAnnouncement);
            cx.events.emit(Signal::ReplicationFailed(Box::new(error)));
        }
        cx.events.emit(Signal::Spawned { spawner, node });
        cx.paths.release_for_net_ids(sender, &spawn.synchronizers);
    }

    /// Assigns the next net id of a SPAWN to a synchronizer that enters the tree, and applies its
    /// state.
    pub(super) fn apply_announced(&mut self, cx: &mut Context<'_>, key: Key) {
        let Some(incoming) = &mut self.incoming else { return };
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        // Synchronizers of a nested scene belong to that scene, although they enter the tree now.
        if synchronizer.entity != incoming.entity || synchronizer.authority != incoming.sender {
            return;
        }
        let Some(id) = incoming.ids.pop_front() else {
            incoming.without_id += 1;
            return;
        };
        synchronizer.announced_id = Some((incoming.sender, id));
        if let Some(info) = self.peers.get_mut(&incoming.sender) {
            info.by_net_id.insert(id, key);
        }
        if incoming.state.is_empty() || !incoming.readable {
            return;
        }
        let mut decoder = Decoder::new(&incoming.state, cx.sender.wire().limits());
        let (values, error) = decoder.compressed_list(synchronizer.spawned.len());
        let read = incoming.state.len() - decoder.rest().len();
        if let Some(error) = error {
            tracing::debug!(sender = %incoming.sender, %error, "cannot decode the state of a SPAWN");
            incoming.readable = false;
            return;
        }
        incoming.state = incoming.state.slice(read..);
        // Changes of the tree by setters are applied with the other changes of this SPAWN.
        let state = synchronizer.spawned.iter().zip(values);
        set_state(cx.tree, cx.own, synchronizer.entity, state);
    }

    pub(in crate::scene_multiplayer) fn receive_despawn(
        &mut self,
        cx: &mut Context<'_>,
        sender: PeerId,
        net_id: u32,
    ) -> Result<(), Refusal> {
        if let Some(packet) = cx.paths.take_spawn(sender, net_id) {
            if let Ok(SceneMessage::Spawn(spawn)) = cx.sender.wire().decode(&packet) {
                for id in spawn.synchronizers {
                    cx.paths.drop_for_net_id(sender, id);
                }
            }
            return Ok(());
        }
        let info = self.peers.get_mut(&sender);
        let node = info.and_then(|info| info.entities.get(&net_id)).copied();
        let Some(node) = node else {
            let is_earlier = self.is_of_earlier_branch(sender, net_id);
            return Err(if is_earlier { Refusal::EarlierBranch } else { Refusal::UnknownNetId });
        };
        let origin = self.entities.get(&node).map(|entity| entity.origin);
        let Some(EntityOrigin::Peer { spawner, .. }) = origin else {
            // The program has already removed the node.
            self.forget_announced(sender, net_id);
            return Ok(());
        };
        if cx.tree.multiplayer_authority(spawner).is_some_and(|authority| authority != sender) {
            return Err(Refusal::SpawnerAuthority);
        }
        self.forget_announced(sender, net_id);
        self.synchronizers_departed(cx, sender, node);
        let name = cx.tree.name_of(node).unwrap_or_default().to_owned();
        cx.tree.free(node);
        self.apply_tree_changes(cx);
        cx.events.emit(Signal::Despawned { spawner, node, name });
        Ok(())
    }

    /// Records the net ids of a despawned node's synchronizers, so that a late SYNC is not applied
    /// to their successors.
    fn synchronizers_departed(&mut self, cx: &mut Context<'_>, sender: PeerId, node: NodeId) {
        let Some(entity) = self.entities.get(&node) else { return };
        for &key in &entity.synchronizers {
            let synchronizer = self.synchronizers.get(key);
            if let Some((_, id)) = synchronizer.and_then(|synchronizer| synchronizer.announced_id) {
                cx.paths.record_departed(cx.now, &Awaited::Sync(sender, id));
            }
        }
    }

    fn forget_announced(&mut self, sender: PeerId, net_id: u32) {
        if let Some(info) = self.peers.get_mut(&sender) {
            info.entities.remove(&net_id);
        }
    }

    /// Returns the node with the path id `id` of `sender`.
    pub(super) fn resolve_number(
        &self,
        cx: &mut Context<'_>,
        sender: PeerId,
        id: u32,
    ) -> Result<NodeId, NotAccepted> {
        let tree = &*cx.tree;
        cx.paths.resolve(tree, sender, id, |node| self.announcement_of(tree, node))
    }
}
