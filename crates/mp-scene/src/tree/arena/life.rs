//! The life cycle of nodes: which ones enter, become ready, are processed and leave.

use std::mem;

use super::Tree;
use crate::tree::{NodeId, TreeChange, TreeError};

/// The nodes of a tree whose life cycle has something to run.
#[derive(Default)]
pub(super) struct TreeLife {
    /// Topmost nodes of the subtrees that have entered and are not ready, in order.
    entered: Vec<NodeId>,
    /// Nodes to process, in tree order unless `is_unordered`, and `stopped` others.
    processed: Vec<NodeId>,
    is_unordered: bool,
    /// Number of nodes in `processed` that have left or are not to be processed. They stay until
    /// the list is next read, or they are half of it, so that removing a node takes constant time.
    stopped: usize,
    /// True once the tree has [started](Tree::start).
    is_started: bool,
    /// Number of subtrees whose [`exit_tree`](crate::tree::Node::exit_tree) methods are running.
    leaving: usize,
}

/// The state of one node.
#[derive(Default)]
pub(super) struct NodeLife {
    /// True once the nodes below it become ready: children that are added later do so on their own.
    is_starting: bool,
    /// True once [`ready`](crate::tree::Node::ready) has run.
    pub(super) is_ready: bool,
    is_processed: bool,
    /// True if the node is in [`TreeLife::processed`].
    is_listed: bool,
    is_leaving: bool,
}

impl TreeLife {
    /// Records that nodes have moved, so that the order of processing may have changed.
    pub(super) fn mark_moved(&mut self) {
        self.is_unordered = true;
    }

    /// Notes that a node has left the tree.
    pub(super) fn forget(&mut self, life: &NodeLife) {
        self.stopped += usize::from(life.is_processed);
    }
}

impl Tree {
    /// Starts or stops calling [`Node::process`](crate::tree::Node::process) of a node. Nodes are
    /// processed unless their type does not have the method.
    ///
    /// # Errors
    ///
    /// If the node is not in the tree.
    pub fn set_process(&mut self, node: impl Into<NodeId>, on: bool) -> Result<(), TreeError> {
        let node = node.into();
        let life = &mut self.entry_mut(node)?.life;
        match (mem::replace(&mut life.is_processed, on), on) {
            (true, false) => {
                self.life.stopped += 1;
                self.remove_many_stopped();
            }
            (false, true) if mem::replace(&mut life.is_listed, true) => self.life.stopped -= 1,
            (false, true) => {
                self.life.processed.push(node);
                self.life.is_unordered = true;
                self.remove_many_stopped();
            }
            _ => {}
        }
        Ok(())
    }

    /// Removes stopped nodes from the list once they are more than half of it.
    fn remove_many_stopped(&mut self) {
        if self.life.stopped > self.life.processed.len() / 2 {
            self.remove_stopped();
        }
    }

    /// Removes the nodes from the list that have left or are not to be processed.
    fn remove_stopped(&mut self) {
        if mem::take(&mut self.life.stopped) == 0 {
            return;
        }
        let nodes = &mut self.nodes;
        self.life.processed.retain(|node| {
            let Some(entry) = nodes.get_mut(node.0) else { return false };
            entry.life.is_listed = entry.life.is_processed;
            entry.life.is_listed
        });
    }

    /// Returns whether [`Node::process`](crate::tree::Node::process) of a node is called at ticks.
    pub fn is_processing(&self, node: impl Into<NodeId>) -> bool {
        self.nodes.get(node.into().0).is_some_and(|entry| entry.life.is_processed)
    }

    /// Returns whether any node is processed.
    pub(crate) fn has_processing(&self) -> bool {
        self.life.processed.len() > self.life.stopped
    }

    /// Returns the nodes to process, parents first and siblings in their order.
    pub(crate) fn processed(&mut self) -> Vec<NodeId> {
        self.remove_stopped();
        if mem::take(&mut self.life.is_unordered) {
            let mut processed = mem::take(&mut self.life.processed);
            processed.sort_by_cached_key(|&node| self.position(node));
            self.life.processed = processed;
        }
        self.life.processed.clone()
    }

    /// Records that a new node is to be processed, unless its type is known to lack the method.
    pub(super) fn note_process(&mut self, node: NodeId) {
        if !self.nodes[node.0].class.lacks_process.get() {
            // The node is in the tree.
            let _ = self.set_process(node, true);
        }
    }

    /// Records that a subtree has entered. It becomes ready on its own if its parent is ready or
    /// about to be; otherwise it does with its parent.
    pub(super) fn note_entered(&mut self, node: NodeId) {
        let is_starting = |node: NodeId| self.nodes[node.0].life.is_starting;
        let is_due = self.parent(node).map_or(self.life.is_started, is_starting);
        if is_due && self.contains(node) && !is_starting(node) {
            self.life.entered.push(node);
        }
    }

    /// Lets the whole tree become ready.
    pub(crate) fn start(&mut self) {
        self.life.is_started = true;
        self.note_entered(self.top);
    }

    /// Returns whether nodes have entered that are not ready.
    pub(crate) fn has_entered(&self) -> bool {
        !self.life.entered.is_empty()
    }

    /// Removes and returns the subtrees that have entered and are not ready.
    pub(crate) fn take_entered(&mut self) -> Vec<NodeId> {
        mem::take(&mut self.life.entered)
    }

