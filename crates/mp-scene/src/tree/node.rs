//! What a node is to its tree and to the program.
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
///         RpcTable::new().method("knock", RpcConfig::any_peer(), |door: &mut Self, _cx, (times,): (i64,)| {
///             door.open = times >= 3;
///         })
///     }
/// }
/// ```
pub trait Node: Any {
    /// The methods that peers may call: what Godot reads from the `@rpc` annotations of a script. Every side must list
    /// the same names, or their ids differ.
    fn rpc_table() -> RpcTable<Self>
    where
        Self: Sized,
    {
        RpcTable::new()
    }

    /// The properties that a [`MultiplayerSynchronizer`] can read and write.
    fn property_table() -> PropertyTable<Self>
    where
        Self: Sized,
    {
        PropertyTable::new()
    }

    /// Runs when the node has entered `tree` with all below it, before peers are told of it and before what they told of it is
    /// set: the place to give others authority, as in Godot. The node itself, which is `node`, cannot be borrowed meanwhile.
    #[doc(alias = "_enter_tree")]
    fn enter_tree(&mut self, _tree: &mut Tree, _node: NodeId) {}

    /// The synchronizer that the node is: for a type that holds one and has state or methods of its own, like a script that
    /// `extends MultiplayerSynchronizer`. It must be the same one each time.
    ///
    /// ```
    /// use mp_core::variant::Vector2;
    /// use mp_scene::prelude::*;
    ///
    /// /// Its own properties (`root_path` is `"."`), which the player who has authority sends.
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

    /// The spawner that the node is, as [`as_synchronizer`](Self::as_synchronizer).
    fn as_spawner(&mut self) -> Option<&mut MultiplayerSpawner> {
        None
    }
}

/// A node with nothing of its own, to hold other nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Group;

impl Node for Group {}

/// A node, for as long as it is in its tree. Ids are never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub(super) DefaultKey);

/// The id of a node whose object is an `N`.
pub struct NodeRef<N> {
    id: NodeId,
    object: PhantomData<fn() -> N>,
}

impl<N> NodeRef<N> {
    /// `id` as that of a node whose object is believed to be an `N`; using it checks.
    pub fn new(id: NodeId) -> Self {
        Self { id, object: PhantomData }
    }

    /// The node's id.
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
