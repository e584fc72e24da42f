//! The builder of a branch: nodes, hooks and settings.

mod hooks;
mod snapshot;

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use mp_core::{DisconnectReason, PeerId, Rng};

use crate::api::MultiplayerApi;
use crate::codec::Codec;
use crate::scene_multiplayer::{GodotQuirks, RelayPolicy, SceneMultiplayer};
use crate::tree::{NodeId, NodeRef, Tree, TreeError};
use crate::{Branch, IdBlocks, PeerDrop, Scene, Signal};
pub(crate) use hooks::Hooks;

/// Builds a [`Branch`].
///
/// ```
/// use mp_scene::prelude::*;
///
/// let mut branch = Branch::builder("/root/Game")
///     .setup(|scene| scene.add("Players", Group))
///     .on_peer_connected(|_scene, peer| println!("{peer} joined"))
///     .tick_rate(30)
///     .on_process(|_scene, _delta| { /* the game */ })
///     .build()?;
/// assert_eq!(branch.scene().unique_id(), PeerId::SERVER); // offline, as in Godot
/// # Ok::<(), mp_scene::BuildError>(())
/// ```
#[must_use = "a builder does nothing until `build`"]
#[derive(Debug)]
pub struct BranchBuilder {
    root_path: String,
    codec: Codec,
    server_relay: bool,
    authentication: bool,
    quirks: GodotQuirks,
    seed: Option<[u8; 32]>,
    moves: Option<IdBlocks>,
    relay_policy: Option<Box<dyn RelayPolicy>>,
    protocol: ApiFactory,
    setups: Setups,
    hooks: Hooks,
}

/// The authority of a peer that moves to another branch
/// ([`on_peer_moving`](BranchBuilder::on_peer_moving)).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there are no other possibilities")]
pub enum PeerAuthority {
    /// Authority that the peer has over nodes returns to the server, peer 1, after the hooks for
    /// [`Signal::PeerDisconnected`].
    #[default]
    Return,
    /// The peer keeps its authority, for example because it will come back.
    Keep,
}

/// The error of a [setup](BranchBuilder::setup): any error that `?` converts.
pub type SetupError = Box<dyn Error + Send + Sync>;

type Setup = Box<dyn FnOnce(&mut Scene) -> Result<(), SetupError>>;

#[derive(Default)]
struct Setups(Vec<Setup>);

/// Creates the protocol of the branch.
struct ApiFactory(Box<dyn FnOnce(SceneMultiplayer) -> Box<dyn MultiplayerApi>>);

impl BranchBuilder {
    pub(crate) fn new(root_path: &str) -> Self {
        Self {
            root_path: root_path.to_owned(),
            codec: Codec::default(),
            server_relay: true,
            authentication: false,
            quirks: GodotQuirks::default(),
            seed: None,
            moves: None,
            relay_policy: None,
            protocol: ApiFactory(Box::new(|multiplayer| Box::new(multiplayer))),
            setups: Setups::default(),
            hooks: Hooks::default(),
        }
    }

    /// Adds a setup, which creates nodes when the branch is built. Setups run in the order in which
    /// they were added.
    ///
    /// A setup returns the result of [`Scene::add`] or [`Scene::add_instance`], or any value with a
    /// [`SetupError`]. `?` converts all errors to the latter:
    ///
    /// ```no_run
    /// # use mp_scene::prelude::*;
    /// # #[derive(Default)] struct Map { width: u32 }
    /// # impl Node for Map {}
    /// let game = Branch::builder("/root/Game").setup(|scene| {
    ///     let width = std::fs::read_to_string("map.txt")?.trim().parse()?;
    ///     scene.add("Map", Map { width })?;
    ///     Ok(())
    /// });
    /// ```
    pub fn setup<R: SetupResult>(mut self, setup: impl FnOnce(&mut Scene) -> R + 'static) -> Self {
        self.setups.0.push(Box::new(|scene| setup(scene).into_result()));
        self
    }

    /// Adds a hook for all signals. Hooks run in the order in which they were added.
    pub fn on_signal(mut self, hook: impl FnMut(&mut Scene, &Signal) + 'static) -> Self {
        self.hooks.add_signal(Box::new(hook));
        self
    }

