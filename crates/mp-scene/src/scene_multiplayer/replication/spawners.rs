//! Spawners: their spawn parents, the entities that they announce, and nodes created from data.

use mp_core::Variant;

use super::tree_changes::spawner_at;
use super::{Context, EntityOrigin, Replication};
use crate::replication::SpawnError;
use crate::tree::{NodeId, TreeError, is_plain_name};

impl Replication {
    pub(super) fn find_spawn_parent(&mut self, cx: &mut Context<'_>, spawner: NodeId) {
        let path = spawner_at(cx.tree, spawner).map(|s| s.spawn_path().to_owned());
        let parent =
            path.filter(|path| !path.is_empty()).and_then(|path| cx.tree.find_from(spawner, &path));
        self.forget_spawn_parent(spawner);
        let Some(state) = self.spawners.get_mut(&spawner) else { return };
        state.parent = parent;
        match parent {
            Some(parent) => {
                self.spawn_parents.entry(parent).or_default().push(spawner);
                self.find_moved_entities(cx, parent);
            }
            None => {
                self.orphans.insert(spawner);
            }
        }
    }

    /// Marks a node for announcement if an own spawner announces it.
    pub(super) fn entity_added(&mut self, cx: &mut Context<'_>, node: NodeId) {
        if self.incoming.as_ref().is_some_and(|incoming| incoming.entity == node) {
            return;
        }
        let spawner = if let Some((spawner, _)) = self.data.get(&node) {
            Some(*spawner)
        } else {
            let (own, parent) = (cx.own, cx.tree.parent_of(node));
            let Some(path) = cx.tree.scene_file_path(node).map(str::to_owned) else { return };
            let candidates =
                parent.and_then(|parent| self.spawn_parents.get(&parent)).into_iter().flatten();
            let (mut spawner, mut busy) = (None, false);
            for &candidate in candidates {
                if cx.tree.multiplayer_authority(candidate) != Some(own) {
                    continue;
                }
                match spawner_at(cx.tree, candidate) {
                    Some(settings) if settings.scene_index(&path).is_some() => {
                        spawner = Some(candidate);
                        break;
                    }
                    Some(_) => {}
                    None => busy = true,
                }
            }
            if spawner.is_none() && busy {
                self.busy.insert(node);
            }
            spawner
        };
        let Some(spawner) = spawner else { return };
        // A node below one whose announcement is not decided yet waits for that decision.
        let mut above =
            std::iter::successors(cx.tree.parent_of(node), |&above| cx.tree.parent_of(above));
        if !self.busy.is_empty() && above.any(|above| self.busy.contains(&above)) {
            self.busy.insert(node);
            return;
        }
        self.last_order += 1;
        let order = self.last_order;
        let is_late = self.entities.contains_key(&node);
        let entity = self.entities.entry(node).or_default();
        (entity.origin, entity.order) = (EntityOrigin::Own { spawner }, order);
        if let Some(state) = self.spawners.get_mut(&spawner) {
            state.own.insert(node);
        }
        self.ready.insert(node);
        if is_late {
            self.hide_below(cx, node);
        }
    }

    /// Marks a node for announcement although it and its descendants were added before.
    pub(super) fn entity_added_late(&mut self, cx: &mut Context<'_>, node: NodeId) {
        self.entity_added(cx, node);
        if self.is_own_entity(node) {
            self.hide_below(cx, node);
        }
    }

    /// Marks entities that were moved to `parent` and were added before the spawner that announces
    /// them.
    fn find_moved_entities(&mut self, cx: &mut Context<'_>, parent: NodeId) {
        let moved = self.moved.iter().rev().copied();
        let late = moved
            .filter(|&node| cx.tree.parent_of(node) == Some(parent) && !self.is_own_entity(node));
        for node in late.collect::<Vec<_>>() {
            self.entity_added_late(cx, node);
        }
    }

