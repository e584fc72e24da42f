//! The scene of a branch: the tree and the protocol.

mod calls;
mod context;
mod life;
mod nodes;
mod requests;
mod reseat;
mod timers;

pub use context::{NodeContext, RpcContext};
pub use nodes::NodeOrPath;
pub use timers::TimerId;

use life::SceneLife;
use requests::Requests;
use timers::Timers;

use std::collections::VecDeque;

use mp_core::{Channel, Instant, PeerId, Rng, Target, TransferMode, Variant};

use crate::api::{Call, Configuration, MultiplayerApi, RpcOutcome};
use crate::property::PropertyError;
use crate::replication::SpawnError;
use crate::rpc::IntoArgs;
use crate::scene_multiplayer::SceneStats;
use crate::tree::{NodeId, NodeTree, Tree, TreeError};
use crate::{RpcError, SceneMultiplayer, SendBytesError};

/// A tree and its protocol, passed to the hooks and methods of a [`Branch`](crate::Branch).
#[derive(Debug)]
pub struct Scene {
    tree: Tree,
    api: Box<dyn MultiplayerApi>,
    now: Instant,
    remote_sender: Option<PeerId>,
    /// Calls to nodes whose methods are running, in order.
    deferred: VecDeque<Call>,
    failed_calls: u64,
    requests: Requests,
    life: SceneLife,
    timers: Timers,
}

impl Scene {
    pub(crate) fn new(tree: Tree, api: Box<dyn MultiplayerApi>, rng: Rng) -> Self {
        Self {
            tree,
            api,
            now: Instant::ZERO,
            remote_sender: None,
            deferred: VecDeque::new(),
            failed_calls: 0,
            requests: Requests::new(rng),
            life: SceneLife::default(),
            timers: Timers::default(),
        }
    }

    /// Creates a node from `data` with the function of a local
    /// [`MultiplayerSpawner`](crate::MultiplayerSpawner), and announces it to peers. If the name
    /// that the function returns is taken by a sibling, a number is appended.
    ///
    /// # Errors
    ///
    /// See [`SpawnError`].
    pub fn spawn(
        &mut self,
        spawner: impl Into<NodeId>,
        data: impl Into<Variant>,
    ) -> Result<NodeId, SpawnError> {
        self.flush_changes();
        let node = self.api.spawn(&mut self.tree, spawner.into(), data.into())?;
        self.make_ready();
        Ok(node)
    }

    /// Sets a property that the node's [`PropertyTable`](crate::PropertyTable) lists, and runs its
    /// [setter](crate::PropertyTable::property_with_setter) if it has one.
    ///
    /// # Errors
    ///
    /// [`PropertyError::Unreachable`] if the node is not in the tree or one of its methods is
    /// running, [`PropertyError::NoProperty`] if the property is not listed, and other errors if
    /// the value is refused.
    #[doc(alias = "set")]
    pub fn set_property(
        &mut self,
        node: impl Into<NodeId>,
        name: &str,
        value: impl Into<Variant>,
    ) -> Result<(), PropertyError> {
        let (node, own) = (node.into(), self.unique_id());
        if !self.tree.contains(node) {
            return Err(PropertyError::Unreachable);
        }
        let property = self.tree.property(node, name).ok_or(PropertyError::NoProperty)?;
        self.tree.run_setter(node, &*property, value.into(), own)
    }

    /// Returns whether the local peer has authority over `node`; false if the node is not in the
    /// tree.
    pub fn is_multiplayer_authority(&self, node: impl Into<NodeId>) -> bool {
        self.tree.multiplayer_authority(node.into()) == Some(self.unique_id())
    }

