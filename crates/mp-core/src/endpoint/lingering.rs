//! Connections that are closed some time after their last packet.

use std::collections::{BTreeMap, BTreeSet};

use super::{ConnectionRouter, Endpoint};
use crate::limits::{LINGER_TIME, LINGERING_CONNECTIONS_MAX};
use crate::{
    CloseMode, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent,
};

/// Connections that belong to no branch any more and are closed after [`LINGER_TIME`], so that
/// their client receives the last packet before the end. Packets from them are dropped. Times are
/// those of the endpoint's clock.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    /// The time and the reason of each connection's end.
    ends: BTreeMap<ConnectionId, (Instant, DisconnectReason)>,
    deadlines: BTreeSet<(Instant, ConnectionId)>,
}

impl Lingering {
    /// Adds a connection. Returns false if there are too many.
    fn insert(&mut self, connection: ConnectionId, reason: DisconnectReason, now: Instant) -> bool {
        let (fits, deadline) = (self.len() < LINGERING_CONNECTIONS_MAX, now + LINGER_TIME);
        if fits {
            self.ends.insert(connection, (deadline, reason));
            self.deadlines.insert((deadline, connection));
        }
        fits
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&mut self, connection: ConnectionId) {
        if let Some((deadline, _)) = self.ends.remove(&connection) {
            self.deadlines.remove(&(deadline, connection));
        }
    }

    /// Removes and returns one connection whose time is over, or any if there is no time.
    fn remove_expired(&mut self, now: Option<Instant>) -> Option<(ConnectionId, DisconnectReason)> {
        let &(deadline, connection) = self.deadlines.first()?;
        if now.is_some_and(|now| now < deadline) {
            return None;
        }
        self.deadlines.pop_first();
        let (_, reason) = self.ends.remove(&connection)?;
        Some((connection, reason))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }
}

impl<P: MultiplayerPeer, R: ConnectionRouter> Endpoint<P, R> {
    /// Rejects a connection that was sent a last packet: its client receives the packet before the
    /// end.
    pub(super) fn reject_later(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        tracing::debug!(%connection, %reason, "connection rejected");
        self.stats.rejected_connections += 1;
        self.router.forget(connection);
        self.linger(connection, reason);
    }

    /// Disconnects a connection, whether or not it is assigned to a branch: the branch is notified
    /// at once. The client receives `last` before the end, if there is such a packet and the
    /// connection is assigned to a branch; the router replies to the others as to those that it
    /// rejects. Does nothing if there is no such connection.
    pub fn disconnect(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        reason: DisconnectReason,
        last: Option<OutgoingPacket>,
    ) {
        self.has_input = true;
        self.advance(now);
        let Some(branch) = self.forget_route(connection, reason) else {
            return self.decide(connection, super::Route::Reject(reason));
        };
        self.queue(branch, PeerEvent::Disconnected { connection, reason });
        match last {
            Some(packet) => {
                self.peer.pause_receiving(connection, false);
                self.send(vec![packet]);
                self.linger(connection, reason);
            }
            None => self.peer.disconnect(connection, reason, CloseMode::Graceful),
        }
    }

    /// Closes the connections whose time is over.
    pub(super) fn close_lingering(&mut self) {
        while let Some((connection, reason)) = self.lingering.remove_expired(Some(self.clock.now()))
        {
            self.peer.disconnect(connection, reason, CloseMode::Drain);
        }
    }

    /// Closes all lingering connections.
    pub(super) fn close_all_lingering(&mut self) {
        while let Some((connection, reason)) = self.lingering.remove_expired(None) {
            self.peer.disconnect(connection, reason, CloseMode::Drain);
        }
    }

    fn linger(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        if !self.lingering.insert(connection, reason, self.clock.now()) {
            self.peer.disconnect(connection, reason, CloseMode::Drain);
        }
    }
}
