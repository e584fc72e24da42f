//! [`Shared`]: the state that a branch's actor shares with its handles.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use actix::prelude::*;
use dashmap::DashMap;
use mp_core::{BranchId, BranchRate, PeerId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, watch};

use crate::arbiter_guard::{ArbiterGuard, WeakArbiterGuard};
use crate::error::{CallError, EndReason};
use crate::limits::{CLOSE_TIMEOUT, PENDING_CALLS_MAX};
use crate::peer::PeerRef;
use crate::scene_tree::Directory;

/// Statistics of a branch's actor since it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchActorStats {
    /// Turns in which an endpoint's mailbox was full, so that messages were delayed.
    pub blocked_turns: u64,
    /// Calls rejected because too many were pending.
    pub busy_calls: u64,
    /// AUTH packets that no [authenticator](crate::BranchStarter::authenticate) handled: the peer's
    /// queue was full and the peer was rejected, or the peer was admitted or disconnected before.
    pub dropped_auth_packets: u64,
    /// Peers rejected because their authenticator failed or panicked.
    pub failed_authentications: u64,
}

/// The state that a branch's actor shares with its handles.
pub(crate) struct Shared {
    id: BranchId,
    root_path: String,
    /// True if the branch authenticated its peers when it started.
    authenticates: bool,
    mailbox: usize,
    /// Total of the branch's connections; `None`: no limit.
    rate: Option<BranchRate>,
    guard: WeakArbiterGuard,
    /// Permits for pending calls.
    calls: Arc<Semaphore>,
    ended: watch::Sender<Option<EndReason>>,
    /// Each endpoint has a receiver, which it drops when it has disconnected its peers.
    endpoints: watch::Sender<()>,
    /// True if the branch has ended, and its endpoints have disconnected their peers or timed out.
    is_closed: watch::Sender<bool>,
    /// Actors of the peers that are connected or authenticate.
    pub(crate) peers: DashMap<PeerId, PeerRef>,
    /// Directories in which the branch is registered.
    listings: Mutex<BTreeMap<String, Vec<Weak<Directory>>>>,
    pub(crate) blocked_turns: AtomicU64,
    busy_calls: AtomicU64,
    pub(crate) dropped_auth_packets: AtomicU64,
    failed_authentications: AtomicU64,
}

impl Shared {
    pub(crate) fn new(
        id: BranchId,
        root_path: String,
        authenticates: bool,
        mailbox: usize,
        rate: Option<BranchRate>,
        guard: WeakArbiterGuard,
    ) -> Self {
        Self {
            id,
            root_path,
            authenticates,
            mailbox,
            rate,
            guard,
            calls: Arc::new(Semaphore::new(PENDING_CALLS_MAX)),
            ended: watch::Sender::new(None),
            endpoints: watch::Sender::new(()),
            is_closed: watch::Sender::new(false),
            // The default of 4 shards per core would make thousands of branches large.
            peers: DashMap::with_shard_amount(2),
            listings: Mutex::default(),
            blocked_turns: AtomicU64::new(0),
            busy_calls: AtomicU64::new(0),
            dropped_auth_packets: AtomicU64::new(0),
            failed_authentications: AtomicU64::new(0),
        }
    }

    /// Returns the statistics of the branch's actor.
    pub(super) fn actor_stats(&self) -> BranchActorStats {
        BranchActorStats {
            blocked_turns: self.blocked_turns.load(Ordering::Relaxed),
            busy_calls: self.busy_calls.load(Ordering::Relaxed),
            dropped_auth_packets: self.dropped_auth_packets.load(Ordering::Relaxed),
            failed_authentications: self.failed_authentications.load(Ordering::Relaxed),
        }
    }

    /// Returns the total of the branch's connections.
    pub(super) fn rate(&self) -> Option<BranchRate> {
        self.rate.clone()
    }

    pub(crate) fn authenticates(&self) -> bool {
        self.authenticates
    }

    /// Returns a guard of the branch's thread while it runs.
    pub(super) fn guard(&self) -> Option<ArbiterGuard> {
        self.guard.upgrade()
    }

    /// Returns a receiver that an endpoint holds while it serves the branch.
    pub(super) fn alive(&self) -> watch::Receiver<()> {
        self.endpoints.subscribe()
    }

    /// Takes the permit of a call, if fewer than [`PENDING_CALLS_MAX`] are pending.
    pub(super) fn try_begin_call(&self) -> Result<OwnedSemaphorePermit, CallError> {
        Arc::clone(&self.calls).try_acquire_owned().map_err(|error| match error {
            TryAcquireError::Closed => CallError::Ended,
            TryAcquireError::NoPermits => {
                self.busy_calls.fetch_add(1, Ordering::Relaxed);
                CallError::Busy
            }
        })
    }

    /// Takes the permit of a call as soon as fewer than [`PENDING_CALLS_MAX`] are pending.
    pub(super) async fn begin_call(&self) -> Result<OwnedSemaphorePermit, CallError> {
        Arc::clone(&self.calls).acquire_owned().await.map_err(|_| CallError::Ended)
    }

    pub(super) fn count_failed_authentication(&self) {
        self.failed_authentications.fetch_add(1, Ordering::Relaxed);
    }

    /// Records that the branch has ended: rejects calls, removes it from directories and notifies
    /// waiting handles.
    pub(crate) fn end(&self, ended: EndReason) {
        self.peers.clear();
        self.calls.close();
        let listings = std::mem::take(&mut *self.listings());
        for (root, directories) in listings {
            for directory in directories.iter().filter_map(Weak::upgrade) {
                directory.forget(&root, self.id);
            }
        }
        self.ended.send_replace(Some(ended));
    }

    /// Waits for the endpoints of a branch that has ended, then marks it as closed.
    pub(crate) fn close_after_endpoints(self: &Arc<Self>, arbiter: &ArbiterHandle) {
        let closing = CloseGuard(Arc::clone(self));
        // If the arbiter has been stopped the future is dropped.
        arbiter.spawn(async move {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing.0.endpoints.closed()).await;
        });
    }

    /// Remembers a directory from which the branch has to be removed.
    pub(crate) fn listed(&self, root: &str, directory: &Arc<Directory>) {
        let mut listings = self.listings();
        listings.entry(root.to_owned()).or_default().push(Arc::downgrade(directory));
    }

    pub(crate) fn id(&self) -> BranchId {
        self.id
    }

    pub(crate) fn root_path(&self) -> &str {
        &self.root_path
    }

    pub(crate) fn mailbox(&self) -> usize {
        self.mailbox
    }

    pub(crate) fn ended(&self) -> Option<EndReason> {
        self.ended.borrow().clone()
    }

    /// Waits until the branch has ended.
    pub(super) async fn until_ended(&self) -> EndReason {
        // The sender is alive, so the wait cannot fail.
        let _ = self.ended.subscribe().wait_for(Option::is_some).await;
        self.ended().unwrap_or(EndReason::Stopped)
    }

    /// Waits until the branch has ended and is marked as closed.
    pub(super) async fn until_closed(&self) -> EndReason {
        // The sender is alive, so the wait cannot fail.
        let _ = self.is_closed.subscribe().wait_for(|&is_closed| is_closed).await;
        self.ended().unwrap_or(EndReason::Stopped)
    }

    fn listings(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Weak<Directory>>>> {
        self.listings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guard that marks a branch as closed when it is dropped, even if the branch's thread is
/// stopped.
struct CloseGuard(Arc<Shared>);

impl Drop for CloseGuard {
    fn drop(&mut self) {
        self.0.is_closed.send_replace(true);
    }
}
