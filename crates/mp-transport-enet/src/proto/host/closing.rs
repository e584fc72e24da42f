//! Closing the connections of a host.

use std::ops::ControlFlow;

use mp_core::{CloseMode, ConnectionId, DisconnectReason};

use super::bandwidth::BandwidthRound;
use super::receive::withdraw;
use super::{Host, PeerEntry};
use crate::proto::peer::State;

impl Host {
    /// Closes a connection. `data` is for the remote application. An event with `reason` follows
    /// when the remote peer has acknowledged or timed out.
    ///
    /// With [`CloseMode::Immediate`] no event follows, and events that were not polled are removed.
    /// DISCONNECT is still sent until it is acknowledged. With [`CloseMode::Drain`], a connection
    /// that ends before it has drained reports the reason. That is [`DisconnectReason::QueueFull`]
    /// if it made no progress for
    /// [`reliable_progress_timeout`](crate::proto::HostSettings::reliable_progress_timeout).
    pub fn disconnect(
        &mut self,
        connection: ConnectionId,
        data: u32,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        let slot = connection.slot as u16;
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        if close_mode == CloseMode::Immediate {
            self.events.retain(|event| {
                let stays = event.connection() != connection;
                if !stays {
                    withdraw(&mut self.received, event);
                }
                stays
            });
        }
        match peer.close(data, reason, close_mode) {
            ControlFlow::Continue(()) => self.touch(slot),
            ControlFlow::Break(()) => self.remove(slot),
        }
    }

    /// Closes a failed connection. `reason` is reported immediately, and DISCONNECT is sent until
    /// it is acknowledged.
    pub fn fail(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.fail(reason, &mut self.events);
        self.touch(connection.slot as u16);
    }

    /// Closes a connection immediately, and reports `reason`. Queued packets are dropped. One
    /// DISCONNECT with `data` is sent at the end of the turn; if it is lost, the remote peer times
    /// out.
    pub fn disconnect_now(
        &mut self,
        connection: ConnectionId,
        data: u32,
        reason: DisconnectReason,
    ) {
        self.queue_lone_disconnect(connection, data);
        self.reset(connection, reason);
    }

    /// Removes a connection, and reports `reason`. Nothing is sent, so the remote peer times out.
    pub fn reset(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        let Some(peer) = self.slots.peer(connection) else { return };
        peer.report_end(reason, &mut self.events);
        self.remove(connection.slot as u16);
    }

    /// Abandons an attempt to connect, without an event. CONNECT is not retransmitted. If the
    /// server replies later, a DISCONNECT is sent, so that its slot does not stay occupied.
    pub(crate) fn abandon(&mut self, connection: ConnectionId) {
        let now = self.now.as_millis();
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        if peer.state() == State::Connecting {
            peer.abandon(now);
            self.touch(connection.slot as u16);
        } else {
            // The reply was received in this turn and is not acknowledged yet.
            self.disconnect(connection, 0, DisconnectReason::Closed, CloseMode::Immediate);
        }
    }

    /// Closes a connection after all accepted packets have been acknowledged (Godot:
    /// `peer_disconnect_later`).
    pub fn disconnect_later(&mut self, connection: ConnectionId, data: u32) {
        self.disconnect(connection, data, DisconnectReason::Closed, CloseMode::Drain);
    }

    /// Queues a single DISCONNECT datagram for a peer.
    fn queue_lone_disconnect(&mut self, connection: ConnectionId, data: u32) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        self.lone_disconnects.extend(peer.lone_disconnect(data));
    }

    /// Closes all connections immediately. One DISCONNECT with `data` is sent to each connected
    /// peer at the end of the turn. No events follow, and events that were not polled are removed.
    pub fn close(&mut self, data: u32) {
        let slots: Vec<u16> = self.slots.occupied().collect();
        for slot in slots {
            if let Some(PeerEntry { peer, .. }) = self.slots.get_mut(slot) {
                self.lone_disconnects.extend(peer.lone_disconnect(data));
            }
            self.remove(slot); // which reports a slot without a peer
        }
        while self.poll_event().is_some() {}
        self.bandwidth_round = BandwidthRound::default();
    }
}