    /// Adds a hook for [`Signal::PeerConnected`].
    pub fn on_peer_connected(self, mut hook: impl FnMut(&mut Scene, PeerId) + 'static) -> Self {
        self.on_signal(move |scene, signal| {
            if let Signal::PeerConnected(peer) = signal {
                hook(scene, *peer);
            }
        })
    }

    /// Adds a hook for [`Signal::PeerDisconnected`].
    pub fn on_peer_disconnected(self, mut hook: impl FnMut(&mut Scene, PeerId) + 'static) -> Self {
        self.on_signal(move |scene, signal| {
            if let Signal::PeerDisconnected(peer) = signal {
                hook(scene, *peer);
            }
        })
    }

    /// Adds a hook for [`Signal::PeerPacket`]: bytes that a peer sent with
    /// [`send_bytes`](SceneMultiplayer::send_bytes).
    pub fn on_peer_packet(self, mut hook: impl FnMut(&mut Scene, PeerId, &[u8]) + 'static) -> Self {
        self.on_signal(move |scene, signal| {
            if let Signal::PeerPacket { from, data } = signal {
                hook(scene, *from, data);
            }
        })
    }

    /// Requires peers to authenticate, and adds a hook for the bytes that they send meanwhile
    /// (Godot: `auth_callback`).
    ///
    /// The program responds, in the hook or later, with [`send_auth`](SceneMultiplayer::send_auth),
    /// [`complete_auth`](SceneMultiplayer::complete_auth) or
    /// [`disconnect_peer`](SceneMultiplayer::disconnect_peer).
    #[doc(alias = "auth_callback")]
    pub fn on_peer_auth(
        mut self,
        mut hook: impl FnMut(&mut Scene, PeerId, &[u8]) + 'static,
    ) -> Self {
        self.authentication = true;
        self.on_signal(move |scene, signal| {
            if let Signal::PeerAuth { from, data } = signal {
                hook(scene, *from, data);
            }
        })
    }

    /// Adds a hook that runs at every tick, [`tick_rate`](Self::tick_rate) times per second. Its
    /// argument is the time since the last tick, zero at the first.
    #[doc(alias = "_process")]
    pub fn on_process(mut self, hook: impl FnMut(&mut Scene, Duration) + 'static) -> Self {
        self.hooks.add_process(Box::new(hook));
        self
    }

    /// Sets the number of ticks per second (at least 1; default: 60, Godot's physics rate). At a
    /// tick [`on_process`](Self::on_process) hooks run and synchronizers are checked. A branch with
    /// neither has no ticks.
    pub fn tick_rate(mut self, per_second: u32) -> Self {
        self.hooks.set_tick_period(Duration::from_secs(1) / per_second.max(1));
        self
    }

    /// Sets the codec of messages (default: [`Codec::Godot4`] for Godot 4.3 and later).
    pub fn codec(mut self, codec: Codec) -> Self {
        self.codec = codec;
        self
    }

    /// Sets whether the server announces its clients to each other and relays their packets
    /// (default: yes).
    pub fn server_relay(mut self, relay: bool) -> Self {
        self.server_relay = relay;
        self
    }