    /// Finds the own entity that contains an entity which is about to be announced.
    pub(super) fn find_outer_entity(&mut self, cx: &mut Context<'_>, node: NodeId) {
        let mut above =
            std::iter::successors(cx.tree.parent_of(node), |&above| cx.tree.parent_of(above));
        let Some(outer) = above.find(|&above| self.is_own_entity(above)) else { return };
        if let Some(entity) = self.entities.get_mut(&outer) {
            entity.inner.insert(node);
        }
        if let Some(entity) = self.entities.get_mut(&node) {
            entity.outer = Some(outer);
        }
    }

    pub(super) fn entity_removed(&mut self, cx: &mut Context<'_>, node: NodeId) {
        self.ready.swap_remove(&node);
        self.busy.shift_remove(&node);
        self.data.remove(&node);
        self.despawn_for_all(cx, node);
        let Some(entity) = self.entities.swap_remove(&node) else { return };
        match entity.origin {
            EntityOrigin::Own { spawner } => {
                self.moved.push(node);
                if let Some(state) = self.spawners.get_mut(&spawner) {
                    state.own.swap_remove(&node);
                }
            }
            EntityOrigin::Peer { peer, .. } => {
                if let Some(info) = self.peers.get_mut(&peer) {
                    info.entities.remove(&entity.net_id);
                }
            }
            EntityOrigin::Scene => {}
        }
        for key in entity.contained {
            if let Some(synchronizer) = self.synchronizers.get_mut(key) {
                synchronizer.enclosing.retain(|&enclosing| enclosing != node);
            }
        }
        if let Some(outer) = entity.outer.and_then(|outer| self.entities.get_mut(&outer)) {
            outer.inner.shift_remove(&node);
        }
        for inner in entity.inner {
            if let Some(inner) = self.entities.get_mut(&inner) {
                inner.outer = None;
            }
        }
    }

    /// Removes a spawner. Its entities are despawned on the peers but stay in the local tree.
    pub(super) fn spawner_removed(&mut self, cx: &mut Context<'_>, node: NodeId) {
        for orphan in self.spawn_parents.remove(&node).unwrap_or_default() {
            if let Some(state) = self.spawners.get_mut(&orphan) {
                state.parent = None;
            }
            self.orphans.insert(orphan);
        }
        self.forget_spawn_parent(node);
        let Some(spawner) = self.spawners.swap_remove(&node) else { return };
        for entity in spawner.own {
            self.despawn_for_all(cx, entity);
        }
    }

    /// Creates a node from data with the spawner's function, and announces it.
    pub(in crate::scene_multiplayer) fn spawn(
        &mut self,
        cx: &mut Context<'_>,
        spawner: NodeId,
        data: Variant,
    ) -> Result<NodeId, SpawnError> {
        let authority = cx.tree.multiplayer_authority(spawner);
        let Some(settings) = spawner_at(cx.tree, spawner) else {
            let known = self.spawners.contains_key(&spawner);
            return Err(if known { TreeError::Busy.into() } else { SpawnError::NoSpawner });
        };
        let (limit, path) = (settings.spawn_limit(), settings.spawn_path().to_owned());
        let function = settings.function();
        if let Some(other) = authority.filter(|&authority| authority != cx.own) {
            return Err(SpawnError::NotAuthority(other));
        }
        let state = self.spawners.get(&spawner).ok_or(SpawnError::NoSpawner)?;
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
        let node = cx.tree.instantiate_readable(parent, made)?;
        self.data.insert(node, (spawner, data));
        Ok(node)
    }
}

impl Replication {
    /// Returns whether the local peer announces `node`.
    pub(super) fn is_own_entity(&self, node: NodeId) -> bool {
        let origin = self.entities.get(&node).map(|entity| entity.origin);
        matches!(origin, Some(EntityOrigin::Own { .. }))
    }

    /// Removes the spawner from its spawn parent.
    fn forget_spawn_parent(&mut self, spawner: NodeId) {
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

/// Rejects data that cannot be encoded, before the node is created.
fn check_data(data: &Variant) -> Result<(), SpawnError> {
    let mut encoded = bytes::BytesMut::new();
    let objects = crate::codec::Objects::Ids;
    crate::codec::godot::compressed::encode_compressed(data, objects, &mut encoded)?;
    Ok(())
}
