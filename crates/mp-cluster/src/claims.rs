//! [`Claims`]: the rooms of a node in the directory.

mod adoption;
mod event;
mod full_scans;
mod search;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use mp_core::Instant;
use mp_rooms::RoomName;

pub use self::event::{ClaimEvent, ClaimStats};
use self::full_scans::FullScans;
use self::search::{Search, WriteCause, epoch};
use crate::directory::{
    Entry, EntryKey, NodeRecord, Operation, OperationId, OperationOutcome, Request, Revision,
    RoomRecord, Unavailable,
};
use crate::id::{ClusterNodeId, Epoch};
use crate::lease::{Lease, LeaseTerm};
use crate::limits::{REQUEST_TIMEOUT, RETURN_TIME, ROOMS_MAX, SCAN_INTERVAL};
use crate::placement::Members;

/// Finds, places and adopts rooms in the directory, and knows those of its node.
///
/// The owner of a room is the node in its record; the epoch is the record's revision. A node writes
/// a record only if it has not changed, so of several nodes one gets the room. What it owns ends
/// with the term of its [`Lease`]: then all rooms are suspended, and in the next term claimed anew
/// or lost to the node that has adopted them.
#[derive(Debug)]
pub struct Claims {
    node: ClusterNodeId,
    rooms: BTreeMap<RoomName, RoomClaim>,
    members: Members,
    /// Operations that were not requested yet.
    queue: VecDeque<(Purpose, Operation)>,
    /// Unanswered requests, and when they were sent.
    pending: BTreeMap<OperationId, (Instant, Purpose)>,
    /// Rooms of which an operation is queued or pending.
    busy: BTreeSet<RoomName>,
    last_id: OperationId,
    term: Option<LeaseTerm>,
    /// Time from which rooms without an owner are adopted.
    adopts_from: Instant,
    next_scan: Instant,
    full_scans: FullScans,
    /// Rooms that have had no owner in the last scan, and that another node should adopt.
    orphans: BTreeSet<RoomName>,
    events: VecDeque<ClaimEvent>,
    stats: ClaimStats,
}

/// A room that this node owns, or has owned in an earlier term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RoomClaim {
    Owned(Revision),
    Suspended,
}

/// The purpose of an operation.
#[derive(Clone, Debug)]
enum Purpose {
    /// Reads the record of a room.
    Find(RoomName, Search),
    /// Reads whether the owner of a room is registered.
    Check(RoomName, RoomRecord, Revision),
    /// Reads whether the owner of a room, which was absent in a list, is registered.
    Adopt(RoomName, RoomRecord, Revision),
    /// Writes the record of a room.
    Write(RoomName, RoomRecord, WriteCause),
    /// Writes that another node has the room.
    HandOver(RoomName),
    /// Removes the record of a room.
    Release(RoomName),
    /// Reads which nodes there are.
    Scan,
    /// Reads all rooms, to find those without an owner.
    ReadRooms,
    /// Reads which nodes there are, after the rooms.
    ReadNodes(Vec<(RoomName, RoomRecord, Revision)>),
}

impl Claims {
    /// Returns the claims of a node without rooms.
    pub fn new(node: ClusterNodeId) -> Self {
        Self {
            node,
            rooms: BTreeMap::new(),
            members: Members::new(),
            queue: VecDeque::new(),
            pending: BTreeMap::new(),
            busy: BTreeSet::new(),
            last_id: OperationId::default(),
            term: None,
            adopts_from: Instant::ZERO,
            next_scan: Instant::ZERO,
            full_scans: FullScans::default(),
            orphans: BTreeSet::new(),
            events: VecDeque::new(),
            stats: ClaimStats::default(),
        }
    }

    /// Returns the epoch in which this node owns a room.
    pub fn epoch_of(&self, room: &RoomName) -> Option<Epoch> {
        match self.rooms.get(room)? {
            RoomClaim::Owned(revision) => Some(epoch(*revision)),
            RoomClaim::Suspended => None,
        }
    }

    /// Returns the epoch in which this node may speak for a room at `now`; `None` if it does not
    /// own the room, or has not its lease. Check it before each frame.
    pub fn speaks(&self, now: Instant, lease: &Lease, room: &RoomName) -> Option<Epoch> {
        let is_term = lease.may_speak(now) && self.term == Some(lease.term());
        self.epoch_of(room).filter(|_| is_term)
    }

    /// Returns the nodes that were registered at the last scan.
    pub fn members(&self) -> &Members {
        &self.members
    }

    /// Returns the counters.
    pub fn stats(&self) -> ClaimStats {
        self.stats
    }

    /// Finds the owner of a room, and places the room if it has none. The result is an event.
    /// Does nothing while the room is being located.
    pub fn locate(&mut self, room: RoomName) {
        self.search(room, Search::Place(None));
    }

