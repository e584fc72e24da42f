//! What becomes of a tree, for those who follow it.

use super::NodeId;

/// Something that happened to one node. A tree keeps them in order until they are
/// [taken](super::NodeTree::take_changes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeChange {
    /// It has entered the tree; its children follow.
    Added(NodeId),
    /// It has left the tree; its children went before it.
    Removed(NodeId),
    /// It has another name.
    Renamed(NodeId),
    /// Another peer has authority over it.
    Authority(NodeId),
}
