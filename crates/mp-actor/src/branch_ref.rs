//! [`BranchRef`]: what a program holds of a branch that runs.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use actix::prelude::*;
use dashmap::DashMap;
use mp_core::{BranchId, Channel, EndpointId, MultiplayerPeer, PeerId, TransferMode};
use mp_scene::Scene;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, oneshot, watch};

use crate::branch::{BranchActor, Call};
use crate::channel::{ChannelMessage, ChannelRef, open_channel};
use crate::endpoint::{EndpointActor, EndpointRef};
use crate::error::{CallError, ChannelError, Ended, StartError};
use crate::home::{Home, WeakHome};
use crate::limits::{CALLS_WAITING_MAX, CLOSE_TIMEOUT};
use crate::mail::{Attach, Close, EndpointMailbox, control};
use crate::peer::PeerRef;
use crate::scene_tree::Directory;
use crate::signals::Signals;
use crate::start::TransportError;

/// A branch that runs, wherever its thread is. Clones address the same branch; when the last one is dropped the branch
/// [closes](Self::close) by itself.
///
/// A branch ends when it is closed, when its last endpoint ends, or when code of the program's own panics in it;
/// [`closed`](Self::closed) says which.
#[derive(Clone)]
pub struct BranchRef(Arc<Handle>);

/// Counters of a branch's host since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BranchHostStats {
    /// Turns in which an endpoint's mailbox was full, so that what was for it had to wait.
    pub blocked_turns: u64,
    /// Calls refused because too many waited.
    pub busy_calls: u64,
    /// AUTH packets that no [authenticator](crate::Launch::authenticate) saw: more came of one peer than can wait, and it
    /// was refused, or it was admitted or left before their turn.
    pub dropped_auth_packets: u64,
    /// Peers refused because their authenticator failed or panicked.
    pub failed_authentications: u64,
}

