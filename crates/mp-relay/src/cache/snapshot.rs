//! The state of a cache in a [`Snapshot`](mp_scene::Snapshot).
//!
//! | part | encoding, in postcard |
//! |---|---|
//! | paths | number, and of each: the path, its checksum |
//! | nodes, in the order of their announcements | number, and of each: its spawner, the SPAWN with zeros as ids, the values of each synchronizer |
//! | placed synchronizers | number, and of each: its path, its values |
//! | values of a synchronizer | those of its SYNC, the number of on-change properties, and of each: its bit, its value |
//!
//! Spawners and paths are numbers of paths. Ids are not kept: a room that restores the state draws
//! its own.

use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use mp_scene::codec::godot::elements::split_values;
use mp_scene::codec::godot::{IdMap, map_ids, spawn_identity, spawn_ids};
use mp_scene::{Codec, PacketKind, SnapshotError};
use serde::{Deserialize, Serialize};

use super::replay::Public;
use super::values::Values;
use super::{PlacedSynchronizer, StateCache};
use crate::ids::{AnnouncedPath, RoomIds};
use crate::limits::{HOST_NET_IDS_MAX, HOST_PATH_BYTES_MAX, HOST_PATHS_MAX};

/// Version of the encoding.
pub(crate) const STATE_VERSION: u32 = 1;

impl StateCache {
    /// Returns what a guest receives that joins without a host, encoded. `None` if it is nothing,
    /// or the cache is incomplete.
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let Public { nodes, placed, .. } = self.public();
        if self.is_incomplete() || nodes.is_empty() && placed.is_empty() {
            return None;
        }
        let mut paths = Paths::default();
        let spawners: Vec<u32> = nodes.iter().map(|(_, node)| paths.add(&node.spawner)).collect();
        let places: Vec<u32> = placed.iter().map(|placed| paths.add(&placed.path)).collect();
        let mut out = Writer::default();
        out.put(&paths.list.len());
        for path in &paths.list {
            out.put(&(path.path(), path.checksum()));
        }
        out.put(&nodes.len());
        for ((_, node), spawner) in nodes.iter().zip(spawners) {
            let spawn = map_ids(&node.spawn, &mut NoIds).ok().flatten()?;
            out.put(&(spawner, &spawn[..]));
            for id in &node.synchronizers {
                out.put_values(self.spawned.get(id)?);
            }
        }
        out.put(&placed.len());
        for (placed, path) in placed.iter().zip(places) {
            out.put(&path);
            out.put_values(&placed.values);
        }
        Some(out.0)
    }

    /// Returns the cache that was encoded, with ids of the room.
    ///
    /// # Errors
    ///
    /// [`SnapshotError::Malformed`], also if it exceeds the size of a cache.
    pub(crate) fn decode(state: &[u8], room: &mut RoomIds) -> Result<Self, SnapshotError> {
        let mut cache = Self::default();
        let mut reader = Reader { rest: state, paths: Vec::new() };
        reader.read_paths()?;
        for _ in 0..reader.read_count(HOST_NET_IDS_MAX, "too many nodes")? {
            cache.read_node(&mut reader, room)?;
        }
        for _ in 0..reader.read_count(HOST_PATHS_MAX, "too many synchronizers")? {
            cache.read_placed(&mut reader)?;
        }
        if !reader.rest.is_empty() {
            return Err(SnapshotError::Malformed("bytes after the state"));
        }
        Ok(cache)
    }

    fn read_node(
        &mut self,
        reader: &mut Reader<'_>,
        room: &mut RoomIds,
    ) -> Result<(), SnapshotError> {
        let spawner = reader.read_path()?;
        let spawn = Bytes::copy_from_slice(reader.read::<&[u8]>("a SPAWN")?);
        let malformed = |_| SnapshotError::Malformed("a SPAWN");
        if Codec::default().kind(&spawn) != Some(PacketKind::Spawn) {
            return Err(SnapshotError::Malformed("a packet that is no SPAWN"));
        }
        let (_, _, synchronizers) = spawn_ids(&spawn).map_err(malformed)?;
        if synchronizers.len() > HOST_NET_IDS_MAX {
            return Err(SnapshotError::Malformed("too many synchronizers"));
        }
        let identity = spawn_identity(&spawn).map_err(malformed)?;
        let mut ids = NewIds { room, drawn: Vec::new() };
        let mapped = map_ids(&spawn, &mut ids).map_err(malformed)?;
        let mut ids = ids.drawn.into_iter();
        let (Some(spawn), Some(id)) = (mapped, ids.next()) else {
            return Err(SnapshotError::Malformed("a SPAWN"));
        };
        let synchronizers: Vec<u32> = ids.collect();
        self.insert(id, spawner, &identity, synchronizers.clone());
        self.record_spawn(id, &spawn);
        for synchronizer in synchronizers {
            let values = self.spawned.get_mut(&synchronizer);
            let values = values.ok_or(SnapshotError::Malformed(TOO_LARGE))?;
            reader.read_values(values, &mut self.budget)?;
        }
        self.check_budget()?;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.is_public = true;
        }
        Ok(())
    }

    fn read_placed(&mut self, reader: &mut Reader<'_>) -> Result<(), SnapshotError> {
        let path = reader.read_path()?;
        if self.placed.contains_key(path.path()) {
            return Err(SnapshotError::Malformed("a synchronizer twice"));
        }
        let name = path.path().to_owned();
        let mut placed = PlacedSynchronizer { path, values: Values::default(), is_public: true };
        self.budget.replace(0, placed.size());
        reader.read_values(&mut placed.values, &mut self.budget)?;
        self.check_budget()?;
        self.placed.insert(name, placed);
        Ok(())
    }

    fn check_budget(&self) -> Result<(), SnapshotError> {
        match self.budget.is_exceeded() {
            true => Err(SnapshotError::Malformed(TOO_LARGE)),
            false => Ok(()),
        }
    }
}

