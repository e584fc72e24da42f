//! The connections of a peer, by slot, timer and pending flush.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::{ConnectionId, Instant, SharedLimit, queued_bytes};
use slab::Slab;

use crate::io::ByteStream;
use crate::limits::SUSPENSION_MIN;
use crate::link::Link;

/// Connections in slots. A slot is reused, with a new generation.
#[derive(Debug)]
pub(crate) struct Links<S> {
    slots: Slab<Link<S>>,
    /// Number of connections that have used each slot.
    generations: Vec<u32>,
    timers: BTreeSet<(Instant, usize)>,
    dirty: Vec<usize>,
    handshaking: usize,
    /// Limit of the waiting bytes of all connections.
    waiting: SharedLimit,
}

impl<S: ByteStream> Links<S> {
    /// Returns an empty table. `waiting` limits the waiting bytes of all connections.
    pub(crate) fn new(waiting: SharedLimit) -> Self {
        Self {
            slots: Slab::new(),
            generations: Vec::new(),
            timers: BTreeSet::new(),
            dirty: Vec::new(),
            handshaking: 0,
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
    pub(crate) fn insert(&mut self, link: Link<S>) {
        self.handshaking += 1;
        let slot = self.slots.insert(link);
        self.note(slot);
    }

    pub(crate) fn remove(&mut self, slot: usize) -> Option<Link<S>> {
        let link = self.slots.try_remove(slot)?;
        self.generations[slot] = self.generations[slot].wrapping_add(1);
        self.handshaking -= usize::from(link.is_handshaking);
        self.waiting.replace(link.waiting, 0);
        if let Some(timer) = link.timer {
            self.timers.remove(&(timer, slot));
        }
        Some(link)
    }

    pub(crate) fn get(&self, connection: ConnectionId) -> Option<&Link<S>> {
        let link = self.slots.get(connection.slot as usize)?;
        Some(link).filter(|link| link.connection.id() == connection)
    }

    pub(crate) fn get_mut(&mut self, connection: ConnectionId) -> Option<&mut Link<S>> {
        let link = self.slots.get_mut(connection.slot as usize)?;
        Some(link).filter(|link| link.connection.id() == connection)
    }

    pub(crate) fn at(&mut self, slot: usize) -> Option<&mut Link<S>> {
        self.slots.get_mut(slot)
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = usize> {
        self.slots.iter().map(|(slot, _)| slot)
    }

    /// Updates handshake count, flush list, timer and waiting bytes of a connection after it
    /// changed.
    pub(crate) fn note(&mut self, slot: usize) {
        let Some(link) = self.slots.get_mut(slot) else {
            mp_core::bug!("something was done with slot {slot}, which has no connection");
            return;
        };
        if link.is_handshaking && link.connection.was_connected() {
            link.is_handshaking = false;
            self.handshaking -= 1;
        }
        if !link.is_dirty && link.has_output() {
            link.is_dirty = true;
            self.dirty.push(slot);
        }
        self.note_timer(slot);
    }

    /// Updates the timer and the waiting bytes of a connection.
    pub(crate) fn note_timer(&mut self, slot: usize) {
        let Some(link) = self.slots.get_mut(slot) else {
            mp_core::bug!("slot {slot} is to have a timer, but has no connection");
            return;
        };
        let waiting = link.waiting_bytes();
        self.waiting.replace(link.waiting, waiting);
        link.waiting = waiting;
        let due = link.connection.due();
        if due != link.timer {
            if let Some(timer) = link.timer {
                self.timers.remove(&(timer, slot));
            }
            if let Some(due) = due {
                self.timers.insert((due, slot));
            }
            link.timer = due;
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
    pub(crate) fn forgive_suspension(&mut self, now: Instant) {
        let Some(time) = self.next_due().and_then(|due| suspension(due, now)) else { return };
        for slot in self.slots().collect::<Vec<_>>() {
            if let Some(link) = self.at(slot) {
                link.connection.postpone_timeouts(time);
            }
            self.note_timer(slot);
        }
    }

    /// Returns the time of the first timer.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// Returns whether the waiting bytes of a connection are within the limits.
    pub(crate) fn is_within_limit(&self, slot: usize) -> bool {
        self.slots.get(slot).is_none_or(|link| self.waiting.allows(link.waiting, 0))
    }

    /// Returns whether a packet of `len` bytes, whose payload `connections` connections share, may
    /// wait for a full socket.
    pub(crate) fn may_wait(&self, slot: usize, len: usize, connections: usize) -> bool {
        let link = self.slots.get(slot);
        link.is_none_or(|link| self.waiting.allows(link.waiting, queued_bytes(len, connections)))
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
