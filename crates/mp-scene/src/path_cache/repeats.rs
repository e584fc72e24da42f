//! The schedule of repeated path announcements.

use std::collections::BTreeSet;

use mp_core::{Instant, PeerId};

use crate::limits::{PATH_CHECKS_MAX, PATH_REPEAT_INTERVAL, PATH_REPEATS_MAX};

/// Schedule of repeats for unconfirmed path ids.
///
/// Per [`PATH_REPEAT_INTERVAL`] at most [`PATH_REPEATS_MAX`] announcements are repeated and
/// [`PATH_CHECKS_MAX`] ids are taken, for all peers together. Ids beyond a limit stay in the
/// schedule. The earliest due is taken first, so no id starves.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    due: BTreeSet<(Instant, PeerId, u32)>,
    /// End of the interval to which `repeats` and `checks` apply.
    until: Instant,
    /// Number of announcements repeated in this interval.
    repeats: usize,
    /// Number of ids checked for a repeat during this interval.
    checks: usize,
}

impl Repeats {
    pub(super) fn insert(&mut self, due: Instant, peer: PeerId, id: u32) {
        self.due.insert((due, peer, id));
    }

    pub(super) fn remove(&mut self, due: Instant, peer: PeerId, id: u32) {
        self.due.remove(&(due, peer, id));
    }

    /// Removes and returns the id that is due first; `None` if none is due, or a limit is reached.
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

    /// Counts a repeated announcement.
    pub(super) fn count(&mut self) {
        self.repeats += 1;
    }

    /// Returns the time of the next [`take`](Self::take) that returns an id.
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
