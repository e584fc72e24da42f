//! What a program holds: the tree and the SceneMultiplayer of a branch.

use std::any::Any;
use std::collections::VecDeque;
use std::ops::{Deref, DerefMut};

use mp_core::{Channel, Instant, PeerId, Target, TransferMode, Variant};

use crate::api::{Call, Called, Configuration, MultiplayerApi};
use crate::limits::DEFERRED_CALLS_MAX;
use crate::property::PropertyError;
use crate::replication::SpawnError;
use crate::rpc::{CallError, IntoArgs};
use crate::scene_multiplayer::SceneStats;
use crate::tree::{CheckedOut, Instance, Node, NodeId, NodeRef, NodeTree, Tree, TreeError};
use crate::{RpcError, SceneMultiplayer, SendBytesError};

/// A tree and its SceneMultiplayer: what hooks and methods of a [`Branch`](crate::Branch) are given.
#[derive(Debug)]
pub struct Scene {
    tree: Tree,
    api: Box<dyn MultiplayerApi>,
    now: Instant,
    remote_sender: Option<PeerId>,
    /// Calls to nodes that run a method right now, in order.
    deferred: VecDeque<Call>,
    failed_calls: u64,
}

impl Scene {
    pub(crate) fn new(tree: Tree, api: Box<dyn MultiplayerApi>) -> Self {
        Self {
            tree,
            api,
            now: Instant::ZERO,
            remote_sender: None,
            deferred: VecDeque::new(),
            failed_calls: 0,
        }
    }

