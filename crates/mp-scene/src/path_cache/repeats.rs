//! The announcements of numbers that are to be repeated, in the order in which they are due.

use std::collections::BTreeSet;

use mp_core::{Instant, PeerId};

use crate::limits::{PATH_CHECKS_MAX, PATH_REPEAT_INTERVAL, PATH_REPEATS_MAX};

/// Schedule of the numbers that peers have not confirmed.
///
/// Bounds: [`PATH_REPEATS_MAX`] announcements and [`PATH_CHECKS_MAX`] numbers taken per
/// [`PATH_REPEAT_INTERVAL`], for all peers together. Numbers above a bound stay in the schedule,
/// and those that were due first are taken first. So each number is taken by the time at which all
/// that were due before it are.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    due: BTreeSet<(Instant, PeerId, u32)>,
    /// End of the interval that `repeats` and `checks` are counted in.
    until: Instant,
    /// Announcements repeated in this interval.
    repeats: usize,
    /// Numbers taken in this interval.
    checks: usize,
}

impl Repeats {
    pub(super) fn insert(&mut self, due: Instant, peer: PeerId, id: u32) {
        self.due.insert((due, peer, id));
    }

    pub(super) fn remove(&mut self, due: Instant, peer: PeerId, id: u32) {
        self.due.remove(&(due, peer, id));
    }

    /// Takes the number that was due first; `None` when none is due, or a bound is reached.
    pub(super) fn take(&mut self, now: Instant) -> Option<(PeerId, u32)> {
        if now >= self.until {
            (self.until, self.repeats, self.checks) = (now + PATH_REPEAT_INTERVAL, 0, 0);
        }
        if self.is_spent() || self.due.first().is_none_or(|&(due, ..)| due > now) {
            return None;
        }
        self.checks += 1;
        self.due.pop_first().map(|(_, peer, id)| (peer, id))
    }

    /// Counts an announcement that is repeated.
    pub(super) fn count(&mut self) {
        self.repeats += 1;
    }

    /// Returns when [`take`](Self::take) has a number.
    pub(super) fn next(&self) -> Option<Instant> {
        let &(due, ..) = self.due.first()?;
        Some(if self.is_spent() { due.max(self.until) } else { due })
    }

    fn is_spent(&self) -> bool {
        self.repeats >= PATH_REPEATS_MAX || self.checks >= PATH_CHECKS_MAX
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }
}
