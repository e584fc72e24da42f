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
pub(super) struct Keeping {
    /// Slots, by the time at which buffering began.
    slots: VecDeque<u16>,
    /// Whether one of them may have been resumed.
    has_released: bool,
}

impl Keeping {
    /// Adds `entry` if it has buffered data.
    pub(super) fn note(&mut self, entry: &mut PeerEntry) {
        if entry.peer.keeps_data() && !entry.is_keeping {
            entry.is_keeping = true;
            self.slots.push_back(entry.peer.connection().slot as u16);
        }
    }

    /// Removes a peer.
    pub(super) fn forget(&mut self, entry: &PeerEntry) {
        if entry.is_keeping {
            let slot = entry.peer.connection().slot as u16;
            self.slots.retain(|&keeping| keeping != slot);
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
    pub fn hold(&mut self, connection: ConnectionId, is_held: bool) {
        let Some(entry) = self.slots.connection_mut(connection) else { return };
        entry.peer.hold(is_held);
        if !is_held && entry.is_keeping {
            self.keeping.has_released = true;
            // The next turn is due immediately.
            self.touch(connection.slot as u16);
        }
    }

    /// Delivers the buffered data of resumed peers, one peer at a time, until there is an event.
    /// The receiver may pause the others again after each event.
    pub(super) fn resume(&mut self) {
        while self.keeping.has_released && self.events.is_empty() {
            let is_held = |slot| self.slots.get(slot).is_some_and(|it| it.peer.is_held());
            let free = self.keeping.slots.iter().position(|&slot| !is_held(slot));
            let Some(slot) = free.and_then(|index| self.keeping.slots.remove(index)) else {
                self.keeping.has_released = false;
                return;
            };
            let Some(PeerEntry { peer, is_keeping, .. }) = self.slots.get_mut(slot) else {
                bug!("slot {slot} keeps data, but has no peer");
                continue;
            };
            *is_keeping = false;
            if peer.state() == State::Connected {
                peer.resume(&mut self.received, &mut self.events);
                self.touch(slot);
            }
        }
    }
}