impl BranchRef {
    /// Runs `call` on the branch's scene, on its thread, and returns what it returns.
    ///
    /// What it sends leaves when the branch's turn ends, after it has returned. It runs also when nobody waits for its answer
    /// any more. If it panics the branch ends, as with everything of the program's own.
    ///
    /// # Errors
    ///
    /// [`CallError::Busy`] when [`CALLS_WAITING_MAX`] calls wait for the branch; [`CallError::Ended`].
    pub async fn with<R: Send + 'static>(
        &self,
        call: impl FnOnce(&mut Scene) -> R + Send + 'static,
    ) -> Result<R, CallError> {
        self.0.caller.with(call).await
    }

    /// Subscribes to the branch's signals from now on. See [`Signals`] for what happens to a slow subscriber.
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with).
    pub async fn signals(&self) -> Result<Signals, CallError> {
        self.0.caller.call(|actor, _| Some(actor.subscribers.add())).await
    }

    /// The peers that take part.
    ///
    /// # Errors
    ///
    /// As [`with`](Self::with).
    #[doc(alias = "get_peers")]
    pub async fn peers(&self) -> Result<Vec<PeerId>, CallError> {
        self.with(|scene| scene.peers()).await
    }

    /// The actor of a remote peer that takes part or authenticates itself; `None` when there is no such peer.
    pub fn peer(&self, id: PeerId) -> Option<PeerRef> {
        self.shared().peers.get(&id).map(|peer| peer.clone())
    }

    /// Opens a typed channel between this branch and those of its peers that open one of the same name.
    ///
    /// `mode` and `channel` are how its messages travel. `name` has 1 to
    /// [`CHANNEL_NAME_BYTES_MAX`](crate::limits::CHANNEL_NAME_BYTES_MAX) bytes and travels with every message. The channel is
    /// open for as long as the branch lives.
    ///
    /// # Errors
    ///
    /// [`ChannelError`].
    pub async fn channel<M: ChannelMessage>(
        &self,
        name: &str,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<ChannelRef<M>, ChannelError> {
        open_channel(&self.0.caller, name, mode, channel).await
    }

    /// Serves the branch on one more transport, which `make` makes on the branch's own thread. ENet and WebSocket players
    /// can share one branch.
    ///
    /// # Errors
    ///
    /// [`StartError`]. The branch goes on as before.
    pub async fn add_endpoint<P, E>(
        &self,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<EndpointRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        self.start_endpoint(self.home()?, make).await
    }

    /// Serves the branch on the parts of one transport, each of which its `make` makes on a thread of its own that ends with
    /// it (a single part: on the branch's thread). So several cores share the work of the sockets of one branch.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    /// use mp_transport_enet::{EnetShards, ServerOptions};
    ///
    /// # fn game() -> Result<Branch, TreeError> { Branch::builder("/root/Game").build() }
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
    /// [`StartError`], of the first part that does not start. The branch goes on, with those before it.
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
            endpoints.push(self.start_endpoint(Home::new()?, make).await?);
        }
        Ok(endpoints)
    }

    /// Ends the branch in an orderly way, and waits for it: its links deliver what was accepted (for up to
    /// [`LINGER`](mp_core::limits::LINGER)) and say goodbye, its endpoints end, then the branch. Takes no longer than
    /// [`CLOSE_TIMEOUT`].
    pub async fn close(&self) -> Ended {
        self.0.close();
        self.closed().await
    }

    /// Waits until the branch has ended, for whatever reason, and its endpoints have said goodbye
    /// to their peers, for at most [`CLOSE_TIMEOUT`]. So a program that exits then leaves no peer
    /// waiting.
    pub async fn closed(&self) -> Ended {
        self.shared().wait_for_end().await
    }

    /// Its number, unique in the process.
    pub fn id(&self) -> BranchId {
        self.shared().id()
    }

    /// The path of its multiplayer root.
    pub fn root_path(&self) -> &str {
        self.shared().root_path()
    }

    /// Returns whether it has ended, and how. Its endpoints may still be saying goodbye.
    pub fn ended(&self) -> Option<Ended> {
        self.shared().ended()
    }

    /// Counters of its host.
    pub fn host_stats(&self) -> BranchHostStats {
        BranchHostStats {
            blocked_turns: self.shared().blocked_turns.load(Ordering::Relaxed),
            busy_calls: self.shared().busy_calls.load(Ordering::Relaxed),
            dropped_auth_packets: self.shared().dropped_auth_packets.load(Ordering::Relaxed),
            failed_authentications: self.shared().failed_authentications.load(Ordering::Relaxed),
        }
    }

    /// The thread that the branch lives on.
    fn home(&self) -> Result<Home, StartError> {
        let ended = || StartError::Ended(self.shared().ended().unwrap_or(Ended::Stopped));
        self.shared().home.upgrade().ok_or_else(ended)
    }

    async fn start_endpoint<P, E>(
        &self,
        home: Home,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<EndpointRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let BranchCaller { shared, address } = self.0.caller.clone();
        let (reply, answer) = oneshot::channel();
        let arbiter = home.arbiter().clone();
        arbiter.spawn_fn(move || {
            let started = make().map_err(|error| StartError::Transport(error.into())).map(|peer| {
                let id = EndpointId(next_number());
                let mail = address.clone().recipient();
                let (mailbox, presence) = (shared.mailbox(), shared.endpoints.subscribe());
                let endpoint =
                    EndpointActor::start(id, peer, shared.id(), mail, mailbox, home, presence);
                let (mail, links) = (endpoint.clone().recipient(), endpoint.clone().recipient());
                // It lies in the mailbox before the endpoint's first word.
                let mailbox = EndpointMailbox { mail, links };
                control(&address, Attach { endpoint: id, mailbox });
                EndpointRef { id, ask: endpoint.recipient() }
            });
            let _ = reply.send(started);
        });
        answer.await.map_err(|_| StartError::Panicked)?
    }

    pub(crate) fn new(address: Addr<BranchActor>, shared: Arc<Shared>) -> Self {
        Self(Arc::new(Handle { caller: BranchCaller { shared, address } }))
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

/// The same branch.
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
    /// The branch, unless it has ended or nobody holds it.
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

/// Calls a branch without keeping it open: what its own peers and channels hold.
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

    /// Runs `call` in the branch's turn; `None` is an end without an answer.
    pub(crate) async fn call<R: Send + 'static>(&self, call: impl Body<R>) -> Result<R, CallError> {
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

    /// As [`call`](Self::call), but waits while too many others do. For who asks one thing at a time.
    pub(crate) async fn call_in_line<R: Send + 'static>(
        &self,
        call: impl Body<R>,
    ) -> Result<R, CallError> {
        let permit = Arc::clone(&self.shared.calls).acquire_owned().await;
        self.run(permit.map_err(|_| CallError::Ended)?, call).await
    }

    pub(crate) fn count_failed_authentication(&self) {
        self.shared.failed_authentications.fetch_add(1, Ordering::Relaxed);
    }

    async fn run<R: Send + 'static>(
        &self,
        permit: OwnedSemaphorePermit,
        call: impl Body<R>,
    ) -> Result<R, CallError> {
        let (reply, answer) = oneshot::channel();
        let call: Box<crate::branch::CallBody> = Box::new(move |actor, ctx| {
            drop(permit);
            if let Some(result) = call(actor, ctx) {
                let _ = reply.send(result);
            }
        });
        control(&self.address, Call(call));
        answer.await.map_err(|_| CallError::Ended)
    }
}

