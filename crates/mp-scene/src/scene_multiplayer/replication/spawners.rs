//! Spawners: where they announce, what they announce, and nodes made out of data.

use mp_core::Variant;

use super::super::SceneMultiplayer;
use super::follow::spawner_at;
use super::{Origin, Replication};
use crate::replication::SpawnError;
use crate::tree::{NodeId, NodeTree, TreeError, is_plain_name};

impl SceneMultiplayer {
    pub(super) fn find_spawn_parent(&mut self, tree: &mut dyn NodeTree, spawner: NodeId) {
        let path = spawner_at(tree, spawner).map(|s| s.spawn_path().to_owned());
        let parent =
            path.filter(|path| !path.is_empty()).and_then(|path| tree.find_from(spawner, &path));
        let replication = &mut self.replication;
        replication.leave_spawn_parent(spawner);
        let Some(state) = replication.spawners.get_mut(&spawner) else { return };
        state.parent = parent;
        match parent {
            Some(parent) => {
                replication.spawn_parents.entry(parent).or_default().push(spawner);
                self.find_moved(tree, parent);
            }
            None => {
                replication.orphans.insert(spawner);
            }
        }
    }

    /// A node that a spawner of this side has to announce.
    pub(super) fn entity_added(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        let replication = &mut self.replication;
        if replication.incoming.as_ref().is_some_and(|incoming| incoming.entity == node) {
            return;
        }
        let spawner = if let Some((spawner, _)) = replication.data.get(&node) {
            Some(*spawner)
        } else {
            let (own, parent) = (self.session.unique_id(), tree.parent_of(node));
            let Some(path) = tree.scene_file_path(node).map(str::to_owned) else { return };
            let candidates = parent
                .and_then(|parent| replication.spawn_parents.get(&parent))
                .into_iter()
                .flatten();
            let (mut spawner, mut busy) = (None, false);
            for &candidate in candidates {
                if tree.multiplayer_authority(candidate) != Some(own) {
                    continue;
                }
                match spawner_at(tree, candidate) {
                    Some(settings) if settings.number_of(&path).is_some() => {
                        spawner = Some(candidate);
                        break;
                    }
                    Some(_) => {}
                    None => busy = true,
                }
            }
            if spawner.is_none() && busy {
                replication.busy.insert(node);
            }
            spawner
        };
        let Some(spawner) = spawner else { return };
        // What lies below one that may yet be announced waits with it.
        let mut above = std::iter::successors(tree.parent_of(node), |&above| tree.parent_of(above));
        if !replication.busy.is_empty() && above.any(|above| replication.busy.contains(&above)) {
            replication.busy.insert(node);
            return;
        }
        replication.last_order += 1;
        let order = replication.last_order;
        let is_late = replication.entities.contains_key(&node);
        let entity = replication.entities.entry(node).or_default();
        (entity.origin, entity.order) = (Origin::Own { spawner }, order);
        if let Some(state) = replication.spawners.get_mut(&spawner) {
            state.own.insert(node);
        }
        replication.ready.insert(node);
        if is_late {
            self.hide_below(tree, node);
        }
    }

    /// A node that may be announced after all, although it and what lies below it were followed before.
    pub(super) fn entity_added_late(&mut self, tree: &mut dyn NodeTree, node: NodeId) {
        self.entity_added(tree, node);
        if self.replication.is_own_entity(node) {
            self.hide_below(tree, node);
        }
    }

    /// Entities that were moved to `parent` with what is around them may have entered before the spawner that announces them.
    fn find_moved(&mut self, tree: &mut dyn NodeTree, parent: NodeId) {
        let replication = &self.replication;
        let moved = replication.moved.iter().rev().copied();
        let late = moved.filter(|&node| {
            tree.parent_of(node) == Some(parent) && !replication.is_own_entity(node)
        });
        for node in late.collect::<Vec<_>>() {
            self.entity_added_late(tree, node);
        }
    }

    /// Finds the entity that one which is about to be announced lies below.
    pub(super) fn find_outer(&mut self, tree: &dyn NodeTree, node: NodeId) {
        let replication = &mut self.replication;
        let mut above = std::iter::successors(tree.parent_of(node), |&above| tree.parent_of(above));
        let Some(outer) = above.find(|&above| replication.is_own_entity(above)) else { return };
        if let Some(entity) = replication.entities.get_mut(&outer) {
            entity.inner.insert(node);
        }
        if let Some(entity) = replication.entities.get_mut(&node) {
            entity.outer = Some(outer);
        }
    }

