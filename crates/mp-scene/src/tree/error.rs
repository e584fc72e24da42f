//! Errors of trees.

/// The reason why a tree refused an operation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// The name is invalid.
    #[error(
        "{0:?} is not a node name: it must not be empty nor contain any of . : @ / \" %, unless \
         Godot generated it, as @Node2D@7"
    )]
    BadName(String),
    /// The root path is invalid.
    #[error("{0:?} is not a root path: it must be absolute, such as \"/root\" or \"/root/Game\"")]
    BadRootPath(String),
    /// The node's object is checked out, since one of its methods is running.
    #[error("a method of this node is running; its object is available when the method returns")]
    Busy,
    /// The node is the multiplayer root or above it, or the topmost node.
    #[error("the multiplayer root and the nodes above it cannot be removed or renamed")]
    IsRoot,
    /// A sibling has this name.
    #[error("the parent already has a child named {0:?}")]
    NameTaken(String),
    /// There is no node at this path.
    #[error("there is no node at {0:?}")]
    NotFound(String),
    /// The node was removed from the tree.
    #[error("the node is not in the tree")]
    NotInTree,
    /// The new parent is the node itself or below it.
    #[error("the new parent is the node itself or lies below it")]
    WithinItself,
    /// The node's object has another type.
    #[error("the node's object is not a {0}")]
    WrongType(&'static str),
}
