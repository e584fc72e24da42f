//! [`BranchRef`]: a handle to a running branch.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use actix::prelude::*;
use dashmap::DashMap;
use mp_core::{
    BranchId, BranchRate, Channel, Endpoint, EndpointId, MultiplayerPeer, PeerId, TransferMode,
};
use mp_scene::Scene;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot, watch};

use crate::arbiter_guard::{ArbiterGuard, WeakArbiterGuard};
use crate::branch::{BranchActor, BranchCall};
use crate::channel::{ChannelMessage, ChannelRef, open_channel};
use crate::endpoint::{EndpointActor, EndpointRef, EndpointUse};
use crate::error::{CallError, ChannelError, EndReason, StartError};
use crate::limits::{CLOSE_TIMEOUT, PENDING_CALLS_MAX};
use crate::mail::{Close, control};
use crate::peer::PeerRef;
use crate::scene_tree::Directory;
use crate::signals::Signals;
use crate::start::TransportError;

/// A handle to a running branch on any thread. Clones refer to the same branch, which
/// [closes](Self::close) when the last one is dropped.
///
/// A branch ends when it is closed, when its last endpoint closes, or when code of the program
/// panics in it. [`closed`](Self::closed) returns which.
#[derive(Clone)]
pub struct BranchRef(Arc<Handle>);

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

impl BranchRef {
    /// Runs `call` with the branch's scene, on the branch's thread, and returns its result.
    ///
    /// Packets that `call` sends are flushed at the end of the branch's turn. `call` runs even if
    /// the returned future is dropped after it was polled. If `call` panics, the branch ends.
    ///
    /// # Errors
    ///
    /// [`CallError::Busy`] if [`PENDING_CALLS_MAX`] calls are pending; [`CallError::Ended`].
    pub async fn with<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.0.caller.with(call).await
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
    /// pending, or [`PENDING_CALLS_MAX`] calls; [`CallError::Ended`] if the branch ends before the
    /// condition holds.
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

    /// Serves the branch on another transport, which `make` creates on the branch's thread. ENet
    /// and WebSocket clients can share one branch.
    ///
    /// # Errors
    ///
    /// See [`StartError`]. The branch continues without the transport.
    pub async fn add_endpoint<P, E>(
        &self,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<EndpointRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        self.start_endpoint(self.guard()?, make).await
    }

