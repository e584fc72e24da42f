//! [`MultiplayerPeer`] of WebSocket.

use std::task::{Context, Poll};

use mp_core::{
    CloseMode, ConnectionConditions, ConnectionId, ConnectionStats, ConnectionStatus,
    DisconnectReason, Instant, LinkSimulation, LinkStats, MultiplayerPeer, OutgoingPacket,
    PeerEvent, PeerId, Readiness, Rng, SendError, TransportStats,
};

use super::{Role, WebSocketMultiplayerPeer};
use crate::io::StreamSource;

impl<S: StreamSource> MultiplayerPeer for WebSocketMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        self.now = now;
        if self.is_closed {
            return;
        }
        if let Role::Client(Some(attempt)) = &mut self.role {
            attempt.deadline.get_or_insert(now + self.session.settings.handshake_timeout);
        }
        // Receive only when the host has read all events: unread bytes stay at their senders.
        if self.session.events.is_empty() {
            self.collect_ready(now);
            self.receive(now);
        }
        self.handle_timeouts(now);
        self.run_text_timeout();
        self.run_text();
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.session.events.pop_front()
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.session.status != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let (len, max) = (outgoing.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        // Sharing a payload costs an allocation, so one receiver gets it as it is.
        let is_whole = outgoing.prefix.as_slice().is_empty();
        let whole = if is_whole { None } else { Some(outgoing.joined()) };
        let OutgoingPacket { to, mode, payload, .. } = outgoing;
        let payload = whole.unwrap_or(payload);
        let connections = to.as_slice().len();
        if let Some((&last, others)) = to.as_slice().split_last() {
            for &connection in others {
                self.send_to(connection, mode, payload.clone(), connections);
            }
            self.send_to(last, mode, payload, connections);
        }
        Ok(())
    }

    fn flush(&mut self, now: Instant) {
        self.now = now;
        let mut dirty = self.connections.take_dirty();
        let retries = !self.is_waking();
        dirty.retain(|&slot| {
            // The connection may have ended since then.
            let Some(entry) = self.connections.at(slot) else { return false };
            entry.is_dirty = false;
            entry.flush(now, &mut self.write_buffer, &mut self.session);
            // A stream that wakes reports when it accepts bytes again.
            entry.is_dirty = retries && entry.unsent() > 0;
            let again = entry.is_dirty;
            self.connections.update_timer(slot);
            again
        });
        self.connections.put_dirty(dirty);
        for entry in self.closing.drain(..) {
            let stats = entry.finish(now, &mut self.write_buffer, &mut self.session);
            self.ended.add_all(&stats);
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        let now = self.now;
        let Some(entry) = self.connections.get_mut(connection) else { return };
        entry.connection.close(now, reason, close_mode);
        entry.resume();
        if close_mode == CloseMode::Immediate {
            self.session.events.retain(|event| !is_about(event, connection));
        }
        self.update(connection.slot as usize);
    }

    fn set_close_text(&mut self, connection: ConnectionId, text: &str) {
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.connection.set_close_text(text);
        }
    }

    fn poll_delivered(&mut self, connection: ConnectionId) -> bool {
        let Some(entry) = self.connections.get_mut(connection) else { return true };
        let is_delivered = entry.connection.poll_delivered();
        self.connections.update(connection.slot as usize);
        is_delivered
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.session.status = ConnectionStatus::Disconnected;
        self.session.events.clear();
        self.source = None;
        self.text_source = None;
        for slot in self.connections.slots().collect::<Vec<_>>() {
            // As in Godot, no close frame is sent. Bytes queued before are still written.
            if let Some(entry) = self.connections.remove(slot) {
                self.retire(entry);
            }
        }
    }

    fn unique_id(&self) -> PeerId {
        self.session.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.session.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed {
            return None;
        }
        let more = (!self.ready.is_empty()).then_some(self.now);
        let attempt = match &self.role {
            Role::Server(acceptor) => acceptor.retry,
            Role::Client(Some(attempt)) => Some(attempt.deadline.unwrap_or(self.now)),
            Role::Client(None) => None,
        };
        let text = self.text.as_ref().and_then(|service| service.poll_timeout());
        [more, attempt, self.connections.next_due(), text].into_iter().flatten().min()
    }

    fn readiness(&self) -> Readiness {
        self.readiness
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closed {
            return Poll::Pending;
        }
        let text = self.text.as_mut().map(|service| service.poll_ready(cx));
        // Poll both, so that each wakes the task.
        match self.ready_list.poll_ready(cx) {
            Poll::Pending => text.unwrap_or(Poll::Pending),
            ready => ready,
        }
    }

    fn pause_receiving(&mut self, connection: ConnectionId, paused: bool) {
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.connection.set_paused(self.now, paused);
            entry.resume();
            self.connections.update_timer(connection.slot as usize);
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.session.is_refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.session.is_refusing = refuse;
    }

    /// Closes the ports of a server, so that `/healthz` does not respond for rooms that have ended.
    fn stop_accepting(&mut self) {
        self.session.is_refusing = true;
        if matches!(self.role, Role::Server(_)) {
            self.source = None;
            self.text_source = None;
        }
    }

    fn max_packet_size(&self) -> usize {
        self.session.settings.max_packet_size
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        let entry = self.connections.get(connection)?;
        let mut stats = entry.connection.stats();
        stats.queued_bytes += entry.unsent() as u64;
        Some(stats)
    }

    fn transport_stats(&self) -> TransportStats {
        let mut sum = TransportStats::default();
        sum.add_ended_connection(&self.ended);
        for entry in self.connections.iter().chain(&self.closing) {
            let mut stats = entry.connection.stats();
            stats.queued_bytes += entry.unsent() as u64;
            sum.add_connection(&stats);
        }
        sum.network_bytes_received = self.session.network_bytes_received;
        sum.network_bytes_sent = self.session.network_bytes_sent;
        sum.completed_handshakes = self.connections.completed();
        sum.refused_handshakes = self.session.refused_requests.total();
        sum
    }

    fn link_simulation(&self) -> LinkSimulation {
        LinkSimulation::Stream
    }

    fn set_conditions(
        &mut self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) {
        let Some(entry) = self.connections.get_mut(connection) else { return };
        entry.set_conditions(conditions.map(|conditions| conditions.of_stream()), rng);
        self.connections.update(connection.slot as usize);
    }

    fn conditions(&self, connection: ConnectionId) -> Option<(ConnectionConditions, LinkStats)> {
        self.connections.get(connection)?.conditions()
    }
}

fn is_about(event: &PeerEvent, id: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            *connection == id
        }
        PeerEvent::Packet(packet) => packet.from == id,
        _ => false,
    }
}