/// What runs in a branch's turn; `None` is an end without an answer.
pub(crate) trait Body<R>:
    FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<R> + Send + 'static
{
}

impl<R, F> Body<R> for F where
    F: FnOnce(&mut BranchActor, &mut Context<BranchActor>) -> Option<R> + Send + 'static
{
}

/// What a branch's actor and its handles both know.
pub(crate) struct Shared {
    id: BranchId,
    root_path: String,
    mailbox: usize,
    home: WeakHome,
    /// Calls that may wait for the branch.
    calls: Arc<Semaphore>,
    ended: watch::Sender<Option<Ended>>,
    /// Each endpoint has a receiver, which it drops when it has said goodbye.
    endpoints: watch::Sender<()>,
    /// True if the branch has ended and its endpoints have said goodbye, or had the time for it.
    is_closed: watch::Sender<bool>,
    /// The actors of the peers that take part or authenticate themselves.
    pub(crate) peers: DashMap<PeerId, PeerRef>,
    /// Where the branch is listed.
    listings: Mutex<BTreeMap<String, Vec<Weak<Directory>>>>,
    pub(crate) blocked_turns: AtomicU64,
    busy_calls: AtomicU64,
    pub(crate) dropped_auth_packets: AtomicU64,
    failed_authentications: AtomicU64,
}

impl Shared {
    pub(crate) fn new(id: BranchId, root_path: String, mailbox: usize, home: WeakHome) -> Self {
        Self {
            id,
            root_path,
            mailbox,
            home,
            calls: Arc::new(Semaphore::new(CALLS_WAITING_MAX)),
            ended: watch::Sender::new(None),
            endpoints: watch::Sender::new(()),
            is_closed: watch::Sender::new(false),
            peers: DashMap::new(),
            listings: Mutex::default(),
            blocked_turns: AtomicU64::new(0),
            busy_calls: AtomicU64::new(0),
            dropped_auth_packets: AtomicU64::new(0),
            failed_authentications: AtomicU64::new(0),
        }
    }

    /// The branch has ended: nobody finds it any more, and who waits is told.
    pub(crate) fn end(&self, ended: Ended) {
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

    /// Waits for the endpoints of a branch that has ended.
    pub(crate) fn close_after_endpoints(self: &Arc<Self>, arbiter: &ArbiterHandle) {
        let closing = Closing(Arc::clone(self));
        // Where the arbiter has been stopped the future is dropped.
        arbiter.spawn(async move {
            let _ = tokio::time::timeout(CLOSE_TIMEOUT, closing.0.endpoints.closed()).await;
        });
    }

    /// Remembers where it is to be forgotten.
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

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    async fn wait_for_end(&self) -> Ended {
        // The sender is at hand, so that the wait cannot fail.
        let _ = self.is_closed.subscribe().wait_for(|&is_closed| is_closed).await;
        self.ended().unwrap_or(Ended::Stopped)
    }

    fn listings(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Vec<Weak<Directory>>>> {
        self.listings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a branch is closed when it is dropped, whatever becomes of the branch's thread.
struct Closing(Arc<Shared>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.is_closed.send_replace(true);
    }
}

/// Numbers of branches and endpoints, unique in the process.
pub(crate) fn next_number() -> u32 {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}
