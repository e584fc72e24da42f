//! Announces the new paths of renamed nodes and their descendants, under new path ids.
//!
//! A peer looks up a path once, when its path id is announced. If both peers rename their nodes,
//! the node at the old path need not be the one at the new path.

use std::collections::HashSet;

use super::{Context, EntityOrigin, Replication};
use crate::codec::godot::sync::BY_PATH;
use crate::tree::{NodeId, TreeChange};

impl Replication {
    /// Removes the path ids of nodes whose path has changed because one of `changes` renamed them
    /// or an ancestor. A peer that has not confirmed an old id is sent the new one immediately,
    /// because no further message would cause the announcement.
    pub(super) fn renumber(&mut self, cx: &mut Context<'_>, changes: &[TreeChange]) {
        if cx.quirks.renamed_nodes {
            return;
        }
        let renamed = changes.iter().filter_map(|change| match *change {
            TreeChange::Renamed(node) => Some(node),
            _ => None,
        });
        let renamed: HashSet<NodeId> = renamed.collect();
        if renamed.is_empty() {
            return;
        }
        let is_announced = |node: &NodeId| {
            self.entities.get(node).is_some_and(|entity| entity.origin != EntityOrigin::Scene)
        };
        // Peers know announced nodes and their descendants by the announcement, whatever their
        // names.
        let has_moved = |node: NodeId| {
            std::iter::successors(Some(node), |&above| cx.tree.parent_of(above))
                .take_while(|above| !is_announced(above))
                .any(|above| renamed.contains(&above))
        };
        let (moved, unconfirmed) = cx.paths.remove_nodes(has_moved);
        if moved.is_empty() {
            return;
        }
        for node in moved {
            let key = self.by_node.get(&node).copied();
            if let Some(synchronizer) = key.and_then(|key| self.synchronizers.get_mut(key))
                && synchronizer.net_id & BY_PATH != 0
            {
                synchronizer.net_id = 0;
            }
        }
        self.peers.values_mut().for_each(|info| info.plan = None);
        for (peer, node) in unconfirmed {
            cx.paths.announce_anew(cx.sender, cx.tree, peer, node);
        }
    }
}
