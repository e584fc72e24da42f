//! [`StateCache`]: the nodes and properties that a host has announced to its guests.

mod budget;
mod checkpoint;
mod replay;
mod snapshot;
mod values;

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use mp_core::PeerId;
use mp_scene::codec::godot::SpawnIdentity;
use mp_scene::codec::godot::elements::{BY_PATH, delta_elements, sync_elements};

use crate::ids::{AnnouncedPath, HostIds};
use budget::Budget;
pub(crate) use checkpoint::CacheState;
pub(crate) use snapshot::STATE_VERSION;
use values::Values;

/// The nodes and properties that a host has announced, as its guests know them: with the room's
/// ids.
///
/// Its size is bounded. Beyond the bound it is *incomplete*, until the next host has announced its
/// nodes.
#[derive(Debug, Default)]
pub(crate) struct StateCache {
    /// Spawned nodes by net id.
    nodes: BTreeMap<u32, CachedNode>,
    /// Net ids by the spawner's path and the node's name.
    names: BTreeMap<(String, String), u32>,
    /// Values of spawned synchronizers by net id.
    spawned: BTreeMap<u32, Values>,
    /// Synchronizers that are part of a scene, by path.
    placed: BTreeMap<String, PlacedSynchronizer>,
    budget: Budget,
    next_order: u64,
    /// The last packets that were recorded. Copies of them for other guests are skipped.
    last_sync: Bytes,
    last_delta: Bytes,
}

/// A node that a spawner has created.
#[derive(Debug)]
struct CachedNode {
    spawner: Rc<AnnouncedPath>,
    name: String,
    /// The scene or the data, as in [`SpawnIdentity`].
    source: Bytes,
    synchronizers: Vec<u32>,
    /// The SPAWN; empty if it exceeds the bound.
    spawn: Bytes,
    /// Nodes with a lower number are announced first.
    order: u64,
    /// True if all guests had the node when the host left.
    is_public: bool,
}

/// A synchronizer that is part of a scene.
#[derive(Debug)]
struct PlacedSynchronizer {
    path: Rc<AnnouncedPath>,
    values: Values,
    /// True if all guests knew its path when the host left.
    is_public: bool,
}

/// Size in bytes of the maps and fields for a node, besides its texts and packets. Measured by
/// `memory_of_a_node_is_at_most_its_share_of_the_budget`.
const NODE_OVERHEAD: usize = 448;

impl StateCache {
    /// Returns the number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the size in bytes.
    pub(crate) fn bytes(&self) -> usize {
        self.budget.used()
    }

    /// Returns whether something exceeded the bound.
    pub(crate) fn is_incomplete(&self) -> bool {
        self.budget.is_exceeded()
    }

    /// Records that something was not kept.
    pub(crate) fn set_incomplete(&mut self) {
        self.budget.exceed();
    }

    pub(crate) fn has_node(&self, id: u32) -> bool {
        self.nodes.contains_key(&id)
    }

    /// Returns the net ids of the node with a name, and of its synchronizers.
    pub(crate) fn find(&self, spawner: &str, name: &str) -> Option<(u32, &[u32])> {
        let id = *self.names.get(&(spawner.to_owned(), name.to_owned()))?;
        Some((id, &self.nodes.get(&id)?.synchronizers))
    }

    /// Returns whether a node was created from `source`.
    pub(crate) fn is_from(&self, id: u32, source: &Bytes) -> bool {
        self.nodes.get(&id).is_some_and(|node| node.source == source)
    }

    /// Adds a node, or replaces the one with its net id.
    pub(crate) fn insert(
        &mut self,
        id: u32,
        spawner: Rc<AnnouncedPath>,
        identity: &SpawnIdentity,
        synchronizers: Vec<u32>,
    ) {
        let mut kept = BTreeMap::new();
        if let Some(old) = self.nodes.get(&id) {
            for id in &old.synchronizers {
                kept.extend(self.spawned.remove_entry(id));
            }
        }
        self.remove(id);
        let name = identity.name.clone();
        let size = node_size(&spawner, &name, &identity.source, &synchronizers);
        if !self.budget.replace(0, size) {
            kept.values().for_each(|values| self.budget.release(values.size()));
            return;
        }
        for id in &synchronizers {
            let replaced = self.spawned.insert(*id, kept.remove(id).unwrap_or_default());
            self.budget.release(replaced.map_or(0, |values| values.size()));
        }
        kept.values().for_each(|values| self.budget.release(values.size()));
        self.names.insert((spawner.path().to_owned(), name.clone()), id);
        self.next_order += 1;
        let node = CachedNode {
            spawner,
            name,
            source: Bytes::copy_from_slice(&identity.source),
            synchronizers,
            spawn: Bytes::new(),
            order: self.next_order,
            is_public: false,
        };
        self.nodes.insert(id, node);
    }

