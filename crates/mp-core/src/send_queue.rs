//! The bounded send queue of a connection.
#![expect(clippy::exhaustive_structs, reason = "the error has no data")]

use std::collections::VecDeque;

use crate::limits::{QUEUED_PACKET_OVERHEAD, RELIABLE_QUEUE_BYTES_MAX, UNRELIABLE_QUEUE_BYTES_MAX};
use crate::{TransferMode, queued_bytes};

/// The packets that are queued for one connection, in the order they were accepted.
///
/// * Unreliable packets: up to [`UNRELIABLE_QUEUE_BYTES_MAX`]. Beyond the limit the oldest are
///   dropped and [counted](Self::drops). The newest stays, whatever its size.
/// * Reliable packets: up to [`RELIABLE_QUEUE_BYTES_MAX`]. Beyond the limit [`push`](Self::push)
///   returns [`QueueFull`], and the caller has to close the connection, since a reliable packet is
///   never dropped.
///
/// Each packet counts as its bytes plus [`QUEUED_PACKET_OVERHEAD`], so that empty packets are
/// bounded too.
#[derive(Debug)]
pub struct SendQueue<T> {
    reliable: Budgeted<T>,
    unreliable: Budgeted<T>,
    next: u64,
    drops: u64,
}

/// The reliable packets of a connection exceed [`RELIABLE_QUEUE_BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "more than {RELIABLE_QUEUE_BYTES_MAX} reliable bytes are queued for one connection; close it"
)]
pub struct QueueFull;

impl<T> SendQueue<T> {
    /// Returns an empty queue.
    pub const fn new() -> Self {
        Self { reliable: Budgeted::new(), unreliable: Budgeted::new(), next: 0, drops: 0 }
    }

    /// Appends `item`, a packet of `len` bytes whose payload `connections` connections share.
    ///
    /// # Errors
    ///
    /// If the packet is reliable and does not fit. It is then not queued.
    pub fn push(
        &mut self,
        mode: TransferMode,
        len: usize,
        connections: usize,
        item: T,
    ) -> Result<(), QueueFull> {
        let bytes = len + QUEUED_PACKET_OVERHEAD;
        let entry = Entry { order: self.next, bytes, memory: queued_bytes(len, connections), item };
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

    /// Removes and returns the oldest packet.
    pub fn pop(&mut self) -> Option<T> {
        self.pop_before(self.next)
    }

    /// Removes and returns the oldest packet if it was accepted before `mark`.
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

    /// Drops the unreliable packets that were accepted before `mark` and returns their number.
    /// [`drops`](Self::drops) does not count them.
    pub fn discard_unreliable_before(&mut self, mark: u64) -> u64 {
        let mut discarded = 0;
        while self.unreliable.oldest() < mark {
            self.unreliable.pop();
            discarded += 1;
        }
        discarded
    }

    /// Drops all packets without counting them, for a connection that ends.
    pub fn clear(&mut self) {
        self.reliable = Budgeted::new();
        self.unreliable = Budgeted::new();
    }

    /// Returns a mark at the current end of the queue, for [`pop_before`](Self::pop_before).
    pub const fn mark(&self) -> u64 {
        self.next
    }

    /// Returns whether a packet that was accepted before `mark` is queued.
    pub fn has_before(&self, mark: u64) -> bool {
        self.reliable.oldest().min(self.unreliable.oldest()) < mark
    }

    /// Returns whether the queue is empty.
    pub fn is_empty(&self) -> bool {
        self.reliable.entries.is_empty() && self.unreliable.entries.is_empty()
    }

    /// Returns the number of queued packets.
    pub fn len(&self) -> usize {
        self.reliable.entries.len() + self.unreliable.entries.len()
    }

    /// Returns the queued payload bytes, without the overhead.
    pub fn bytes(&self) -> usize {
        self.reliable.payload_bytes() + self.unreliable.payload_bytes()
    }

    /// Returns the memory of the queued packets in bytes, with the overhead. A payload that several
    /// connections share is divided between them.
    pub const fn memory_bytes(&self) -> usize {
        self.reliable.memory + self.unreliable.memory
    }

    /// Returns the number of unreliable packets that were dropped because the queue was full.
    pub const fn drops(&self) -> u64 {
        self.drops
    }
}

impl<T> Default for SendQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// The packets of one kind, reliable or unreliable.
#[derive(Debug)]
struct Budgeted<T> {
    entries: VecDeque<Entry<T>>,
    bytes: usize,
    memory: usize,
}

#[derive(Debug)]
struct Entry<T> {
    /// Position in the common order of both kinds.
    order: u64,
    /// Payload bytes plus overhead.
    bytes: usize,
    /// Memory in bytes, see [`SendQueue::memory_bytes`].
    memory: usize,
    item: T,
}

impl<T> Budgeted<T> {
    const fn new() -> Self {
        Self { entries: VecDeque::new(), bytes: 0, memory: 0 }
    }

    fn push(&mut self, entry: Entry<T>) {
        self.bytes += entry.bytes;
        self.memory += entry.memory;
        self.entries.push_back(entry);
    }

    fn pop(&mut self) -> Option<T> {
        let entry = self.entries.pop_front()?;
        self.bytes -= entry.bytes;
        self.memory -= entry.memory;
        Some(entry.item)
    }

    /// Returns the position of the oldest packet, or `u64::MAX` when there is none.
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
    fn packets_of_all_modes_leave_in_the_order_they_were_accepted() {
        let mut queue = SendQueue::new();
        for (number, mode) in [Reliable, Unreliable, Unreliable, Reliable].into_iter().enumerate() {
            queue.push(mode, 10, 1, number).unwrap();
        }
        assert_eq!((queue.len(), queue.bytes()), (4, 40));
        assert_eq!(std::iter::from_fn(|| queue.pop()).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert!(queue.is_empty());
    }

    #[test]
    fn mark_separates_earlier_packets_from_later_ones() {
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
    fn full_queue_drops_and_counts_the_oldest_unreliable_packets() {
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
    fn oversized_unreliable_packet_is_kept_as_the_newest() {
        let mut queue = SendQueue::new();
        queue.push(Unreliable, 10, 1, "small").unwrap();
        queue.push(Unreliable, UNRELIABLE_QUEUE_BYTES_MAX * 2, 1, "large").unwrap();
        assert_eq!(queue.drops(), 1);
        assert_eq!(queue.pop(), Some("large"));
    }

    #[test]
    fn empty_packets_are_bounded() {
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
    fn discarding_keeps_reliable_and_later_packets() {
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
    fn memory_of_a_shared_packet_is_divided_between_its_connections() {
        let mut queue = SendQueue::new();
        queue.push(Reliable, 1_000, 10, ()).unwrap();
        queue.push(Unreliable, 500, 1, ()).unwrap();
        assert_eq!(
            (queue.bytes(), queue.memory_bytes()),
            (1_500, 600 + 2 * QUEUED_PACKET_OVERHEAD)
        );
        queue.pop();
        assert_eq!(queue.memory_bytes(), 500 + QUEUED_PACKET_OVERHEAD);
        queue.clear();
        assert_eq!(queue.memory_bytes(), 0);
    }
}
