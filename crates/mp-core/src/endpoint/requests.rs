//! Requests of branches: packets to send, connections to close or move, and leaving the endpoint.

use super::queue::LeaveRequest;
use super::{ConnectionRouter, Endpoint, ToEndpoint};
use crate::limits::DRAIN_TIMEOUT;
use crate::{
    AddressPrefix, BranchId, CloseMode, ConnectionId, ConnectionOrigin, Connections,
    DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket,
};

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    pub(super) fn handle_request(&mut self, branch: BranchId, request: ToEndpoint) {
        match request {
            ToEndpoint::Send(packets) => self.send_of(branch, packets),
            ToEndpoint::Disconnect { connection, reason, close_mode } => {
                self.disconnect_of(branch, connection, reason, close_mode);
            }
            ToEndpoint::Hold { connection } => self.hold(connection, branch),
            ToEndpoint::Move { connection, branch: to, carried } => {
                self.move_connection(connection, branch, to, carried);
            }
            ToEndpoint::RefuseNewConnections(refuse) => self.refuse_of(branch, refuse),
            ToEndpoint::Leave { reason, close_mode } => self.leave(branch, reason, close_mode),
        }
    }

    /// Sends packets of a branch to those of their connections that belong to it.
    fn send_of(&mut self, branch: BranchId, mut packets: Vec<OutgoingPacket>) {
        // An endpoint of one branch has no connections of others.
        if self.branches.len() > 1 || !self.branches.contains_key(&branch) {
            packets.retain_mut(|packet| self.retain_own(branch, &mut packet.to));
        }
        self.send(packets);
    }

    /// Removes connections that do not belong to the branch. Returns whether any is left.
    fn retain_own(&mut self, branch: BranchId, to: &mut Connections) -> bool {
        let is_own = |connection: &ConnectionId| {
            self.routes.get(connection).is_some_and(|routed| routed.branch == branch)
        };
        let all = to.as_slice();
        let own = all.iter().filter(|connection| is_own(connection)).count();
        if own < all.len() {
            self.stats.foreign_sends += (all.len() - own) as u64;
            *to = Connections::Many(all.iter().copied().filter(is_own).collect());
        }
        own > 0
    }

    /// Closes a connection of a branch.
    fn disconnect_of(
        &mut self,
        branch: BranchId,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        if self.routes.get(&connection).is_none_or(|routed| routed.branch != branch) {
            self.stats.foreign_sends += 1;
            return;
        }
        self.peer.disconnect(connection, reason, close_mode);
        if close_mode == CloseMode::Immediate {
            self.forget_route(connection, reason);
            // No event follows, so remember the reason in case it ends a client's session.
            self.last_reason = Some(reason);
        }
    }

    /// Sets whether a branch refuses connections.
    fn refuse_of(&mut self, branch: BranchId, refuse: bool) {
        if let Some(queue) = self.branches.get_mut(&branch) {
            queue.is_refusing = refuse;
        }
        if !self.is_shared {
            let refuse = self.branches.values().all(|queue| queue.is_refusing);
            self.peer.set_refuse_new_connections(refuse);
        }
    }

    /// Disconnects all connections from the addresses of `prefix`. Returns their number.
    pub fn disconnect_addresses(
        &mut self,
        now: Instant,
        prefix: AddressPrefix,
        reason: DisconnectReason,
    ) -> usize {
        self.has_input = true;
        self.advance(now);
        let is_of = |origin: &ConnectionOrigin| {
            origin.address().is_some_and(|address| prefix.contains(address.ip()))
        };
        let routed = self.routes.iter().filter(|(_, it)| is_of(&it.identity.origin));
        let mut routed: Vec<_> = routed.map(|(&connection, _)| connection).collect();
        routed.sort_unstable();
        for &connection in &routed {
            self.peer.disconnect(connection, reason, CloseMode::Graceful);
        }
        let undecided = self.undecided.connections_from(is_of);
        for &connection in &undecided {
            self.undecided.remove(connection);
            self.reject(connection, reason);
        }
        routed.len() + undecided.len()
    }

    /// Closes the connections of a branch, and its queue when they have drained.
    pub(super) fn leave(
        &mut self,
        branch: BranchId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        let queue = self.branches.get_mut(&branch).filter(|queue| !queue.is_closed());
        let Some(queue) = queue else { return };
        queue.leave(LeaveRequest { deadline: self.clock.now() + DRAIN_TIMEOUT, reason });
        self.leaving.insert(branch);
        for &connection in &queue.connections {
            self.peer.disconnect(connection, reason, close_mode);
        }
        if close_mode == CloseMode::Immediate {
            for connection in std::mem::take(&mut queue.connections) {
                self.remove_route(connection, reason);
                self.router.forget(connection);
            }
        }
        if !self.is_shared && self.branches.values().all(|queue| queue.leaving().is_some()) {
            self.stop_accepting();
        }
    }

    /// Accepts no more connections, and closes the endpoint when its branches have left.
    pub(super) fn stop_accepting(&mut self) {
        self.is_closing = true;
        self.peer.stop_accepting();
    }
}
