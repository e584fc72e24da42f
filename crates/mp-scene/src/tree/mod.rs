//! The node tree of a branch.
//!
//! It contains all nodes from the topmost one (`/root`) down. One of them is the multiplayer root,
//! to which node paths in packets are relative.

mod arena;
mod change;
mod class;
mod error;
mod instance;
mod name;
mod node;

pub(crate) use arena::CheckedOut;
pub use arena::Tree;
pub use change::TreeChange;
pub use error::TreeError;
pub use instance::{Instance, InstanceParts, PackedScene};
pub(crate) use name::is_plain_name;
pub use node::{Group, Node, NodeId, NodeRef};

use std::any::Any;
use std::rc::Rc;

use mp_core::{PeerId, Variant};

use crate::property::{Accessor, PropertyError};
use crate::rpc::RpcIds;

/// The tree interface that [`SceneMultiplayer`](crate::SceneMultiplayer) uses: implement it for an
/// engine that has its own nodes. The example `ecs` does, with entities as nodes.
///
/// Such an engine creates ids with [`NodeId::from_parts`], tables of methods with
/// [`RpcIds::of_methods`], and nodes from [`Instance::into_parts`]. It owns a
/// [`SceneMultiplayer::new`](crate::SceneMultiplayer::new) and passes it events of an
/// [`Endpoint`](mp_core::Endpoint) by [`MultiplayerApi`](crate::api::MultiplayerApi).
pub trait NodeTree {
    /// Returns the node at `path`, relative to the multiplayer root (`"A/B"`, `"."`, `"../C"`) or
    /// absolute (`"/root/Game/A"`).
    fn find(&self, path: &str) -> Option<NodeId>;

    /// Returns the absolute path of the multiplayer root.
    fn root_path(&self) -> String;

    /// Moves the multiplayer root to the node at the absolute path `path`.
    ///
    /// # Errors
    ///
    /// If the path is not absolute, or there is no such node.
    fn set_root_path(&mut self, path: &str) -> Result<(), TreeError>;

    /// Returns the node at `path`, relative to `from` or absolute.
    fn find_from(&self, from: NodeId, path: &str) -> Option<NodeId>;

    /// Returns the name of a node; `None` if it is not in the tree.
    fn name_of(&self, node: NodeId) -> Option<&str>;

    /// Returns the parent of a node; `None` for the topmost node, or if the node is not in the
    /// tree.
    fn parent_of(&self, node: NodeId) -> Option<NodeId>;

    /// Returns the file of the scene whose root the node is; `None` if it was not created from a
    /// scene.
    fn scene_file_path(&self, node: NodeId) -> Option<&str>;

    /// Returns the path of `node` relative to the multiplayer root; `None` if the node is not in
    /// the tree.
    fn path_of(&self, node: NodeId) -> Option<String>;

    /// Returns whether `node` is the multiplayer root or below it.
    fn is_below_root(&self, node: NodeId) -> bool;

    /// Returns whether the [`ready`](Node::ready) method of `node` has run, so that a spawner may
    /// announce it. The default implementation returns true.
    fn is_ready(&self, _node: NodeId) -> bool {
        true
    }

    /// Returns the peer that has authority over `node`; `None` if the node is not in the tree.
    fn multiplayer_authority(&self, node: NodeId) -> Option<PeerId>;

    /// Returns the RPC ids of `node`, which are assigned at the first call and stay the same;
    /// `None` if the node is not in the tree.
    fn rpc_ids(&self, node: NodeId) -> Option<Rc<RpcIds>>;

    /// Returns the object of a node, for [visibility
    /// filters](crate::MultiplayerSynchronizer::add_visibility_filter); `None` if the node is not
    /// in the tree or one of its methods is running. The default implementation returns `None`.
    fn object(&self, _node: NodeId) -> Option<&dyn Node> {
        None
    }

    /// Returns the object of a node; `None` if the node is not in the tree or one of its methods is
    /// running.
    fn object_mut(&mut self, node: NodeId) -> Option<&mut dyn Node>;

