//! Passing the nodes of one peer to another one.

use mp_core::PeerId;

use super::Scene;
use crate::replication::MultiplayerSynchronizer;
use crate::tree::{NodeId, NodeRef};

impl Scene {
    /// Passes what belongs to the peer `old` to the peer `new`, for a player who has resumed a
    /// session under another id ([`on_peer_resumed`](crate::BranchBuilder::on_peer_resumed)):
    ///
    /// * authority over nodes;
    /// * visibility of synchronizers that was
    ///   [set for the peer](MultiplayerSynchronizer::set_visibility_for);
    /// * names: a node whose name is the number of `old`, as most Godot games name the nodes of
    ///   players, gets the number of `new`. It leaves the tree and enters it again: if a spawner
    ///   has announced it, all peers receive a despawn, and a spawn under the new name. Its state
    ///   stays.
    ///
    /// Returns the renamed nodes. A node keeps its name if the new one is taken.
    pub fn reseat(&mut self, old: PeerId, new: PeerId) -> Vec<NodeId> {
        for node in self.tree.nodes_of_authority(old) {
            // The node is in the tree.
            let _ = self.tree.set_multiplayer_authority(node, new, false);
        }
        let (from, to) = (old.to_string(), new.to_string());
        let (mut renamed, mut open) = (Vec::new(), vec![self.tree.root()]);
        while let Some(node) = open.pop() {
            let sync = NodeRef::<MultiplayerSynchronizer>::new(node);
            if self.tree.get(sync).is_ok_and(|sync| sync.visibility_for(old))
                && let Ok(sync) = self.tree.get_mut(sync)
            {
                sync.set_visibility_for(new, true);
                sync.set_visibility_for(old, false);
            }
            open.extend(self.tree.children(node));
            if self.tree.name(node) == Some(&from) && self.tree.rename_anew(node, &to).is_ok() {
                renamed.push(node);
            }
        }
        self.flush_changes();
        renamed
    }
}
