//! [`Schedule`]: which of many machines have something to do.

use std::collections::{BTreeMap, BTreeSet};

use mp_core::Instant;

/// The machines that have changed since their last visit, and the times at which the others are
/// due. A visit costs as much as the logarithm of their number.
#[derive(Debug)]
pub(crate) struct Schedule<K> {
    changed: BTreeSet<K>,
    /// The time at which each machine is due, if it has one.
    due: BTreeMap<K, Instant>,
    /// The same, by time.
    times: BTreeSet<(Instant, K)>,
}

impl<K: Copy + Ord> Schedule<K> {
    pub(crate) fn new() -> Self {
        Self { changed: BTreeSet::new(), due: BTreeMap::new(), times: BTreeSet::new() }
    }

    /// Records that a machine has changed: it is visited next.
    pub(crate) fn change(&mut self, key: K) {
        self.changed.insert(key);
    }

    /// Returns the machines that have changed.
    pub(crate) fn changed(&self) -> impl Iterator<Item = K> {
        self.changed.iter().copied()
    }

    /// Returns the machines to visit at `now`, in the order of their keys: those that have changed
    /// and those that are due. They stay changed until they are [settled](Self::settle).
    pub(crate) fn visits(&mut self, now: Instant) -> Vec<K> {
        while let Some(&(at, key)) = self.times.first()
            && at <= now
        {
            self.times.pop_first();
            self.due.remove(&key);
            self.changed.insert(key);
        }
        self.changed().collect()
    }

    /// Records that a machine has done everything, and is due at `due` unless it changes before.
    pub(crate) fn settle(&mut self, key: K, due: Option<Instant>) {
        self.remove(key);
        if let Some(due) = due {
            self.due.insert(key, due);
            self.times.insert((due, key));
        }
    }

    pub(crate) fn remove(&mut self, key: K) {
        self.changed.remove(&key);
        if let Some(due) = self.due.remove(&key) {
            self.times.remove(&(due, key));
        }
    }

    /// Returns the time of the next visit.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        match self.changed.is_empty() {
            true => self.times.first().map(|&(at, _)| at),
            false => Some(Instant::ZERO),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn machines_are_visited_when_they_have_changed_or_are_due() {
        let at = Instant::from_millis;
        let mut schedule = Schedule::new();
        schedule.change(3);
        schedule.change(1);
        assert_eq!(schedule.poll_timeout(), Some(Instant::ZERO));
        assert_eq!(schedule.visits(at(1)), [1, 3]);
        schedule.settle(1, Some(at(20)));
        assert_eq!(schedule.visits(at(1)), [3], "it is not settled");
        schedule.settle(3, Some(at(10)));
        schedule.settle(2, None);
        assert_eq!(schedule.poll_timeout(), Some(at(10)));
        assert_eq!(schedule.visits(at(9)), [0; 0]);
        assert_eq!(schedule.visits(at(30)), [1, 3]);
        schedule.settle(1, Some(at(40)));
        // Settled anew: the earlier time does not count.
        schedule.settle(1, Some(at(50)));
        schedule.remove(3);
        assert_eq!(schedule.poll_timeout(), Some(at(50)));
        schedule.remove(1);
        assert_eq!(schedule.visits(at(90)), [0; 0]);
        assert_eq!(schedule.poll_timeout(), None);
    }
}
