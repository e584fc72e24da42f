//! Subscriptions to a branch's signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use mp_scene::Signal;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

use crate::limits::SIGNALS_WAITING_MAX;

/// A subscription to a branch's signals, in order. It ends when the branch does.
///
/// A branch waits for nobody: of what comes while [`SIGNALS_WAITING_MAX`] signals wait here, this subscriber misses the
/// newest, and [`missed`](Self::missed) counts them. Who may not miss any uses the builder's hooks, which run in the branch's
/// turn. Packets of open [channels](crate::BranchRef::channel) are not among the signals.
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
        self.0.retain(|(sender, missed)| match sender.try_send(signal.clone()) {
            Ok(()) => true,
            Err(TrySendError::Full(_)) => {
                missed.fetch_add(1, Ordering::Relaxed);
                true
            }
            Err(TrySendError::Closed(_)) => false,
        });
    }
}
