//! The ids of a host, and those that replace them towards the guests.
//!
//! A host counts its path ids and net ids from 1, like each `SceneMultiplayer`. A guest accepts a
//! path id of peer 1 once. So each host's ids are replaced with ids that the room has never used. A
//! node that a host announces in place of its predecessor keeps the net ids that the guests know.

mod checkpoint;
mod hidden;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use mp_core::PeerId;
use mp_scene::codec::godot::IdMap;
use mp_scene::{IdBlocks, IdCounter, SceneMessage};
use serde::{Deserialize, Serialize};

pub(crate) use self::checkpoint::{HostIdsState, RoomIdsState};
use self::hidden::HiddenNodes;
use crate::SeatStats;
use crate::clock::SyncClock;
use crate::limits::{HOST_NET_IDS_MAX, HOST_PATH_BYTES_MAX, HOST_PATHS_MAX, PATH_RECEIVERS_MAX};

/// The ids of one host.
#[derive(Debug, Default)]
pub(crate) struct HostIds {
    paths: BTreeMap<u32, PathId>,
    /// The host's path ids by those of the room.
    by_room_id: BTreeMap<u32, u32>,
    /// The host's path ids in the order in which they may be discarded.
    oldest: VecDeque<u32>,
    /// `None`: the paths themselves are not kept.
    kept: Option<KeptPaths>,
    /// The room's net ids by those of the host, of nodes and synchronizers.
    net_ids: BTreeMap<u32, u32>,
    /// Nodes by the room's net id.
    nodes: BTreeMap<u32, Node>,
    hidden: HiddenNodes,
}

/// Size of the paths that are kept.
#[derive(Clone, Copy, Debug, Default)]
struct KeptPaths {
    bytes: usize,
    receivers: usize,
}

/// A path that a host has announced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AnnouncedPath {
    path: String,
    checksum: [u8; 32],
}

impl AnnouncedPath {
    pub(crate) fn new(path: String, checksum: [u8; 32]) -> Self {
        Self { path, checksum }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Returns the checksum of the node's methods.
    pub(crate) fn checksum(&self) -> &[u8; 32] {
        &self.checksum
    }

    /// Returns whether the path contains a node with this name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.path.split('/').any(|part| part == name)
    }

    /// Returns the message that announces the path with an id.
    pub(crate) fn message(&self, id: u32) -> SceneMessage {
        SceneMessage::SimplifyPath { id, checksum: self.checksum, path: self.path.clone() }
    }
}

#[derive(Debug)]
struct PathId {
    room_id: u32,
    /// True if the id was used since it was last considered for removal.
    is_used: bool,
    announced: Option<Rc<AnnouncedPath>>,
    /// Guests to which the path was announced.
    receivers: BTreeSet<PeerId>,
}

/// A node that the host has announced.
#[derive(Debug, Default)]
struct Node {
    net_id: u32,
    synchronizers: Vec<u32>,
    /// Number of guests to which the host has announced the node.
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

    /// Returns a net id for a node, or a synchronizer, of the room itself.
    pub(crate) fn next_net_id(&mut self) -> u32 {
        self.net_ids.next()
    }
}

impl HostIds {
    /// Creates the ids of a host whose paths are kept, with the guests that receive them.
    pub(crate) fn with_paths() -> Self {
        Self { kept: Some(KeptPaths::default()), ..Self::default() }
    }

    /// Adds a path id that the host announces. Does nothing if it is known.
    pub(crate) fn add_path(
        &mut self,
        room: &mut RoomIds,
        stats: &mut SeatStats,
        id: u32,
        path: AnnouncedPath,
    ) {
        if self.paths.contains_key(&id) {
            return;
        }
        while self.paths.len() >= HOST_PATHS_MAX {
            self.discard_path();
            stats.discarded_paths += 1;
        }
        let room_id = room.paths.next();
        let announced = self.kept.as_mut().and_then(|kept| {
            let bytes = kept.bytes + path.path.len();
            (bytes <= HOST_PATH_BYTES_MAX).then(|| {
                kept.bytes = bytes;
                Rc::new(path)
            })
        });
        let receivers = BTreeSet::new();
        self.paths.insert(id, PathId { room_id, is_used: false, announced, receivers });
        self.by_room_id.insert(room_id, id);
        self.oldest.push_back(id);
    }

    /// Records that a path is announced to a guest, if paths are kept.
    pub(crate) fn add_receiver(&mut self, id: u32, guest: PeerId) {
        let (Some(kept), Some(path)) = (&mut self.kept, self.paths.get_mut(&id)) else { return };
        if kept.receivers < PATH_RECEIVERS_MAX && path.receivers.insert(guest) {
            kept.receivers += 1;
        }
    }

