//! How branches are started, served and connected.

use actix::prelude::*;
use mp_core::limits::MAILBOX_BATCHES;
use mp_core::{BranchId, MultiplayerPeer};
use mp_scene::{Branch, Signal, TreeError};
use std::future::Future;
use std::sync::Arc;
use tokio::sync::oneshot;

use crate::auth::{AuthRequest, AuthSetup, Authenticators, boxed};
use crate::branch::BranchActor;
use crate::branch_ref::{BranchRef, Shared, next_number};
use crate::error::{Ended, StartError};
use crate::home::Home;
use crate::scene_tree::SceneTree;

/// Whatever a transport's own error is.
pub type TransportError = Box<dyn std::error::Error + Send + Sync>;

/// Prepares a branch. `build` makes it on the thread on which it will live, so that its nodes and hooks need not be
/// `Send`.
///
/// ```
/// use mp_actor::prelude::*;
///
/// fn game() -> Result<Branch, TreeError> {
///     Branch::builder("/root/Game").setup(|scene| scene.add("Players", Group).map(drop)).build()
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
pub fn branch<F>(build: F) -> Launch<F>
where
    F: FnOnce() -> Result<Branch, TreeError> + Send + 'static,
{
    Launch {
        build,
        arbiter: None,
        tree: None,
        auth: AuthSetup::default(),
        mailbox: MAILBOX_BATCHES,
    }
}

/// A branch that is about to start. See [`branch`].
#[must_use = "nothing starts before `start`, `serve` or `connect`"]
pub struct Launch<F> {
    build: F,
    arbiter: Option<ArbiterHandle>,
    tree: Option<SceneTree>,
    auth: AuthSetup,
    mailbox: usize,
}

impl<F> Launch<F>
where
    F: FnOnce() -> Result<Branch, TreeError> + Send + 'static,
{
    /// Lets the branch and its endpoints live on the thread of `arbiter` (default: a thread of their own, which ends with
    /// them). `Arbiter::current()` is this thread's.
    pub fn on(mut self, arbiter: ArbiterHandle) -> Self {
        self.arbiter = Some(arbiter);
        self
    }

    /// Lists the branch in `tree` under its own root path.
    pub fn in_tree(mut self, tree: &SceneTree) -> Self {
        self.tree = Some(tree.clone());
        self
    }

    /// Requires peers to authenticate themselves, and runs `authenticate` for each packet that one of them sends meanwhile
    /// (Godot: `auth_callback`). Its future may ask whom it likes: the branch goes on, and so do the futures of other peers. It
    /// answers with the request: [`send`](AuthRequest::send), [`complete`](AuthRequest::complete),
    /// [`refuse`](AuthRequest::refuse), or not at all when more has to come.
    ///
    /// ```
    /// use mp_actor::prelude::*;
    ///
    /// # async fn may_play(name: &[u8]) -> std::io::Result<bool> { Ok(name == b"Ann") }
    /// # fn game() -> Result<Branch, TreeError> { Branch::builder("/root").build() }
    /// let server = mp_actor::branch(game).authenticate(|request: AuthRequest| async move {
    ///     let known = may_play(request.data()).await?; // a failure refuses the peer
    ///     if known { request.complete().await? } else { request.refuse().await? }
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
    /// * Futures run on the branch's thread, so that they must not block it. The packets of one peer are taken one after the
    ///   other, in order: the next when the future of the last has ended.
    /// * [`AUTH_PACKETS_WAITING_MAX`](crate::limits::AUTH_PACKETS_WAITING_MAX) packets of a peer wait meanwhile
    ///   ([`AUTH_BYTES_WAITING_MAX`](crate::limits::AUTH_BYTES_WAITING_MAX)). One more is dropped and its sender refused;
    ///   what still waits when a peer is admitted or leaves is dropped, too.
    ///   [`BranchHostStats::dropped_auth_packets`](crate::BranchHostStats::dropped_auth_packets) counts all of them.
    /// * When the peer leaves, or has taken longer than
    ///   [`set_auth_timeout`](mp_scene::SceneMultiplayer::set_auth_timeout) allows (default: 3 s), its future is dropped where it
    ///   stands. After [`complete`](AuthRequest::complete) it may go on for as long as the peer is there.
    /// * It is [`SceneMultiplayer`](mp_scene::SceneMultiplayer) that keeps such peers apart: the start of a branch with a protocol of
    ///   its own that is not built on one fails with [`StartError::Panicked`].
    /// * A future that fails or panics refuses its peer, and nothing else ends:
    ///   [`BranchHostStats::failed_authentications`](crate::BranchHostStats::failed_authentications).
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

    /// Requires peers to authenticate themselves, and runs `open` once for each that is about to (Godot: `peer_authenticating`),
    /// before [`authenticate`](Self::authenticate) is run with what it sends. The side that speaks first does it here, a
    /// client most often. Otherwise as there.
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

    /// How many batches the mailboxes of the branch and of each of its endpoints take (default:
    /// [`MAILBOX_BATCHES`], at least 1).
    pub fn mailbox_batches(mut self, batches: usize) -> Self {
        self.mailbox = batches.max(1);
        self
    }

    /// Starts the branch alone: offline, as Godot's with an `OfflineMultiplayerPeer`, until
    /// [`add_endpoint`](BranchRef::add_endpoint).
    ///
    /// # Errors
    ///
    /// [`StartError`].
    pub async fn start(self) -> Result<BranchRef, StartError> {
        let home = match self.arbiter {
            Some(arbiter) => Home::shared(arbiter),
            None => Home::new()?,
        };
        let (build, auth, mailbox) = (self.build, self.auth, self.mailbox);
        let (reply, answer) = oneshot::channel();
        let arbiter = home.arbiter().clone();
        arbiter.spawn_fn(move || {
            let started = build().map_err(StartError::Tree).map(|mut branch| {
                let id = BranchId(next_number());
                branch.set_id(id);
                if !auth.is_empty() {
                    branch.scene().multiplayer_mut().set_authentication(true);
                }
                let root_path = branch.scene().tree().root_path();
                let shared = Arc::new(Shared::new(id, root_path, mailbox, home.downgrade()));
                let address = BranchActor::start(
                    branch,
                    Authenticators::from(auth),
                    Arc::clone(&shared),
                    home,
                );
                BranchRef::new(address, shared)
            });
            let _ = reply.send(started);
        });
        let branch = answer.await.map_err(|_| StartError::Panicked)??;
        if let Some(tree) = self.tree {
            let listed = tree.set_multiplayer(branch.root_path(), &branch);
            listed.map_err(|_| StartError::Ended(branch.ended().unwrap_or(Ended::Stopped)))?;
        }
        Ok(branch)
    }

    /// Starts the branch as a server on the transport that `make` makes on the branch's thread. For more transports see
    /// [`add_endpoint`](BranchRef::add_endpoint).
    ///
    /// # Errors
    ///
    /// [`StartError`].
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

    /// Starts the branch as a server on the parts of one transport, each on a thread of its own: see
    /// [`add_shards`](BranchRef::add_shards).
    ///
    /// # Errors
    ///
    /// [`StartError`].
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

    /// Starts the branch as a client on the transport that `make` makes on the branch's thread, and waits until the session
    /// with its server stands (`connected_to_server`).
    ///
    /// # Errors
    ///
    /// [`StartError::ConnectionFailed`] when the transport gives up or an authentication fails, and
    /// the others.
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
            Ended::Disconnected(reason) => StartError::ConnectionFailed(reason),
            ended => StartError::Ended(ended),
        })
    }
}