    /// Adds a node at `path`, relative to the multiplayer root: all but the last name must exist.
    ///
    /// # Errors
    ///
    /// See [`Tree::add`].
    pub fn add<N: Node>(&mut self, path: &str, object: N) -> Result<NodeRef<N>, TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        let parent = self.find(parent)?;
        self.tree.add(parent, name, object)
    }

    /// Adds a node with all below it under the node at `parent`, relative to the multiplayer root.
    ///
    /// # Errors
    ///
    /// See [`Tree::add_instance`].
    pub fn add_instance(&mut self, parent: &str, instance: Instance) -> Result<NodeId, TreeError> {
        let parent = self.find(parent)?;
        self.tree.add_instance(parent, instance)
    }

    /// Lets a [`MultiplayerSpawner`](crate::MultiplayerSpawner) of this side make a node out of `data`, which the others are told with
    /// the data. When a sibling has the name that its spawn function gives, a number is put behind it.
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
        self.api.spawn(&mut self.tree, spawner.into(), data.into())
    }

    /// Removes a node and all below it; returns its own object, unless one of its methods runs right now.
    ///
    /// # Errors
    ///
    /// See [`Tree::remove`].
    #[doc(alias = "queue_free")]
    pub fn remove(&mut self, node: impl Into<NodeId>) -> Result<Option<Box<dyn Any>>, TreeError> {
        self.tree.remove(node)
    }

    /// The node at `path`, relative to the multiplayer root or absolute.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`].
    #[doc(alias = "get_node")]
    pub fn find(&self, path: &str) -> Result<NodeId, TreeError> {
        self.tree.find(path).ok_or_else(|| TreeError::NotFound(path.to_owned()))
    }

    /// The node at `path`, relative to the multiplayer root or absolute, whose object is an `N`.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`], and [`TreeError::WrongType`] when its object is of another type.
    #[doc(alias = "get_node")]
    pub fn node<N: Node>(&self, path: &str) -> Result<NodeRef<N>, TreeError> {
        let node = NodeRef::new(self.find(path)?);
        match self.tree.get(node) {
            Ok(_) | Err(TreeError::Busy) => Ok(node),
            Err(error) => Err(error),
        }
    }

    /// The object of a node.
    ///
    /// # Errors
    ///
    /// See [`Tree::get`].
    pub fn get<N: Node>(&self, node: NodeRef<N>) -> Result<&N, TreeError> {
        self.tree.get(node)
    }

    /// The object of a node, to change it.
    ///
    /// # Errors
    ///
    /// See [`Tree::get_mut`].
    pub fn get_mut<N: Node>(&mut self, node: NodeRef<N>) -> Result<&mut N, TreeError> {
        self.tree.get_mut(node)
    }

    /// Sets a property that the node's [`PropertyTable`](crate::PropertyTable) lists, and runs its
    /// [setter](crate::PropertyTable::property_with_setter) if it has one.
    ///
    /// # Errors
    ///
    /// [`PropertyError::Unreachable`] when the node has left the tree or a method of it runs,
    /// [`PropertyError::NoProperty`] when it lists no such property, and other errors when it does
    /// not take the value.
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

    /// Whether this side has authority over `node`; false when it has left the tree.
    pub fn is_multiplayer_authority(&self, node: impl Into<NodeId>) -> bool {
        self.tree.multiplayer_authority(node.into()) == Some(self.unique_id())
    }

    /// Calls `method` of `node` on every other peer (and at home when it is `call_local`).
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
    /// The call leaves when the turn ends. At home it runs at once, after sending; while the node runs a method of its own
    /// it runs when that returns.
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
        // What the program did before the call is told before it.
        self.flush_changes();
        let Called { sent, local } = self.api.rpc(&mut self.tree, target, node, method, args)?;
        // The call at home is made even when there was nobody to send it to.
        let at_home = local.map_or(Ok(()), |call| self.call(call));
        sent?;
        at_home.map_err(RpcError::LocalCall)
    }

    /// Sends bytes of the program's own: see [`SceneMultiplayer::send_bytes`].
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

    /// Who called the method that runs now: this side's own id in a call at home, `None` outside of calls.
    #[doc(alias = "get_remote_sender_id")]
    pub fn remote_sender_id(&self) -> Option<PeerId> {
        self.remote_sender
    }

    /// This side's own id.
    #[doc(alias = "get_unique_id")]
    pub fn unique_id(&self) -> PeerId {
        self.api.unique_id()
    }

    /// The peers that take part.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> Vec<PeerId> {
        self.api.peer_ids()
    }

    /// The time of this turn.
    pub fn now(&self) -> Instant {
        self.now
    }

    /// Sets the time of this turn. Inputs and ticks do it by themselves; a host that reaches into the scene between them has
    /// to say.
    pub fn set_now(&mut self, now: Instant) {
        self.now = now;
    }

    /// Lets peers be told of what has become of nodes, spawners and synchronizers so far. It happens by itself when a hook or method
    /// returns and before anything is sent; whoever reaches into the scene between turns can bring it about.
    pub fn flush_changes(&mut self) {
        self.api.handle_changes(self.now, &mut self.tree);
    }

    /// Sets what `configuration` says: the multiplayer root, see [`Tree::set_root_path`], or a spawner or synchronizer to follow.
    ///
    /// # Errors
    ///
    /// As there (Godot says OK to a path that it refuses), and when the node has left the tree.
    pub fn object_configuration_add(
        &mut self,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        self.flush_changes();
        self.api.object_configuration_add(&mut self.tree, configuration)
    }

    /// Takes back what `configuration` says. A multiplayer root can be another, but not none.
    ///
    /// # Errors
    ///
    /// [`TreeError::IsRoot`] for the root path in force, [`TreeError::NotFound`] for any other, [`TreeError::NotInTree`] for a spawner or
    /// synchronizer that is not followed.
    pub fn object_configuration_remove(
        &mut self,
        configuration: &Configuration,
    ) -> Result<(), TreeError> {
        self.flush_changes();
        self.api.object_configuration_remove(&mut self.tree, configuration)
    }

    /// The tree.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The tree, to change it.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.tree
    }

    /// The SceneMultiplayer that is the protocol of the branch, or that its protocol is made of: see
    /// [`MultiplayerApi::scene_multiplayer`].
    pub fn multiplayer(&self) -> &SceneMultiplayer {
        self.api.scene_multiplayer()
    }

    /// As [`multiplayer`](Self::multiplayer), to change its settings.
    pub fn multiplayer_mut(&mut self) -> &mut SceneMultiplayer {
        self.api.scene_multiplayer_mut()
    }

    /// The protocol of the branch: the SceneMultiplayer, unless it was built with another.
    pub fn api(&self) -> &dyn MultiplayerApi {
        &*self.api
    }

    /// The protocol of the branch, to change its settings.
    pub fn api_mut(&mut self) -> &mut dyn MultiplayerApi {
        &mut *self.api
    }

    /// Counters; calls that failed at the method's own door are among the refused.
    pub fn stats(&self) -> SceneStats {
        let mut stats = self.multiplayer().stats();
        stats.refused_calls += self.failed_calls;
        stats
    }

    /// The tree and the protocol.
    pub(crate) fn parts(&mut self) -> (&mut Tree, &mut dyn MultiplayerApi) {
        (&mut self.tree, &mut *self.api)
    }

    /// Makes a call that arrived. One that does not fit the method is dropped and counted, as in Godot.
    pub(crate) fn call_remote(&mut self, call: Call) {
        let (sender, method) = (call.sender, call.method.clone());
        if let Err(error) = self.call(call) {
            tracing::debug!(%sender, %method, %error, "call not made");
            self.failed_calls += 1;
        }
    }

    fn call(&mut self, call: Call) -> Result<(), CallError> {
        let node = call.node;
        let result = self.run(call);
        while self.tree.is_at_home(node)
            && let Some(waiting) = self.take_deferred(node)
        {
            let method = waiting.method.clone();
            let result = self.run(waiting);
            self.note_deferred(&method, result);
        }
        result
    }

    fn run(&mut self, call: Call) -> Result<(), CallError> {
        // While the node is checked out its properties cannot be read.
        self.flush_changes();
        let mut out = match self.tree.check_out(call.node) {
            Ok(out) => out,
            Err(TreeError::Busy) if self.deferred.len() < DEFERRED_CALLS_MAX => {
                self.deferred.push_back(call);
                return Ok(());
            }
            Err(_) => return Err(CallError::NodeUnavailable),
        };
        let node = call.node;
        let result = self.run_method(&mut out, call);
        // A node that was removed meanwhile goes with its object: its calls to itself are made now.
        while !self.tree.contains(node)
            && let Some(waiting) = self.take_deferred(node)
        {
            let method = waiting.method.clone();
            let result = self.run_method(&mut out, waiting);
            self.note_deferred(&method, result);
        }
        self.tree.check_in(out);
        result
    }

    fn run_method(&mut self, out: &mut CheckedOut, call: Call) -> Result<(), CallError> {
        let method = out.method(&call.method).ok_or(CallError::NoBody)?;
        let caller = self.remote_sender.replace(call.sender);
        let mut cx = RpcContext { scene: self, node: call.node, sender: call.sender };
        let result = method(&mut *out.object, &mut cx, call.args);
        self.remote_sender = caller;
        result
    }

    /// The oldest call that waits until a method of `node` returns.
    fn take_deferred(&mut self, node: NodeId) -> Option<Call> {
        let index = self.deferred.iter().position(|waiting| waiting.node == node)?;
        self.deferred.remove(index)
    }

    fn note_deferred(&mut self, method: &str, result: Result<(), CallError>) {
        if let Err(error) = result {
            tracing::debug!(%method, %error, "deferred call not made");
            self.failed_calls += 1;
        }
    }
}

/// What a method that is called by a peer can reach: the [`Scene`] it belongs to, and who called.
///
/// While the method runs its node is checked out of the tree: the rest of the scene can be changed at will, but the node
/// itself cannot be borrowed ([`TreeError::Busy`]), and calls to it, `call_local` ones too, run when the method returns, in
/// order.
#[derive(Debug)]
pub struct RpcContext<'a> {
    scene: &'a mut Scene,
    node: NodeId,
    sender: PeerId,
}

impl RpcContext<'_> {
    /// The node whose method runs.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// Who called: this side's own id in a call at home.
    #[doc(alias = "get_remote_sender_id")]
    pub fn remote_sender(&self) -> PeerId {
        self.sender
    }
}

impl Deref for RpcContext<'_> {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        self.scene
    }
}

impl DerefMut for RpcContext<'_> {
    fn deref_mut(&mut self) -> &mut Scene {
        self.scene
    }
}
