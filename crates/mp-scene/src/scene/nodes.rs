//! The nodes of a scene: adding, finding, borrowing and removing them.

use std::any::Any;

use super::{NodeContext, Scene};
use crate::tree::{Instance, Node, NodeId, NodeRef, NodeTree, Tree, TreeError};

impl Scene {
    /// Adds a node at `path`, relative to the multiplayer root. All nodes of the path but the last
    /// must exist.
    ///
    /// # Errors
    ///
    /// See [`Tree::add`].
    pub fn add<N: Node>(&mut self, path: &str, object: N) -> Result<NodeRef<N>, TreeError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or((".", path));
        self.add_child(parent, name, object)
    }

    /// Adds a node under `parent`: a node, or a path relative to the multiplayer root.
    ///
    /// # Errors
    ///
    /// See [`Tree::add`].
    pub fn add_child<N: Node>(
        &mut self,
        parent: impl NodeOrPath,
        name: &str,
        object: N,
    ) -> Result<NodeRef<N>, TreeError> {
        let parent = parent.find_in(&self.tree)?;
        let node = self.tree.add(parent, name, object)?;
        self.make_ready();
        Ok(node)
    }

    /// Adds a node with its children under `parent`: a node, or a path relative to the multiplayer
    /// root.
    ///
    /// # Errors
    ///
    /// See [`Tree::add_instance`].
    #[doc(alias = "add_child")]
    pub fn add_instance(
        &mut self,
        parent: impl NodeOrPath,
        instance: Instance,
    ) -> Result<NodeId, TreeError> {
        let parent = parent.find_in(&self.tree)?;
        let node = self.tree.add_instance(parent, instance)?;
        self.make_ready();
        Ok(node)
    }

    /// Adds a node as [`add_instance`](Self::add_instance) does. If a sibling has its name, a
    /// number is appended, see [`Tree::add_readable`].
    ///
    /// # Errors
    ///
    /// See [`Tree::add_readable`].
    #[doc(alias = "add_child")]
    pub fn add_readable(
        &mut self,
        parent: impl NodeOrPath,
        instance: Instance,
    ) -> Result<NodeId, TreeError> {
        let parent = parent.find_in(&self.tree)?;
        let node = self.tree.add_readable(parent, instance)?;
        self.make_ready();
        Ok(node)
    }

    /// Removes a node and its children at once. Returns the node's object, or `None` if one of its
    /// methods is running. [`queue_free`](Self::queue_free) waits for the methods that are running.
    ///
    /// # Errors
    ///
    /// See [`Tree::remove`].
    #[doc(alias("remove_child", "free"))]
    pub fn remove(&mut self, node: impl Into<NodeId>) -> Result<Option<Box<dyn Any>>, TreeError> {
        self.tree.remove(node)
    }

    /// Returns the node at `path`, relative to the multiplayer root or absolute.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`].
    #[doc(alias = "get_node")]
    pub fn find(&self, path: &str) -> Result<NodeId, TreeError> {
        self.tree.find(path).ok_or_else(|| TreeError::NotFound(path.to_owned()))
    }

    /// Returns the node at `path`, relative to the multiplayer root or absolute, whose object is an
    /// `N`.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`], or [`TreeError::WrongType`] if the object has another type.
    #[doc(alias = "get_node")]
    pub fn node<N: Node>(&self, path: &str) -> Result<NodeRef<N>, TreeError> {
        self.typed(self.find(path)?)
    }

    /// Returns the node at `path`, absolute or relative to `from` (GDScript:
    /// `from.get_node("../Team")`).
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`].
    #[doc(alias = "get_node")]
    pub fn find_from(&self, from: impl Into<NodeId>, path: &str) -> Result<NodeId, TreeError> {
        let node = self.tree.find_from(from.into(), path);
        node.ok_or_else(|| TreeError::NotFound(path.to_owned()))
    }

    /// Returns the node at `path`, absolute or relative to `from`, whose object is an `N`
    /// (GDScript: `from.get_node("Sync")`).
    ///
    /// # Errors
    ///
    /// As [`node`](Self::node).
    #[doc(alias = "get_node")]
    pub fn child<N: Node>(
        &self,
        from: impl Into<NodeId>,
        path: &str,
    ) -> Result<NodeRef<N>, TreeError> {
        self.typed(self.find_from(from, path)?)
    }

    /// Returns the path of a node relative to the multiplayer root, as packets name it; `None` if
    /// the node is not in the tree.
    #[doc(alias = "get_path")]
    pub fn path(&self, node: impl Into<NodeId>) -> Option<String> {
        self.tree.path_of(node.into())
    }

    /// Runs `run` with the object of `node` and the scene, as one of the node's own methods runs:
    /// see [`NodeContext`]. Returns its result.
    ///
    /// ```
    /// # use mp_scene::prelude::*;
    /// #[derive(Default)]
    /// struct Game { round: i64 }
    ///
    /// impl Game {
    ///     fn start_round(&mut self, cx: &mut NodeContext<'_>) -> i64 {
    ///         self.round += 1;
    ///         let _ = cx.rpc_self("round_started", (self.round,)); // fails without peers
    ///         self.round
    ///     }
    /// }
    ///
    /// impl Node for Game {
    ///     fn rpc_table() -> RpcTable<Self> {
    ///         RpcTable::new().remote("round_started", RpcConfig::authority())
    ///     }
    /// }
    ///
    /// let mut branch = Branch::builder("/root").build()?;
    /// let scene = branch.scene();
    /// let game = scene.add("Game", Game::default())?;
    /// assert_eq!(scene.with(game, Game::start_round)?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_mut`](Self::get_mut): [`TreeError::Busy`] while a method of the node is running.
    pub fn with<N: Node, R>(
        &mut self,
        node: NodeRef<N>,
        run: impl FnOnce(&mut N, &mut NodeContext<'_>) -> R,
    ) -> Result<R, TreeError> {
        self.with_node(node.id(), run)
    }

    /// Returns the object of a node.
    ///
    /// # Errors
    ///
    /// See [`Tree::get`].
    pub fn get<N: Node>(&self, node: NodeRef<N>) -> Result<&N, TreeError> {
        self.tree.get(node)
    }

    /// Returns a mutable reference to the object of a node.
    ///
    /// # Errors
    ///
    /// See [`Tree::get_mut`].
    pub fn get_mut<N: Node>(&mut self, node: NodeRef<N>) -> Result<&mut N, TreeError> {
        self.tree.get_mut(node)
    }

    fn typed<N: Node>(&self, node: NodeId) -> Result<NodeRef<N>, TreeError> {
        let node = NodeRef::new(node);
        match self.tree.get(node) {
            Ok(_) | Err(TreeError::Busy) => Ok(node),
            Err(error) => Err(error),
        }
    }
}