    /// Forgets the paths that a guest has received.
    pub(crate) fn remove_receiver(&mut self, guest: PeerId) {
        let Some(kept) = &mut self.kept else { return };
        for path in self.paths.values_mut() {
            kept.receivers -= usize::from(path.receivers.remove(&guest));
        }
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
            if let (Some(path), Some(kept)) = (self.paths.remove(&id), &mut self.kept) {
                kept.bytes -= path.announced.map_or(0, |announced| announced.path.len());
                kept.receivers -= path.receivers.len();
            }
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

    /// Returns the path with an id of the host, if it is kept.
    pub(crate) fn announced(&self, id: u32) -> Option<&Rc<AnnouncedPath>> {
        self.paths.get(&id)?.announced.as_ref()
    }

    /// Returns the path with an id of the room, if it is kept.
    pub(crate) fn announced_by_room(&self, room_id: u32) -> Option<&Rc<AnnouncedPath>> {
        self.announced(self.host_path(room_id)?)
    }

    /// Returns the paths that all `guests` have received.
    pub(crate) fn received_by_all(&self, guests: &[PeerId]) -> BTreeSet<&str> {
        let by_all = |path: &&PathId| guests.iter().all(|guest| path.receivers.contains(guest));
        let paths = self.paths.values().filter(by_all);
        paths.filter_map(|path| path.announced.as_deref().map(AnnouncedPath::path)).collect()
    }

    /// Returns the room's net id of a node that the host has announced.
    pub(crate) fn node(&self, net_id: u32) -> Option<u32> {
        self.net_ids.get(&net_id).copied().filter(|&id| self.has_node(id))
    }

    /// Returns whether the host has announced a node, by the room's net id.
    pub(crate) fn has_node(&self, room_id: u32) -> bool {
        self.nodes.contains_key(&room_id)
    }

    /// Returns the room's net ids of synchronizers.
    pub(crate) fn synchronizers(&self, net_ids: &[u32]) -> Vec<u32> {
        net_ids.iter().filter_map(|id| self.net_ids.get(id)).copied().collect()
    }

    /// Adds a node that is announced to one more guest. Returns the room's net id of the node;
    /// `None`, and changes nothing, if there are too many. `known` are the room's net ids of the
    /// node and its synchronizers if guests have the node of an earlier host.
    pub(crate) fn add_node(
        &mut self,
        room: &mut RoomIds,
        net_id: u32,
        synchronizers: &[u32],
        known: Option<(u32, &[u32])>,
    ) -> Option<u32> {
        let all = synchronizers.iter().chain([&net_id]);
        let new: BTreeSet<u32> = all.copied().filter(|id| !self.net_ids.contains_key(id)).collect();
        if self.net_ids.len() + new.len() > HOST_NET_IDS_MAX {
            return None;
        }
        let hidden = self.hidden.take(net_id);
        let hidden = hidden.as_ref().map(|(id, synchronizers)| (*id, &synchronizers[..]));
        if let Some((known_id, known_synchronizers)) = known.or(hidden) {
            self.net_ids.entry(net_id).or_insert(known_id);
            for (&id, &known) in synchronizers.iter().zip(known_synchronizers) {
                self.net_ids.entry(id).or_insert(known);
            }
        }
        for id in new {
            self.net_ids.entry(id).or_insert_with(|| room.net_ids.next());
        }
        let room_id = self.net_ids.get(&net_id).copied()?;
        let node = self.nodes.entry(room_id).or_default();
        node.net_id = net_id;
        node.synchronizers = synchronizers.to_vec();
        node.guests += 1;
        Some(room_id)
    }

    /// Removes a node, by the room's net id, from one guest. With the last one its net ids become
    /// unknown, and true is returned. They are the same if the node is shown again.
    pub(crate) fn remove_node(&mut self, stats: &mut SeatStats, room_id: u32) -> bool {
        let Some(node) = self.nodes.get_mut(&room_id) else { return false };
        node.guests -= 1;
        if node.guests > 0 {
            return false;
        }
        let Node { net_id, synchronizers, .. } = std::mem::take(node);
        self.nodes.remove(&room_id);
        self.net_ids.remove(&net_id);
        let synchronizers = synchronizers.iter().filter_map(|id| self.net_ids.remove(id));
        let has_forgotten = self.hidden.add(net_id, (room_id, synchronizers.collect()));
        stats.forgotten_nodes += u64::from(has_forgotten);
        true
    }

    /// Returns the ids for a packet to a guest; unknown ones are counted.
    pub(crate) fn map<'a>(
        &'a mut self,
        stats: &'a mut SeatStats,
        clock: &'a mut SyncClock,
    ) -> CountedIds<'a> {
        CountedIds { ids: self, stats, clock }
    }
}

/// The ids for a packet of the host.
#[derive(Debug)]
pub(crate) struct CountedIds<'a> {
    ids: &'a mut HostIds,
    stats: &'a mut SeatStats,
    clock: &'a mut SyncClock,
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

    fn sync_time(&mut self, time: u16) -> u16 {
        self.clock.map(time)
    }
}

#[cfg(test)]
mod tests;