    /// Removes a node, the values of its synchronizers, and those of placed synchronizers below it.
    pub(crate) fn remove(&mut self, id: u32) {
        let Some(node) = self.nodes.remove(&id) else { return };
        (self.last_sync, self.last_delta) = (Bytes::new(), Bytes::new());
        let size = node_size(&node.spawner, &node.name, &node.source, &node.synchronizers);
        self.budget.release(size + node.spawn.len());
        let name = (node.spawner.path().to_owned(), node.name);
        if self.names.get(&name) == Some(&id) {
            self.names.remove(&name);
        }
        for id in &node.synchronizers {
            let values = self.spawned.remove(id);
            self.budget.release(values.map_or(0, |values| values.size()));
        }
        let budget = &mut self.budget;
        self.placed.retain(|_, placed| {
            let is_below = placed.path.contains(&name.1);
            if is_below {
                budget.release(placed.size());
            }
            !is_below
        });
    }

    /// Removes the nodes for which `keeps` returns false.
    pub(crate) fn retain(&mut self, keeps: impl Fn(u32) -> bool) {
        let gone: Vec<u32> = self.nodes.keys().copied().filter(|&id| !keeps(id)).collect();
        gone.into_iter().for_each(|id| self.remove(id));
    }

    /// Begins to record the nodes of another host: the cache is complete until one exceeds it.
    pub(crate) fn change_host(&mut self) {
        self.budget.forgive();
    }

    /// Returns the number by which nodes are ordered in time.
    pub(crate) fn order(&self, id: u32) -> Option<u64> {
        Some(self.nodes.get(&id)?.order)
    }

    /// Records a SPAWN of a node that was [inserted](Self::insert).
    pub(crate) fn record_spawn(&mut self, id: u32, packet: &Bytes) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        self.budget.store(&mut node.spawn, packet);
    }

    /// Records a SYNC.
    pub(crate) fn record_sync(&mut self, packet: &Bytes, ids: &HostIds) {
        // The sequence number differs from guest to guest.
        if self.last_sync.get(3..) == packet.get(3..) {
            return;
        }
        self.last_sync = packet.clone();
        for (id, values) in sync_elements(packet) {
            let Some((state, budget)) = self.values_mut(id, ids) else { continue };
            state.record_sync(budget, &values);
        }
    }

    /// Records a DELTA.
    pub(crate) fn record_delta(&mut self, packet: &Bytes, ids: &HostIds) {
        if self.last_delta == packet {
            return;
        }
        self.last_delta = packet.clone();
        for (id, mask, values) in delta_elements(packet) {
            let Some((state, budget)) = self.values_mut(id, ids) else { continue };
            state.record_delta(budget, mask, &values);
        }
    }

    /// Returns the values of a synchronizer, by the id in a SYNC or DELTA.
    fn values_mut(&mut self, id: u32, ids: &HostIds) -> Option<(&mut Values, &mut Budget)> {
        if id & BY_PATH == 0 {
            return Some((self.spawned.get_mut(&id)?, &mut self.budget));
        }
        let path = ids.announced_by_room(id & !BY_PATH)?;
        if !self.placed.contains_key(path.path()) {
            let values = Values::default();
            let placed = PlacedSynchronizer { path: path.clone(), values, is_public: false };
            if !self.budget.replace(0, placed.size()) {
                return None;
            }
            self.placed.insert(path.path().to_owned(), placed);
        }
        Some((&mut self.placed.get_mut(path.path())?.values, &mut self.budget))
    }

    /// Decides what guests receive that join without a host: the nodes that all `guests` have, for
    /// which `has_node` returns true, and the placed synchronizers whose path they know.
    pub(crate) fn publish(
        &mut self,
        guests: &[PeerId],
        ids: &HostIds,
        has_node: impl Fn(PeerId, u32) -> bool,
    ) {
        for (&id, node) in &mut self.nodes {
            node.is_public = !guests.is_empty() && guests.iter().all(|&guest| has_node(guest, id));
        }
        let received = ids.received_by_all(guests);
        for (path, placed) in &mut self.placed {
            placed.is_public = !guests.is_empty() && received.contains(&**path);
        }
    }
}

impl PlacedSynchronizer {
    /// Returns the size in bytes.
    fn size(&self) -> usize {
        NODE_OVERHEAD + 2 * self.path.path().len() + self.values.size()
    }
}

fn node_size(spawner: &AnnouncedPath, name: &str, source: &[u8], synchronizers: &[u32]) -> usize {
    let values = synchronizers.len() * (size_of::<(u32, Values)>() * 2 + size_of::<u32>());
    NODE_OVERHEAD + spawner.path().len() + 2 * name.len() + source.len() + values
}

#[cfg(test)]
mod tests;
