//! The life cycle of nodes: `ready`, `process` and `queue_free`.

use std::mem;
use std::time::Duration;

use mp_core::{Target, Variant};

use super::{NodeContext, Scene};
use crate::tree::{NodeId, TreeError};

/// Work of a scene that waits until nodes are ready or until methods have ended.
#[derive(Debug, Default)]
pub(super) struct SceneLife {
    /// Number of nested [`Scene::make_ready`] calls that have something to do.
    readying: u32,
    /// Calls that `ready` methods have made, in order. They are made before the hook returns.
    calls: Vec<DeferredRpc>,
    /// Nodes to free, in order.
    freed: Vec<NodeId>,
}

#[derive(Debug)]
struct DeferredRpc {
    target: Target,
    node: NodeId,
    method: String,
    args: Vec<Variant>,
}

impl Scene {
    /// Removes a node and its children when the hook or method that is running has ended, with the
    /// calls that it made. Several nodes are removed in the order of these calls.
    ///
    /// Until then the node is in the tree and can be called. Between turns, the node is removed in
    /// the next turn. Godot removes such nodes at the end of the frame.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree, or is the multiplayer root or above it.
    pub fn queue_free(&mut self, node: impl Into<NodeId>) -> Result<(), TreeError> {
        let node = node.into();
        if !self.tree.contains(node) {
            return Err(TreeError::NotInTree);
        }
        if self.tree.is_root_or_above(node) {
            return Err(TreeError::IsRoot);
        }
        if !self.life.freed.contains(&node) {
            self.life.freed.push(node);
        }
        Ok(())
    }

    /// Returns whether [`queue_free`](Self::queue_free) was called for a node that is still in the
    /// tree.
    pub fn is_queued_for_deletion(&self, node: impl Into<NodeId>) -> bool {
        self.life.freed.contains(&node.into())
    }

    /// Removes the nodes that [`queue_free`](Self::queue_free) was called for. No method is
    /// running.
    pub(crate) fn free_queued(&mut self) {
        if self.life.freed.is_empty() {
            return;
        }
        // `exit_tree` has no scene, so none is added meanwhile.
        for node in mem::take(&mut self.life.freed) {
            // Fails if the node has left with a node above it, or was removed.
            let _ = self.tree.remove(node);
        }
    }

    /// Runs [`Node::ready`](crate::tree::Node::ready) of the nodes that have entered the tree.
    pub(super) fn make_ready(&mut self) {
        if self.tree.has_entered() {
            self.make_entered_ready();
        }
    }

    fn make_entered_ready(&mut self) {
        self.life.readying += 1;
        while self.tree.has_entered() {
            for node in self.tree.take_entered() {
                self.make_subtree_ready(node);
            }
        }
        self.life.readying -= 1;
        if self.life.readying == 0 {
            for DeferredRpc { target, node, method, args } in mem::take(&mut self.life.calls) {
                if let Err(error) = self.rpc_id(target, node, &method, args) {
                    let path = self.path(node);
                    tracing::warn!(?path, method, %error, "a call made in `ready` failed");
                }
            }
        }
    }

    /// Returns whether a [`ready`](crate::tree::Node::ready) method may be running.
    pub(super) fn is_making_ready(&self) -> bool {
        self.life.readying > 0
    }

    /// Makes a call when all nodes that have entered are ready: their announcements precede it.
    pub(super) fn call_when_ready(
        &mut self,
        target: Target,
        node: NodeId,
        method: &str,
        args: Vec<Variant>,
    ) {
        let method = method.to_owned();
        self.life.calls.push(DeferredRpc { target, node, method, args });
    }

    fn make_subtree_ready(&mut self, node: NodeId) {
        if !self.tree.start_ready(node) {
            return;
        }
        for child in self.tree.children(node).collect::<Vec<_>>() {
            self.make_subtree_ready(child);
        }
        if self.tree.may_have_ready(node) {
            // Fails if `ready` of a child has removed the node.
            let _ = self.with_checked_out(node, |scene, out| {
                let mut cx = NodeContext::new(scene, node);
                out.object.ready(&mut cx);
                if cx.is_default() {
                    out.class.lacks_ready.set(true);
                    out.is_unchanged = true;
                }
            });
            self.run_deferred(node);
        }
        self.tree.set_ready(node);
    }

    /// Runs [`Node::process`](crate::tree::Node::process) of the nodes that have one. Nodes that
    /// enter meanwhile are processed at the next tick, as in Godot.
    pub(crate) fn process_nodes(&mut self, delta: Duration) {
        if !self.tree.has_processing() {
            return;
        }
        for node in self.tree.processed() {
            if !self.tree.is_processing(node) {
                continue; // was removed, or stopped, by the method of a node before it
            }
            // The properties of a node that is checked out cannot be read.
            self.flush_changes();
            let lacks_process = self.with_checked_out(node, |scene, out| {
                let mut cx = NodeContext::new(scene, node);
                out.object.process(&mut cx, delta);
                let is_default = cx.is_default();
                if is_default {
                    out.class.lacks_process.set(true);
                    out.is_unchanged = true;
                }
                is_default
            });
            if lacks_process == Ok(true) {
                let _ = self.tree.set_process(node, false);
            }
            self.run_deferred(node);
        }
    }

    /// Returns whether a node needs ticks.
    pub(crate) fn has_processing(&self) -> bool {
        self.tree.has_processing()
    }

    /// Lets the nodes of the branch become ready.
    pub(crate) fn start(&mut self) {
        self.tree.start();
    }
}
