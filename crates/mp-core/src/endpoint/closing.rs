//! The end of branches and of the endpoint.

use super::queue::{BranchQueue, LeaveRequest};
use super::{ConnectionRouter, Endpoint};
use crate::{
    BranchId, CloseMode, ConnectionStatus, DisconnectReason, Instant, MultiplayerPeer, PeerEvent,
};

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Closes the queues of leaving branches whose connections have drained or timed out, and of
    /// all branches if the transport's session ended. Closes the endpoint when no queue is open.
    pub(super) fn close_drained(&mut self, now: Instant) {
        let session_ended = self.interrupted.is_none()
            && self.peer.connection_status() == ConnectionStatus::Disconnected;
        let (time, mut closing) = (self.clock.now(), Vec::new());
        for branch in &self.leaving {
            let Some((queue, LeaveRequest { deadline, reason })) =
                self.branches.get(branch).and_then(|queue| Some((queue, queue.leaving()?)))
            else {
                crate::bug!("{branch:?} leaves, but is not served");
                continue;
            };
            if session_ended || time >= deadline || queue.connections.is_empty() {
                closing.push((*branch, reason));
            }
        }
        if session_ended {
            // A client whose server never responded has no reason from a `Disconnected` event.
            let reason = self.last_reason.unwrap_or(DisconnectReason::Timeout);
            let open = self.branches.iter().filter(|(_, it)| it.leaving().is_none());
            closing.extend(open.filter(|(_, it)| !it.is_closed()).map(|(&it, _)| (it, reason)));
        }
        for (branch, reason) in closing {
            self.close_queue(branch, reason);
        }
        let is_left = self.is_closing && self.branches.values().all(BranchQueue::is_closed);
        if session_ended || is_left {
            // `close` drops pending acknowledgements of a remote disconnect, so flush them before.
            self.peer.flush(now);
            self.peer.close();
            self.finished = true;
        }
    }

    /// Queues `Disconnected` for each connection of the branch that is left, then the last message.
    fn close_queue(&mut self, branch: BranchId, reason: DisconnectReason) {
        self.leaving.remove(&branch);
        let Some(queue) = self.branches.get_mut(&branch) else {
            crate::bug!("{branch:?} is closed, but has no queue");
            return;
        };
        let connections = std::mem::take(&mut queue.connections);
        for &connection in &connections {
            queue.push(PeerEvent::Disconnected { connection, reason });
        }
        queue.close(reason);
        self.pending.insert(branch);
        for connection in connections {
            self.remove_route(connection, reason);
            self.router.forget(connection);
            self.peer.disconnect(connection, reason, CloseMode::Immediate);
        }
    }
}
