//! [`Inbox`]: the events of a node that it has not received yet.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use bytes::Bytes;

use super::{BusEvent, BusMessageKind, BusStats};
use crate::limits::{BUS_QUEUE_BYTES_MAX, BUS_QUEUE_MESSAGES_MAX, FRAME_BYTES_MAX};

/// A queue of messages, and the state of the connection, with counters. Clones share it; one of
/// them receives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Inbox(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    messages: VecDeque<(BusMessageKind, Bytes)>,
    bytes: usize,
    is_connected: bool,
    /// The state of the connection that the node has received. Changes in between coalesce.
    reported: bool,
    stats: BusStats,
    waker: Option<Waker>,
}

impl Inbox {
    /// Queues a message that was received, or drops and counts it.
    pub(crate) fn push(&self, kind: BusMessageKind, bytes: Bytes) {
        let mut state = self.lock();
        state.stats.received_messages += 1;
        state.stats.received_bytes += bytes.len() as u64;
        if bytes.len() > FRAME_BYTES_MAX {
            state.stats.too_long += 1;
        } else if state.messages.len() >= BUS_QUEUE_MESSAGES_MAX
            || state.bytes + bytes.len() > BUS_QUEUE_BYTES_MAX
        {
            state.stats.receive_queue_full += 1;
        } else {
            state.bytes += bytes.len();
            state.messages.push_back((kind, bytes));
            wake(state);
        }
    }

    /// Sets whether the bus is connected.
    pub(crate) fn set_connected(&self, is_connected: bool) {
        let mut state = self.lock();
        if state.is_connected != is_connected {
            state.is_connected = is_connected;
            state.stats.disconnections += u64::from(!is_connected);
            wake(state);
        }
    }

    /// Returns whether the bus is connected.
    pub(crate) fn is_connected(&self) -> bool {
        self.lock().is_connected
    }

    /// Changes the counters of messages that the node sends.
    pub(crate) fn count(&self, change: impl FnOnce(&mut BusStats)) {
        change(&mut self.lock().stats);
    }

    pub(crate) fn stats(&self) -> BusStats {
        self.lock().stats
    }

    /// Waits for the next event. Changes of the connection come first.
    pub(crate) async fn recv(&mut self) -> BusEvent {
        poll_fn(|context| {
            let mut state = self.lock();
            if state.reported != state.is_connected {
                state.reported = state.is_connected;
                let is_connected = state.is_connected;
                let event = if is_connected { BusEvent::Connected } else { BusEvent::Disconnected };
                return Poll::Ready(event);
            }
            if let Some((kind, bytes)) = state.messages.pop_front() {
                state.bytes -= bytes.len();
                return Poll::Ready(BusEvent::Message(kind, bytes));
            }
            state.waker = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes the task that receives, after the lock is released.
fn wake(mut state: MutexGuard<'_, State>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}
