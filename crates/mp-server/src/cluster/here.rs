//! [`RoomsHere`]: the rooms of this node, as the cluster knows them.

use std::collections::{BTreeMap, BTreeSet};

use mp_actor::BranchRef;
use mp_rooms::{RoomId, RoomName};

/// The open rooms of this node, the calls about rooms that the registry has not handled, and the
/// names that no room uses any more.
#[derive(Debug, Default)]
pub(super) struct RoomsHere {
    open: BTreeMap<RoomName, (RoomId, BranchRef)>,
    /// Numbers of calls by which the registry may create a room.
    calls: BTreeMap<RoomName, usize>,
    vacant: BTreeSet<RoomName>,
}

impl RoomsHere {
    pub(super) fn open(&mut self, room: RoomId, name: RoomName, branch: BranchRef) {
        self.vacant.remove(&name);
        self.open.insert(name, (room, branch));
    }

    /// Records that a room has ended. `exists`: the registry has another one of this name.
    pub(super) fn ended(&mut self, room: RoomId, name: &RoomName, exists: bool) {
        if self.open.get(name).is_some_and(|(open, _)| *open == room) {
            self.open.remove(name);
        }
        self.release_unless(name, exists);
    }

    /// Records a call by which the registry may create a room.
    pub(super) fn begin_call(&mut self, name: &RoomName) {
        self.vacant.remove(name);
        *self.calls.entry(name.clone()).or_default() += 1;
    }

    /// Records that the registry has handled a call. `exists`: it has a room of this name.
    pub(super) fn end_call(&mut self, name: &RoomName, exists: bool) {
        if let Some(calls) = self.calls.get_mut(name) {
            *calls -= 1;
            if *calls == 0 {
                self.calls.remove(name);
            }
        }
        self.release_unless(name, exists);
    }

    /// Records that a name is not used.
    pub(super) fn release_unless(&mut self, name: &RoomName, exists: bool) {
        if !exists && !self.is_used(name) {
            self.vacant.insert(name.clone());
        }
    }

    /// Returns whether there is a room of this name, or may soon be one.
    pub(super) fn is_used(&self, name: &RoomName) -> bool {
        self.open.contains_key(name) || self.calls.contains_key(name)
    }

    pub(super) fn names(&self) -> Vec<RoomName> {
        self.open.keys().cloned().collect()
    }

    pub(super) fn get(&self, name: &RoomName) -> Option<(RoomId, BranchRef)> {
        self.open.get(name).cloned()
    }

    pub(super) fn branch(&self, name: &RoomName) -> Option<&BranchRef> {
        self.open.get(name).map(|(_, branch)| branch)
    }

    /// Offers the names that no room uses to `release`, and forgets those that it has released.
    pub(super) fn release(&mut self, mut release: impl FnMut(&RoomName) -> bool) {
        self.vacant.retain(|name| !release(name));
    }

    /// Returns whether names wait to be released.
    pub(super) fn has_vacant(&self) -> bool {
        !self.vacant.is_empty()
    }
}
