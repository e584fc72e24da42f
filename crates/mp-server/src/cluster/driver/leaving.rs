//! Players of nodes that end.

use std::collections::BTreeSet;

use mp_cluster::bus::Bus;
use mp_cluster::directory::Directory;
use mp_cluster::{ClusterNodeId, NodeRequest};

use super::Driver;

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Asks the other nodes to disconnect the players of this one, which is about to end.
    pub(super) fn leave(&mut self) {
        for node in self.others() {
            self.send(node, &NodeRequest::Leaving);
        }
    }

    /// Disconnects the players of a node that is about to end.
    pub(super) fn redirect(&mut self, node: ClusterNodeId) {
        for listener in self.guests.listeners_of(node) {
            self.call(move |host| host.redirect_guests(listener));
        }
    }

    fn others(&self) -> BTreeSet<ClusterNodeId> {
        let members = self.claims.members().keys();
        members.copied().filter(|node| *node != self.node).collect()
    }
}
