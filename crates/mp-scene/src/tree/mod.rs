//! The node tree of a branch.
//!
//! It holds every node from the tree's own top (`/root`) down, and one of them is the multiplayer root, to which node
//! paths on the wire are relative.

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
pub use instance::{Instance, PackedScene};
pub(crate) use name::is_plain_name;
pub use node::{Group, Node, NodeId, NodeRef};

use std::rc::Rc;

use mp_core::{PeerId, Variant};

use crate::property::{Accessor, PropertyError};
use crate::rpc::RpcIds;

/// What [`SceneMultiplayer`](crate::SceneMultiplayer) needs of a tree: the seam for an engine that keeps its nodes
/// itself.
pub trait NodeTree {
    /// The node at `path`, relative to the multiplayer root (`"A/B"`, `"."`, `"../C"`) or absolute (`"/root/Game/A"`).
    fn find(&self, path: &str) -> Option<NodeId>;

    /// The absolute path of the multiplayer root.
    fn root_path(&self) -> String;

    /// Lets the multiplayer root stand at the absolute path `path`.
    ///
    /// # Errors
    ///
    /// When it is no such path.
    fn set_root_path(&mut self, path: &str) -> Result<(), TreeError>;

    /// The node at `path`, relative to `from` or absolute.
    fn find_from(&self, from: NodeId, path: &str) -> Option<NodeId>;

    /// The name of a node; `None` when it has left the tree.
    fn name_of(&self, node: NodeId) -> Option<&str>;

    /// The parent of a node; `None` for the tree's top, and when it has left the tree.
    fn parent_of(&self, node: NodeId) -> Option<NodeId>;

    /// The file of the scene that the node is the root of, when it was made from one.
    fn scene_file_path(&self, node: NodeId) -> Option<&str>;

    /// The path of `node` relative to the multiplayer root; `None` when the node has left the tree.
    fn path_of(&self, node: NodeId) -> Option<String>;

    /// Whether `node` is the multiplayer root or below it.
    fn is_below_root(&self, node: NodeId) -> bool;

    /// The peer that has authority over `node`; `None` when the node has left the tree.
    fn multiplayer_authority(&self, node: NodeId) -> Option<PeerId>;

    /// The RPC ids of `node`, made at first use and kept as long as the node; `None` when the node has left the tree.
    fn rpc_ids(&self, node: NodeId) -> Option<Rc<RpcIds>>;

    /// The object of a node; `None` when the node has left the tree or a method of it runs.
    fn object_mut(&mut self, node: NodeId) -> Option<&mut dyn Node>;

    /// How a property of a node is read and written; `None` when it has none of that name.
    fn property(&self, node: NodeId, name: &str) -> Option<Rc<dyn Accessor>>;

    /// Sets a property of a node, which may run the property's
    /// [setter](crate::PropertyTable::property_with_setter); `unique_id` is this side's own id. The
    /// default runs none.
    ///
    /// # Errors
    ///
    /// When the node has left the tree, a method of it runs, or it does not take the value.
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

    /// Adds nodes that a peer has spawned.
    ///
    /// # Errors
    ///
    /// When a name is none, or is taken, or the parent has left the tree.
    fn instantiate(&mut self, parent: NodeId, instance: Instance) -> Result<NodeId, TreeError>;

    /// Adds nodes that this side's spawner has made; when a sibling has the name they get another.
    ///
    /// # Errors
    ///
    /// As [`instantiate`](Self::instantiate), but for the name.
    fn instantiate_readable(
        &mut self,
        parent: NodeId,
        instance: Instance,
    ) -> Result<NodeId, TreeError>;

    /// Removes a node that a peer has despawned, with all below it.
    fn free(&mut self, node: NodeId);

    /// Moves the nodes whose objects the program has borrowed mutably since the last call to the end
    /// of `touched`, each once. Without it, a `Replicated` field that is swapped with another one goes
    /// unnoticed until the next change of either.
    fn take_touched(&mut self, _touched: &mut Vec<NodeId>) {}

    /// What has happened since the last call, in order. A subtree that enters is told parents first, one that leaves children
    /// first.
    fn take_changes(&mut self) -> Vec<TreeChange>;

    /// Takes the paths, relative to the multiplayer root, that nodes have left since the last call: by leaving the tree, or by getting
    /// another name or parent. Calls of peers that arrive late for them are lost instead of made on the next node at the
    /// path. The default returns none.
    fn take_vacated(&mut self) -> Vec<String> {
        Vec::new()
    }
}
