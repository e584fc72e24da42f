//! A cache in a checkpoint.
//!
//! A [snapshot](super::snapshot) has what a guest may receive, for another room. A checkpoint has
//! all nodes and their ids, for an equal one.

use std::rc::Rc;

use bytes::Bytes;
use mp_core::serde::list_of_at_most;
use mp_scene::CheckpointError;
use serde::{Deserialize, Serialize};

use super::values::Values;
use super::{CachedNode, PlacedSynchronizer, StateCache, node_size};
use crate::ids::AnnouncedPath;
use crate::limits::{HOST_NET_IDS_MAX, HOST_PATHS_MAX};

/// A [`StateCache`] in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct CacheState {
    #[serde(deserialize_with = "list_of_at_most::<_, _, HOST_NET_IDS_MAX>")]
    nodes: Vec<NodeState>,
    #[serde(deserialize_with = "list_of_at_most::<_, _, HOST_NET_IDS_MAX>")]
    spawned: Vec<(u32, ValuesState)>,
    #[serde(deserialize_with = "list_of_at_most::<_, _, HOST_PATHS_MAX>")]
    placed: Vec<(AnnouncedPath, ValuesState, bool)>,
    is_incomplete: bool,
    next_order: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct NodeState {
    id: u32,
    spawner: AnnouncedPath,
    name: String,
    source: Vec<u8>,
    synchronizers: Vec<u32>,
    spawn: Vec<u8>,
    order: u64,
    is_public: bool,
    /// True if it is the node that is found by its name.
    is_found: bool,
}

/// The values of a synchronizer in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ValuesState {
    /// On-change properties by the bit of the DELTA.
    #[serde(deserialize_with = "list_of_at_most::<_, _, 64>")]
    pub(super) on_change: Vec<(u8, Vec<u8>)>,
    pub(super) always: Vec<u8>,
}

impl StateCache {
    /// Returns the state for a checkpoint.
    pub(crate) fn state(&self) -> CacheState {
        let node = |(&id, node): (&u32, &CachedNode)| {
            let name = (node.spawner.path().to_owned(), node.name.clone());
            NodeState {
                id,
                spawner: (*node.spawner).clone(),
                source: node.source.to_vec(),
                synchronizers: node.synchronizers.clone(),
                spawn: node.spawn.to_vec(),
                order: node.order,
                is_public: node.is_public,
                is_found: self.names.get(&name) == Some(&id),
                name: name.1,
            }
        };
        let placed =
            |it: &PlacedSynchronizer| ((*it.path).clone(), it.values.state(), it.is_public);
        CacheState {
            nodes: self.nodes.iter().map(node).collect(),
            spawned: self.spawned.iter().map(|(&id, values)| (id, values.state())).collect(),
            placed: self.placed.values().map(placed).collect(),
            is_incomplete: self.is_incomplete(),
            next_order: self.next_order,
        }
    }

    /// Returns the cache of a checkpoint.
    pub(crate) fn restore(state: CacheState) -> Result<Self, CheckpointError> {
        let mut cache = Self { next_order: state.next_order, ..Self::default() };
        if state.next_order > ORDER_MAX {
            return Err(CheckpointError("the order of its nodes is impossible"));
        }
        for (id, values) in state.spawned {
            let values = Values::restore(values);
            cache.budget.replace(0, values.size());
            cache.spawned.insert(id, values).map_or(Ok(()), |_| Err(TWICE))?;
        }
        for (path, values, is_public) in state.placed {
            let (name, path) = (path.path().to_owned(), Rc::new(path));
            let placed = PlacedSynchronizer { path, values: Values::restore(values), is_public };
            cache.budget.replace(0, placed.size());
            cache.placed.insert(name, placed).map_or(Ok(()), |_| Err(TWICE))?;
        }
        for node in state.nodes {
            let NodeState { id, spawner, name, synchronizers, order, is_public, .. } = node;
            let (source, spawn) = (Bytes::from(node.source), Bytes::from(node.spawn));
            let size = node_size(&spawner, &name, &source, &synchronizers);
            cache.budget.replace(0, size + spawn.len());
            if node.is_found {
                cache.names.insert((spawner.path().to_owned(), name.clone()), id);
            }
            let spawner = Rc::new(spawner);
            let node = CachedNode { spawner, name, source, synchronizers, spawn, order, is_public };
            cache.nodes.insert(id, node).map_or(Ok(()), |_| Err(TWICE))?;
        }
        if cache.is_incomplete() {
            return Err(CheckpointError("its nodes and properties exceed the limit"));
        }
        if state.is_incomplete {
            cache.set_incomplete();
        }
        Ok(cache)
    }
}

const TWICE: CheckpointError = CheckpointError("a node of its host is there twice");

/// Maximum order that is restored, far from an overflow.
const ORDER_MAX: u64 = 1 << 48;
