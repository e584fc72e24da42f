//! The links of a peer: by slot, by what is due and by what waits to be flushed.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::{ConnectionId, Instant, SharedLimit, queued_bytes};
use slab::Slab;

use crate::io::ByteStream;
use crate::limits::SUSPENSION_MIN;
use crate::link::Link;

/// Links in slots. A slot is used again, its generation is not.
#[derive(Debug)]
pub(crate) struct Links<S> {
    slots: Slab<Link<S>>,
    /// For each slot, how many links have used it.
    generations: Vec<u32>,
    timers: BTreeSet<(Instant, usize)>,
    dirty: Vec<usize>,
    handshaking: usize,
    /// The limit on the waiting bytes of all.
    waiting: SharedLimit,
}

impl<S: ByteStream> Links<S> {
    /// No links. `waiting` limits the waiting bytes of all.
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

    /// The id of the next link that is inserted.
    pub(crate) fn next_id(&mut self) -> ConnectionId {
        let slot = self.slots.vacant_key();
        if self.generations.len() == slot {
            self.generations.push(0);
        }
        ConnectionId { slot: slot as u32, generation: self.generations[slot] }
    }

    /// Adds a link, which has the [next id](Self::next_id).
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

    /// Notes what a link wants after something was done with it: to be flushed, to be called at a time.
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

    /// Notes when a link is due, and how many bytes wait for it.
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

    /// Those that wait to be flushed; they wait no more.
    pub(crate) fn take_dirty(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.dirty)
    }

    /// Gives the list back for its memory, with those that still wait.
    pub(crate) fn put_dirty(&mut self, mut dirty: Vec<usize>) {
        dirty.append(&mut self.dirty);
        self.dirty = dirty;
    }

    /// The first that is due at `now`.
    pub(crate) fn due(&self, now: Instant) -> Option<usize> {
        self.timers.first().filter(|&&(due, _)| due <= now).map(|&(_, slot)| slot)
    }

    /// Postpones what counts against remote peers when the first timer fires so late that this
    /// process was suspended: their bytes may not have been read yet.
    pub(crate) fn forgive_suspension(&mut self, now: Instant) {
        let Some(time) = self.next_due().and_then(|due| suspension(due, now)) else { return };
        for slot in self.slots().collect::<Vec<_>>() {
            if let Some(link) = self.at(slot) {
                link.connection.postpone_timeouts(time);
            }
            self.note_timer(slot);
        }
    }

    /// When the first one is due.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.timers.first().map(|&(due, _)| due)
    }

    /// Returns whether the waiting bytes of a link are within the limit of all.
    pub(crate) fn is_within_limit(&self, slot: usize) -> bool {
        self.slots.get(slot).is_none_or(|link| self.waiting.allows(link.waiting, 0))
    }

    /// Returns whether a packet of `len` bytes, which `connections` links queue together, may wait
    /// for a link.
    pub(crate) fn may_wait(&self, slot: usize, len: usize, connections: usize) -> bool {
        let link = self.slots.get(slot);
        link.is_none_or(|link| self.waiting.allows(link.waiting, queued_bytes(len, connections)))
    }

    /// How many have not got through their handshake.
    pub(crate) fn handshaking(&self) -> usize {
        self.handshaking
    }
}

/// Time to add to timeouts when one that was `due` is noticed at `now`: what this process missed and
/// a moment to read what was received meanwhile. `None` when it was not suspended.
pub(crate) fn suspension(due: Instant, now: Instant) -> Option<Duration> {
    let late = now - due;
    (late >= SUSPENSION_MIN).then(|| late + SUSPENSION_MIN)
}
