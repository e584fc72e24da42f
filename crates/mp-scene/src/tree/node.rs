//! Nodes: their objects and ids.
#![expect(clippy::exhaustive_structs, reason = "a node without fields")]

use std::any::Any;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::time::Duration;

use slotmap::{DefaultKey, Key, KeyData};

use super::Tree;
use crate::NodeContext;
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
    /// before a received announcement sets its properties; parents first. As in Godot, this is
    /// where to give authority to other peers. The node itself (`node`) is checked out meanwhile.
    #[doc(alias = "_enter_tree")]
    fn enter_tree(&mut self, _tree: &mut Tree, _node: NodeId) {}

    /// Runs once, when the node and its children have entered the tree; children first. State that
    /// it sets is part of the announcement to peers. On a node that a peer spawned it runs after
    /// the announced properties are set and before the
    /// [`Spawned`](crate::Signal::Spawned) signal.
    ///
    /// Nodes that are added while the branch is built become ready together, after all
    /// [setups](crate::BranchBuilder::setup). Later ones are ready when [`Scene::add`] and its
    /// relatives return; nodes that are added to the [`Tree`] itself, before anything is sent or
    /// the hook returns.
    ///
    /// Calls that the node makes here (`cx.rpc_self(…)`) are made when all nodes that were added
    /// with it are ready, so that peers have the node; their errors are logged.
    ///
    /// [`Scene::add`]: crate::Scene::add
    #[doc(alias = "_ready")]
    fn ready(&mut self, cx: &mut NodeContext<'_>) {
        cx.note_default();
    }

    /// Runs at every tick ([`tick_rate`](crate::BranchBuilder::tick_rate) times per second, 60 by
    /// default), after the [`on_process`](crate::BranchBuilder::on_process) hooks; parents before
    /// children and siblings in their order. `delta` is the time since the last tick, zero at the
    /// first.
    ///
    /// Types without this method cost nothing per tick, and a branch with no other reason for ticks
    /// has none: the first call of the default method marks the type. A type that forwards to
    /// another node must therefore always forward. [`Tree::set_process`] stops and continues the
    /// calls for one node.
    #[doc(alias("_process", "_physics_process"))]
    fn process(&mut self, cx: &mut NodeContext<'_>, _delta: Duration) {
        cx.note_default();
    }

    /// Runs before the node leaves `tree`, while it and its parent are still there; children first.
    /// The node itself (`node`) is checked out meanwhile, and the nodes that leave cannot be
    /// removed, moved or added to ([`TreeError::Busy`](crate::TreeError::Busy)).
    ///
    /// If a method of the node is running, it has left when this runs, after the method. It does
    /// not run when the branch ends; implement `Drop` for that.
    #[doc(alias = "_exit_tree")]
    fn exit_tree(&mut self, _tree: &mut Tree, _node: NodeId) {}

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

impl NodeId {
    /// Creates an id for an implementation of [`NodeTree`](super::NodeTree): the index of a node in
    /// its storage, and a generation that differs from those of earlier nodes at that index. The
    /// upper bit of `generation` is ignored.
    pub fn from_parts(index: u32, generation: u32) -> Self {
        // slotmap's versions of existing elements are odd.
        let version = u64::from(generation) << 1 | 1;
        Self(KeyData::from_ffi((version << 32) | u64::from(index)).into())
    }

    /// Returns the index in [`from_parts`](Self::from_parts).
    pub fn index(self) -> u32 {
        (self.0.data().as_ffi() & u64::from(u32::MAX)) as u32
    }

    /// Returns the generation in [`from_parts`](Self::from_parts).
    pub fn generation(self) -> u32 {
        (self.0.data().as_ffi() >> 33) as u32
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_consist_of_their_parts() {
        for (index, generation) in [(0, 0), (7, 1), (u32::MAX, (1 << 31) - 1)] {
            let id = NodeId::from_parts(index, generation);
            assert_eq!((id.index(), id.generation()), (index, generation));
        }
        assert_ne!(NodeId::from_parts(7, 1), NodeId::from_parts(7, 2));
    }
}
