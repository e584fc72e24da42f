//! Connections that move to another branch.

use super::router::Identity;
use super::{CarriedSession, ConnectionRouter, Endpoint, Routed};
use crate::limits::{BATCH_EVENTS_MAX, PENDING_BATCHES_MAX, RECEIVE_QUEUE_BYTES_MAX};
use crate::{BranchId, ConnectionId, DisconnectReason, MultiplayerPeer, Packet, PeerEvent};

/// Events of a connection that is about to move. They are for the branch to which it moves.
#[derive(Debug, Default)]
pub(super) struct HeldEvents {
    events: Vec<PeerEvent>,
    bytes: usize,
}

impl HeldEvents {
    /// Appends a packet. Returns it if twice the limit of a branch queue is held, because the
    /// transport does not pause the connection.
    pub(super) fn push(&mut self, packet: Packet) -> Result<(), Packet> {
        let is_full = self.events.len() >= 2 * BATCH_EVENTS_MAX * PENDING_BATCHES_MAX
            || self.bytes >= 2 * RECEIVE_QUEUE_BYTES_MAX;
        if is_full {
            return Err(packet);
        }
        self.bytes += packet.payload.len();
        self.events.push(PeerEvent::Packet(packet));
        Ok(())
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Holds the events of a connection; see [`ToEndpoint::Hold`](super::ToEndpoint::Hold).
    pub(super) fn hold(&mut self, connection: ConnectionId, from: BranchId) {
        if self.start_holding(connection, from) {
            self.queue(from, PeerEvent::Held { connection });
        }
    }

    /// Holds the events of a connection of `from`. Returns false if it is held already or does not
    /// belong to the branch.
    fn start_holding(&mut self, connection: ConnectionId, from: BranchId) -> bool {
        let routed = self.routes.get_mut(&connection);
        let routed = routed.filter(|it| it.branch == from && it.held.is_none());
        let (Some(routed), Some(queue)) = (routed, self.branches.get_mut(&from)) else {
            return false;
        };
        routed.held = Some(HeldEvents { events: queue.extract(connection), bytes: 0 });
        self.peer.pause_receiving(connection, true);
        true
    }

    /// Moves a connection to another branch; see [`ToEndpoint::Move`](super::ToEndpoint::Move).
    pub(super) fn move_connection(
        &mut self,
        connection: ConnectionId,
        from: BranchId,
        to: BranchId,
        carried: Box<CarriedSession>,
    ) {
        self.start_holding(connection, from);
        let is_own = self.routes.get(&connection).is_some_and(|it| it.branch == from);
        let Some(mut routed) = is_own.then(|| self.routes.remove(&connection)).flatten() else {
            return;
        };
        let is_accepted = from != to && self.accepts_connections(to);
        self.stats.rejected_moves += u64::from(!is_accepted);
        let branch = if is_accepted { to } else { from };
        if let Some(queue) = self.branches.get_mut(&from) {
            queue.connections.swap_remove(&connection);
        }
        let HeldEvents { mut events, .. } = routed.held.take().unwrap_or_default();
        if let Some(
            PeerEvent::Connected { .. } | PeerEvent::Moved { .. } | PeerEvent::Resumed { .. },
        ) = events.first()
        {
            events.remove(0); // the branch has not received the connection yet
        } else {
            let reason = DisconnectReason::Moved;
            self.queue(from, PeerEvent::Disconnected { connection, reason });
        }
        let Identity { claimed_id, origin } = routed.identity.clone();
        let moved = PeerEvent::Moved { connection, claimed_id, origin, carried };
        self.assign(connection, Routed { branch, ..routed }, moved, events.into_iter());
        self.resume_receiving(connection);
    }

    /// Resumes receiving on a connection, unless it is held, above its rate, or its branch is full.
    pub(super) fn resume_receiving(&mut self, connection: ConnectionId) {
        let Some(routed) = self.routes.get(&connection) else { return };
        let is_above_rate = routed.rate.as_ref().is_some_and(|rate| rate.paused_until.is_some());
        let is_full = self.branches.get(&routed.branch).is_some_and(super::BranchQueue::is_full);
        if routed.held.is_none() && !is_above_rate && !is_full {
            self.peer.pause_receiving(connection, false);
        }
    }
}
