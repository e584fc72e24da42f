//! The connections of a peer: by slot, by peer id and by timer.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;

use mp_core::{ConnectionId, Instant, PeerId};
use slab::Slab;

use crate::connection::{Connection, Progress};
use crate::limits::{CLOSING_MAX, HALF_OPEN_PER_ADDRESS_MAX};

/// The connections of a peer.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    slots: Slab<Slot>,
    /// Number of connections that have used each slot.
    generations: Vec<u32>,
    peers: BTreeMap<PeerId, usize>,
    timers: BTreeSet<(Instant, usize)>,
    dirty: Vec<usize>,
    /// Connections whose channels are not all open: those with the least progress first, and of
    /// equal progress the oldest. The last field is the slot.
    opening: BTreeSet<(Progress, u64, usize)>,
    /// Total number of connections inserted.
    inserted: u64,
    /// Slots of connections that have ended and still send datagrams, oldest first.
    closing: VecDeque<(usize, ConnectionId)>,
}

#[derive(Debug)]
struct Slot {
    connection: Connection,
    timer: Instant,
    is_dirty: bool,
    /// Number in the order of insertion.
    number: u64,
    /// Progress until the channels are open.
    progress: Progress,
}

impl Connections {
    /// Returns the id of the next connection to be inserted.
    pub(crate) fn next_id(&mut self) -> ConnectionId {
        let slot = self.slots.vacant_key();
        if self.generations.len() == slot {
            self.generations.push(0);
        }
        ConnectionId { slot: slot as u32, generation: self.generations[slot] }
    }

    /// Inserts a connection with the id returned by [`next_id`](Self::next_id). Returns its slot.
    pub(crate) fn insert(&mut self, connection: Connection) -> usize {
        let peer = connection.peer();
        let timer = connection.due();
        let number = self.inserted;
        self.inserted += 1;
        let progress = connection.progress();
        let slot = Slot { connection, timer, is_dirty: false, number, progress };
        let slot = self.slots.insert(slot);
        self.opening.insert((progress, number, slot));
        self.timers.insert((timer, slot));
        self.peers.insert(peer, slot);
        slot
    }

    /// Returns the slot of a peer's connection.
    pub(crate) fn slot_of(&self, peer: PeerId) -> Option<usize> {
        self.peers.get(&peer).copied()
    }

    /// Returns the peers and their slots, by id.
    pub(crate) fn peers(&self) -> impl Iterator<Item = (PeerId, usize)> {
        self.peers.iter().map(|(&peer, &slot)| (peer, slot))
    }

    /// Returns the number of connections whose channels are all open.
    pub(crate) fn open_count(&self) -> usize {
        self.peers.len() - self.opening.len()
    }

    /// Returns the slot of the opening connection that another one must replace, if there is one.
    ///
    /// An IP address that already has [`HALF_OPEN_PER_ADDRESS_MAX`] replaces its own, so that it
    /// cannot replace those of others. Otherwise, at `most` of all, the one with the least progress
    /// is replaced, so that a flood of peers that never connect replaces itself.
    pub(crate) fn replaced_by(&self, requested_by: Option<IpAddr>, most: usize) -> Option<usize> {
        let of_address = |&&(_, _, slot): &&(Progress, u64, usize)| {
            let by = self.at(slot).and_then(Connection::requested_by);
            by.is_some() && by == requested_by
        };
        let mut own = self.opening.iter().filter(of_address);
        let first_own = own.next();
        let first = match own.nth(HALF_OPEN_PER_ADDRESS_MAX - 2) {
            Some(_) => first_own,
            None => self.opening.first().filter(|_| self.opening.len() >= most),
        };
        first.map(|&(_, _, slot)| slot)
    }

    pub(crate) fn get(&self, id: ConnectionId) -> Option<&Connection> {
        let slot = self.slots.get(id.slot as usize)?;
        Some(&slot.connection).filter(|connection| connection.id() == id)
    }

    pub(crate) fn at(&self, slot: usize) -> Option<&Connection> {
        self.slots.get(slot).map(|slot| &slot.connection)
    }

    pub(crate) fn at_mut(&mut self, slot: usize) -> Option<&mut Connection> {
        self.slots.get_mut(slot).map(|slot| &mut slot.connection)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|(slot, _)| slot)
    }

    /// Marks a connection as having packets to send.
    pub(crate) fn mark_dirty(&mut self, slot: usize) {
        if let Some(entry) = self.slots.get_mut(slot)
            && !std::mem::replace(&mut entry.is_dirty, true)
        {
            self.dirty.push(slot);
        }
    }

    /// Returns the slots of connections with packets to send, and resets their marks.
    pub(crate) fn take_dirty(&mut self) -> Vec<usize> {
        for &slot in &self.dirty {
            if let Some(entry) = self.slots.get_mut(slot) {
                entry.is_dirty = false;
            }
        }
        std::mem::take(&mut self.dirty)
    }

    /// Updates the timer and the state of a connection after an operation on it.
    pub(crate) fn update(&mut self, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot) else {
            mp_core::bug!("something was done with slot {slot}, which has no connection");
            return;
        };
        let progress = entry.connection.progress();
        if !entry.connection.is_opening() {
            self.opening.remove(&(entry.progress, entry.number, slot));
        } else if progress != entry.progress {
            self.opening.remove(&(entry.progress, entry.number, slot));
            self.opening.insert((progress, entry.number, slot));
            entry.progress = progress;
        }
        let due = entry.connection.due();
        if due != entry.timer {
            self.timers.remove(&(entry.timer, slot));
            self.timers.insert((due, slot));
            entry.timer = due;
        }
    }

    /// Returns the slots whose timer is due.
    pub(crate) fn due(&self, now: Instant) -> Vec<usize> {
        self.timers.iter().take_while(|&&(due, _)| due <= now).map(|&(_, slot)| slot).collect()
    }

    /// Returns the time of the next timer.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// Removes the peer id of a connection that has ended. The connection stays until it has sent
    /// its last datagrams. Returns the slot of the oldest closing connection if there are too many,
    /// which must be removed.
    pub(crate) fn retire(&mut self, slot: usize) -> Option<usize> {
        let connection = &self.slots.get(slot)?.connection;
        let (peer, id) = (connection.peer(), connection.id());
        if self.peers.get(&peer) == Some(&slot) {
            self.peers.remove(&peer);
        }
        self.closing.push_back((slot, id));
        if self.closing.len() <= CLOSING_MAX {
            return None;
        }
        let (oldest, id) = self.closing.pop_front()?;
        self.at(oldest).filter(|connection| connection.id() == id).map(|_| oldest)
    }

    /// Removes a connection.
    pub(crate) fn remove(&mut self, slot: usize) -> Option<Connection> {
        let entry = self.slots.try_remove(slot)?;
        self.generations[slot] = self.generations[slot].wrapping_add(1);
        self.opening.remove(&(entry.progress, entry.number, slot));
        self.timers.remove(&(entry.timer, slot));
        self.closing.retain(|&(closing, _)| closing != slot);
        Some(entry.connection)
    }
}
