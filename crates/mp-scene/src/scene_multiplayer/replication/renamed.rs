//! Renamed nodes: they and the nodes below them are announced by their new paths, under new
//! numbers.
//!
//! A peer looks a path up once, when its number is announced. When both sides rename their nodes,
//! the one that had the old path there need not be the one that has the new path.

use std::collections::HashSet;

use super::super::SceneMultiplayer;
use super::Origin;
use crate::codec::godot::sync::BY_PATH;
use crate::tree::{NodeId, NodeTree, TreeChange};

impl SceneMultiplayer {
    /// Takes the numbers of nodes that have another path since one of `changes` renamed them or a
    /// node above them. A peer that has yet to confirm an old number is sent the new one at once,
    /// as it would not be asked again.
    pub(super) fn renumber(&mut self, tree: &dyn NodeTree, changes: &[TreeChange]) {
        if self.quirks.renamed_nodes {
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
        let replication = &self.replication;
        let is_announced = |node: &NodeId| {
            replication.entities.get(node).is_some_and(|entity| entity.origin != Origin::Scene)
        };
        // Peers know announced nodes and those below them by the announcement, whatever their
        // names.
        let has_moved = |node: NodeId| {
            std::iter::successors(Some(node), |&above| tree.parent_of(above))
                .take_while(|above| !is_announced(above))
                .any(|above| renamed.contains(&above))
        };
        let (moved, unconfirmed) = self.own_paths.remove_nodes(has_moved);
        if moved.is_empty() {
            return;
        }
        let replication = &mut self.replication;
        for node in moved {
            let key = replication.by_node.get(&node).copied();
            if let Some(synchronizer) = key.and_then(|key| replication.synchronizers.get_mut(key))
                && synchronizer.net_id & BY_PATH != 0
            {
                synchronizer.net_id = 0;
            }
        }
        replication.peers.values_mut().for_each(|info| info.plan = None);
        for (peer, node) in unconfirmed {
            self.tell_path(tree, peer, node);
            let id = self.own_paths.id_of(node);
            self.own_paths.note_repeated(peer, id);
        }
    }
}
