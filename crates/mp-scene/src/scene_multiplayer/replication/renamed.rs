//! Renamed nodes: they and the nodes below them are announced by their new paths, under new
//! numbers.
//!
//! A peer looks a path up once, when its number is announced. When both sides rename their nodes,
//! the one that had the old path there need not be the one that has the new path.

use std::collections::HashSet;

use super::{Context, EntityOrigin, Replication};
use crate::codec::godot::sync::BY_PATH;
use crate::tree::{NodeId, TreeChange};

impl Replication {
    /// Takes the numbers of nodes that have another path since one of `changes` renamed them or a
    /// node above them. A peer that has yet to confirm an old number is sent the new one at once,
    /// as it would not be asked again.
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
        // Peers know announced nodes and those below them by the announcement, whatever their
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
