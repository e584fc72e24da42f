//! Connections that are closed some time after their last packet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ConnectionRouter, Endpoint, Route};
use crate::limits::{
    LINGER_CHECK_INTERVAL, LINGER_TIME, LINGER_TIMEOUT, LINGERING_CONNECTIONS_MAX,
};
use crate::{
    CloseMode, ConnectionId, DisconnectReason, Instant, MultiplayerPeer, OutgoingPacket, PeerEvent,
};

/// A request to disconnect a connection.
#[derive(Clone, Debug)]
pub struct DisconnectRequest {
    reason: DisconnectReason,
    text: Option<Arc<str>>,
    last: Option<OutgoingPacket>,
}

impl DisconnectRequest {
    /// Returns a request without a text and a last packet.
    pub fn new(reason: DisconnectReason) -> Self {
        Self { reason, text: None, last: None }
    }

    /// Sets a text for people in place of that of a [rejection](DisconnectReason::Rejected). A
    /// WebSocket client receives `CODE: TEXT` as the reason of the close frame, truncated to 123
    /// bytes; a client that authenticates receives both in its last authentication packet.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Sets a packet that the client receives before the end. The connection lingers until
    /// [`LINGER_TIME`] after the client has received it, at most for [`LINGER_TIMEOUT`].
    #[must_use]
    pub fn last_packet(mut self, packet: OutgoingPacket) -> Self {
        self.last = Some(packet);
        self
    }
}

/// Connections that belong to no branch any more and are closed [`LINGER_TIME`] after their client
/// has received the last packet, so that it receives the packet before the end. Packets from them
/// are dropped. Times are those of the endpoint's clock.
#[derive(Debug, Default)]
pub(super) struct Lingering {
    connections: BTreeMap<ConnectionId, LingeringConnection>,
    deadlines: BTreeSet<(Instant, ConnectionId)>,
}

#[derive(Clone, Copy, Debug)]
struct LingeringConnection {
    reason: DisconnectReason,
    /// Time of the next step.
    deadline: Instant,
    step: LingerStep,
}

/// The step that follows at the deadline of a lingering connection.
#[derive(Clone, Copy, Debug)]
enum LingerStep {
    /// Checks whether the client has received the last packet. The connection is closed at `until`
    /// even if it has not.
    Check { until: Instant },
    /// Closes the connection.
    Close,
}

impl LingerStep {
    /// Returns the step after a check at `now`, and its time.
    fn after_check(is_delivered: bool, now: Instant, until: Instant) -> (Instant, Self) {
        match is_delivered {
            true => (now + LINGER_TIME, Self::Close),
            false if now < until => {
                ((now + LINGER_CHECK_INTERVAL).min(until), Self::Check { until })
            }
            false => (now, Self::Close),
        }
    }
}

impl Lingering {
    fn insert(&mut self, connection: ConnectionId, lingering: LingeringConnection) {
        self.deadlines.insert((lingering.deadline, connection));
        self.connections.insert(connection, lingering);
    }

    /// Removes a connection that has ended.
    pub(super) fn remove(&mut self, connection: ConnectionId) {
        if let Some(LingeringConnection { deadline, .. }) = self.connections.remove(&connection) {
            self.deadlines.remove(&(deadline, connection));
        }
    }

    /// Removes and returns one connection whose deadline has passed, or any if there is no time.
    fn remove_due(&mut self, now: Option<Instant>) -> Option<(ConnectionId, LingeringConnection)> {
        let &(deadline, connection) = self.deadlines.first()?;
        if now.is_some_and(|now| now < deadline) {
            return None;
        }
        self.deadlines.pop_first();
        Some((connection, self.connections.remove(&connection)?))
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|&(deadline, _)| deadline)
    }

    pub(super) fn len(&self) -> usize {
        self.connections.len()
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
    /// at once. The client receives the last packet before the end, if there is one and the
    /// connection is assigned to a branch; the router replies to the others as to those that it
    /// rejects. Does nothing if there is no such connection.
    pub fn disconnect(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        request: DisconnectRequest,
    ) {
        let DisconnectRequest { reason, text, last } = request;
        self.has_input = true;
        self.advance(now);
        let Some(branch) = self.forget_route(connection, reason) else {
            let route = match (reason, text) {
                (DisconnectReason::Rejected(rejection), Some(text)) => {
                    Route::RejectWith { reason, code: rejection.code().into(), text }
                }
                _ => Route::Reject(reason),
            };
            return self.decide(connection, route);
        };
        if let (DisconnectReason::Rejected(rejection), Some(text)) = (reason, text) {
            self.peer.set_close_text(connection, &format!("{}: {text}", rejection.code()));
        }
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

    /// Takes the steps that are due: closes connections, and checks whether others have received
    /// their last packet.
    pub(super) fn close_lingering(&mut self) {
        let now = self.clock.now();
        while let Some((connection, lingering)) = self.lingering.remove_due(Some(now)) {
            let LingeringConnection { reason, step, .. } = lingering;
            match step {
                LingerStep::Check { until } => self.check_delivery(connection, reason, until),
                LingerStep::Close => self.peer.disconnect(connection, reason, CloseMode::Drain),
            }
        }
    }

    /// Closes all lingering connections.
    pub(super) fn close_all_lingering(&mut self) {
        while let Some((connection, lingering)) = self.lingering.remove_due(None) {
            self.peer.disconnect(connection, lingering.reason, CloseMode::Drain);
        }
    }

    fn linger(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        if self.lingering.len() < LINGERING_CONNECTIONS_MAX {
            self.check_delivery(connection, reason, self.clock.now() + LINGER_TIMEOUT);
        } else {
            self.peer.disconnect(connection, reason, CloseMode::Drain);
        }
    }

    /// Schedules the next step of a connection, which depends on whether its client has received
    /// the last packet.
    fn check_delivery(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        until: Instant,
    ) {
        let is_delivered = self.peer.poll_delivered(connection);
        let (deadline, step) = LingerStep::after_check(is_delivered, self.clock.now(), until);
        self.lingering.insert(connection, LingeringConnection { reason, deadline, step });
    }
}
