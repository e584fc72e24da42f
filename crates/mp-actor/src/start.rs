//! Starting, serving and connecting branches.

use actix::prelude::*;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::{BranchId, BranchRate, MultiplayerPeer, ReceiveLimits};
use mp_host::{BranchRecorder, Recorded};
use mp_scene::{Branch, BuildError, Signal};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::oneshot;
use tracing::Span;

use crate::arbiter_guard::ArbiterGuard;
use crate::auth::{AuthRequest, AuthSetup, Authenticators, boxed};
use crate::branch::BranchActor;
use crate::branch_ref::{BranchRef, Shared, next_number};
use crate::error::{EndReason, StartError};
use crate::scene_tree::SceneTree;
use crate::stats::{BranchReporter, BranchStatsCollector};

/// The error of a transport's constructor.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

/// Prepares a branch. `build` runs on the branch's thread, so its nodes and hooks need not be
/// `Send`.
///
/// ```
/// use mp_actor::prelude::*;
///
/// fn game() -> Result<Branch, BuildError> {
///     Branch::builder("/root/Game").setup(|scene| scene.add("Players", Group)).build()
/// }
///
/// # actix::System::new().block_on(async {
/// let (room, seat) = mp_core::memory::pair(PeerId::new(2).unwrap());
/// let server = mp_actor::branch(game).serve(move || Ok::<_, StartError>(room)).await?;
/// let client = mp_actor::branch(game).connect(move || Ok::<_, StartError>(seat)).await?;
///
/// assert_eq!(client.peers().await?, [PeerId::SERVER]);
/// client.close().await;
/// server.close().await;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
pub fn branch<F>(build: F) -> BranchStarter<F>
where
    F: FnOnce() -> Result<Branch, BuildError> + Send + 'static,
{
    BranchStarter {
        build,
        arbiter: None,
        tree: None,
        auth: AuthSetup::default(),
        mailbox: MAILBOX_BATCHES,
        rate: None,
        collector: None,
        span: Span::none(),
        recorder: None,
    }
}

/// A branch that is about to start. See [`branch`].
#[must_use = "nothing starts before `start`, `serve` or `connect`"]
pub struct BranchStarter<F> {
    build: F,
    arbiter: Option<ArbiterHandle>,
    tree: Option<SceneTree>,
    auth: AuthSetup,
    mailbox: usize,
    rate: Option<BranchRate>,
    collector: Option<BranchStatsCollector>,
    span: Span,
    recorder: Option<Box<dyn BranchRecorder + Send>>,
}