const TOO_LARGE: &str = "its nodes and properties exceed the limit";

/// Replaces all ids with zero.
struct NoIds;

impl IdMap for NoIds {
    fn path_id(&mut self, _: u32) -> Option<u32> {
        Some(0)
    }

    fn net_id(&mut self, _: u32) -> Option<u32> {
        Some(0)
    }
}

/// Replaces net ids with those that are drawn, the node's first.
struct NewIds<'r> {
    room: &'r mut RoomIds,
    drawn: Vec<u32>,
}

impl IdMap for NewIds<'_> {
    fn path_id(&mut self, id: u32) -> Option<u32> {
        Some(id)
    }

    fn net_id(&mut self, _: u32) -> Option<u32> {
        let id = self.room.next_net_id();
        self.drawn.push(id);
        Some(id)
    }
}

/// The paths of a state, each once.
#[derive(Default)]
struct Paths<'c> {
    list: Vec<&'c AnnouncedPath>,
    numbers: BTreeMap<&'c str, u32>,
}

impl<'c> Paths<'c> {
    /// Returns the number of a path.
    fn add(&mut self, path: &'c AnnouncedPath) -> u32 {
        let next = self.list.len() as u32;
        let number = *self.numbers.entry(path.path()).or_insert(next);
        if number == next {
            self.list.push(path);
        }
        number
    }
}

#[derive(Default)]
struct Writer(Vec<u8>);

impl Writer {
    fn put(&mut self, value: &impl Serialize) {
        let bytes = std::mem::take(&mut self.0);
        match postcard::to_extend(value, bytes) {
            Ok(bytes) => self.0 = bytes,
            Err(error) => mp_core::bug!("a part of a state cannot be encoded: {error}"),
        }
    }

    fn put_values(&mut self, values: &Values) {
        self.put(&values.always());
        self.put(&values.on_change().count());
        values.on_change().for_each(|value| self.put(&value));
    }
}

/// A state that is decoded part by part, so that the size of each is known before it is kept.
struct Reader<'s> {
    rest: &'s [u8],
    paths: Vec<Rc<AnnouncedPath>>,
}

impl<'s> Reader<'s> {
    fn read<T: Deserialize<'s>>(&mut self, part: &'static str) -> Result<T, SnapshotError> {
        let read = postcard::take_from_bytes(self.rest);
        let (value, rest) = read.map_err(|_| SnapshotError::Malformed(part))?;
        self.rest = rest;
        Ok(value)
    }

    fn read_count(&mut self, max: usize, error: &'static str) -> Result<usize, SnapshotError> {
        let count: usize = self.read(error)?;
        (count <= max).then_some(count).ok_or(SnapshotError::Malformed(error))
    }

    fn read_paths(&mut self) -> Result<(), SnapshotError> {
        let mut bytes = 0;
        for _ in 0..self.read_count(2 * HOST_PATHS_MAX, "too many paths")? {
            let (path, checksum): (&str, [u8; 32]) = self.read("a path")?;
            bytes += path.len();
            if bytes > HOST_PATH_BYTES_MAX || path.contains('\0') {
                return Err(SnapshotError::Malformed("its paths exceed the limit, or have a NUL"));
            }
            self.paths.push(Rc::new(AnnouncedPath::new(path.to_owned(), checksum)));
        }
        Ok(())
    }

    fn read_path(&mut self) -> Result<Rc<AnnouncedPath>, SnapshotError> {
        let number: u32 = self.read("the number of a path")?;
        let path = self.paths.get(number as usize).cloned();
        path.ok_or(SnapshotError::Malformed("the number of a path"))
    }

    fn read_values(
        &mut self,
        values: &mut Values,
        budget: &mut super::Budget,
    ) -> Result<(), SnapshotError> {
        values.record_sync(budget, self.read("the values of a SYNC")?);
        let mut next = 0;
        for _ in 0..self.read_count(PROPERTIES_MAX, "too many properties")? {
            let (bit, value): (u8, &[u8]) = self.read("a property")?;
            let value = Bytes::copy_from_slice(value);
            if bit < next || usize::from(bit) >= PROPERTIES_MAX {
                return Err(SnapshotError::Malformed("the bit of a property"));
            }
            next = bit + 1;
            if split_values(1 << bit, &value).is_none() {
                return Err(SnapshotError::Malformed("the value of a property"));
            }
            values.record_delta(budget, 1 << bit, &value);
        }
        Ok(())
    }
}

/// Maximum number of on-change properties of a synchronizer: the bits of a DELTA.
const PROPERTIES_MAX: usize = 64;
