//! What waits for one link, within bounds.
#![expect(clippy::exhaustive_structs, reason = "it says nothing but that the queue is full")]

use std::collections::VecDeque;

use crate::limits::{QUEUED_PACKET_OVERHEAD, RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX};
use crate::{TransferMode, queued_bytes};

/// The packets that wait for one link, in the order they were accepted.
///
/// * Unreliable ones: [`UNRELIABLE_QUEUE_BYTES_MAX`]. Beyond it the oldest are dropped and [counted](Self::drops); the
///   newest stays, however large.
/// * Reliable ones: [`RELIABLE_QUEUE_BYTES_MAX`]. Beyond it [`push`](Self::push) says [`QueueFull`], and the link has to
///   end, since a reliable packet is never dropped.
///
/// Each packet counts [`QUEUED_PACKET_OVERHEAD`] more than its bytes, so that empty packets are bounded too.
#[derive(Debug)]
pub struct SendQueue<T> {
    reliable: Budgeted<T>,
    unreliable: Budgeted<T>,
    next: u64,
    drops: u64,
}

/// A link's reliable packets passed [`RELIABLE_QUEUE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("more than {RELIABLE_QUEUE_BYTES_MAX} reliable bytes wait for one link; end it")]
pub struct QueueFull;

impl<T> SendQueue<T> {
    /// An empty queue.
    pub const fn new() -> Self {
        Self { reliable: Budgeted::new(), unreliable: Budgeted::new(), next: 0, drops: 0 }
    }

    /// Appends `item`, a packet of `len` bytes, which `connections` connections queue together.
    ///
    /// # Errors
    ///
    /// When it is reliable and does not fit; it is then not in the queue.
    pub fn push(
        &mut self,
        mode: TransferMode,
        len: usize,
        connections: usize,
        item: T,
    ) -> Result<(), QueueFull> {
        let bytes = len + QUEUED_PACKET_OVERHEAD;
        let entry = Entry { order: self.next, bytes, held: queued_bytes(len, connections), item };
        if mode.is_reliable() {
            if self.reliable.bytes + bytes > RELIABLE_QUEUE_BYTES_MAX {
                return Err(QueueFull);
            }
            self.reliable.push(entry);
        } else {
            self.unreliable.push(entry);
            while self.unreliable.bytes > UNRELIABLE_QUEUE_BYTES_MAX
                && self.unreliable.entries.len() > 1
            {
                self.unreliable.pop();
                self.drops += 1;
            }
        }
        self.next += 1;
        Ok(())
    }

    /// Takes the oldest packet.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_before(self.next)
    }

    /// Takes the oldest packet, when it was accepted before `mark`.
    pub fn pop_before(&mut self, mark: u64) -> Option<T> {
        let (reliable, unreliable) = (self.reliable.oldest(), self.unreliable.oldest());
        if reliable.min(unreliable) >= mark {
            None
        } else if reliable < unreliable {
            self.reliable.pop()
        } else {
            self.unreliable.pop()
        }
    }

    /// Drops the unreliable packets accepted before `mark` and says how many they were; [`drops`](Self::drops) does not
    /// count them.
    pub fn discard_unreliable_before(&mut self, mark: u64) -> u64 {
        let mut discarded = 0;
        while self.unreliable.oldest() < mark {
            self.unreliable.pop();
            discarded += 1;
        }
        discarded
    }

    /// Drops everything, uncounted: for a link that ends.
    pub fn clear(&mut self) {
        self.reliable = Budgeted::new();
        self.unreliable = Budgeted::new();
    }

    /// The end of the queue as it is now, for [`pop_before`](Self::pop_before).
    pub const fn mark(&self) -> u64 {
        self.next
    }

    /// Whether a packet accepted before `mark` waits.
    pub fn has_before(&self, mark: u64) -> bool {
        self.reliable.oldest().min(self.unreliable.oldest()) < mark
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.reliable.entries.is_empty() && self.unreliable.entries.is_empty()
    }

    /// How many packets wait.
    pub fn len(&self) -> usize {
        self.reliable.entries.len() + self.unreliable.entries.len()
    }

    /// Bytes that wait, without the overhead.
    pub fn bytes(&self) -> usize {
        self.reliable.payload_bytes() + self.unreliable.payload_bytes()
    }

    /// Memory in bytes that waits, with the overhead; of a packet that several connections queue
    /// together this one's part.
    pub const fn held_bytes(&self) -> usize {
        self.reliable.held + self.unreliable.held
    }

    /// Unreliable packets dropped for want of room since the queue was made.
    pub const fn drops(&self) -> u64 {
        self.drops
    }
}

