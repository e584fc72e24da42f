//! [`BranchRef`]: a handle to a running branch. `caller` calls the branch, `shared` is what its
//! actor shares with handles, `endpoints` adds transports.

mod caller;
mod endpoints;
mod shared;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use actix::prelude::*;
use mp_core::{BranchId, Channel, PeerId, TransferMode};
use mp_scene::{Handover, Scene, Snapshot, SnapshotError};

pub(crate) use self::caller::BranchCaller;
pub use self::shared::BranchActorStats;
pub(crate) use self::shared::Shared;
use crate::branch::BranchActor;
use crate::channel::{ChannelMessage, ChannelRef, open_channel};
use crate::error::{CallError, ChannelError, EndReason};
use crate::limits::PEER_STATS_BATCH;
use crate::mail::{Close, control};
use crate::peer::PeerRef;
use crate::peer_stats::PeerStats;
use crate::signals::Signals;

/// A handle to a running branch on any thread. Clones refer to the same branch, which
/// [closes](Self::close) when the last one is dropped.
///
/// A branch ends when it is closed, when its last endpoint closes, or when code of the program
/// panics in it. [`closed`](Self::closed) returns which.
#[derive(Clone)]
pub struct BranchRef(Arc<Handle>);

impl BranchRef {
    /// Runs `call` with the branch's scene, on the branch's thread, and returns its result.
    ///
    /// Packets that `call` sends are flushed at the end of the branch's turn. `call` runs even if
    /// the returned future is dropped after it was polled. If `call` panics, the branch ends.
    ///
    /// # Errors
    ///
    /// [`CallError::Busy`] if [`PENDING_CALLS_MAX`](crate::limits::PENDING_CALLS_MAX) calls are
    /// pending; [`CallError::Ended`].
    pub async fn with<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.0.caller.with(call).await
    }

    /// Returns the state from which another branch can go on: see
    /// [`Branch::snapshot`](mp_scene::Branch::snapshot).
    ///
    /// # Errors
    ///
    /// Same as [`with`](Self::with). The inner result is that of the branch.
    pub async fn snapshot(&self) -> Result<Result<Option<Snapshot>, SnapshotError>, CallError> {
        let call = self
            .0
            .caller
            .call(|actor, ctx| actor.guarded(ctx, |branch, _| branch.machine().snapshot()));
        call.await
    }

    /// Returns the peers with which a branch of another process can go on: see
    /// [`Branch::handover`](mp_scene::Branch::handover).
    ///
    /// # Errors
    ///
    /// Same as [`with`](Self::with).
    pub async fn handover(&self) -> Result<Option<Handover>, CallError> {
        let call = self
            .0
            .caller
            .call(|actor, ctx| actor.guarded(ctx, |branch, _| branch.machine().handover()));
        call.await
    }

    /// Waits until `condition` holds. It is evaluated immediately and after every turn of the
    /// branch, so that no state between two turns is missed. If it panics, the branch ends.
    /// Dropping the returned future removes the condition.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    /// # actix::System::new().block_on(async {
    /// let server = mp_actor::branch(|| Branch::builder("/root").build()).start().await?;
    /// let adding = server.with(|scene| scene.add("Door", Group).map(drop));
    /// let (waited, added) =
    ///     tokio::join!(server.until(|scene| scene.find("Door").is_ok()), adding);
    /// # added??;
    /// waited?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// [`CallError::Busy`] if [`CONDITIONS_MAX`](crate::limits::CONDITIONS_MAX) conditions are
    /// pending, or [`PENDING_CALLS_MAX`](crate::limits::PENDING_CALLS_MAX) calls;
    /// [`CallError::Ended`] if the branch ends before the condition holds.
    pub async fn until(
        &self,
        condition: impl FnMut(&Scene) -> bool + Send + 'static,
    ) -> Result<(), CallError> {
        let added = self.0.caller.call(|actor, ctx| {
            let waiting = actor.conditions.add(Box::new(condition));
            actor.evaluate_conditions(ctx);
            Some(waiting)
        });
        let holds = added.await?.ok_or(CallError::Busy)?;
        holds.await.map_err(|_| CallError::Ended)
    }

    /// Waits until `condition` holds, for at most `timeout`. See [`until`](Self::until).
    ///
    /// # Errors
    ///
    /// As [`until`](Self::until); [`CallError::TimedOut`] if the condition does not hold in time.
    pub async fn until_timeout(
        &self,
        timeout: Duration,
        condition: impl FnMut(&Scene) -> bool + Send + 'static,
    ) -> Result<(), CallError> {
        let waiting = tokio::time::timeout(timeout, self.until(condition));
        waiting.await.unwrap_or(Err(CallError::TimedOut))
    }

    /// Subscribes to the branch's signals from now on. See [`Signals`] for slow subscribers.
    ///
    /// # Errors
    ///
    /// Same as [`with`](Self::with).
    pub async fn signals(&self) -> Result<Signals, CallError> {
        self.0.caller.call(|actor, _| Some(actor.subscribers.add())).await
    }

    /// Returns the connected peers.
    ///
    /// # Errors
    ///
    /// Same as [`with`](Self::with).
    #[doc(alias = "get_peers")]
    pub async fn peers(&self) -> Result<Vec<PeerId>, CallError> {
        self.with(|scene| scene.peers()).await
    }

    /// Returns the actor of a remote peer that is connected or authenticates; `None` if there is no
    /// such peer.
    pub fn peer(&self, id: PeerId) -> Option<PeerRef> {
        self.shared().peers.get(&id).map(|peer| peer.clone())
    }

    /// Returns the statistics of those of `peers` that are connected or authenticate, in the same
    /// order. The branch and each endpoint receive one message per
    /// [`PEER_STATS_BATCH`] peers.
    ///
    /// # Errors
    ///
    /// Same as [`with`](Self::with).
    pub async fn peer_stats(&self, peers: &[PeerId]) -> Result<Vec<PeerStats>, CallError> {
        let mut stats = Vec::with_capacity(peers.len());
        for batch in peers.chunks(PEER_STATS_BATCH) {
            let batch = batch.to_vec();
            let records = self.0.caller.call(move |actor, _| Some(actor.peer_records(&batch)));
            stats.extend(records.await?.complete().await);
        }
        Ok(stats)
    }

    /// Opens a typed channel to the branches of peers that open a channel with the same name.
    ///
    /// Messages are sent with `mode` on the transfer channel `channel`. `name` has 1 to
    /// [`CHANNEL_NAME_BYTES_MAX`](crate::limits::CHANNEL_NAME_BYTES_MAX) bytes and is sent with
    /// every message. The channel stays open until the branch ends.
    ///
    /// # Errors
    ///
    /// See [`ChannelError`].
    pub async fn channel<M: ChannelMessage>(
        &self,
        name: &str,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<ChannelRef<M>, ChannelError> {
        open_channel(&self.0.caller, name, mode, channel).await
    }

    /// Closes the branch gracefully and waits until it has ended. Its connections deliver accepted
    /// packets for up to [`DRAIN_TIMEOUT`](mp_core::limits::DRAIN_TIMEOUT) and disconnect, its
    /// endpoints close, then the branch ends. Takes at most
    /// [`CLOSE_TIMEOUT`](crate::limits::CLOSE_TIMEOUT). For the order see
    /// [`Branch::close`](mp_scene::Branch::close).
    pub async fn close(&self) -> EndReason {
        self.0.close();
        self.closed().await
    }

    /// Waits until the branch has ended for any reason and its endpoints have disconnected their
    /// peers, the latter for at most [`CLOSE_TIMEOUT`](crate::limits::CLOSE_TIMEOUT). A program
    /// that exits afterwards leaves no peer to time out.
    pub async fn closed(&self) -> EndReason {
        self.shared().until_closed().await
    }

    /// Waits until the branch has ended for any reason. Its endpoints may still be disconnecting
    /// peers; [`closed`](Self::closed) waits for them.
    pub async fn until_ended(&self) -> EndReason {
        self.shared().until_ended().await
    }

    /// Returns whether the branch authenticates its peers: connections are assigned to it by
    /// [`Route::Branch`](mp_core::Route::Branch).
    pub fn authenticates(&self) -> bool {
        self.shared().authenticates()
    }

    /// Returns the branch's id, unique in the process.
    pub fn id(&self) -> BranchId {
        self.shared().id()
    }

    /// Returns the path of the branch's multiplayer root.
    pub fn root_path(&self) -> &str {
        self.shared().root_path()
    }

    /// Returns the way in which the branch ended, or `None` while it runs. Its endpoints may still
    /// be disconnecting peers.
    pub fn ended(&self) -> Option<EndReason> {
        self.shared().ended()
    }

    /// Returns statistics of the branch's actor.
    pub fn host_stats(&self) -> BranchActorStats {
        self.shared().actor_stats()
    }

    pub(crate) fn new(address: Addr<BranchActor>, shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle { caller: BranchCaller::new(address, shared) }))
    }

    pub(crate) fn caller(&self) -> &BranchCaller {
        &self.0.caller
    }

    pub(crate) fn downgrade(&self) -> WeakBranchRef {
        WeakBranchRef(Arc::downgrade(&self.0))
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> &Addr<BranchActor> {
        self.0.caller.address()
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        self.0.caller.shared()
    }
}

/// Compares by branch.
impl PartialEq for BranchRef {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for BranchRef {}

impl fmt::Debug for BranchRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BranchRef")
            .field("id", &self.id().0)
            .field("root_path", &self.root_path())
            .field("ended", &self.ended())
            .finish()
    }
}

/// A [`BranchRef`] that does not keep the branch open.
#[derive(Clone)]
pub(crate) struct WeakBranchRef(Weak<Handle>);

impl WeakBranchRef {
    /// Returns the branch, unless it has ended or no handle is left.
    pub(crate) fn upgrade(&self) -> Option<BranchRef> {
        let branch = BranchRef(self.0.upgrade()?);
        branch.ended().is_none().then_some(branch)
    }
}

struct Handle {
    caller: BranchCaller,
}

impl Handle {
    fn close(&self) {
        control(self.caller.address(), Close);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// Returns a new number of a branch or an endpoint, unique in the process.
pub(crate) fn next_number() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
