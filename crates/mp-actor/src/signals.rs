//! Subscriptions to a branch's signals.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use mp_scene::Signal;
use tokio::sync::mpsc;

use crate::limits::{SIGNALS_RESERVED, SIGNALS_WAITING_MAX};

/// A subscription to a branch's signals, in order. It ends when the branch does.
///
/// A branch waits for nobody: of what comes while [`SIGNALS_WAITING_MAX`] signals wait here (packets: [`SIGNALS_RESERVED`]
/// fewer), this subscriber misses the newest, and [`missed`](Self::missed) counts them. Who may not miss any uses the
/// builder's hooks, which run in the branch's turn. Packets of open [channels](crate::BranchRef::channel), and
/// those that an [authenticator](crate::Launch::authenticate) takes, are not among the signals.
#[derive(Debug)]
pub struct Signals {
    waiting: mpsc::Receiver<Signal>,
    missed: Arc<AtomicU64>,
}

impl Signals {
    /// The next signal; `None` when the branch has ended. Dropping the future loses none.
    pub async fn next(&mut self) -> Option<Signal> {
        self.waiting.recv().await
    }

    /// The next signal if one waits.
    pub fn try_next(&mut self) -> Option<Signal> {
        self.waiting.try_recv().ok()
    }

    /// Signals that this subscriber did not get because it was slow.
    pub fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }
}

/// Same as [`next`](Self::next).
impl Stream for Signals {
    type Item = Signal;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Signal>> {
        self.get_mut().waiting.poll_recv(cx)
    }
}

/// Those who are told.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<(mpsc::Sender<Signal>, Arc<AtomicU64>)>);

impl Subscribers {
    pub(crate) fn add(&mut self) -> Signals {
        let (sender, waiting) = mpsc::channel(SIGNALS_WAITING_MAX);
        let missed = Arc::new(AtomicU64::new(0));
        self.0.push((sender, Arc::clone(&missed)));
        Signals { waiting, missed }
    }

    pub(crate) fn tell(&mut self, signal: &Signal) {
        let is_packet = matches!(signal, Signal::PeerPacket { .. } | Signal::PeerAuth { .. });
        let reserved = if is_packet { SIGNALS_RESERVED } else { 0 };
        self.0.retain(|(sender, missed)| {
            // Nobody else sends: what fits now is taken.
            let fits = sender.capacity() > reserved && sender.try_send(signal.clone()).is_ok();
            if !fits {
                missed.fetch_add(1, Ordering::Relaxed);
            }
            !sender.is_closed()
        });
    }
}
