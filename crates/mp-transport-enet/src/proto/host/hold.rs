//! Back-pressure: links whose receiver cannot take more are held.
//!
//! The reliable data that arrives on a held link is kept, up to 128 KiB, which is more than an
//! honest sender has on its way. It is delivered and acknowledged when the link is let go, as data
//! in the buffer of a socket is that a busy program did not read. Were it dropped instead, its
//! sender would have to send it again. ENet doubles the time between two attempts, so that the next
//! one is due only after as long as the hold has lasted, and a sender that has waited for 5 s gives
//! up instead.

use std::collections::VecDeque;

use mp_core::{ConnectionId, bug};

use super::{Host, PeerEntry};
use crate::proto::peer::State;

/// The peers of a host that keep data of a held link.
#[derive(Debug, Default)]
pub(super) struct Keeping {
    /// Their slots. The peer that began to keep data first is the first.
    slots: VecDeque<u16>,
    /// True if the link of one of them may have been let go.
    has_released: bool,
}

impl Keeping {
    /// Notes `entry` if it keeps data.
    pub(super) fn note(&mut self, entry: &mut PeerEntry) {
        if entry.peer.keeps_data() && !entry.is_keeping {
            entry.is_keeping = true;
            self.slots.push_back(entry.peer.connection().slot as u16);
        }
    }

    /// Forgets a peer that has gone.
    pub(super) fn forget(&mut self, entry: &PeerEntry) {
        if entry.is_keeping {
            let slot = entry.peer.connection().slot as u16;
            self.slots.retain(|&keeping| keeping != slot);
        }
    }
}

impl Host {
    /// Holds a link, or lets it go. While it is held, arriving unreliable packets are dropped and
    /// counted. Reliable ones are not acknowledged, so that their sender sends no more than its
    /// window. Of them 128 KiB are kept, which are delivered and acknowledged from the next
    /// [`poll_event`](Self::poll_event) after the hold on; what goes beyond must come again.
    ///
    /// A Godot peer gives up a link that is held for 5 to 31.5 s.
    pub fn hold(&mut self, connection: ConnectionId, is_held: bool) {
        let Some(entry) = self.slots.connection_mut(connection) else { return };
        entry.peer.hold(is_held);
        if !is_held && entry.is_keeping {
            self.keeping.has_released = true;
            // The next turn is due now.
            self.touch(connection.slot as u16);
        }
    }

    /// Delivers what peers have kept whose links were let go, until there is an event. Not all at
    /// once: its receiver may hold them again after each event.
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
