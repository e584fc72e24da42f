//! The [`MultiplayerPeer`] of a [`WebRtcMultiplayerPeer`].

use std::io::ErrorKind;
use std::task::{self, Poll};
use std::time::Duration;

use mp_core::{
    ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Outgoing, PeerEvent, PeerId, Readiness, SendError,
};

use super::{Mode, WebRtcMultiplayerPeer};
use crate::connection::Connection;
use crate::io::DatagramSocket;
use crate::limits::{DATAGRAM_BYTES_MAX, DATAGRAMS_PER_POLL, EVENTS_PER_POLL, MESSAGE_BYTES_MAX};

impl<S: DatagramSocket> MultiplayerPeer for WebRtcMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        self.advance(now);
        self.run_commands();
        let mut buffer = [0; DATAGRAM_BYTES_MAX];
        for _ in 0..DATAGRAMS_PER_POLL {
            if self.outcome.events.len() >= EVENTS_PER_POLL {
                break;
            }
            match self.socket.try_recv_from(&mut buffer) {
                Ok((len, from)) => self.handle_datagram(from, &buffer[..len]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                // The report of a datagram that was not delivered; there may be more.
                Err(_) => {}
            }
        }
        for slot in self.connections.due(self.now) {
            self.with(slot, |connection, cx| {
                connection.handle_timeout(cx);
            });
            self.connections.mark_dirty(slot);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.outcome.events.pop_front()
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if self.status != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let Outgoing { channel, mode, .. } = outgoing;
        let index = self.table.index(channel, mode).ok_or_else(|| SendError::Channel {
            channel: channel.0,
            last: self.table.last_channel(),
        })?;
        let len = outgoing.len();
        if len == 0 {
            // SCTP has no empty messages; Godot accepts such packets and sends nothing.
            self.stats.empty_packets += 1;
            return Ok(());
        }
        let targets = outgoing.to.as_slice();
        let sizes = targets.iter().filter_map(|&to| self.connections.get(to));
        let max = sizes.map(Connection::message_bytes_max).min().unwrap_or(MESSAGE_BYTES_MAX);
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        let packet = outgoing.joined();
        for &to in targets {
            if self.connections.get(to).is_some() {
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
        }
        while let Some((to, datagram)) = self.outcome.datagrams.pop_front() {
            match self.socket.try_send_to(&datagram, to) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.outcome.datagrams.push_front((to, datagram));
                    break;
                }
                Err(_) => self.outcome.dropped_datagrams += 1,
            }
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        if self.connections.get(connection).is_none() {
            return;
        }
        if farewell == Farewell::Abrupt {
            self.outcome.withdraw(connection);
        }
        self.end(connection.slot as usize, reason, farewell);
    }

    fn close(&mut self) {
        for slot in self.connections.slots().collect::<Vec<_>>() {
            self.end(slot, DisconnectReason::Closed, Farewell::Abrupt);
        }
        self.is_closed = true;
        self.status = ConnectionStatus::Disconnected;
        self.outcome.events.clear();
        self.outcome.signals.clear();
    }

    fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.connections.next_due().map(|due| self.running.to_program(due))
    }

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> Poll<()> {
        match &self.signaling {
            Some(signaling) => signaling.poll_commands(cx),
            None => Poll::Pending,
        }
    }

    fn readiness(&self) -> Readiness {
        Readiness::Interval(Duration::from_millis(5))
    }

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        if self.connections.get(connection).is_some() {
            self.with(connection.slot as usize, |connection, cx| {
                connection.set_paused(cx, held);
            });
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        self.mode != Mode::Mesh
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
}