impl<T> Default for SendQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Packets of one kind.
#[derive(Debug)]
struct Budgeted<T> {
    entries: VecDeque<Entry<T>>,
    bytes: usize,
    held: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// Its place in the common order.
    order: u64,
    /// Its bytes with the overhead.
    bytes: usize,
    /// Memory that it takes, see [`SendQueue::held_bytes`].
    held: usize,
    item: T,
}

impl<T> Budgeted<T> {
    const fn new() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, held: 0 }
    }

    fn push(&mut self, entry: Entry<T>) {
        self.bytes += entry.bytes;
        self.held += entry.held;
        self.entries.push_back(entry);
    }

    fn pop(&mut self) -> Option<T> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        self.held -= entry.held;
        Some(entry.item)
    }

    /// Place of the oldest; beyond every mark when there is none.
    fn oldest(&self) -> u64 {
        self.entries.front().map_or(u64::MAX, |entry| entry.order)
    }

    fn payload_bytes(&self) -> usize {
        self.bytes - self.entries.len() * QUEUED_PACKET_OVERHEAD
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TransferMode::{Reliable, Unreliable};

    #[test]
    fn packets_leave_in_the_order_they_were_accepted_whatever_their_mode() {
        let mut queue = SendQueue::new();
        for (number, mode) in [Reliable, Unreliable, Unreliable, Reliable].into_iter().enumerate() {
            queue.push(mode, 10, 1, number).unwrap();
        }
        assert_eq!((queue.len(), queue.bytes()), (4, 40));
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_mark_separates_what_came_before_it() {
        let mut queue = SendQueue::new();
        queue.push(Reliable, 1, 1, "before").unwrap();
        let mark = queue.mark();
        queue.push(Unreliable, 1, 1, "after").unwrap();
        assert_eq!(queue.pop_before(mark), Some("before"));
        assert_eq!(queue.pop_before(mark), None);
        assert!(!queue.has_before(mark));
        assert_eq!(queue.pop(), Some("after"));
    }

    #[test]
    fn the_oldest_unreliable_packets_make_room_and_are_counted() {
        let mut queue = SendQueue::new();
        queue.push(Reliable, 1, 1, 1_000).unwrap();
        let fit = UNRELIABLE_QUEUE_BYTES_MAX / (1_024 + QUEUED_PACKET_OVERHEAD);
        for number in 0..fit + 3 {
            queue.push(Unreliable, 1_024, 1, number).unwrap();
        }
        assert_eq!(queue.drops(), 3);
        assert_eq!(queue.pop(), Some(1_000), "a reliable packet is never dropped");
        assert_eq!(queue.pop(), Some(3));
    }

    #[test]
    fn a_large_unreliable_packet_is_not_dropped_for_itself() {
        let mut queue = SendQueue::new();
        queue.push(Unreliable, 10, 1, "small").unwrap();
        queue.push(Unreliable, UNRELIABLE_QUEUE_BYTES_MAX * 2, 1, "large").unwrap();
        assert_eq!(queue.drops(), 1);
        assert_eq!(queue.pop(), Some("large"));
    }

    #[test]
    fn empty_packets_are_bounded_too() {
        let mut queue = SendQueue::new();
        let fit = RELIABLE_QUEUE_BYTES_MAX / QUEUED_PACKET_OVERHEAD;
        for _ in 0..fit {
            queue.push(Reliable, 0, 1, ()).unwrap();
        }
        assert_eq!(queue.push(Reliable, 0, 1, ()), Err(QueueFull));
        queue.pop();
        assert_eq!(queue.push(Reliable, 0, 1, ()), Ok(()));
    }

    #[test]
    fn discarding_leaves_reliable_packets_and_later_ones() {
        let mut queue = SendQueue::new();
        queue.push(Unreliable, 1, 1, 0).unwrap();
        queue.push(Reliable, 1, 1, 1).unwrap();
        let mark = queue.mark();
        queue.push(Unreliable, 1, 1, 2).unwrap();
        assert_eq!(queue.discard_unreliable_before(mark), 1);
        assert_eq!(queue.drops(), 0);
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn a_packet_of_several_connections_takes_a_part_of_its_memory_in_each() {
        let mut queue = SendQueue::new();
        queue.push(Reliable, 1_000, 10, ()).unwrap();
        queue.push(Unreliable, 500, 1, ()).unwrap();
        assert_eq!((queue.bytes(), queue.held_bytes()), (1_500, 600 + 2 * QUEUED_PACKET_OVERHEAD));
        queue.pop();
        assert_eq!(queue.held_bytes(), 500 + QUEUED_PACKET_OVERHEAD);
        queue.clear();
        assert_eq!(queue.held_bytes(), 0);
    }
}
