//! How a node of the program says that its settings have changed.

use std::cell::RefCell;
use std::rc::Rc;

use crate::tree::NodeId;

/// The nodes whose settings have changed, each once.
pub(crate) type Inbox = Rc<RefCell<Vec<NodeId>>>;

/// What has changed in the settings of one node since it was last looked at. Nothing is noted before the node is followed: then
/// everything is looked at.
#[derive(Debug)]
pub(crate) struct Pending<C> {
    follower: Option<(NodeId, Inbox)>,
    changes: Vec<C>,
}

impl<C> Default for Pending<C> {
    fn default() -> Self {
        Self { follower: None, changes: Vec::new() }
    }
}

impl<C: PartialEq> Pending<C> {
    /// Changes are noted from now on, and `inbox` told.
    pub(crate) fn follow(&mut self, node: NodeId, inbox: &Inbox) {
        self.follower = Some((node, Rc::clone(inbox)));
        self.changes.clear();
    }

    pub(crate) fn unfollow(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn note(&mut self, change: C) {
        let Some((node, inbox)) = &self.follower else { return };
        if self.changes.is_empty() {
            inbox.borrow_mut().push(*node);
        }
        if self.changes.last() != Some(&change) {
            self.changes.push(change);
        }
    }

    pub(crate) fn take(&mut self) -> Vec<C> {
        std::mem::take(&mut self.changes)
    }
}
