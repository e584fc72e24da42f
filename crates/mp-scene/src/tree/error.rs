//! Errors of trees.

use std::any::type_name;

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
    #[error("the object of {path:?} is not a {expected}")]
    WrongType {
        /// The path of the node, relative to the multiplayer root.
        path: String,
        /// The name of the expected type, without the path of its module.
        expected: &'static str,
    },
}

impl TreeError {
    /// Returns the error for the node at `path`, whose object is not an `N`.
    pub(crate) fn wrong_type<N>(path: impl Into<String>) -> Self {
        let name = type_name::<N>();
        let module = name.split('<').next().and_then(|name| name.rfind("::"));
        Self::WrongType { path: path.into(), expected: &name[module.map_or(0, |end| end + 2)..] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Replicated;
    use crate::tree::Group;

    #[test]
    fn a_wrong_type_is_reported_with_the_path_and_the_short_name() {
        let error = TreeError::wrong_type::<Group>("Main/Score");
        assert_eq!(error.to_string(), r#"the object of "Main/Score" is not a Group"#);
        let error = TreeError::wrong_type::<Replicated<i64>>(".");
        assert_eq!(error.to_string(), r#"the object of "." is not a Replicated<i64>"#);
    }
}
