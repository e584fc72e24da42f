//! Rooms whose owner has died.

use super::{Claims, Purpose, RoomClaim, members};
use crate::directory::{Entry, EntryKey, EntryKind, Operation, Revision, RoomRecord};
use crate::placement::{Members, adopter};
use mp_core::Instant;
use mp_rooms::RoomName;

impl Claims {
    /// Reads which nodes there are.
    pub(super) fn scan(&mut self) {
        self.queue.push_back((Purpose::Scan, Operation::List(EntryKind::Node)));
    }

    /// Reads all rooms if a node has vanished, if rooms were left to another node, or if it is this
    /// node's turn. Reads them later while other nodes may return.
    pub(super) fn handle_scan(&mut self, now: Instant, nodes: Vec<(EntryKey, Entry)>) {
        let present = members(nodes, &mut self.stats.malformed);
        let has_vanished = self.members.keys().any(|node| !present.contains_key(node));
        if !present.keys().eq(self.members.keys()) {
            self.full_scans.align(self.node, &present);
        }
        self.members = present;
        let is_due = self.full_scans.advance(self.node, &self.members);
        if now < self.adopts_from {
            self.full_scans.repeat();
        } else if has_vanished || !self.orphans.is_empty() || is_due {
            self.queue.push_back((Purpose::ReadRooms, Operation::List(EntryKind::Room)));
        }
    }

    /// Reads which nodes there are after the rooms were read. In this order, an owner that
    /// registers anew and claims its room again has changed the room's record.
    pub(super) fn handle_rooms(&mut self, rooms: Vec<(EntryKey, Entry)>) {
        let mut others = Vec::new();
        for (key, entry) in rooms {
            match (key, RoomRecord::decode(&entry.value)) {
                (EntryKey::Room(room), Some(record)) if record.owner != self.node => {
                    others.push((room, record, entry.revision));
                }
                // The node that has moved it here may have been unable to notify this one.
                (EntryKey::Room(room), Some(record)) if record.is_moved => self.find(room),
                (EntryKey::Room(_), Some(_)) => {}
                _ => self.stats.malformed += 1,
            }
        }
        self.queue.push_back((Purpose::ReadNodes(others), Operation::List(EntryKind::Node)));
    }

    /// Adopts rooms without an owner: those of which this node is the adopter, and those that the
    /// adopter has not adopted since the last scan.
    pub(super) fn handle_nodes(
        &mut self,
        rooms: Vec<(RoomName, RoomRecord, Revision)>,
        nodes: Vec<(EntryKey, Entry)>,
    ) {
        self.members = members(nodes, &mut self.stats.malformed);
        let left = std::mem::take(&mut self.orphans);
        for (room, record, revision) in rooms {
            if self.members.contains_key(&record.owner) || !accepts_rooms(&self.members, self) {
                continue;
            }
            let is_adopter = adopter(&self.members, &room) == Some(self.node);
            if !is_adopter && !left.contains(&room) {
                self.orphans.insert(room);
            } else if !matches!(self.rooms.get(&room), Some(RoomClaim::Suspended))
                && self.busy.insert(room.clone())
            {
                // A list may be older than the registration of an owner.
                let operation = Operation::Get(EntryKey::Node(record.owner));
                self.queue.push_back((Purpose::Adopt(room, record, revision), operation));
            }
        }
    }
}

fn accepts_rooms(members: &Members, claims: &Claims) -> bool {
    members.get(&claims.node).is_some_and(|record| record.accepts_rooms)
}
