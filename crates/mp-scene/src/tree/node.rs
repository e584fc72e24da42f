//! Nodes: their objects and ids.
#![expect(clippy::exhaustive_structs, reason = "a node without fields")]

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;

use slotmap::DefaultKey;

use super::Tree;
use crate::property::PropertyTable;
use crate::replication::{MultiplayerSpawner, MultiplayerSynchronizer};
use crate::rpc::RpcTable;

/// The object of a node: the program's own state and methods.
///
/// ```
/// use mp_scene::prelude::*;
///
/// #[derive(Default)]
/// struct Door {
///     open: bool,
/// }
///
/// impl Node for Door {
///     fn rpc_table() -> RpcTable<Self> {
///         RpcTable::new()
///             .method("knock", RpcConfig::any_peer(), |door: &mut Self, _cx, (times,): (i64,)| {
///                 door.open = times >= 3;
///             })
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a node",
    label = "not a node",
    note = "write #[derive(Node)] on the struct, or `impl Node for {Self} {{}}`"
)]
pub trait Node: Any {
    /// Returns the methods that peers may call, as Godot reads them from the `@rpc` annotations of
    /// a script. All peers must list the same names, else their ids differ.
    fn rpc_table() -> RpcTable<Self>
    where
        Self: Sized,
    {
        RpcTable::new()
    }

    /// Returns the properties that a [`MultiplayerSynchronizer`] can read and write.
    fn property_table() -> PropertyTable<Self>
    where
        Self: Sized,
    {
        PropertyTable::new()
    }

    /// Runs after the node entered `tree` with its children, before it is announced to peers and
    /// before a received announcement sets its properties. As in Godot, this is where to give
    /// authority to other peers. The node itself (`node`) is checked out meanwhile.
    #[doc(alias = "_enter_tree")]
    fn enter_tree(&mut self, _tree: &mut Tree, _node: NodeId) {}

    /// Returns the synchronizer that this node is: for a type that contains one and has its own
    /// state or methods, like a script that `extends MultiplayerSynchronizer`. Each call must
    /// return the same synchronizer.
    ///
    /// ```
    /// use mp_core::variant::Vector2;
    /// use mp_scene::prelude::*;
    ///
    /// /// Sends its own properties (`root_path` is `"."`); the player has authority over it.
    /// struct PlayerInput {
    ///     sync: MultiplayerSynchronizer,
    ///     direction: Vector2,
    /// }
    ///
    /// impl Default for PlayerInput {
    ///     fn default() -> Self {
    ///         let config = ReplicationConfig::new().always(".:direction");
    ///         let sync = MultiplayerSynchronizer::new(config).with_root_path(".");
    ///         Self { sync, direction: Vector2::default() }
    ///     }
    /// }
    ///
    /// impl Node for PlayerInput {
    ///     fn property_table() -> PropertyTable<Self> {
    ///         PropertyTable::new().property("direction", |input: &mut Self| &mut input.direction)
    ///     }
    ///
    ///     fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
    ///         Some(&mut self.sync)
    ///     }
    /// }
    /// ```
    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        None
    }

    /// Returns the spawner that this node is, as [`as_synchronizer`](Self::as_synchronizer).
    fn as_spawner(&mut self) -> Option<&mut MultiplayerSpawner> {
        None
    }
}

/// A node without state, as a parent of other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group;

impl Node for Group {}

/// The id of a node in its tree. Ids are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) DefaultKey);

/// The id of a node whose object is an `N`.
pub struct NodeRef<N> {
    id: NodeId,
    object: PhantomData<fn() -> N>,
}

impl<N> NodeRef<N> {
    /// Creates a typed id. Each use checks the object's type.
    pub fn new(id: NodeId) -> Self {
        Self { id, object: PhantomData }
    }

    /// Returns the node's id.
    pub fn id(self) -> NodeId {
        self.id
    }
}

impl<N> From<NodeRef<N>> for NodeId {
    fn from(node: NodeRef<N>) -> Self {
        node.id
    }
}

impl<N> Clone for NodeRef<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for NodeRef<N> {}

impl<N> PartialEq for NodeRef<N> {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl<N> Eq for NodeRef<N> {}

impl<N> Hash for NodeRef<N> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl<N> fmt::Debug for NodeRef<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.id.fmt(f)
    }
}
