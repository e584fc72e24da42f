//! The implementation of [`MultiplayerPeer`] for [`WebRtcMultiplayerPeer`].

use std::task::{self, Poll};

use mp_core::{
    CloseMode, ConnectionConditions, ConnectionId, ConnectionStats, ConnectionStatus,
    DisconnectReason, Instant, LinkSimulation, LinkStats, MultiplayerPeer, OutgoingPacket,
    PeerEvent, PeerId, Readiness, Rng, SendError, TransportStats,
};

use super::{Mode, WebRtcMultiplayerPeer};
use crate::channels::ChannelTable;
use crate::connection::Connection;
use crate::io::DatagramSocket;
use crate::limits::{
    DATAGRAMS_PER_POLL, DATAGRAMS_PER_RECEIVE, DATAGRAMS_PER_SEND, EVENTS_PER_POLL,
    MESSAGE_BYTES_MAX,
};

impl<S: DatagramSocket> MultiplayerPeer for WebRtcMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        self.advance(now);
        self.run_commands();
        self.shaped.update(&self.connections, &self.routes, &mut self.socket);
        self.socket.handle_timeout(self.now);
        self.receive();
        for slot in self.connections.due(self.now) {
            self.with(slot, |connection, cx| {
                connection.handle_timeout(cx);
            });
            self.connections.mark_dirty(slot);
            self.send_if_many();
        }
        self.give_signals();
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.output.events.pop_front()
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.status != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let OutgoingPacket { channel, mode, .. } = outgoing;
        let fallback = self.options.falls_back.then(|| ChannelTable::fallback_index(mode));
        let index = self.table.index(channel, mode).or(fallback);
        let index = index.ok_or_else(|| SendError::Channel {
            channel: channel.0,
            last: self.table.last_channel(),
        })?;
        let len = outgoing.len();
        if len == 0 {
            // SCTP has no empty messages. Godot accepts such packets and sends nothing.
            self.stats.empty_packets += 1;
            return Ok(());
        }
        let targets = outgoing.to.as_slice();
        let sizes = targets.iter().filter_map(|&to| self.connections.get(to));
        let max = sizes.map(Connection::message_bytes_max).max().unwrap_or(MESSAGE_BYTES_MAX);
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        let packet = outgoing.joined();
        for &to in targets {
            let size = self.connections.get(to).map(Connection::message_bytes_max);
            if size.is_some_and(|max| len > max) {
                tracing::debug!(connection = %to, len, "packet exceeds the peer's maximum message length");
                self.stats.too_large_packets += 1;
            } else if size.is_some() {
                self.with(to.slot as usize, |connection, cx| {
                    connection.send(cx, index, packet.clone(), targets.len());
                });
            }
        }
        Ok(())
    }

    fn flush(&mut self, now: Instant) {
        self.advance(now);
        for slot in self.connections.take_dirty() {
            self.with(slot, |connection, cx| {
                connection.flush(cx);
            });
            self.send_if_many();
        }
        self.socket.handle_timeout(self.now);
        self.socket.send(&mut self.output.datagrams);
        self.give_signals();
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        if self.connections.get(connection).is_none() {
            return;
        }
        if close_mode == CloseMode::Immediate {
            self.output.withdraw(connection);
        }
        self.end(connection.slot as usize, reason, close_mode);
    }

    fn poll_delivered(&mut self, connection: ConnectionId) -> bool {
        let slot = self.connections.get(connection).map(|_| connection.slot as usize);
        let connection = slot.and_then(|slot| self.connections.at_mut(slot));
        connection.is_none_or(Connection::has_delivered)
    }

    fn close(&mut self) {
        for slot in self.connections.slots().collect::<Vec<_>>() {
            self.end(slot, DisconnectReason::Closed, CloseMode::Immediate);
        }
        self.is_closed = true;
        self.status = ConnectionStatus::Disconnected;
        self.output.events.clear();
        self.output.signals.clear();
    }

    fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let due = [self.socket.poll_timeout(self.now), self.timer_due()];
        due.into_iter().flatten().min().map(|due| self.running.to_program(due))
    }

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        let commands = self.signaling.as_ref().map(|signaling| signaling.poll_commands(cx));
        // Poll both, so that each wakes the task.
        match self.socket.poll_ready(cx) {
            Poll::Pending => commands.unwrap_or(Poll::Pending),
            ready => ready,
        }
    }

    fn readiness(&self) -> Readiness {
        self.socket.readiness()
    }

    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        if self.connections.get(connection).is_some() {
            self.with(connection.slot as usize, |connection, cx| {
                connection.set_paused(cx, held);
            });
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        self.mode != Mode::Mesh
    }

    fn outlives_program(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.is_refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.is_refusing = refuse;
    }

    fn max_packet_size(&self) -> usize {
        MESSAGE_BYTES_MAX
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        let connection = self.connections.get(connection)?;
        let (queued_bytes, _) = connection.queued();
        let mut stats = ConnectionStats::default();
        stats.send_drops = connection.drops();
        stats.queued_bytes = queued_bytes as u64;
        Some(stats)
    }

    fn transport_stats(&self) -> TransportStats {
        let mut sum = self.output.traffic;
        for connection in self.connections.slots().filter_map(|slot| self.connections.at(slot)) {
            sum.connections.queued_bytes += connection.queued().0 as u64;
            sum.connections.send_drops += connection.drops();
        }
        sum.connections.send_drops += self.output.queue_drops;
        sum.connections.receive_drops = self.output.paused_drops;
        sum.datagrams_received = self.stats.received_datagrams;
        sum.refused_handshakes = self.output.failed_connections;
        sum
    }

    fn link_simulation(&self) -> LinkSimulation {
        LinkSimulation::Datagrams
    }

    fn set_conditions(
        &mut self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) {
        if self.connections.get(connection).is_some() {
            self.shaped.set(connection, conditions, rng, &mut self.socket);
            self.shaped.update(&self.connections, &self.routes, &mut self.socket);
        }
    }

    fn conditions(&self, connection: ConnectionId) -> Option<(ConnectionConditions, LinkStats)> {
        self.shaped.conditions(connection, &self.socket)
    }
}

impl<S: DatagramSocket> WebRtcMultiplayerPeer<S> {
    /// Receives datagrams up to the limits. The others are received in the next turn.
    fn receive(&mut self) {
        let mut left = DATAGRAMS_PER_POLL;
        while left > 0 && self.output.events.len() < EVENTS_PER_POLL {
            let received = self.socket.receive(left.min(DATAGRAMS_PER_RECEIVE));
            for (path, datagram) in received.datagrams() {
                self.handle_datagram(path, datagram);
            }
            left = left.saturating_sub(received.len().max(1));
            self.socket.put_back(received);
            self.send_if_many();
            if !self.socket.has_more() {
                return;
            }
        }
        self.socket.leave_rest();
    }

    /// Sends the queued datagrams if there are many.
    fn send_if_many(&mut self) {
        if self.output.datagrams.len() >= DATAGRAMS_PER_SEND {
            self.socket.send(&mut self.output.datagrams);
        }
    }
}
