//! Subscriptions to a branch's signals.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use mp_scene::Signal;
use tokio::sync::mpsc;

use crate::limits::{SIGNAL_QUEUE_MAX, SIGNALS_RESERVED};

/// A subscription to a branch's signals, in order. It ends with the branch.
///
/// Up to [`SIGNAL_QUEUE_MAX`] signals are queued, or [`SIGNALS_RESERVED`] fewer if the next is a
/// packet. Beyond that this subscriber misses the newest, and [`missed`](Self::missed) counts them;
/// the branch never waits. To miss none, use the builder's hooks, which run in the branch's turn.
/// Packets of open [channels](crate::BranchRef::channel), and packets for an
/// [authenticator](crate::BranchStarter::authenticate), are not reported as signals.
#[derive(Debug)]
pub struct Signals {
    queue: mpsc::Receiver<Signal>,
    missed: Arc<AtomicU64>,
}

impl Signals {
    /// Returns the next signal, or `None` when the branch has ended. Cancel safe: dropping the
    /// future loses no signal.
    pub async fn next(&mut self) -> Option<Signal> {
        self.queue.recv().await
    }

    /// Returns the next signal if one is queued.
    pub fn try_next(&mut self) -> Option<Signal> {
        self.queue.try_recv().ok()
    }

    /// Returns the number of signals that this subscriber missed because its queue was full.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// Same as [`next`](Self::next).
impl Stream for Signals {
    type Item = Signal;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Signal>> {
        self.get_mut().queue.poll_recv(cx)
    }
}

/// The subscribers of a branch.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<(mpsc::Sender<Signal>, Arc<AtomicU64>)>);

impl Subscribers {
    pub(crate) fn add(&mut self) -> Signals {
        let (sender, queue) = mpsc::channel(SIGNAL_QUEUE_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        self.0.push((sender, Arc::clone(&missed)));
        Signals { queue, missed }
    }

    pub(crate) fn send(&mut self, signal: &Signal) {
        let is_packet = matches!(signal, Signal::PeerPacket { .. } | Signal::PeerAuth { .. });
        let reserved = if is_packet { SIGNALS_RESERVED } else { 0 };
        self.0.retain(|(sender, missed)| {
            // This is the only sender, so the capacity cannot shrink in between.
            let fits = sender.capacity() > reserved && sender.try_send(signal.clone()).is_ok();
            if !fits {
                missed.fetch_add(1, Ordering::Relaxed);
            }
            !sender.is_closed()
        });
    }
}