    /// Returns the accessor of a property; `None` if the node has no property of that name.
    fn property(&self, node: NodeId, name: &str) -> Option<Rc<dyn Accessor>>;

    /// Sets a property of a node, which may run the property's
    /// [setter](crate::PropertyTable::property_with_setter). `unique_id` is the local peer's id.
    /// The default implementation runs no setter.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree, one of its methods is running, or the value is refused.
    fn set_property(
        &mut self,
        node: NodeId,
        property: &dyn Accessor,
        value: Variant,
        _unique_id: PeerId,
    ) -> Result<(), PropertyError> {
        let object = self.object_mut(node).ok_or(PropertyError::Unreachable)?;
        property.write(object, value)
    }

    /// Adds a node with its children that a peer spawned.
    ///
    /// # Errors
    ///
    /// If a name is invalid or taken, or the parent is not in the tree.
    fn instantiate(&mut self, parent: NodeId, instance: Instance) -> Result<NodeId, TreeError>;

    /// Adds a node with its children that a local spawner created. If a sibling has its name, a
    /// number is appended.
    ///
    /// # Errors
    ///
    /// As [`instantiate`](Self::instantiate), except for the taken name.
    fn instantiate_readable(
        &mut self,
        parent: NodeId,
        instance: Instance,
    ) -> Result<NodeId, TreeError>;

    /// Removes a node that a peer despawned, with its children.
    fn free(&mut self, node: NodeId);

    /// Moves to `touched` the nodes whose objects the program mutably borrowed since the last call,
    /// without duplicates. The default implementation adds none; the exchange of two `Replicated`
    /// fields is then not detected until the next change of either.
    fn take_touched(&mut self, _touched: &mut Vec<NodeId>) {}

    /// Removes and returns the changes since the last call, in order. Nodes of a subtree are added
    /// parents first and removed children first.
    fn take_changes(&mut self) -> Vec<TreeChange>;

    /// Removes and returns the paths, relative to the multiplayer root, that nodes have vacated
    /// since the last call because they were removed, renamed or moved. A late call of a peer to
    /// such a path is dropped instead of reaching the next node there. The default implementation
    /// returns none.
    fn take_vacated(&mut self) -> Vec<String> {
        Vec::new()
    }

    /// Returns whether there is anything to take: touched nodes, changes or vacated paths. The
    /// protocol asks several times per received call. The default implementation returns true, so
    /// that the protocol takes each time.
    fn has_changes(&self) -> bool {
        true
    }

    /// Returns whether there is anything to take except touched nodes, which matter only to
    /// synchronizers. The default implementation is [`has_changes`](Self::has_changes).
    fn has_structural_changes(&self) -> bool {
        self.has_changes()
    }
}

impl dyn NodeTree + '_ {
    /// Returns the node at `path`, relative to the multiplayer root or absolute, whose object is an
    /// `N`.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`]; [`TreeError::WrongType`] if the object has another type, or
    /// [`TreeError::Busy`] while one of its methods is running.
    pub fn node<N: Node>(&self, path: &str) -> Result<NodeRef<N>, TreeError> {
        let node = self.find(path).ok_or_else(|| TreeError::NotFound(path.to_owned()))?;
        let node = NodeRef::new(node);
        self.get(node).map(|_| node)
    }

    /// Returns the object of a node.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotInTree`], [`TreeError::WrongType`], or [`TreeError::Busy`] while one of the
    /// node's methods is running.
    pub fn get<N: Node>(&self, node: NodeRef<N>) -> Result<&N, TreeError> {
        if self.name_of(node.id()).is_none() {
            return Err(TreeError::NotInTree);
        }
        let object: &dyn Any = self.object(node.id()).ok_or(TreeError::Busy)?;
        object
            .downcast_ref()
            .ok_or_else(|| TreeError::wrong_type::<N>(self.path_of(node.id()).unwrap_or_default()))
    }
}
