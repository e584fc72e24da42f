//! Objects that are taken out of the tree while one of their methods runs.

use std::rc::Rc;

use mp_core::{PeerId, Variant};

use super::Tree;
use crate::property::{Accessor, PropertyError, SetterContext};
use crate::rpc::Method;
use crate::tree::class::NodeClass;
use crate::tree::{Node, NodeId, TreeError};

/// A node's object while it is checked out.
pub(crate) struct CheckedOut {
    node: NodeId,
    pub(crate) object: Box<dyn Node>,
    pub(crate) class: Rc<NodeClass>,
    /// True if nothing has changed the object, so that its properties need not be compared.
    pub(crate) is_unchanged: bool,
}

impl CheckedOut {
    pub(crate) fn method(&self, name: &str) -> Option<Method> {
        self.class.methods.method(name)
    }
}

impl Tree {
    /// Returns whether the node is in the tree and its object is not checked out.
    pub(crate) fn is_checked_in(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| entry.object.is_some())
    }

    /// Returns whether the node is in the tree and its object is checked out.
    pub(crate) fn is_checked_out(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| entry.object.is_none())
    }

    /// Takes the object out of the tree while one of its methods runs.
    pub(crate) fn check_out(&mut self, node: NodeId) -> Result<CheckedOut, TreeError> {
        let entry = self.entry_mut(node)?;
        let object = entry.object.take().ok_or(TreeError::Busy)?;
        let class = Rc::clone(&entry.class);
        Ok(CheckedOut { node, object, class, is_unchanged: false })
    }

    /// Returns the object to the tree. If its node was removed meanwhile, runs
    /// [`Node::exit_tree`] and drops the object.
    pub(crate) fn check_in(&mut self, mut out: CheckedOut) {
        let Some(entry) = self.nodes.get_mut(out.node.0) else {
            out.object.exit_tree(self, out.node);
            return;
        };
        entry.object = Some(out.object);
        if !out.is_unchanged && !std::mem::replace(&mut entry.is_touched, true) {
            self.touched.push(out.node);
        }
    }

    /// Sets a property with its setter. The node is checked out meanwhile, and the setter may
    /// change the rest of the tree.
    pub(crate) fn run_setter(
        &mut self,
        node: NodeId,
        property: &dyn Accessor,
        value: Variant,
        unique_id: PeerId,
    ) -> Result<(), PropertyError> {
        let mut out = self.check_out(node).map_err(|_| PropertyError::Unreachable)?;
        let mut cx = SetterContext::new(self, node, unique_id);
        let result = property.set(&mut *out.object, &mut cx, value);
        self.check_in(out);
        result
    }
}
