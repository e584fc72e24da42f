//! The connections of a peer, by slot, timer and pending flush.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::{ConnectionId, Instant, SharedLimit, queued_bytes};
use slab::Slab;

use crate::connection_io::ConnectionIo;
use crate::io::ByteStream;
use crate::limits::SUSPENSION_MIN;

/// Connections in slots. A slot is reused, with a new generation.
#[derive(Debug)]
pub(crate) struct ConnectionTable<S> {
    slots: Slab<ConnectionIo<S>>,
    /// Number of connections that have used each slot.
    generations: Vec<u32>,
    timers: BTreeSet<(Instant, usize)>,
    dirty: Vec<usize>,
    handshaking: usize,
    /// Number of handshakes that were completed.
    completed: u64,
    /// Limit of the waiting bytes of all connections.
    waiting: SharedLimit,
}

impl<S: ByteStream> ConnectionTable<S> {
    /// Returns an empty table. `waiting` limits the waiting bytes of all connections.
    pub(crate) fn new(waiting: SharedLimit) -> Self {
        Self {
            slots: Slab::new(),
            generations: Vec::new(),
            timers: BTreeSet::new(),
            dirty: Vec::new(),
            handshaking: 0,
            completed: 0,
            waiting,
        }
    }

    /// Returns the id of the next connection to insert.
    pub(crate) fn next_id(&mut self) -> ConnectionId {
        let slot = self.slots.vacant_key();
        if self.generations.len() == slot {
            self.generations.push(0);
        }
        ConnectionId { slot: slot as u32, generation: self.generations[slot] }
    }

    /// Adds a connection, whose id must be [`next_id`](Self::next_id).
    pub(crate) fn insert(&mut self, entry: ConnectionIo<S>) {
        self.handshaking += 1;
        let slot = self.slots.insert(entry);
        self.update(slot);
    }

    pub(crate) fn remove(&mut self, slot: usize) -> Option<ConnectionIo<S>> {
        let entry = self.slots.try_remove(slot)?;
        self.generations[slot] = self.generations[slot].wrapping_add(1);
        self.handshaking -= usize::from(entry.is_handshaking);
        self.waiting.replace(entry.waiting, 0);
        if let Some(timer) = entry.timer {
            self.timers.remove(&(timer, slot));
        }
        Some(entry)
    }

    pub(crate) fn get(&self, connection: ConnectionId) -> Option<&ConnectionIo<S>> {
        let entry = self.slots.get(connection.slot as usize)?;
        Some(entry).filter(|entry| entry.connection.id() == connection)
    }

    pub(crate) fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut ConnectionIo<S>> {
        let entry = self.slots.get_mut(connection.slot as usize)?;
        Some(entry).filter(|entry| entry.connection.id() == connection)
    }

    pub(crate) fn at(&mut self, slot: usize) -> Option<&mut ConnectionIo<S>> {
        self.slots.get_mut(slot)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|(slot, _)| slot)
    }

    /// Updates handshake count, flush list, timer and waiting bytes of a connection after it
    /// changed.
    pub(crate) fn update(&mut self, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot) else {
            mp_core::bug!("something was done with slot {slot}, which has no connection");
            return;
        };
        if entry.is_handshaking && entry.connection.was_connected() {
            entry.is_handshaking = false;
            self.handshaking -= 1;
            self.completed += u64::from(!entry.connection.is_text());
        }
        if !entry.is_dirty && entry.has_output() {
            entry.is_dirty = true;
            self.dirty.push(slot);
        }
        self.update_timer(slot);
    }

    /// Updates the timer and the waiting bytes of a connection.
    pub(crate) fn update_timer(&mut self, slot: usize) {
        let Some(entry) = self.slots.get_mut(slot) else {
            mp_core::bug!("slot {slot} is to have a timer, but has no connection");
            return;
        };
        let waiting = entry.waiting_bytes();
        self.waiting.replace(entry.waiting, waiting);
        entry.waiting = waiting;
        let due = entry.due();
        if due != entry.timer {
            if let Some(timer) = entry.timer {
                self.timers.remove(&(timer, slot));
            }
            if let Some(due) = due {
                self.timers.insert((due, slot));
            }
            entry.timer = due;
        }
    }

    /// Removes and returns the slots to flush.
    pub(crate) fn take_dirty(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.dirty)
    }

    /// Returns the list of [`take_dirty`](Self::take_dirty) to reuse its memory, with the slots
    /// that remain to be flushed.
    pub(crate) fn put_dirty(&mut self, mut dirty: Vec<usize>) {
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    /// Returns the slot of the first timer that has expired at `now`.
    pub(crate) fn due(&self, now: Instant) -> Option<usize> {
        self.timers.first().filter(|&&(due, _)| due <= now).map(|&(_, slot)| slot)
    }

    /// Postpones the timeouts of remote peers if the first timer fires so late that this process
    /// was suspended: their bytes may not have been read yet.
    pub(crate) fn postpone_timeouts(&mut self, now: Instant) {
        let Some(time) = self.next_due().and_then(|due| suspension(due, now)) else { return };
        for slot in self.slots().collect::<Vec<_>>() {
            if let Some(entry) = self.at(slot) {
                entry.connection.postpone_timeouts(time);
            }
            self.update_timer(slot);
        }
    }

    /// Returns the time of the first timer.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// Returns whether the waiting bytes of a connection are within the limits.
    pub(crate) fn is_within_limit(&self, slot: usize) -> bool {
        self.slots.get(slot).is_none_or(|entry| self.waiting.allows(entry.waiting, 0))
    }

    /// Returns whether a packet of `len` bytes, whose payload `connections` connections share, may
    /// wait for a full socket.
    pub(crate) fn may_wait(&self, slot: usize, len: usize, connections: usize) -> bool {
        let entry = self.slots.get(slot);
        entry.is_none_or(|entry| self.waiting.allows(entry.waiting, queued_bytes(len, connections)))
    }

    /// Returns the connections.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ConnectionIo<S>> {
        self.slots.iter().map(|(_, entry)| entry)
    }

    /// Returns the number of handshakes that were completed, without those of text sessions.
    pub(crate) fn completed(&self) -> u64 {
        self.completed
    }

    /// Returns the number of connections whose handshake is not complete.
    pub(crate) fn handshaking(&self) -> usize {
        self.handshaking
    }
}

/// Returns the time to add to timeouts when one that was `due` expires at `now`: the delay, and a
/// moment to read bytes received meanwhile. `None` if the process was not suspended.
pub(crate) fn suspension(due: Instant, now: Instant) -> Option<Duration> {
    let late = now - due;
    (late >= SUSPENSION_MIN).then(|| late + SUSPENSION_MIN)
}
