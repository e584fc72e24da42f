//! The ids of a host, and those that replace them towards the guests.
//!
//! A host counts its path ids and net ids from 1, like each `SceneMultiplayer`. A guest accepts a
//! path id of peer 1 once. So each host's ids are replaced with ids that the room has never used.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mp_scene::codec::godot::IdMap;
use mp_scene::{IdBlocks, IdCounter};

use crate::SeatStats;
use crate::limits::{HOST_NET_IDS_MAX, HOST_PATHS_MAX};

/// The ids of one host.
#[derive(Debug, Default)]
pub(crate) struct HostIds {
    paths: BTreeMap<u32, PathId>,
    /// The host's path ids by those of the room.
    by_room_id: BTreeMap<u32, u32>,
    /// The host's path ids in the order in which they may be discarded.
    oldest: VecDeque<u32>,
    /// The room's net ids by those of the host, of nodes and synchronizers.
    net_ids: BTreeMap<u32, u32>,
    nodes: BTreeMap<u32, Node>,
}

#[derive(Clone, Copy, Debug)]
struct PathId {
    room_id: u32,
    /// True if the id was used since it was last considered for removal.
    is_used: bool,
}

/// A node that the host has announced.
#[derive(Debug, Default)]
struct Node {
    synchronizers: BTreeSet<u32>,
    /// Number of guests that have the node.
    guests: usize,
}

/// The sources of the room's ids. No id is used for two hosts.
#[derive(Debug, Default)]
pub(crate) struct RoomIds {
    paths: IdCounter,
    net_ids: IdCounter,
}

impl RoomIds {
    pub(crate) fn new(source: &IdBlocks) -> Self {
        Self { paths: source.counter(), net_ids: source.counter() }
    }

    /// Returns a path id for a path of the room itself.
    pub(crate) fn next_path(&mut self) -> u32 {
        self.paths.next()
    }
}

impl HostIds {
    /// Adds a path id that the host announces. Does nothing if it is known.
    pub(crate) fn add_path(&mut self, room: &mut RoomIds, stats: &mut SeatStats, id: u32) {
        if self.paths.contains_key(&id) {
            return;
        }
        while self.paths.len() >= HOST_PATHS_MAX {
            self.discard_path();
            stats.discarded_paths += 1;
        }
        let room_id = room.paths.next();
        self.paths.insert(id, PathId { room_id, is_used: false });
        self.by_room_id.insert(room_id, id);
        self.oldest.push_back(id);
    }

    /// Removes the oldest path id that was not used since it was last considered.
    fn discard_path(&mut self) {
        while let Some(id) = self.oldest.pop_front() {
            let Some(path) = self.paths.get_mut(&id) else { continue };
            if std::mem::take(&mut path.is_used) {
                self.oldest.push_back(id);
                continue;
            }
            self.by_room_id.remove(&path.room_id);
            self.paths.remove(&id);
            return;
        }
    }

    /// Returns the host's id of a path id that the room has given to guests.
    pub(crate) fn host_path(&self, room_id: u32) -> Option<u32> {
        self.by_room_id.get(&room_id).copied()
    }

    /// Returns whether the host has announced a path id.
    pub(crate) fn has_path(&self, id: u32) -> bool {
        self.paths.contains_key(&id)
    }

    /// Adds a node that is announced to one more guest. Returns false, and changes nothing, if
    /// there are too many.
    pub(crate) fn add_node(
        &mut self,
        room: &mut RoomIds,
        net_id: u32,
        synchronizers: &[u32],
    ) -> bool {
        let all = synchronizers.iter().chain([&net_id]);
        let new: BTreeSet<u32> = all.copied().filter(|id| !self.net_ids.contains_key(id)).collect();
        if self.net_ids.len() + new.len() > HOST_NET_IDS_MAX {
            return false;
        }
        for id in new {
            self.net_ids.insert(id, room.net_ids.next());
        }
        let node = self.nodes.entry(net_id).or_default();
        node.synchronizers.extend(synchronizers);
        node.guests += 1;
        true
    }

    /// Removes a node from one guest. Its net ids are forgotten with the last one.
    pub(crate) fn remove_node(&mut self, net_id: u32) {
        let Some(node) = self.nodes.get_mut(&net_id) else { return };
        node.guests -= 1;
        if node.guests == 0 {
            let synchronizers = std::mem::take(&mut node.synchronizers);
            self.nodes.remove(&net_id);
            for id in synchronizers.into_iter().chain([net_id]) {
                self.net_ids.remove(&id);
            }
        }
    }

    /// Returns the ids for a packet; unknown ones are counted.
    pub(crate) fn map<'a>(&'a mut self, stats: &'a mut SeatStats) -> CountedIds<'a> {
        CountedIds { ids: self, stats }
    }
}

/// The ids for a packet of the host.
#[derive(Debug)]
pub(crate) struct CountedIds<'a> {
    ids: &'a mut HostIds,
    stats: &'a mut SeatStats,
}

impl CountedIds<'_> {
    fn counted(&mut self, id: Option<u32>) -> Option<u32> {
        self.stats.unknown_ids += u64::from(id.is_none());
        id
    }
}

impl IdMap for CountedIds<'_> {
    fn path_id(&mut self, id: u32) -> Option<u32> {
        let path = self.ids.paths.get_mut(&id).map(|path| {
            path.is_used = true;
            path.room_id
        });
        self.counted(path)
    }

    fn net_id(&mut self, id: u32) -> Option<u32> {
        let net_id = self.ids.net_ids.get(&id).copied();
        self.counted(net_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unused_paths_are_discarded_before_used_ones() {
        let (mut ids, mut room, mut stats) =
            (HostIds::default(), RoomIds::default(), SeatStats::default());
        let max = HOST_PATHS_MAX as u32;
        (1..=max).for_each(|id| ids.add_path(&mut room, &mut stats, id));
        assert_eq!(ids.map(&mut stats).path_id(1), Some(1));
        ids.add_path(&mut room, &mut stats, max + 1);
        assert_eq!([1, 2, 3].map(|id| ids.has_path(id)), [true, false, true]);
        assert_eq!((ids.host_path(1), ids.host_path(2)), (Some(1), None));
        assert_eq!((stats.discarded_paths, ids.paths.len()), (1, HOST_PATHS_MAX));
    }

    #[test]
    fn net_ids_are_forgotten_with_the_last_guest() {
        let (mut ids, mut room, mut stats) =
            (HostIds::default(), RoomIds::default(), SeatStats::default());
        assert!(ids.add_node(&mut room, 10, &[11]));
        assert!(ids.add_node(&mut room, 10, &[11]));
        ids.remove_node(10);
        assert_eq!([10, 11].map(|id| ids.map(&mut stats).net_id(id)), [Some(1), Some(2)]);
        ids.remove_node(10);
        assert_eq!([10, 11].map(|id| ids.map(&mut stats).net_id(id)), [None, None]);
        assert_eq!((stats.unknown_ids, ids.net_ids.len(), ids.nodes.len()), (2, 0, 0));
    }

    #[test]
    fn node_beyond_the_limit_is_refused_as_a_whole() {
        let (mut ids, mut room) = (HostIds::default(), RoomIds::default());
        let many: Vec<u32> = (2..=HOST_NET_IDS_MAX as u32).collect();
        assert!(ids.add_node(&mut room, 1, &many));
        assert!(!ids.add_node(&mut room, 100_000, &[100_001]));
        assert!(ids.add_node(&mut room, 1, &many), "a known node needs no new ids");
        assert_eq!((ids.net_ids.len(), ids.nodes.len()), (HOST_NET_IDS_MAX, 1));
    }
}
