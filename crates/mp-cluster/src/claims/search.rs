//! The search for the owner of a room, which may make this node the owner.

use mp_rooms::RoomName;

use super::{ClaimEvent, Claims, Purpose, RoomClaim};
use crate::directory::{Entry, EntryKey, Operation, Revision, RoomRecord};
use crate::id::Epoch;
use crate::limits::ROOMS_MAX;
use crate::placement::place;

/// The purpose of finding a room.
#[derive(Clone, Debug)]
pub(super) enum Search {
    /// To know its owner.
    Owner,
    /// To place it if it has no owner, with this template.
    Place(Option<RoomName>),
    /// To own it if it has no owner, with this template.
    Claim(Option<RoomName>),
}

/// The reason why a record is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WriteCause {
    Placed,
    Opened,
    Moved,
    Adopted,
    Regained,
}

impl Claims {
    pub(super) fn read(&mut self, room: RoomName, search: Search) {
        let operation = Operation::Get(EntryKey::Room(room.clone()));
        self.queue.push_back((Purpose::Find(room, search), operation));
    }

    pub(super) fn found(&mut self, room: RoomName, search: Search, entry: Option<Entry>) {
        let was_here = self.rooms.contains_key(&room);
        let Some(Entry { value, revision }) = entry else {
            if was_here {
                return self.lose(room);
            }
            let (owner, template) = match search {
                Search::Owner => return self.finish(room, ClaimEvent::Unowned),
                Search::Place(template) => (place(&self.members, self.node), template),
                Search::Claim(template) => (Some(self.node), template),
            };
            return match owner {
                Some(owner) if self.rooms.len() < ROOMS_MAX => {
                    let is_open = owner == self.node;
                    let record = RoomRecord { owner, is_open, is_moved: false, template };
                    self.write(room, record, None, WriteCause::Placed);
                }
                _ => self.finish(room, ClaimEvent::Unplaced),
            };
        };
        let Some(record) = RoomRecord::decode(&value) else {
            self.stats.malformed += 1;
            return self.finish(room, ClaimEvent::Unplaced);
        };
        if record.owner == self.node {
            match self.rooms.get(&room) {
                Some(RoomClaim::Owned(owned)) if *owned == revision => {
                    self.own(room, revision, None, record.template);
                }
                _ if record.is_open => {
                    // Otherwise this node has written the record, and not received the answer.
                    let cause = if was_here { WriteCause::Regained } else { WriteCause::Adopted };
                    self.write(room, record, Some(revision), cause);
                }
                _ => {
                    if was_here {
                        // Another node has had it meanwhile.
                        self.stats.lost += 1;
                        self.rooms.remove(&room);
                        self.events.push_back(ClaimEvent::Lost(room.clone()));
                    }
                    let is_moved = record.is_moved;
                    let cause = if is_moved { WriteCause::Moved } else { WriteCause::Opened };
                    self.write(room, self.here(record), Some(revision), cause);
                }
            }
        } else if was_here {
            self.lose(room);
        } else {
            let operation = Operation::Get(EntryKey::Node(record.owner));
            self.queue.push_back((Purpose::Check(room, record, revision), operation));
        }
    }

    /// Returns the record of a room that this node opens.
    pub(super) fn here(&self, record: RoomRecord) -> RoomRecord {
        RoomRecord { owner: self.node, is_open: true, is_moved: false, ..record }
    }

    pub(super) fn write(
        &mut self,
        room: RoomName,
        record: RoomRecord,
        expected: Option<Revision>,
        cause: WriteCause,
    ) {
        let (key, value) = (EntryKey::Room(room.clone()), record.encode());
        let operation = Operation::Put { key, value, expected, lifetime: None };
        self.queue.push_back((Purpose::Write(room, record, cause), operation));
    }

    pub(super) fn written(
        &mut self,
        room: RoomName,
        record: RoomRecord,
        revision: Revision,
        cause: WriteCause,
    ) {
        match cause {
            WriteCause::Placed => self.stats.placed += 1,
            WriteCause::Opened | WriteCause::Moved => {}
            WriteCause::Adopted => self.stats.adopted += 1,
            WriteCause::Regained => self.stats.regained += 1,
        }
        if record.owner != self.node {
            self.elsewhere(room, record, revision);
        } else {
            self.own(room, revision, Some(cause), record.template);
        }
    }

    fn own(
        &mut self,
        room: RoomName,
        revision: Revision,
        cause: Option<WriteCause>,
        template: Option<RoomName>,
    ) {
        self.rooms.insert(room.clone(), RoomClaim::Owned(revision));
        let epoch = epoch(revision);
        let is_moved = cause == Some(WriteCause::Moved);
        let is_adopted = is_moved || cause == Some(WriteCause::Adopted);
        self.finish(room, |room| ClaimEvent::Owned { room, epoch, is_adopted, is_moved, template });
    }

    pub(super) fn elsewhere(&mut self, room: RoomName, record: RoomRecord, revision: Revision) {
        let (owner, epoch) = (record.owner, epoch(revision));
        self.finish(room, |room| ClaimEvent::Elsewhere { room, owner, epoch });
    }

    fn lose(&mut self, room: RoomName) {
        self.stats.lost += 1;
        self.rooms.remove(&room);
        self.finish(room, ClaimEvent::Lost);
    }

    pub(super) fn finish(&mut self, room: RoomName, event: impl FnOnce(RoomName) -> ClaimEvent) {
        self.busy.remove(&room);
        self.events.push_back(event(room));
    }
}

pub(super) fn epoch(revision: Revision) -> Epoch {
    Epoch::new(revision.get())
}
