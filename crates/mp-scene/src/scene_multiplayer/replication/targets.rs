//! Resolution of the property paths of synchronizers when the tree changes.
//!
//! Paths are resolved again only if a node on them is added, removed, renamed or moved. Marks are
//! checked only in objects that were borrowed mutably. So a tree without changes has no overhead.

use slotmap::DefaultKey as Key;

use super::{Context, Replication};
use crate::property::Attached;
use crate::tree::{NodeId, NodeTree};

impl Replication {
    /// Resolves the properties whose paths contain `node`.
    pub(super) fn resolve_through(&mut self, cx: &mut Context<'_>, node: NodeId) {
        for key in self.path_nodes.get(&node).cloned().unwrap_or_default() {
            // A property that cannot be read is reported when it is sent.
            let _ = self.resolve(cx.tree, key);
            self.attach_marks(cx.tree, key);
        }
    }

    /// Resolves the properties whose paths may name `node`, a new child of its parent.
    pub(super) fn resolve_through_parent(&mut self, cx: &mut Context<'_>, node: NodeId) {
        if let Some(parent) = cx.tree.parent_of(node) {
            self.resolve_through(cx, parent);
        }
    }

    /// Checks the marks in objects that were borrowed mutably since the last call.
    pub(super) fn check_touched(&mut self, cx: &mut Context<'_>) {
        let mut touched = std::mem::take(&mut self.touched);
        cx.tree.take_touched(&mut touched);
        for node in touched.drain(..) {
            for index in 0.. {
                let keys = self.path_nodes.get(&node);
                let Some(&key) = keys.and_then(|keys| keys.get(index)) else { break };
                if self.synchronizers.get(key).is_some_and(|s| !s.has_plain) {
                    self.attach_marks(cx.tree, key);
                }
            }
        }
        self.touched = touched;
    }
}

impl Replication {
    /// Resolves the properties of a synchronizer; returns the first error.
    pub(super) fn resolve(
        &mut self,
        tree: &dyn NodeTree,
        key: Key,
    ) -> Result<(), (String, crate::property::PropertyError)> {
        self.forget_targets(key);
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return Ok(()) };
        let result = synchronizer.resolve(tree);
        for &node in &synchronizer.path_nodes {
            self.path_nodes.entry(node).or_default().push(key);
        }
        if !synchronizer.watched.is_empty() {
            self.lagging.insert(key);
        }
        result
    }

    /// Forgets the nodes that the properties of a synchronizer name.
    pub(super) fn forget_targets(&mut self, key: Key) {
        let Some(synchronizer) = self.synchronizers.get_mut(key) else { return };
        for node in std::mem::take(&mut synchronizer.path_nodes) {
            if let Some(keys) = self.path_nodes.get_mut(&node) {
                keys.retain(|&other| other != key);
                if keys.is_empty() {
                    self.path_nodes.remove(&node);
                }
            }
        }
    }

    /// Attaches marks to the watched fields of a synchronizer, with which they report changes. If a
    /// field does not support marks, the synchronizer is polled. A field without its mark may be a
    /// replaced one, so it is compared.
    pub(super) fn attach_marks(&mut self, tree: &mut dyn NodeTree, key: Key) {
        let Some(synchronizer) = self.synchronizers.get(key) else { return };
        let Some(mark) = &synchronizer.mark else { return };
        let (mut is_polled, mut has_plain, mut is_fresh) = (false, false, false);
        for (place, watched) in synchronizer.watched.iter().enumerate() {
            let property = &watched.property;
            let mark = mark.at(place);
            let mut attached = property.attach(tree, &mark, false);
            if let Some(Attached::Held { key, place }) = attached {
                let holder = self.synchronizers.find(key).and_then(|s| s.watched.get(place));
                if holder.is_none_or(|holder| !holder.property.is_same_field(property)) {
                    // The value was moved here from the other property.
                    attached = property.attach(tree, &mark, true);
                }
            }
            match attached {
                Some(Attached::Kept) => {}
                Some(Attached::Fresh) => is_fresh = true,
                Some(Attached::Plain) => has_plain = true,
                Some(Attached::Held { .. }) | None => is_polled = true,
            }
        }
        if is_polled || has_plain {
            self.polled.insert(key);
        } else {
            self.polled.swap_remove(&key);
        }
        if is_fresh {
            self.lagging.insert(key);
        }
        if let Some(synchronizer) = self.synchronizers.get_mut(key) {
            synchronizer.has_plain = has_plain;
        }
    }
}