    pub(super) fn entity_removed(&mut self, node: NodeId) {
        self.replication.ready.swap_remove(&node);
        self.replication.busy.shift_remove(&node);
        self.replication.data.remove(&node);
        self.say_gone(node);
        let replication = &mut self.replication;
        let Some(entity) = replication.entities.swap_remove(&node) else { return };
        match entity.origin {
            Origin::Own { spawner } => {
                replication.moved.push(node);
                if let Some(state) = replication.spawners.get_mut(&spawner) {
                    state.own.swap_remove(&node);
                }
            }
            Origin::Peer { peer, .. } => {
                if let Some(info) = replication.peers.get_mut(&peer) {
                    info.entities.remove(&entity.net_id);
                }
            }
            Origin::Scene => {}
        }
        for key in entity.holds {
            if let Some(synchronizer) = replication.synchronizers.get_mut(key) {
                synchronizer.inside.retain(|&inside| inside != node);
            }
        }
        if let Some(outer) = entity.outer.and_then(|outer| replication.entities.get_mut(&outer)) {
            outer.inner.shift_remove(&node);
        }
        for inner in entity.inner {
            if let Some(inner) = replication.entities.get_mut(&inner) {
                inner.outer = None;
            }
        }
    }

    /// What it announced is gone for the others, and stays here.
    pub(super) fn spawner_removed(&mut self, node: NodeId) {
        for orphan in self.replication.spawn_parents.remove(&node).unwrap_or_default() {
            if let Some(state) = self.replication.spawners.get_mut(&orphan) {
                state.parent = None;
            }
            self.replication.orphans.insert(orphan);
        }
        self.replication.leave_spawn_parent(node);
        let Some(spawner) = self.replication.spawners.swap_remove(&node) else { return };
        for entity in spawner.own {
            self.say_gone(entity);
        }
    }

    /// Makes a node out of data with the spawner's function, and announces it.
    pub(in crate::scene_multiplayer) fn spawn_from_data(
        &mut self,
        tree: &mut dyn NodeTree,
        spawner: NodeId,
        data: Variant,
    ) -> Result<NodeId, SpawnError> {
        let authority = tree.multiplayer_authority(spawner);
        let Some(settings) = spawner_at(tree, spawner) else {
            let known = self.replication.spawners.contains_key(&spawner);
            return Err(if known { TreeError::Busy.into() } else { SpawnError::NoSpawner });
        };
        let (limit, path) = (settings.limit(), settings.spawn_path().to_owned());
        let function = settings.function();
        if let Some(other) = authority.filter(|&authority| authority != self.session.unique_id()) {
            return Err(SpawnError::NotAuthority(other));
        }
        let state = self.replication.spawners.get(&spawner).ok_or(SpawnError::NoSpawner)?;
        let parent = state.parent.ok_or(SpawnError::NoParent(path))?;
        if limit > 0 && state.own.len() >= limit as usize {
            return Err(SpawnError::Limit(limit));
        }
        check_data(&data)?;
        let made = function.ok_or(SpawnError::NoFunction)?.make(&data);
        let made = made.ok_or(SpawnError::Declined)?;
        if !is_plain_name(made.name()) {
            return Err(SpawnError::Name(made.name().to_owned()));
        }
        let node = tree.instantiate_readable(parent, made)?;
        self.replication.data.insert(node, (spawner, data));
        Ok(node)
    }
}

impl Replication {
    /// Whether this side announces `node`.
    pub(super) fn is_own_entity(&self, node: NodeId) -> bool {
        let origin = self.entities.get(&node).map(|entity| entity.origin);
        matches!(origin, Some(Origin::Own { .. }))
    }

    /// A spawner announces nothing under its spawn parent any more.
    fn leave_spawn_parent(&mut self, spawner: NodeId) {
        self.orphans.swap_remove(&spawner);
        let parent = self.spawners.get_mut(&spawner).and_then(|state| state.parent.take());
        if let Some(parent) = parent
            && let Some(spawners) = self.spawn_parents.get_mut(&parent)
        {
            spawners.retain(|&other| other != spawner);
            if spawners.is_empty() {
                self.spawn_parents.remove(&parent);
            }
        }
    }
}

/// Data that could not be announced later is refused now.
fn check_data(data: &Variant) -> Result<(), SpawnError> {
    let mut encoded = bytes::BytesMut::new();
    let objects = crate::codec::Objects::Ids;
    crate::codec::godot::compressed::encode_compressed(data, objects, &mut encoded)?;
    Ok(())
}
