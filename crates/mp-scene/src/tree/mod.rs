//! The node tree of a branch.
//!
//! It holds every node from the tree's own top (`/root`) down, and one of them is the multiplayer root, to which node
//! paths on the wire are relative.

mod arena;
mod node;

pub use arena::{Tree, TreeError};
pub use node::{Group, Node, NodeId, NodeRef};

use std::rc::Rc;

use mp_core::PeerId;

use crate::rpc::RpcIds;

/// What [`SceneMultiplayer`](crate::SceneMultiplayer) needs of a tree: the seam for an engine that keeps its nodes
/// itself.
pub trait NodeTree {
    /// The node at `path`, relative to the multiplayer root (`"A/B"`, `"."`, `"../C"`) or absolute (`"/root/Game/A"`).
    fn find(&self, path: &str) -> Option<NodeId>;

    /// The path of `node` relative to the multiplayer root; `None` when the node has left the tree.
    fn path_of(&self, node: NodeId) -> Option<String>;

    /// Whether `node` is the multiplayer root or below it.
    fn is_below_root(&self, node: NodeId) -> bool;

    /// The peer that has authority over `node`; `None` when the node has left the tree.
    fn multiplayer_authority(&self, node: NodeId) -> Option<PeerId>;

    /// The RPC ids of `node`, made at first use and kept as long as the node; `None` when the node has left the tree.
    fn rpc_ids(&self, node: NodeId) -> Option<Rc<RpcIds>>;
}