    /// Same as [`locate`](Self::locate). A room that is placed has this template.
    pub fn locate_with(&mut self, room: RoomName, template: Option<RoomName>) {
        self.search(room, Search::Place(template));
    }

    /// Finds the owner of a room. If it has none, this node becomes the owner, whatever its
    /// capacity.
    pub fn claim(&mut self, room: RoomName, template: Option<RoomName>) {
        self.search(room, Search::Claim(template));
    }

    /// Finds the owner of a room. If it has none, the event is [`ClaimEvent::Unowned`]. Does
    /// nothing while the room is being located.
    pub fn find(&mut self, room: RoomName) {
        self.search(room, Search::Owner);
    }

    fn search(&mut self, room: RoomName, search: Search) {
        if self.queue.len() >= ROOMS_MAX {
            self.events.push_back(ClaimEvent::Unavailable(room));
        } else if self.busy.insert(room.clone()) {
            self.read(room, search);
        }
    }

    /// Returns the rooms that this node owns, or has owned until its lease ended.
    pub fn rooms(&self) -> impl Iterator<Item = &RoomName> {
        self.rooms.keys()
    }

    /// Removes a room that has ended on this node from the directory. Returns false, and does
    /// nothing, while the room is being located or is suspended: call it again later.
    pub fn release(&mut self, room: &RoomName) -> bool {
        let Some(&claim) = self.rooms.get(room) else { return true };
        let RoomClaim::Owned(expected) = claim else { return false };
        if !self.busy.insert(room.clone()) {
            return false;
        }
        self.rooms.remove(room);
        let operation = Operation::Remove { key: EntryKey::Room(room.clone()), expected };
        self.queue.push_back((Purpose::Release(room.clone()), operation));
        true
    }

    /// Makes another node the owner of a room, which goes on from the snapshot that this node has
    /// stored. This node does not speak for the room any more. The result is an event: the room is
    /// [handed over](ClaimEvent::HandedOver) or [lost](ClaimEvent::Lost), or this node
    /// [owns](ClaimEvent::Owned) it again because the directory does not respond. Returns false,
    /// and does nothing, while the room is being located, or if this node does not own it.
    pub fn hand_over(&mut self, room: &RoomName, to: ClusterNodeId, template: RoomName) -> bool {
        let Some(&RoomClaim::Owned(expected)) = self.rooms.get(room) else { return false };
        if !self.busy.insert(room.clone()) {
            return false;
        }
        let template = Some(template);
        let record = RoomRecord { owner: to, is_open: false, is_moved: true, template };
        let (key, value) = (EntryKey::Room(room.clone()), record.encode());
        let operation = Operation::Put { key, value, expected: Some(expected), lifetime: None };
        self.queue.push_back((Purpose::HandOver(room.clone()), operation));
        // Before the other node can own it.
        self.rooms.insert(room.clone(), RoomClaim::Suspended);
        true
    }

    /// Removes and returns the oldest event.
    pub fn next_event(&mut self) -> Option<ClaimEvent> {
        self.events.pop_front()
    }

    /// Returns the next request. Call it until it returns `None`. Without a lease nothing is
    /// requested, since nothing that is written would be owned.
    pub fn poll_request(&mut self, now: Instant, lease: &Lease) -> Option<Request> {
        self.follow(lease, now);
        self.expire(now);
        self.term?;
        if now >= self.next_scan {
            self.next_scan = now + SCAN_INTERVAL;
            self.scan();
        }
        let (purpose, operation) = self.queue.pop_front()?;
        let id = self.last_id.advance();
        self.pending.insert(id, (now, purpose));
        Some(Request { id, operation })
    }

