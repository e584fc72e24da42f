//! Notification of the protocol about changed settings of spawners and synchronizers.

use std::cell::RefCell;
use std::rc::Rc;

use crate::tree::NodeId;

/// The nodes whose settings have changed, without duplicates.
pub(crate) type Inbox = Rc<RefCell<Vec<NodeId>>>;

/// The changes of one node's settings since the protocol last took them. Changes before the
/// protocol follows the node are not recorded: it then reads all settings.
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
    /// Records changes from now on, and adds `node` to `inbox` at the first of them.
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