    /// Sets the protocol of the branch (default: the `SceneMultiplayer` itself). `make` receives
    /// the `SceneMultiplayer` with the builder's settings, and may wrap it.
    ///
    /// Godot chooses by name for the whole process (`MultiplayerAPI.set_default_interface`), or
    /// sets `MultiplayerAPI` objects per path.
    #[doc(alias = "set_default_interface")]
    pub fn protocol<A: MultiplayerApi + 'static>(
        mut self,
        make: impl FnOnce(SceneMultiplayer) -> A + 'static,
    ) -> Self {
        self.protocol = ApiFactory(Box::new(|multiplayer| Box::new(make(multiplayer))));
        self
    }

    /// Sets Godot behaviours that mp disables by default, see [`GodotQuirks`] (default: none).
    pub fn quirks(mut self, quirks: GodotQuirks) -> Self {
        self.quirks = quirks;
        self
    }

    /// Sets the seed of the branch's random numbers, which are the ids of
    /// [requests](crate::rpc::RequestCall) (default: from the operating system). With a constant
    /// seed a run can be reproduced, but peers can predict the numbers.
    pub fn seed(mut self, seed: [u8; 32]) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Allows peers to [move](Branch::move_peer) between this branch and others with the same
    /// `ids` (default: no). The branches usually get [`IdBlocks::of_process`].
    ///
    /// Net ids and path ids are then drawn from `ids`, and are larger than in a branch without
    /// moves: from 256 on an id lengthens each call by one byte, from 65,536 on by three. Godot 4.0
    /// to 4.2 ([`codec`](Self::codec)) does not support moves.
    pub fn moves(mut self, ids: &IdBlocks) -> Self {
        self.moves = Some(ids.clone());
        self
    }

    /// Sets a policy that announces peers to each other and forwards their packets, in place of
    /// Godot's relay (default: none). It is not asked while the branch is a client.
    ///
    /// Peers cannot move from or to a branch with a policy.
    pub fn relay_policy(mut self, policy: impl RelayPolicy) -> Self {
        self.relay_policy = Some(Box::new(policy));
        self
    }

    /// Adds a hook that runs before a peer of another branch [moves](Branch::move_peer) to this
    /// one. The peer stays where it is if the hook returns false.
    ///
    /// The hook can set the visibility of nodes for the peer, before any is announced to it. The
    /// peer may still fail to arrive, for example because its connection ends;
    /// [`Signal::PeerConnected`] reports its arrival.
    pub fn on_peer_expected(
        mut self,
        hook: impl FnMut(&mut Scene, PeerId) -> bool + 'static,
    ) -> Self {
        self.hooks.add_expected(Box::new(hook));
        self
    }

    /// Adds a hook that runs before a peer [moves](Branch::move_peer) from this branch to another
    /// one. The peer is still connected: what the hook sends to it, it receives. With several
    /// hooks, authority returns unless one of them returns [`PeerAuthority::Keep`].
    pub fn on_peer_moving(
        mut self,
        hook: impl FnMut(&mut Scene, PeerId) -> PeerAuthority + 'static,
    ) -> Self {
        self.hooks.add_moving(Box::new(hook));
        self
    }

    /// Adds a hook that runs when the connection of a peer was lost, and decides whether the peer
    /// is [kept](PeerDrop::Keep) for a time in which it can resume its session (default: no peer
    /// is kept).
    ///
    /// A kept peer has no connection, but keeps its id, visibility and authority:
    /// [`peers`](Scene::peers) contains it, and the other peers are not notified. Packets and calls
    /// to it are dropped and counted ([`kept_drops`](crate::SceneStats::kept_drops)), or
    /// [queued](crate::Keep::queue_calls). If it does not resume in time it leaves, with
    /// [`PeerDisconnected`](Signal::PeerDisconnected). [`disconnect_peer`] lets it leave at once.
    ///
    /// The hook runs if the connection ended because the remote peer closed it or stopped
    /// responding, or because its queue was full. With several hooks, the longest time counts. A
    /// branch that authenticates peers or has a [relay policy](Self::relay_policy), and a client,
    /// keep no peers. At most [`KEPT_PEERS_MAX`](crate::limits::KEPT_PEERS_MAX) are kept.
    ///
    /// [`disconnect_peer`]: SceneMultiplayer::disconnect_peer
    pub fn on_peer_dropped(
        mut self,
        hook: impl FnMut(&mut Scene, PeerId, DisconnectReason) -> PeerDrop + 'static,
    ) -> Self {
        self.hooks.add_dropped(Box::new(hook));
        self
    }

    /// Adds a hook that runs when a peer has resumed the session of a kept peer
    /// ([`Route::Resume`](mp_core::Route::Resume)). Its arguments are the kept peer and the peer
    /// that has resumed, in this order.
    ///
    /// A client whose transport assigns ids (WebSocket) resumes under the same id. It has received
    /// the nodes that it may see, with their current state, and queued calls, when the hook runs.
    /// The others have noticed nothing.
    ///
    /// An ENet client draws a new id at each connection. The hook may then
    /// [reseat](Scene::reseat) the player. When the hooks have run, the old peer leaves: the others
    /// are sent DEL_PEER of it, and nodes that it had spawned are removed. Neither
    /// [`PeerConnected`](Signal::PeerConnected) nor [`PeerDisconnected`](Signal::PeerDisconnected)
    /// is emitted for a resumption on this branch;
    /// [`BranchEvent::PeerResumed`](crate::BranchEvent::PeerResumed) reports it.
    ///
    /// In both cases the client begins a new session: nodes that the client itself had spawned are
    /// removed, and it spawns its own anew.
    pub fn on_peer_resumed(
        mut self,
        hook: impl FnMut(&mut Scene, PeerId, PeerId) + 'static,
    ) -> Self {
        self.hooks.add_resumed(Box::new(hook));
        self
    }

    /// Creates the branch and runs its setups.
    ///
    /// # Errors
    ///
    /// [`BuildError`] if the root path is invalid, a setup fails, or no [`seed`](Self::seed) is set
    /// and the operating system provides none.
    pub fn build(self) -> Result<Branch, BuildError> {
        let tree = Tree::new(&self.root_path).map_err(BuildError::RootPath)?;
        let seed = match self.seed {
            Some(seed) => seed,
            None => mp_core::host::os_seed().map_err(BuildError::Randomness)?,
        };
        let mut multiplayer = SceneMultiplayer::new(self.codec);
        multiplayer.set_server_relay(self.server_relay);
        multiplayer.set_authentication(self.authentication);
        multiplayer.set_quirks(self.quirks);
        if let Some(blocks) = &self.moves {
            multiplayer.enable_moves(blocks);
        }
        if self.hooks.keeps_peers() {
            multiplayer.enable_keeping();
        }
        if let Some(policy) = self.relay_policy {
            multiplayer.set_relay_policy(policy, &self.moves.unwrap_or_default());
        }
        let rng = Rng::from_seed(seed);
        let mut scene = Scene::new(tree, (self.protocol.0)(multiplayer), rng);
        for setup in self.setups.0 {
            setup(&mut scene).map_err(|source| {
                let root_path = self.root_path.clone();
                BuildError::Setup { root_path, source }
            })?;
        }
        scene.start();
        scene.flush_changes();
        scene.free_queued();
        scene.flush_changes();
        Ok(Branch::new(scene, self.hooks))
    }
}