/// A node, or its path relative to the multiplayer root or absolute: [`NodeId`], [`NodeRef`] or
/// `&str`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is neither a node nor a path",
    note = "pass a NodeId, a NodeRef, or a path such as \"Main/Players\" as &str"
)]
pub trait NodeOrPath {
    /// Returns the node.
    ///
    /// # Errors
    ///
    /// [`TreeError::NotFound`] if there is no node at the path. A [`NodeId`] is returned as it is.
    fn find_in(self, tree: &Tree) -> Result<NodeId, TreeError>;
}

impl NodeOrPath for &str {
    fn find_in(self, tree: &Tree) -> Result<NodeId, TreeError> {
        tree.find(self).ok_or_else(|| TreeError::NotFound(self.to_owned()))
    }
}

impl NodeOrPath for &String {
    fn find_in(self, tree: &Tree) -> Result<NodeId, TreeError> {
        self.as_str().find_in(tree)
    }
}

impl NodeOrPath for NodeId {
    fn find_in(self, _tree: &Tree) -> Result<NodeId, TreeError> {
        Ok(self)
    }
}

impl<N> NodeOrPath for NodeRef<N> {
    fn find_in(self, _tree: &Tree) -> Result<NodeId, TreeError> {
        Ok(self.id())
    }
}
