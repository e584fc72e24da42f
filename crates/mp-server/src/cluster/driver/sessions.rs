//! Sessions of players on other nodes, and players of nodes that end.

use std::collections::BTreeSet;

use mp_cluster::bus::Bus;
use mp_cluster::directory::Directory;
use mp_cluster::{ClusterNodeId, FoundSession, NodeRequest, SessionQuery};
use mp_core::Instant;
use tokio::sync::oneshot;

use super::Driver;
use super::joins::CALLS_MAX;
use crate::cluster::handle::RemoteRequest;

impl<B: Bus, D: Directory + 'static> Driver<B, D> {
    /// Asks the other nodes for the session of a player.
    pub(super) fn find_session(
        &mut self,
        now: Instant,
        query: Box<SessionQuery>,
        reply: oneshot::Sender<Option<FoundSession>>,
    ) {
        let others = self.others();
        let Some(request) = self.sessions.begin(now, others.clone(), reply) else { return };
        let request = NodeRequest::FindSession(request, query);
        for node in others {
            self.send(node, &request);
        }
    }

    /// Handles the search of another node.
    pub(super) fn search_session(&mut self, from: RemoteRequest, query: SessionQuery) {
        if self.calls.len() >= CALLS_MAX {
            self.requests.overflowed += 1;
            return;
        }
        self.call(move |host| host.find_session(from, &query));
    }

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