impl<F> BranchStarter<F>
where
    F: FnOnce() -> Result<Branch, BuildError> + Send + 'static,
{
    /// Runs the branch and its endpoints on the thread of `arbiter`; `Arbiter::current()` is the
    /// current thread's. Default: a new thread, which ends with them.
    pub fn on(mut self, arbiter: ArbiterHandle) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// Registers the branch in `tree` under its root path.
    pub fn in_tree(mut self, tree: &SceneTree) -> Self {
        self.tree = Some(tree.clone());
        self
    }

    /// Requires peers to authenticate, and runs `authenticate` for each packet that a peer sends
    /// meanwhile (Godot: `auth_callback`). Its future may await other services; the branch and the
    /// futures of other peers continue. It responds through the request:
    /// [`send`](AuthRequest::send), [`complete`](AuthRequest::complete),
    /// [`reject`](AuthRequest::reject), or not at all if more packets have to follow.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    ///
    /// # async fn may_play(name: &[u8]) -> std::io::Result<bool> { Ok(name == b"Ann") }
    /// # fn game() -> Result<Branch, BuildError> { Branch::builder("/root").build() }
    /// let server = mp_actor::branch(game).authenticate(|request: AuthRequest| async move {
    ///     let known = may_play(request.data()).await?; // an error rejects the peer
    ///     if known { request.complete().await? } else { request.reject().await? }
    ///     Ok::<_, Box<dyn std::error::Error + Send + Sync>>(())
    /// });
    /// let client = mp_actor::branch(game).on_peer_authenticating(|request| async move {
    ///     request.send(b"Ann").await?;
    ///     request.complete().await
    /// });
    /// # actix::System::new().block_on(async {
    /// # let (room, seat) = mp_core::memory::pair(PeerId::new(2).unwrap());
    /// # let server = server.serve(move || Ok::<_, StartError>(room)).await?;
    /// # let client = client.connect(move || Ok::<_, StartError>(seat)).await?;
    /// # assert_eq!(client.peers().await?, [PeerId::SERVER]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// * Futures run on the branch's thread and must not block it. The packets of one peer are
    ///   handled in order: the next when the future of the last has completed.
    /// * Meanwhile up to [`AUTH_QUEUE_PACKETS_MAX`](crate::limits::AUTH_QUEUE_PACKETS_MAX) packets
    ///   and [`AUTH_QUEUE_BYTES_MAX`](crate::limits::AUTH_QUEUE_BYTES_MAX) bytes of a peer are
    ///   queued. A packet beyond the limits is dropped and its sender rejected. Packets that are
    ///   still queued when a peer is admitted or disconnects are dropped.
    ///   [`BranchActorStats::dropped_auth_packets`](crate::BranchActorStats::dropped_auth_packets)
    ///   counts all of them.
    /// * The future is dropped when the peer disconnects, or exceeds
    ///   [`set_auth_timeout`](mp_scene::SceneMultiplayer::set_auth_timeout) (default: 3 s). After
    ///   [`complete`](AuthRequest::complete) it may continue while the peer is connected.
    /// * Authentication is part of [`SceneMultiplayer`](mp_scene::SceneMultiplayer). A protocol
    ///   that does not use its `SceneMultiplayer` does not authenticate peers.
    /// * A future that fails or panics rejects its peer and has no other effect.
    ///   [`failed_authentications`](crate::BranchActorStats::failed_authentications) counts it.
    #[doc(alias = "auth_callback")]
    pub fn authenticate<R, E>(
        mut self,
        authenticate: impl Fn(AuthRequest) -> R + Send + 'static,
    ) -> Self
    where
        R: Future<Output = Result<(), E>> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.auth.packets = Some(boxed(authenticate));
        self
    }

    /// Requires peers to authenticate, and runs `open` once for each peer that begins to (Godot:
    /// `peer_authenticating`), before [`authenticate`](Self::authenticate) runs for its packets.
    /// The peer that sends first, usually the client, does so here. Otherwise same as
    /// [`authenticate`](Self::authenticate).
    #[doc(alias = "peer_authenticating")]
    pub fn on_peer_authenticating<R, E>(
        mut self,
        open: impl Fn(AuthRequest) -> R + Send + 'static,
    ) -> Self
    where
        R: Future<Output = Result<(), E>> + 'static,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        self.auth.opening = Some(boxed(open));
        self
    }

    /// Sets the capacity of the mailboxes of the branch and of each of its endpoints in batches.
    /// Default: [`MAILBOX_BATCHES`]; minimum: 1.
    pub fn mailbox_batches(mut self, batches: usize) -> Self {
        self.mailbox = batches.max(1);
        self
    }

    /// Limits the rate at which all peers of the branch send in sum, on all of its endpoints.
    /// Default: no limit.
    pub fn receive_limits(mut self, limits: ReceiveLimits) -> Self {
        self.rate = (!limits.is_unlimited()).then(|| BranchRate::new(limits));
        self
    }

    /// Adds the branch's statistics to `collector`, at most once a second and when the branch ends.
    /// Default: they are not collected.
    pub fn collect_stats(mut self, collector: &BranchStatsCollector) -> Self {
        self.collector = Some(collector.clone());
        self
    }

    /// Runs the branch inside `span`, so that structured logs show which branch an event is of.
    /// Default: none. A span that the filter of the logs excludes when it is made costs nothing.
    pub fn span(mut self, span: Span) -> Self {
        self.span = span;
        self
    }

    /// Passes the input and the output of the branch to `recorder`, from its first message on.
    /// Default: nothing is recorded.
    pub fn record(mut self, recorder: Box<dyn BranchRecorder + Send>) -> Self {
        self.recorder = Some(recorder);
        self
    }

    /// Starts the branch without a transport. It is offline, like Godot's with an
    /// `OfflineMultiplayerPeer`, until [`add_endpoint`](BranchRef::add_endpoint).
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn start(self) -> Result<BranchRef, StartError> {
        let guard = match self.arbiter {
            Some(arbiter) => ArbiterGuard::shared(arbiter),
            None => ArbiterGuard::new()?,
        };
        let (build, auth, mailbox, rate) = (self.build, self.auth, self.mailbox, self.rate);
        let (reporter, span) = (self.collector.map(BranchReporter::new), self.span);
        let recorder = self.recorder;
        let (reply, response) = oneshot::channel();
        let arbiter = guard.arbiter().clone();
        arbiter.spawn_fn(move || {
            let started = build().map_err(StartError::Build).map(|mut branch| {
                let id = BranchId(next_number());
                if !auth.is_empty() {
                    branch.scene().multiplayer_mut().set_authentication(true);
                }
                let authenticates = branch.scene().multiplayer().authentication();
                let root_path = branch.scene().tree().root_path();
                let guarded = guard.downgrade();
                let shared = Shared::new(id, root_path, authenticates, mailbox, rate, guarded);
                let shared = Arc::new(shared);
                let recorder = recorder.map(|recorder| recorder as Box<dyn BranchRecorder>);
                let address = BranchActor::start(
                    Recorded::new(branch, recorder),
                    Authenticators::from(auth),
                    Arc::clone(&shared),
                    reporter,
                    span,
                    guard,
                );
                BranchRef::new(address, shared)
            });
            let _ = reply.send(started);
        });
        let branch = response.await.map_err(|_| StartError::Panicked)??;
        if let Some(tree) = self.tree {
            let listed = tree.set_multiplayer(branch.root_path(), &branch);
            listed.map_err(|_| StartError::Ended(branch.ended().unwrap_or(EndReason::Stopped)))?;
        }
        Ok(branch)
    }

    /// Starts the branch as a server. `make` creates its transport on the branch's thread. For more
    /// transports see [`add_endpoint`](BranchRef::add_endpoint).
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn serve<P, E>(
        self,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<BranchRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let branch = self.start().await?;
        branch.add_endpoint(make).await?;
        Ok(branch)
    }

    /// Starts the branch as a server on the shards of one transport, each on its own thread; see
    /// [`add_shards`](BranchRef::add_shards).
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub async fn serve_shards<M, P, E>(
        self,
        makes: impl IntoIterator<Item = M>,
    ) -> Result<BranchRef, StartError>
    where
        M: FnOnce() -> Result<P, E> + Send + 'static,
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let branch = self.start().await?;
        branch.add_shards(makes).await?;
        Ok(branch)
    }

    /// Starts the branch as a client and waits until it is connected (`connected_to_server`).
    /// `make` creates its transport on the branch's thread.
    ///
    /// # Errors
    ///
    /// [`StartError::ConnectionFailed`] if connecting times out or is rejected, or an
    /// authentication fails; otherwise see [`StartError`].
    pub async fn connect<P, E>(
        self,
        make: impl FnOnce() -> Result<P, E> + Send + 'static,
    ) -> Result<BranchRef, StartError>
    where
        P: MultiplayerPeer + Unpin + 'static,
        E: Into<TransportError>,
    {
        let branch = self.start().await?;
        let Ok(mut signals) = branch.signals().await else {
            return Err(StartError::Ended(branch.closed().await));
        };
        branch.add_endpoint(make).await?;
        while let Some(signal) = signals.next().await {
            if signal == Signal::ConnectedToServer {
                return Ok(branch);
            }
        }
        Err(match branch.closed().await {
            EndReason::Disconnected(reason) => StartError::ConnectionFailed(reason),
            ended => StartError::Ended(ended),
        })
    }
}