    /// Handles the result of a request. One that has timed out is ignored.
    pub fn handle_result(
        &mut self,
        now: Instant,
        lease: &Lease,
        id: OperationId,
        result: Result<OperationOutcome, Unavailable>,
    ) {
        self.follow(lease, now);
        let Some((_, purpose)) = self.pending.remove(&id) else { return };
        match (purpose, result) {
            (purpose, Err(Unavailable)) => self.fail(purpose),
            (Purpose::Find(room, search), Ok(OperationOutcome::Entry(entry))) => {
                self.found(room, search, entry);
            }
            (Purpose::Check(room, record, revision), Ok(OperationOutcome::Entry(owner))) => {
                if owner.is_some() {
                    self.elsewhere(room, record, revision);
                } else if now < self.adopts_from {
                    self.finish(room, ClaimEvent::Unavailable);
                } else {
                    self.write(room, self.here(record), Some(revision), WriteCause::Adopted);
                }
            }
            (Purpose::Adopt(room, ..), Ok(OperationOutcome::Entry(Some(_)))) => {
                self.busy.remove(&room);
            }
            (Purpose::Adopt(room, record, revision), Ok(OperationOutcome::Entry(None))) => {
                self.write(room, self.here(record), Some(revision), WriteCause::Adopted);
            }
            (Purpose::Write(room, record, cause), Ok(OperationOutcome::Written(revision))) => {
                self.written(room, record, revision, cause);
            }
            (Purpose::Write(room, record, cause), Ok(OperationOutcome::Conflict)) => {
                self.stats.conflicts += 1;
                self.read(
                    room,
                    match cause {
                        WriteCause::Placed => Search::Place(record.template),
                        WriteCause::Opened
                        | WriteCause::Moved
                        | WriteCause::Adopted
                        | WriteCause::Regained => Search::Owner,
                    },
                );
            }
            (Purpose::HandOver(room), Ok(OperationOutcome::Written(_))) => {
                self.stats.moved += 1;
                self.rooms.remove(&room);
                self.finish(room, ClaimEvent::HandedOver);
            }
            (Purpose::HandOver(room), Ok(OperationOutcome::Conflict)) => {
                self.stats.conflicts += 1;
                self.read(room, Search::Owner);
            }
            (Purpose::Release(room), Ok(_)) => {
                self.busy.remove(&room);
            }
            (Purpose::Scan, Ok(OperationOutcome::Entries(nodes))) => {
                self.handle_scan(now, nodes);
            }
            (Purpose::ReadRooms, Ok(OperationOutcome::Entries(rooms))) => self.handle_rooms(rooms),
            (Purpose::ReadNodes(rooms), Ok(OperationOutcome::Entries(nodes))) => {
                self.handle_nodes(rooms, nodes);
            }
            (purpose, Ok(_)) => self.fail(purpose),
        }
    }

    /// Returns the time at which [`poll_request`](Self::poll_request) is due.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let expires = self.pending.values().map(|&(sent, _)| sent + REQUEST_TIMEOUT).min();
        let scan = self.term.map(|_| self.next_scan);
        expires.into_iter().chain(scan).min()
    }

    /// Suspends rooms when the term ends, and claims them anew in the next one.
    fn follow(&mut self, lease: &Lease, now: Instant) {
        let term = lease.may_speak(now).then(|| lease.term());
        if term == self.term {
            return;
        }
        self.term = term;
        for (room, claim) in &mut self.rooms {
            if *claim != RoomClaim::Suspended {
                *claim = RoomClaim::Suspended;
                self.events.push_back(ClaimEvent::Suspended(room.clone()));
            }
        }
        // What was requested in the earlier term may have been overtaken by another node.
        self.busy.clear();
        let queued = std::mem::take(&mut self.queue).into_iter().map(|(purpose, _)| purpose);
        let pending = std::mem::take(&mut self.pending).into_values().map(|(_, purpose)| purpose);
        let abandoned: Vec<_> = queued.chain(pending).collect();
        abandoned.into_iter().for_each(|purpose| self.fail(purpose));
        if term.is_some() {
            if lease.lost() > 0 {
                self.adopts_from = now + RETURN_TIME;
            }
            let suspended: Vec<_> = self.rooms.keys().cloned().collect();
            suspended.into_iter().for_each(|room| self.locate(room));
        }
    }

    /// Abandons requests that the directory has not answered.
    fn expire(&mut self, now: Instant) {
        while let Some(first) = self.pending.first_entry()
            && now.saturating_since(first.get().0) >= REQUEST_TIMEOUT
        {
            let (_, purpose) = first.remove();
            self.fail(purpose);
        }
    }

    fn fail(&mut self, purpose: Purpose) {
        self.stats.unanswered += 1;
        if let Purpose::ReadRooms | Purpose::ReadNodes(_) = purpose {
            self.full_scans.repeat();
        }
        let (Purpose::Find(room, _)
        | Purpose::Check(room, ..)
        | Purpose::Adopt(room, ..)
        | Purpose::Write(room, ..)
        | Purpose::HandOver(room)
        | Purpose::Release(room)) = purpose
        else {
            return;
        };
        self.busy.remove(&room);
        if self.rooms.get(&room) == Some(&RoomClaim::Suspended) {
            self.locate(room);
        } else {
            self.events.push_back(ClaimEvent::Unavailable(room));
        }
    }
}

/// Returns the nodes of a list.
fn members(nodes: Vec<(EntryKey, Entry)>, malformed: &mut u64) -> Members {
    let mut members = Members::new();
    for (key, entry) in nodes {
        match (key, NodeRecord::decode(&entry.value)) {
            (EntryKey::Node(node), Some(record)) => {
                members.insert(node, record);
            }
            _ => *malformed += 1,
        }
    }
    members
}
