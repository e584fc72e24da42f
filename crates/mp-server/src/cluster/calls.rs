//! [`NodeCalls`]: calls of this node about the rooms and queues of others.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_cluster::{
    ClusterNodeId, FoundSession, Members, NodeCall, NodeReply, NodeRequestId, SeatOffer,
    SessionQuery,
};
use mp_rooms::{RoomName, TicketHash};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::handle::{ClusterHandle, ToNode};

/// The calls that wait for their replies.
#[derive(Debug, Default)]
pub(super) struct NodeCalls {
    waiting: BTreeMap<NodeRequestId, (ClusterNodeId, oneshot::Sender<NodeReply>)>,
    last: u64,
}

impl NodeCalls {
    /// Adds a call. Returns its number; `None` if there are too many.
    pub(super) fn begin(
        &mut self,
        to: ClusterNodeId,
        reply: oneshot::Sender<NodeReply>,
    ) -> Option<NodeRequestId> {
        if self.waiting.len() >= CALLS_MAX {
            return None;
        }
        self.last += 1;
        let id = NodeRequestId::new(self.last);
        self.waiting.insert(id, (to, reply));
        Some(id)
    }

    /// Passes the reply of the node that was called to its caller.
    pub(super) fn replied(&mut self, from: ClusterNodeId, id: NodeRequestId, reply: NodeReply) {
        if self.waiting.get(&id).is_some_and(|(to, _)| *to == from)
            && let Some((_, caller)) = self.waiting.remove(&id)
        {
            let _ = caller.send(reply);
        }
    }

    /// Forgets the calls whose callers wait no longer. Returns how many.
    pub(super) fn expire(&mut self) -> u64 {
        let before = self.waiting.len();
        self.waiting.retain(|_, (_, reply)| !reply.is_closed());
        (before - self.waiting.len()) as u64
    }
}

impl ClusterHandle {
    /// Returns the nodes that were registered half a second ago, with this one.
    pub(crate) fn members(&self) -> Members {
        self.stats.members()
    }

    /// Returns the other nodes.
    pub(crate) fn others(&self) -> impl Iterator<Item = ClusterNodeId> {
        let here = self.node();
        self.members().into_keys().filter(move |node| *node != here)
    }

    /// Returns the other node whose tickets have this tag.
    pub(crate) fn other_with_tag(&self, tag: u32) -> Option<ClusterNodeId> {
        self.others().find(|node| node.ticket_tag() == tag)
    }

    /// Calls another node. Returns `None` if it does not answer in time.
    pub(crate) async fn call(&self, to: ClusterNodeId, call: NodeCall) -> Option<NodeReply> {
        let (reply, response) = oneshot::channel();
        if !self.send(ToNode::Call { to, call, reply }) {
            return None;
        }
        timeout(CALL_TIMEOUT, response).await.ok()?.ok()
    }

    /// Returns the seat of a ticket on another node.
    pub(crate) async fn seat_of(
        &self,
        node: ClusterNodeId,
        ticket: TicketHash,
    ) -> Option<SeatOffer> {
        match self.call(node, NodeCall::SeatOf(ticket)).await? {
            NodeReply::Seat(seat) => seat.ok(),
            _ => None,
        }
    }

    /// Looks for the session of a player on the other nodes, which are called at once. Returns the
    /// first that is found.
    pub(crate) async fn find_session(&self, query: SessionQuery) -> Option<FoundSession> {
        let mut replies = JoinSet::new();
        for node in self.others() {
            let (cluster, call) = (self.clone(), NodeCall::Session(Box::new(query.clone())));
            replies.spawn(async move { cluster.call(node, call).await });
        }
        while let Some(reply) = replies.join_next().await {
            if let Ok(Some(NodeReply::Session(Some(found)))) = reply {
                return Some(found);
            }
        }
        None
    }

    /// Returns the node that has a room; `None` if there is none, or the directory does not
    /// respond.
    pub(crate) async fn find(&self, room: RoomName) -> Option<ClusterNodeId> {
        let (reply, response) = oneshot::channel();
        if !self.send(ToNode::Find { room, reply }) {
            return None;
        }
        timeout(CALL_TIMEOUT, response).await.ok()?.ok()
    }
}

/// Calls that wait for their replies.
const CALLS_MAX: usize = 4_096;
/// Time in which another node answers a call: some round trips, and a turn of its rooms.
const CALL_TIMEOUT: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_node_that_was_called_replies_and_once() {
        let mut calls = NodeCalls::default();
        let (called, other) = (ClusterNodeId::new(1), ClusterNodeId::new(2));
        let (reply, mut response) = oneshot::channel();
        let id = calls.begin(called, reply).unwrap();
        calls.replied(other, id, NodeReply::Left(true));
        assert!(response.try_recv().is_err());
        calls.replied(called, id, NodeReply::Left(false));
        calls.replied(called, id, NodeReply::Left(true));
        assert_eq!(response.try_recv(), Ok(NodeReply::Left(false)));
    }

    #[test]
    fn calls_are_bounded_and_those_without_a_caller_are_forgotten() {
        let mut calls = NodeCalls::default();
        let called = ClusterNodeId::new(1);
        let mut callers = Vec::new();
        for _ in 0..CALLS_MAX {
            let (reply, response) = oneshot::channel();
            assert!(calls.begin(called, reply).is_some());
            callers.push(response);
        }
        assert!(calls.begin(called, oneshot::channel().0).is_none());
        callers.truncate(1);
        assert_eq!(calls.expire(), CALLS_MAX as u64 - 1);
        assert!(calls.begin(called, oneshot::channel().0).is_some());
    }
}
