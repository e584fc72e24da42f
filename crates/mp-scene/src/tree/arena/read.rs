//! Objects and properties of nodes.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use mp_core::{PeerId, Variant};

use super::Tree;
use crate::property::Accessor;
use crate::tree::{Node, NodeId, NodeRef, NodeTree, TreeError};

impl Tree {
    /// Returns a mutable reference to the object of a node.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree, its object has another type, or one of its methods is
    /// running.
    pub fn get_mut<N: Node>(&mut self, node: NodeRef<N>) -> Result<&mut N, TreeError> {
        self.get(node)?;
        let entry = self.nodes.get_mut(node.id().0).ok_or(TreeError::NotInTree)?;
        if !std::mem::replace(&mut entry.is_touched, true) {
            self.touched.push(node.id());
        }
        let object: &mut dyn Any = entry.object.as_deref_mut().ok_or(TreeError::Busy)?;
        // `get` has checked the type.
        object.downcast_mut().ok_or(TreeError::NotInTree)
    }

    /// Returns the object of a node.
    ///
    /// # Errors
    ///
    /// As [`get_mut`](Self::get_mut).
    pub fn get<N: Node>(&self, node: NodeRef<N>) -> Result<&N, TreeError> {
        let object: &dyn Any = self.entry(node.id())?.object.as_deref().ok_or(TreeError::Busy)?;
        object.downcast_ref().ok_or_else(|| self.wrong_type(node))
    }

    /// Returns the error for a node whose object is not an `N`.
    pub(crate) fn wrong_type<N>(&self, node: NodeRef<N>) -> TreeError {
        TreeError::wrong_type::<N>(self.path_of(node.id()).unwrap_or_default())
    }

    /// Returns the multiplayer root.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// Returns the topmost node.
    pub(crate) fn top(&self) -> NodeId {
        self.top
    }

    /// Returns the number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the absolute path of the multiplayer root.
    #[doc(alias = "get_root_path")]
    pub fn root_path(&self) -> String {
        self.absolute_path(self.root)
    }

    /// Returns whether `node` is in the tree.
    pub fn contains(&self, node: impl Into<NodeId>) -> bool {
        self.nodes.contains_key(node.into().0)
    }

    /// Returns the name of a node; `None` if it is not in the tree.
    pub fn name(&self, node: impl Into<NodeId>) -> Option<&str> {
        self.nodes.get(node.into().0).map(|entry| entry.name.as_str())
    }

    /// Returns the nodes over which `peer` has authority, parents first.
    pub(crate) fn nodes_of_authority(&self, peer: PeerId) -> Vec<NodeId> {
        let mut nodes = self.subtree(self.top);
        nodes.retain(|node| self.nodes[node.0].authority == peer);
        nodes
    }

    /// Returns the peer that has authority over a node; `None` if the node is not in the tree.
    #[doc(alias = "get_multiplayer_authority")]
    pub fn multiplayer_authority(&self, node: impl Into<NodeId>) -> Option<PeerId> {
        self.nodes.get(node.into().0).map(|entry| entry.authority)
    }

    /// Returns the parent of a node; `None` for the topmost node, or if the node is not in the
    /// tree.
    #[doc(alias = "get_parent")]
    pub fn parent(&self, node: impl Into<NodeId>) -> Option<NodeId> {
        self.nodes.get(node.into().0)?.parent
    }

    /// Returns the children of a node in the order in which they were added.
    #[doc(alias = "get_children")]
    pub fn children(&self, node: impl Into<NodeId>) -> impl Iterator<Item = NodeId> {
        self.nodes.get(node.into().0).into_iter().flat_map(|entry| entry.children.values().copied())
    }

    /// Returns the values of the properties that the node's
    /// [`PropertyTable`](crate::PropertyTable) lists, by name. Empty if the node is not in the tree
    /// or one of its methods is running; properties that cannot be read are missing.
    #[doc(alias = "get_property_list")]
    pub fn properties(&mut self, node: impl Into<NodeId>) -> BTreeMap<String, Variant> {
        let Some(entry) = self.nodes.get_mut(node.into().0) else { return BTreeMap::new() };
        let Some(object) = entry.object.as_deref_mut() else { return BTreeMap::new() };
        let read = |(name, accessor): (&str, &Rc<dyn Accessor>)| {
            Some((name.to_owned(), accessor.read(&mut *object).ok()?))
        };
        entry.class.properties.named().filter_map(read).collect()
    }
}