    /// Serves the branch on the shards of one transport, so that several cores share the work of
    /// its sockets. Each closure creates its shard on a new thread, which ends with the shard. A
    /// single shard runs on the branch's thread.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    /// use mp_transport_enet::{EnetShards, ServerOptions};
    ///
    /// # fn game() -> Result<Branch, BuildError> { Branch::builder("/root/Game").build() }
    /// # actix::System::new().block_on(async {
    /// let shards = EnetShards::bind("127.0.0.1:0".parse()?, ServerOptions::default(), 2)?;
    /// let server = mp_actor::branch(game).start().await?;
    /// server.add_shards(shards.into_servers()).await?;
    /// # server.close().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    ///
    /// The [`StartError`] of the first shard that does not start. The branch continues with the
    /// shards before it.
    pub async fn add_shards<F, P, E>(
        &self,
        makes: impl IntoIterator<Item = F>,
    ) -> Result<Vec<EndpointRef>, StartError>
    where
        F: FnOnce() -> Result<P, E> + Send + 'static,
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let mut makes = makes.into_iter().peekable();
        let Some(first) = makes.next() else { return Ok(Vec::new()) };
        if makes.peek().is_none() {
            return Ok(vec![self.add_endpoint(first).await?]);
        }
        let mut endpoints = Vec::new();
        for make in std::iter::once(first).chain(makes) {
            endpoints.push(self.start_endpoint(ArbiterGuard::new()?, make).await?);
        }
        Ok(endpoints)
    }

    /// Closes the branch gracefully and waits until it has ended. Its connections deliver accepted
    /// packets for up to [`DRAIN_TIMEOUT`](mp_core::limits::DRAIN_TIMEOUT) and disconnect, its
    /// endpoints close, then the branch ends. Takes at most [`CLOSE_TIMEOUT`]. For the order see
    /// [`Branch::close`](mp_scene::Branch::close).
    pub async fn close(&self) -> EndReason {
        self.0.close();
        self.closed().await
    }

    /// Waits until the branch has ended for any reason and its endpoints have disconnected their
    /// peers, the latter for at most [`CLOSE_TIMEOUT`]. A program that exits afterwards leaves no
    /// peer to time out.
    pub async fn closed(&self) -> EndReason {
        self.shared().wait_for_end().await
    }

    /// Waits until the branch has ended for any reason. Its endpoints may still be disconnecting
    /// peers; [`closed`](Self::closed) waits for them.
    pub async fn until_ended(&self) -> EndReason {
        let mut ended = self.shared().ended.subscribe();
        // The sender is alive, so the wait cannot fail.
        let _ = ended.wait_for(Option::is_some).await;
        self.ended().unwrap_or(EndReason::Stopped)
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
        BranchActorStats {
            blocked_turns: self.shared().blocked_turns.load(Ordering::Relaxed),
            busy_calls: self.shared().busy_calls.load(Ordering::Relaxed),
            dropped_auth_packets: self.shared().dropped_auth_packets.load(Ordering::Relaxed),
            failed_authentications: self.shared().failed_authentications.load(Ordering::Relaxed),
        }
    }

    /// Returns a guard of the branch's thread.
    fn guard(&self) -> Result<ArbiterGuard, StartError> {
        let ended = || StartError::Ended(self.shared().ended().unwrap_or(EndReason::Stopped));
        self.shared().guard.upgrade().ok_or_else(ended)
    }

    async fn start_endpoint<P, E>(
        &self,
        guard: ArbiterGuard,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<EndpointRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let caller = self.0.caller.clone();
        let (reply, response) = oneshot::channel();
        let arbiter = guard.arbiter().clone();
        arbiter.spawn_fn(move || {
            let started = make().map_err(|error| StartError::Transport(error.into())).map(|peer| {
                let id = EndpointId(next_number());
                let (endpoint, mailbox) =
                    (Endpoint::new(id, peer, caller.id()), caller.shared.mailbox());
                let endpoint =
                    EndpointActor::start(id, endpoint, EndpointUse::Of(&caller), mailbox, guard);
                EndpointRef { id, ask: endpoint.recipient() }
            });
            let _ = reply.send(started);
        });
        response.await.map_err(|_| StartError::Panicked)?
    }

    pub(crate) fn new(address: Addr<BranchActor>, shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle { caller: BranchCaller { shared, address } }))
    }

    pub(crate) fn caller(&self) -> &BranchCaller {
        &self.0.caller
    }

    pub(crate) fn downgrade(&self) -> WeakBranchRef {
        WeakBranchRef(Arc::downgrade(&self.0))
    }

    #[cfg(test)]
    pub(crate) fn address(&self) -> &Addr<BranchActor> {
        &self.0.caller.address
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.0.caller.shared
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
        control(&self.caller.address, Close);
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

/// Calls a branch without keeping it open, for its own peers and channels.
#[derive(Clone)]
pub(crate) struct BranchCaller {
    shared: Arc<Shared>,
    address: Addr<BranchActor>,
}

impl BranchCaller {
    pub(crate) fn new(address: Addr<BranchActor>, shared: Arc<Shared>) -> Self {
        Self { shared, address }
    }

    pub(crate) async fn with<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.call(|actor, ctx| actor.guarded(ctx, |branch, _| call(branch.scene()))).await
    }

    /// Runs `call` in the branch's turn. If it returns `None`, the branch has ended.
    pub(crate) async fn call<R: Send + 'static>(
        &self,
        call: impl CallFn<R>,
    ) -> Result<R, CallError> {
        let permit = match Arc::clone(&self.shared.calls).try_acquire_owned() {
            Ok(permit) => permit,
            Err(TryAcquireError::Closed) => return Err(CallError::Ended),
            Err(TryAcquireError::NoPermits) => {
                self.shared.busy_calls.fetch_add(1, Ordering::Relaxed);
                return Err(CallError::Busy);
            }
        };
        self.run(permit, call).await
    }

    /// Same as [`call`](Self::call), but waits while too many calls are pending. For callers with
    /// one call at a time.
    pub(crate) async fn call_queued<R: Send + 'static>(
        &self,
        call: impl CallFn<R>,
    ) -> Result<R, CallError> {
        let permit = Arc::clone(&self.shared.calls).acquire_owned().await;
        self.run(permit.map_err(|_| CallError::Ended)?, call).await
    }

    pub(crate) fn id(&self) -> BranchId {
        self.shared.id()
    }

    pub(crate) fn authenticates(&self) -> bool {
        self.shared.authenticates
    }

    /// Returns the total of the branch's connections.
    pub(crate) fn rate(&self) -> Option<BranchRate> {
        self.shared.rate.clone()
    }

    pub(crate) fn address(&self) -> &Addr<BranchActor> {
        &self.address
    }

    /// Returns a receiver that an endpoint holds while it serves the branch.
    pub(crate) fn alive(&self) -> watch::Receiver<()> {
        self.shared.endpoints.subscribe()
    }

    pub(crate) fn count_failed_authentication(&self) {
        self.shared.failed_authentications.fetch_add(1, Ordering::Relaxed);
    }

    async fn run<R: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        call: impl CallFn<R>,
    ) -> Result<R, CallError> {
        let (reply, response) = oneshot::channel();
        let call: Box<crate::branch::CallBody> = Box::new(move |actor, ctx| {
            drop(permit);
            if let Some(result) = call(actor, ctx) {
                let _ = reply.send(result);
            }
        });
        control(&self.address, BranchCall(call));
        response.await.map_err(|_| CallError::Ended)
    }
}

/// A closure that runs in a branch's turn. `None` means that the branch has ended.
pub(crate) trait CallFn<R>:
    FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<R> + Send + 'static
{
}

impl<R, F> CallFn<R> for F where
    F: FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<R> + Send + 'static
{
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

    async fn wait_for_end(&self) -> EndReason {
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

/// Returns a new number of a branch or an endpoint, unique in the process.
pub(crate) fn next_number() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
