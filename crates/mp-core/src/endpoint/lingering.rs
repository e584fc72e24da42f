//! Connections that are closed some time after their last packet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{ConnectionRouter, Endpoint, Route};
use crate::limits::{LINGER_TIME, LINGERING_CONNECTIONS_MAX};
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

    /// Sets a packet that the client receives before the end. The connection lingers for
    /// [`LINGER_TIME`].
    #[must_use]
    pub fn last_packet(mut self, packet: OutgoingPacket) -> Self {
        self.last = Some(packet);
        self
    }
}

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
