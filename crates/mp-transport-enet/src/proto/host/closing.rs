//! The ways in which connections of a host end.

use mp_core::{ConnectionId, DisconnectReason, Farewell};

use super::bandwidth::Pass;
use super::receive::withdraw;
use super::{Host, PeerEntry};
use crate::proto::peer::{Flow, State};

impl Host {
    /// Ends a link; `data` is for the other side's application. `reason` is what this side reports when the end is
    /// acknowledged or has timed out; [`Farewell::Abrupt`] reports nothing and forgets events not yet taken, though the
    /// other side is still told until it acknowledges. A link that ends before it has [drained](Farewell::Drain) reports why;
    /// [`DisconnectReason::QueueFull`] when it made no progress for
    /// [`reliable_progress_timeout`](crate::proto::HostSettings::reliable_progress_timeout).
    pub fn disconnect(
        &mut self,
        connection: ConnectionId,
        data: u32,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        let slot = connection.slot as u16;
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        if farewell == Farewell::Abrupt {
            self.events.retain(|event| {
                let stays = event.connection() != connection;
                if !stays {
                    withdraw(&mut self.received, event);
                }
                stays
            });
        }
        match peer.close(data, reason, farewell) {
            Flow::Going => self.touch(slot),
            Flow::Ended => self.remove(slot),
        }
    }

    /// Ends a link because something is wrong with it: reported at once, and the other side is told.
    pub fn fail(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        peer.fail(reason, &mut self.events);
        self.touch(connection.slot as u16);
    }

    /// Ends a link at once. The other side is told once, with `data`, at the end of the turn; should that be lost, it
    /// notices by its timeout. What was queued is lost. Reported with `reason`.
    pub fn disconnect_now(
        &mut self,
        connection: ConnectionId,
        data: u32,
        reason: DisconnectReason,
    ) {
        self.say_goodbye(connection, data);
        self.reset(connection, reason);
    }

    /// Forgets a link without a word to the other side, which notices by its timeout. Reported with `reason`.
    pub fn reset(&mut self, connection: ConnectionId, reason: DisconnectReason) {
        let Some(peer) = self.slots.peer(connection) else { return };
        peer.report_end(reason, &mut self.events);
        self.remove(connection.slot as u16);
    }

    /// Gives up an attempt to connect, without an event. CONNECT is not sent again; when the server
    /// answers all the same it is sent a DISCONNECT, so that nobody occupies its slot.
    pub(crate) fn abandon(&mut self, connection: ConnectionId) {
        let now = self.now.as_millis();
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        if peer.state() == State::Connecting {
            peer.abandon(now);
            self.touch(connection.slot as u16);
        } else {
            // It was answered in this turn, and that is not acknowledged yet.
            self.disconnect(connection, 0, DisconnectReason::Closed, Farewell::Abrupt);
        }
    }

    /// Ends a link when everything accepted for it has been acknowledged (Godot: `peer_disconnect_later`).
    pub fn disconnect_later(&mut self, connection: ConnectionId, data: u32) {
        self.disconnect(connection, data, DisconnectReason::Closed, Farewell::Drain);
    }

    /// Queues the one datagram that tells a peer that its connection is closed.
    fn say_goodbye(&mut self, connection: ConnectionId, data: u32) {
        let Some(peer) = self.slots.peer_mut(connection) else { return };
        self.goodbyes.extend(peer.lone_disconnect(data));
    }

    /// Ends everything at once: each connected peer is told once, with `data`, at the end of the turn. No events follow,
    /// and those not yet taken are forgotten.
    pub fn close(&mut self, data: u32) {
        let slots: Vec<u16> = self.slots.occupied().collect();
        for slot in slots {
            if let Some(PeerEntry { peer, .. }) = self.slots.get_mut(slot) {
                self.goodbyes.extend(peer.lone_disconnect(data));
            }
            self.remove(slot); // which reports a slot without a peer
        }
        while self.poll_event().is_some() {}
        self.pass = Pass::default();
    }
}
