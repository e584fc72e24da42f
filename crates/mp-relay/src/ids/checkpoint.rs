//! The ids of a host in a checkpoint.

use std::collections::BTreeMap;
use std::rc::Rc;

use mp_core::PeerId;
use mp_core::serde::list_of_at_most;
use mp_scene::{CheckpointError, IdPosition};
use serde::{Deserialize, Serialize};

use super::{AnnouncedPath, HostIds, KeptPaths, Node, PathId, RoomIds};
use crate::limits::{
    HIDDEN_NODES_MAX, HOST_NET_IDS_MAX, HOST_PATH_BYTES_MAX, HOST_PATHS_MAX, PATH_RECEIVERS_MAX,
};

/// [`HostIds`] in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct HostIdsState {
    /// In the order in which they may be discarded.
    #[serde(deserialize_with = "list_of_at_most::<_, _, HOST_PATHS_MAX>")]
    paths: Vec<PathState>,
    #[serde(deserialize_with = "list_of_at_most::<_, _, HOST_NET_IDS_MAX>")]
    net_ids: Vec<(u32, u32)>,
    /// The room's net id, that of the host, and the synchronizers of each node.
    #[serde(deserialize_with = "list_of_at_most::<_, _, HOST_NET_IDS_MAX>")]
    nodes: Vec<(u32, u32, Vec<u32>)>,
    /// The host's net id, that of the room, and the synchronizers of each node that no guest has.
    #[serde(deserialize_with = "list_of_at_most::<_, _, HIDDEN_NODES_MAX>")]
    hidden: Vec<(u32, u32, Vec<u32>)>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PathState {
    id: u32,
    room_id: u32,
    is_used: bool,
    announced: Option<AnnouncedPath>,
    receivers: Vec<PeerId>,
}

/// [`RoomIds`] in a checkpoint.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RoomIdsState {
    paths: IdPosition,
    net_ids: IdPosition,
}

impl RoomIds {
    /// Returns the state for a checkpoint.
    pub(crate) fn state(&self) -> RoomIdsState {
        RoomIdsState { paths: self.paths.position(), net_ids: self.net_ids.position() }
    }

    /// Continues at a checkpoint.
    pub(crate) fn restore(&mut self, state: RoomIdsState) {
        self.paths.continue_at(state.paths);
        self.net_ids.continue_at(state.net_ids);
    }
}

impl HostIds {
    /// Returns the state for a checkpoint.
    pub(crate) fn state(&self) -> HostIdsState {
        let paths = self.oldest.iter().filter_map(|&id| {
            let PathId { room_id, is_used, announced, receivers } = self.paths.get(&id)?;
            let announced = announced.as_deref().cloned();
            let (room_id, is_used) = (*room_id, *is_used);
            let receivers = receivers.iter().copied().collect();
            Some(PathState { id, room_id, is_used, announced, receivers })
        });
        let node = |(&id, node): (&u32, &Node)| (id, node.net_id, node.synchronizers.clone());
        HostIdsState {
            paths: paths.collect(),
            net_ids: self.net_ids.iter().map(|(&host, &room)| (host, room)).collect(),
            nodes: self.nodes.iter().map(node).collect(),
            hidden: self.hidden.iter().map(|(id, (room, of))| (id, *room, of.clone())).collect(),
        }
    }

    /// Returns the ids of a checkpoint. `viewers` are the numbers of guests that have a node.
    pub(crate) fn restore(
        state: HostIdsState,
        keeps_paths: bool,
        viewers: &BTreeMap<u32, usize>,
    ) -> Result<Self, CheckpointError> {
        let mut ids = Self { net_ids: state.net_ids.into_iter().collect(), ..Self::default() };
        let mut kept = KeptPaths::default();
        for PathState { id, room_id, is_used, announced, receivers } in state.paths {
            let is_known = ids.paths.contains_key(&id) || ids.by_room_id.contains_key(&room_id);
            if is_known || !keeps_paths && (announced.is_some() || !receivers.is_empty()) {
                return Err(CheckpointError("a path id of its host is impossible"));
            }
            kept.bytes += announced.as_ref().map_or(0, |it| it.path.len());
            let receivers: std::collections::BTreeSet<_> = receivers.into_iter().collect();
            kept.receivers += receivers.len();
            let announced = announced.map(Rc::new);
            ids.paths.insert(id, PathId { room_id, is_used, announced, receivers });
            ids.by_room_id.insert(room_id, id);
            ids.oldest.push_back(id);
        }
        if kept.bytes > HOST_PATH_BYTES_MAX || kept.receivers > PATH_RECEIVERS_MAX {
            return Err(CheckpointError("the paths of its host exceed the limit"));
        }
        ids.kept = keeps_paths.then_some(kept);
        for (id, net_id, synchronizers) in state.nodes {
            let Some(&guests) = viewers.get(&id) else {
                return Err(CheckpointError("no guest has a node of its host"));
            };
            ids.nodes.insert(id, Node { net_id, synchronizers, guests });
        }
        for (net_id, id, synchronizers) in state.hidden {
            ids.hidden.add(net_id, (id, synchronizers));
        }
        Ok(ids)
    }
}