    /// Calls `method` of `node` on all other peers, and locally if it is `call_local`.
    ///
    /// # Errors
    ///
    /// See [`RpcError`].
    pub fn rpc(
        &mut self,
        node: impl Into<NodeId>,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<(), RpcError> {
        self.rpc_id(Target::All, node, method, args)
    }

    /// Calls `method` of `node` on `target`: a [`PeerId`] or a [`Target`].
    ///
    /// The call is sent at the end of the turn. A local call runs at once, after sending; while
    /// another method of the node runs, it is deferred until that method returns. In
    /// [`Node::ready`](crate::tree::Node::ready) the call is deferred until the nodes are ready;
    /// its errors are then logged.
    ///
    /// # Errors
    ///
    /// See [`RpcError`].
    pub fn rpc_id(
        &mut self,
        target: impl Into<Target>,
        node: impl Into<NodeId>,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<(), RpcError> {
        let (target, node, args) = (target.into(), node.into(), args.into_args());
        if self.is_making_ready() {
            self.call_when_ready(target, node, method, args);
            return Ok(());
        }
        // Peers must receive earlier changes of the program before this call.
        self.flush_changes();
        let RpcOutcome { sent, local } =
            self.api.rpc(&mut self.tree, target, node, method, args)?;
        // The local call runs even if there was no peer to send to.
        let local_result = local.map_or(Ok(()), |call| self.call(call));
        sent?;
        local_result.map_err(RpcError::LocalCall)
    }

    /// Sends application bytes, see [`SceneMultiplayer::send_bytes`].
    ///
    /// # Errors
    ///
    /// See [`SendBytesError`].
    pub fn send_bytes(
        &mut self,
        data: &[u8],
        target: impl Into<Target>,
        mode: TransferMode,
        channel: Channel,
    ) -> Result<(), SendBytesError> {
        self.flush_changes();
        self.api.send_bytes(data, target.into(), mode, channel)
    }

    /// Returns the caller of the method that is running: the local peer's id in a local call,
    /// `None` outside of calls.
    #[doc(alias = "get_remote_sender_id")]
    pub fn remote_sender_id(&self) -> Option<PeerId> {
        self.remote_sender
    }

    /// Returns the local peer's id.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.api.unique_id()
    }

    /// Returns the ids of the connected peers.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> Vec<PeerId> {
        self.api.peer_ids()
    }

    /// Returns the time of this turn.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Sets the time of this turn. Inputs and ticks set it; a host that uses the scene between
    /// turns calls this first.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Announces changes of nodes, spawners and synchronizers to peers, after
    /// [`Node::ready`](crate::tree::Node::ready) of nodes that have entered. This happens
    /// automatically when a hook or method returns and before anything is sent; call it after
    /// changes between turns.
    pub fn flush_changes(&mut self) {
        self.make_ready();
        self.apply_changes();
    }

    /// Announces changes of nodes that are ready.
    fn apply_changes(&mut self) {
        self.api.handle_changes(self.now, &mut self.tree);
    }

    /// Applies `configuration`: sets the multiplayer root ([`Tree::set_root_path`]), or starts
    /// replication with a spawner or synchronizer.
    ///
    /// # Errors
    ///
    /// As [`Tree::set_root_path`] (Godot returns `OK` for a path that it refuses), or if the node
    /// is not in the tree.
    pub fn object_configuration_add(
        &mut self,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        self.flush_changes();
        self.api.object_configuration_add(&mut self.tree, configuration)
    }

    /// Removes `configuration`: stops replication with a spawner or synchronizer. A multiplayer
    /// root can be replaced but not removed.
    ///
    /// # Errors
    ///
    /// [`TreeError::IsRoot`] for the current root path, [`TreeError::NotFound`] for any other path,
    /// [`TreeError::NotInTree`] for a spawner or synchronizer that is not registered.
    pub fn object_configuration_remove(
        &mut self,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        self.flush_changes();
        self.api.object_configuration_remove(&mut self.tree, configuration)
    }

    /// Returns the tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// Returns a mutable reference to the tree.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    /// Returns the `SceneMultiplayer` that is the protocol of the branch, or on which the protocol
    /// is built: see [`MultiplayerApi::scene_multiplayer`].
    pub fn multiplayer(&self) -> &SceneMultiplayer {
        self.api.scene_multiplayer()
    }

    /// Returns a mutable reference to the `SceneMultiplayer`, to change its settings.
    pub fn multiplayer_mut(&mut self) -> &mut SceneMultiplayer {
        self.api.scene_multiplayer_mut()
    }

    /// Returns the protocol of the branch (default: [`SceneMultiplayer`]).
    pub fn api(&self) -> &dyn MultiplayerApi {
        &*self.api
    }

    /// Returns a mutable reference to the protocol of the branch.
    pub fn api_mut(&mut self) -> &mut dyn MultiplayerApi {
        &mut *self.api
    }

    /// Returns counters. Received calls that could not be made count as refused calls.
    pub fn stats(&self) -> SceneStats {
        let mut stats = self.multiplayer().stats();
        stats.refused_calls += self.failed_calls;
        stats.refused_answers = self.requests.refused_answers();
        stats
    }

    /// Returns the tree and the protocol.
    pub(crate) fn parts(&mut self) -> (&mut Tree, &mut dyn MultiplayerApi) {
        (&mut self.tree, &mut *self.api)
    }
}
