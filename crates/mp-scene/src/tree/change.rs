//! Changes of a tree.

use super::NodeId;

/// A change of one node. A tree queues its changes in order until they are
/// [taken](super::NodeTree::take_changes).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TreeChange {
    /// The node entered the tree. Its children follow.
    Added(NodeId),
    /// The node left the tree, after its children.
    Removed(NodeId),
    /// The node was renamed.
    Renamed(NodeId),
    /// The authority over the node changed.
    Authority(NodeId),
}