/// The reason why a branch could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The operating system provides no random numbers.
    #[error("the operating system provides no random numbers; set a seed")]
    Randomness(#[source] io::Error),
    /// The root path is invalid.
    #[error(transparent)]
    RootPath(TreeError),
    /// A [setup](BranchBuilder::setup) failed.
    #[error("cannot set up the branch {root_path}")]
    Setup {
        /// The root path of the branch.
        root_path: String,
        /// The error of the setup.
        source: SetupError,
    },
}

/// A result that a [setup](BranchBuilder::setup) may return.
///
/// There is one implementation for `Result<(), _>`, so that the compiler infers the error of a
/// closure that uses `?` and ends with `Ok(())`.
#[diagnostic::on_unimplemented(
    message = "a setup cannot return `{Self}`",
    note = "return `Result<_, SetupError>`: `Ok(f()?)` converts the error of any `f()`"
)]
pub trait SetupResult {
    /// Drops the value and boxes the error.
    ///
    /// # Errors
    ///
    /// The error of the result.
    fn into_result(self) -> Result<(), SetupError>;
}

impl<T> SetupResult for Result<T, SetupError> {
    fn into_result(self) -> Result<(), SetupError> {
        self.map(drop)
    }
}

impl SetupResult for Result<NodeId, TreeError> {
    fn into_result(self) -> Result<(), SetupError> {
        Ok(self.map(drop)?)
    }
}

impl<N> SetupResult for Result<NodeRef<N>, TreeError> {
    fn into_result(self) -> Result<(), SetupError> {
        Ok(self.map(drop)?)
    }
}

impl fmt::Debug for ApiFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiFactory")
    }
}

impl fmt::Debug for Setups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} setups", self.0.len())
    }
}
