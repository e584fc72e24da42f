//! Back-pressure: pausing connections whose receiver cannot accept more.
//!
//! Reliable data received while paused is buffered up to 128 KiB, more than a correct sender has in
//! flight. It is delivered and acknowledged when the connection resumes, as with the receive buffer
//! of a socket. If it were dropped, the sender would have to retransmit it. ENet doubles the delay
//! between retransmissions, so the next one would only be due after as long as the pause has
//! lasted, and a sender times out after 5 s.

use std::collections::VecDeque;

use mp_core::{ConnectionId, bug};

use super::{Host, PeerEntry};
use crate::proto::peer::State;

/// The peers with data that was buffered while paused.
#[derive(Debug, Default)]
pub(super) struct PausedPeers {
    /// Slots, by the time at which buffering began.
    slots: VecDeque<u16>,
    /// `true` if one of them may have been resumed.
    has_resumed: bool,
}

impl PausedPeers {
    /// Adds `entry` if it has buffered data.
    pub(super) fn add(&mut self, entry: &mut PeerEntry) {
        if entry.peer.has_buffered_data() && !entry.has_buffered {
            entry.has_buffered = true;
            self.slots.push_back(entry.peer.connection().slot as u16);
        }
    }

    /// Removes a peer.
    pub(super) fn remove(&mut self, entry: &PeerEntry) {
        if entry.has_buffered {
            let slot = entry.peer.connection().slot as u16;
            self.slots.retain(|&paused| paused != slot);
        }
    }
}

impl Host {
    /// Pauses or resumes a connection. While it is paused, received unreliable packets are dropped
    /// and counted. Reliable packets are not acknowledged, so that the sender stops at its window.
    /// 128 KiB of them are buffered, and delivered and acknowledged by
    /// [`poll_event`](Self::poll_event) calls after the pause. The remote peer retransmits the
    /// rest.
    ///
    /// A Godot peer times out if the pause takes 5 to 31.5 s.
    pub fn pause_receiving(&mut self, connection: ConnectionId, is_paused: bool) {
        let Some(entry) = self.slots.connection_mut(connection) else { return };
        entry.peer.set_paused(is_paused);
        if !is_paused && entry.has_buffered {
            self.paused_peers.has_resumed = true;
            // The next turn is due immediately.
            self.touch(connection.slot as u16);
        }
    }

    /// Delivers the buffered data of resumed peers, one peer at a time, until there is an event.
    /// The receiver may pause the others again after each event.
    pub(super) fn resume(&mut self) {
        while self.paused_peers.has_resumed && self.events.is_empty() {
            let is_paused = |slot| self.slots.get(slot).is_some_and(|it| it.peer.is_paused());
            let free = self.paused_peers.slots.iter().position(|&slot| !is_paused(slot));
            let Some(slot) = free.and_then(|index| self.paused_peers.slots.remove(index)) else {
                self.paused_peers.has_resumed = false;
                return;
            };
            let Some(PeerEntry { peer, has_buffered, .. }) = self.slots.get_mut(slot) else {
                bug!("slot {slot} has buffered data, but no peer");
                continue;
            };
            *has_buffered = false;
            if peer.state() == State::Connected {
                peer.resume(&mut self.received, &mut self.events);
                self.touch(slot);
            }
        }
    }
}
