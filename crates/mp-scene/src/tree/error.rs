//! Why a tree refuses.

/// Why the tree refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TreeError {
    /// Not a name.
    #[error(
        "{0:?} is no node name: it must not be empty nor contain any of . : @ / \" %, unless Godot \
         made it up, as @Node2D@7"
    )]
    BadName(String),
    /// Not a root path.
    #[error("{0:?} is no root path: it must be absolute, such as \"/root\" or \"/root/Game\"")]
    BadRootPath(String),
    /// The node's object is in use.
    #[error("a method of this node is running; its object can be reached again when it returns")]
    Busy,
    /// The multiplayer root and what is above it stay.
    #[error("the multiplayer root and the nodes above it cannot be removed or renamed")]
    IsRoot,
    /// A sibling has the name.
    #[error("the parent already has a child named {0:?}")]
    NameTaken(String),
    /// No node there.
    #[error("there is no node at {0:?}")]
    NotFound(String),
    /// The node was removed.
    #[error("the node has left the tree")]
    NotInTree,
    /// A node cannot be its own ancestor.
    #[error("the new parent is the node itself or lies below it")]
    WithinItself,
    /// The node's object is of another type.
    #[error("the node's object is not a {0}")]
    WrongType(&'static str),
}
