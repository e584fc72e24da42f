//! The memory of queues that are empty again.

use std::collections::VecDeque;

use super::Sender;

impl Sender {
    /// Frees the memory that an idle peer does not need.
    pub(crate) fn release(&mut self) {
        self.control.shrink_to(CONTROL_KEPT);
        self.control_again.shrink_to(0);
        self.reliable.shrink_to(0);
        self.reliable_again.shrink_to(0);
        self.unreliable.shrink_to(0);
        self.in_flight.release();
    }
}

/// Frees the memory of an empty queue that was much longer than those of a game's frame. A player
/// who joins a room is sent an announcement of each other player at once.
pub(super) fn release_queue<T>(queue: &mut VecDeque<T>) {
    if queue.is_empty() && queue.capacity() > QUEUE_KEPT {
        *queue = VecDeque::new();
    }
}

/// Capacity that an empty queue keeps until its peer is idle.
pub(super) const QUEUE_KEPT: usize = 64;
/// Capacity for control commands that an idle peer keeps: the minimum of a queue.
const CONTROL_KEPT: usize = 4;