    /// Starts to make a node ready, before its children. Returns false if it has started before or
    /// is not in the tree.
    pub(crate) fn start_ready(&mut self, node: NodeId) -> bool {
        let entry = self.nodes.get_mut(node.0);
        entry.is_some_and(|entry| !mem::replace(&mut entry.life.is_starting, true))
    }

    /// Returns whether the type of a node may have a [`ready`](crate::tree::Node::ready) method.
    pub(crate) fn may_have_ready(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(|entry| !entry.class.lacks_ready.get())
    }

    /// Records that a node is ready.
    pub(crate) fn set_ready(&mut self, node: NodeId) {
        if let Some(entry) = self.nodes.get_mut(node.0) {
            entry.life.is_ready = true;
        }
    }

    /// Runs [`enter_tree`](crate::tree::Node::enter_tree) of the nodes that were added since the
    /// change `first`.
    pub(super) fn enter_added(&mut self, first: usize) {
        for index in first..self.changes.len() {
            if let TreeChange::Added(entered) = self.changes[index] {
                self.enter(entered);
            }
        }
    }

    fn enter(&mut self, node: NodeId) {
        if let Ok(mut out) = self.check_out(node) {
            out.object.enter_tree(self, node);
            self.check_in(out);
        }
    }

    /// Runs [`exit_tree`](crate::tree::Node::exit_tree) of a node and of those below it, children
    /// first.
    pub(super) fn exit(&mut self, node: NodeId) -> Result<(), TreeError> {
        self.refuse_leaving(node)?;
        self.nodes[node.0].life.is_leaving = true;
        self.life.leaving += 1;
        for leaving in self.subtree(node).into_iter().rev() {
            // A node whose method is running follows when the method returns.
            let entry = self.nodes.get_mut(leaving.0);
            if let Some(mut object) = entry.and_then(|entry| entry.object.take()) {
                object.exit_tree(self, leaving);
                if let Some(entry) = self.nodes.get_mut(leaving.0) {
                    entry.object = Some(object);
                }
            }
        }
        self.life.leaving -= 1;
        // One of the methods may have removed a node above.
        self.entry_mut(node)?.life.is_leaving = false;
        Ok(())
    }

    /// Returns [`TreeError::Busy`] for a node that is just leaving the tree.
    pub(super) fn refuse_leaving(&self, node: NodeId) -> Result<(), TreeError> {
        let is_leaving = |node: NodeId| self.nodes[node.0].life.is_leaving;
        if self.life.leaving > 0 && self.upwards(node).any(is_leaving) {
            return Err(TreeError::Busy);
        }
        Ok(())
    }

    /// Starts the life of an object that replaces another.
    pub(super) fn restart_life(&mut self, node: NodeId) {
        // The node is in the tree.
        let _ = self.set_process(node, false);
        let life = &mut self.nodes[node.0].life;
        *life = NodeLife { is_listed: life.is_listed, ..NodeLife::default() };
        self.note_process(node);
        self.enter(node);
        self.note_entered(node);
    }

    /// Returns the index of a node among its siblings, after those of the nodes above it.
    fn position(&self, node: NodeId) -> Vec<usize> {
        let steps = self.upwards(node).filter_map(|step| {
            let siblings = &self.nodes[self.parent(step)?.0].children;
            siblings.get_index_of(self.name(step)?)
        });
        let mut position: Vec<_> = steps.collect();
        position.reverse();
        position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Group;

    fn tree(count: usize) -> (Tree, Vec<NodeId>) {
        let mut tree = Tree::new("/root/Game").unwrap();
        let root = tree.root();
        let add = |number| tree.add(root, &format!("N{number}"), Group).unwrap().id();
        let nodes = (0..count).map(add).collect();
        (tree, nodes)
    }

    #[test]
    fn a_node_that_stops_and_starts_between_ticks_is_processed_once_and_in_its_place() {
        let (mut tree, nodes) = tree(3);
        let before = tree.processed();
        for on in [false, true, false, true] {
            tree.set_process(nodes[0], on).unwrap();
        }
        assert_eq!(tree.processed(), before);
    }

    #[test]
    fn nodes_that_stop_or_leave_are_not_processed() {
        let (mut tree, nodes) = tree(20);
        tree.set_process(nodes[3], false).unwrap();
        tree.remove(nodes[4]).unwrap();
        let processed = tree.processed();
        assert!(
            nodes
                .iter()
                .all(|node| processed.contains(node) != [nodes[3], nodes[4]].contains(node))
        );
    }

    #[test]
    fn a_tree_without_ticks_does_not_keep_nodes_that_have_left() {
        let (mut tree, _) = tree(0);
        for _ in 0..1_000 {
            let root = tree.root();
            let node = tree.add(root, "N", Group).unwrap().id();
            tree.remove(node).unwrap();
        }
        assert!(tree.life.processed.len() < 10, "{}", tree.life.processed.len());
    }

    #[test]
    fn no_node_is_processed_once_all_have_stopped() {
        let (mut tree, nodes) = tree(3);
        let root = tree.root();
        for node in nodes.into_iter().chain([root]) {
            assert!(tree.has_processing());
            tree.set_process(node, false).unwrap();
        }
        assert!(!tree.has_processing());
    }
}
