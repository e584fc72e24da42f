//! The contexts of methods: the scene, and the node whose method is running.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use mp_core::{PeerId, Target};

use super::{Scene, TimerId};
use crate::RpcError;
use crate::rpc::IntoArgs;
use crate::tree::{Node, NodeId, NodeRef, TreeError};

/// The context of a node's method: the [`Scene`] and the node.
///
/// While the method runs, its node is checked out of the tree: the object is the method's `&mut
/// self`. The rest of the scene can be changed, but the node itself cannot be borrowed
/// ([`TreeError::Busy`]). Calls to the node, also `call_local` ones, run in
/// order when the method returns.
#[derive(Debug)]
pub struct NodeContext<'a> {
    scene: &'a mut Scene,
    node: NodeId,
    is_default: bool,
}

impl<'a> NodeContext<'a> {
    pub(super) fn new(scene: &'a mut Scene, node: NodeId) -> Self {
        Self { scene, node, is_default: false }
    }

    /// Records that the default method of the trait [`Node`] runs, because the
    /// type of the node does not override it.
    pub(crate) fn note_default(&mut self) {
        self.is_default = true;
    }

    pub(super) fn is_default(&self) -> bool {
        self.is_default
    }
}

impl NodeContext<'_> {
    /// Returns the node whose method is running.
    pub fn node_id(&self) -> NodeId {
        self.node
    }

    /// Returns the node whose method is running, as a node of type `N`: `cx.this::<Self>()`.
    pub fn this<N>(&self) -> NodeRef<N> {
        NodeRef::new(self.node)
    }

    /// Calls `method` of this node on all other peers, and locally if it is `call_local`
    /// (GDScript: `rpc("method", …)`).
    ///
    /// # Errors
    ///
    /// As [`Scene::rpc`].
    pub fn rpc_self(&mut self, method: &str, args: impl IntoArgs) -> Result<(), RpcError> {
        self.scene.rpc(self.node, method, args)
    }

    /// Calls `method` of this node on `target` (GDScript: `rpc_id(peer, "method", …)`).
    ///
    /// # Errors
    ///
    /// As [`Scene::rpc_id`].
    pub fn rpc_id_self(
        &mut self,
        target: impl Into<Target>,
        method: &str,
        args: impl IntoArgs,
    ) -> Result<(), RpcError> {
        self.scene.rpc_id(target, self.node, method, args)
    }
}

impl NodeContext<'_> {
    /// Removes this node and its children when the method and its calls have ended, see
    /// [`Scene::queue_free`].
    ///
    /// # Errors
    ///
    /// As [`Scene::queue_free`].
    pub fn queue_free_self(&mut self) -> Result<(), TreeError> {
        self.scene.queue_free(self.node)
    }

    /// Calls `run` once with this node, after `delay`, unless the node has left the tree. See
    /// [`Scene::create_timer`].
    pub fn timer_self<N: Node>(
        &mut self,
        delay: Duration,
        run: impl FnOnce(&mut N, &mut NodeContext<'_>) + 'static,
    ) -> TimerId {
        self.scene.create_node_timer(NodeRef::new(self.node), delay, run)
    }

    /// Calls `run` with this node every `period` until the node leaves the tree. See
    /// [`Scene::create_repeating_timer`].
    pub fn repeating_timer_self<N: Node>(
        &mut self,
        period: Duration,
        run: impl FnMut(&mut N, &mut NodeContext<'_>) + 'static,
    ) -> TimerId {
        self.scene.create_repeating_node_timer(NodeRef::new(self.node), period, run)
    }
}

impl Deref for NodeContext<'_> {
    type Target = Scene;

    fn deref(&self) -> &Scene {
        self.scene
    }
}

impl DerefMut for NodeContext<'_> {
    fn deref_mut(&mut self) -> &mut Scene {
        self.scene
    }
}

/// The context of a method that a peer calls: the [`NodeContext`] and the caller.
///
/// ```
/// use mp_scene::prelude::*;
///
/// #[derive(Default)]
/// struct Door {
///     guests: i64,
/// }
///
/// impl Node for Door {
///     fn rpc_table() -> RpcTable<Self> {
///         RpcTable::new()
///             .method("knock", RpcConfig::any_peer(), |door: &mut Self, cx, (): ()| {
///                 door.guests += 1;
///                 let _ = cx.reply("let_in", (door.guests,)); // fails if the guest has left
///             })
///             .remote("let_in", RpcConfig::authority())
///     }
/// }
/// ```
#[derive(Debug)]
pub struct RpcContext<'a> {
    cx: NodeContext<'a>,
    sender: PeerId,
}

impl<'a> RpcContext<'a> {
    pub(super) fn new(cx: NodeContext<'a>, sender: PeerId) -> Self {
        Self { cx, sender }
    }
}

impl RpcContext<'_> {
    /// Returns the caller: the local peer's id in a local call.
    #[doc(alias = "get_remote_sender_id")]
    pub fn remote_sender(&self) -> PeerId {
        self.sender
    }

    /// Calls `method` of this node on the [caller](Self::remote_sender).
    ///
    /// # Errors
    ///
    /// As [`Scene::rpc_id`].
    pub fn reply(&mut self, method: &str, args: impl IntoArgs) -> Result<(), RpcError> {
        self.cx.rpc_id_self(self.sender, method, args)
    }
}

impl<'a> Deref for RpcContext<'a> {
    type Target = NodeContext<'a>;

    fn deref(&self) -> &NodeContext<'a> {
        &self.cx
    }
}

impl<'a> DerefMut for RpcContext<'a> {
    fn deref_mut(&mut self) -> &mut NodeContext<'a> {
        &mut self.cx
    }
}
