//! Queue of scheduled events.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use mp_core::{Instant, Rng};

/// Events ordered by time. Events of the same instant have a random order.
#[derive(Debug)]
pub(crate) struct EventQueue<E> {
    entries: BinaryHeap<Reverse<Entry<E>>>,
    rng: Rng,
    count: u64,
}

#[derive(Debug)]
struct Entry<E> {
    at: Instant,
    tie: u32,
    /// Insertion number; decides if two random ties are equal.
    number: u64,
    event: E,
}

impl<E> EventQueue<E> {
    /// Creates an empty queue.
    pub(crate) fn new(rng: Rng) -> Self {
        Self { entries: BinaryHeap::new(), rng, count: 0 }
    }

    /// Schedules `event` at a time.
    pub(crate) fn push(&mut self, at: Instant, event: E) {
        let tie = self.rng.next_u32();
        self.count += 1;
        self.entries.push(Reverse(Entry { at, tie, number: self.count, event }));
    }

    /// Removes and returns the next event, or `None` if it is after `until`.
    pub(crate) fn pop(&mut self, until: Instant) -> Option<(Instant, E)> {
        if self.entries.peek()?.0.at > until {
            return None;
        }
        self.entries.pop().map(|Reverse(entry)| (entry.at, entry.event))
    }
}

impl<E> Entry<E> {
    const fn key(&self) -> (Instant, u32, u64) {
        (self.at, self.tie, self.number)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_ordered_by_time_and_ties_by_the_seed() {
        let order = |seed| {
            let mut event_queue = EventQueue::new(Rng::seed_from_u64(seed));
            for event in 0..20 {
                event_queue.push(Instant::from_millis(5), event);
            }
            event_queue.push(Instant::from_millis(4), 99);
            event_queue.push(Instant::from_millis(6), 100);
            let until = Instant::from_millis(5);
            std::iter::from_fn(|| event_queue.pop(until))
                .map(|(_, event)| event)
                .collect::<Vec<_>>()
        };
        assert_eq!(order(1)[0], 99);
        assert_eq!(order(1).len(), 21, "later events stay queued");
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
    }
}
