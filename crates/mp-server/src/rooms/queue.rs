//! [`JoinQueue`]: the way of joins from the routers to the task that owns the rooms.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use mp_rooms::{Join, ListenerConnection, RoomRegistry};
use tokio::sync::mpsc;

/// A message of a router.
#[derive(Debug)]
pub(crate) enum Arrival {
    Join(Join),
    Left(ListenerConnection),
}

/// The sender of joins. Clones share the queue.
///
/// Each connection causes at most two messages, a join and its end, so the queue has a place for
/// both from the join on, and ends are never lost.
#[derive(Clone, Debug)]
pub(crate) struct JoinQueue {
    sender: mpsc::Sender<Arrival>,
    /// Connections whose join was queued and whose end the receiver has not handled.
    open: Arc<AtomicUsize>,
}

/// The receiver of joins.
#[derive(Debug)]
pub(crate) struct Arrivals {
    receiver: mpsc::Receiver<Arrival>,
    open: Arc<AtomicUsize>,
}

impl JoinQueue {
    pub(crate) fn new() -> (Self, Arrivals) {
        let (sender, receiver) = mpsc::channel(2 * CONNECTIONS_MAX);
        let open = Arc::new(AtomicUsize::new(0));
        (Self { sender, open: Arc::clone(&open) }, Arrivals { receiver, open })
    }
}

impl RoomRegistry for JoinQueue {
    fn join(&mut self, join: Join) -> bool {
        let has_place = |open| (open < CONNECTIONS_MAX).then_some(open + 1);
        if self.open.fetch_update(Ordering::Relaxed, Ordering::Relaxed, has_place).is_err() {
            tracing::debug!("a join is refused: too many connections");
            return false;
        }
        self.sender.try_send(Arrival::Join(join)).is_ok()
    }

    fn leave(&mut self, connection: ListenerConnection) {
        if let Err(mpsc::error::TrySendError::Full(_)) =
            self.sender.try_send(Arrival::Left(connection))
        {
            mp_core::bug!("the queue has no place for the end of {connection}");
        }
    }
}

impl Arrivals {
    /// Waits for messages and appends them to `buffer`, at most [`ARRIVALS_PER_TURN`].
    pub(crate) async fn receive(&mut self, buffer: &mut Vec<Arrival>) {
        self.receiver.recv_many(buffer, ARRIVALS_PER_TURN).await;
        let ended = buffer.iter().filter(|it| matches!(it, Arrival::Left(_))).count();
        self.open.fetch_sub(ended, Ordering::Relaxed);
    }
}

/// Maximum number of connections of all endpoints: 16 full ENet hosts. Further ones are refused.
const CONNECTIONS_MAX: usize = 65_536;
/// Messages handled before other events: some milliseconds of work.
const ARRIVALS_PER_TURN: usize = 1_024;

#[cfg(test)]
mod tests {
    use mp_core::ConnectionId;
    use mp_rooms::{JoinRefusal, ListenerId};

    use super::*;

    fn join(number: usize) -> Join {
        let connection = ConnectionId { slot: number as u32, generation: 0 };
        let connection = ListenerConnection { listener: ListenerId(0), connection };
        Join::new(connection, None, Err(JoinRefusal::NoRoomSelected))
    }

    #[test]
    fn full_queue_refuses_joins_and_loses_no_end() {
        let (mut queue, mut arrivals) = JoinQueue::new();
        for number in 0..CONNECTIONS_MAX {
            assert!(queue.join(join(number)));
        }
        assert!(!queue.join(join(CONNECTIONS_MAX)));
        for number in 0..CONNECTIONS_MAX {
            queue.leave(join(number).connection);
        }
        assert!(!queue.join(join(CONNECTIONS_MAX)), "no end was handled");
        let mut received = Vec::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            while received.len() < 2 * CONNECTIONS_MAX {
                let mut buffer = Vec::new();
                arrivals.receive(&mut buffer).await;
                received.append(&mut buffer);
            }
        });
        assert!(matches!(received.last(), Some(Arrival::Left(_))));
        assert!(queue.join(join(CONNECTIONS_MAX)));
    }
}
