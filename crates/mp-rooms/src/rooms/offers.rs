//! Tickets that other nodes of a cluster recognize: those of seats, and those with which players
//! resume their sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_core::{Instant, PeerId};
use mp_identity::Subject;

use super::Rooms;
use crate::join::ListenerConnection;
use crate::matchmaking::TicketHash;
use crate::name::RoomName;
use crate::resume::Resume;

/// A ticket that is valid in a room, of which the registry has the hash.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TicketOffer {
    /// The room.
    pub room: RoomName,
    /// The peer whose session the ticket resumes; `None`: it is the ticket of a seat.
    pub peer: Option<PeerId>,
    /// The player to whom the ticket belongs; `None`: it belongs to no player in
    /// particular.
    pub subject: Option<Subject>,
    /// Time for which the room keeps the player after its connection was lost, or for which the
    /// seat is reserved.
    pub time: Duration,
}

/// The tickets that have changed, once they are recorded.
#[derive(Debug, Default)]
pub(super) struct TicketChanges(Option<BTreeSet<TicketHash>>);

impl TicketChanges {
    pub(super) fn mark(&mut self, ticket: TicketHash) {
        if let Some(changes) = &mut self.0 {
            changes.insert(ticket);
        }
    }

    fn take(&mut self) -> BTreeSet<TicketHash> {
        self.0.as_mut().map(std::mem::take).unwrap_or_default()
    }
}

impl Rooms {
    /// Records from now on which tickets change, for
    /// [`changed_tickets`](Self::changed_tickets), which has to be called regularly then.
    pub fn record_ticket_changes(&mut self) {
        for changes in [&mut self.kept.changes, self.seats.changes_mut()] {
            changes.0.get_or_insert_default();
        }
    }

    /// Returns the tickets that were offered, changed or used since the last call.
    pub fn changed_tickets(&mut self) -> BTreeSet<TicketHash> {
        let mut changed = self.kept.changes.take();
        changed.append(&mut self.seats.changes_mut().take());
        changed
    }

    /// Reports a ticket as changed by the next call of
    /// [`changed_tickets`](Self::changed_tickets).
    pub fn mark_ticket(&mut self, ticket: TicketHash) {
        self.kept.changes.mark(ticket);
    }

    /// Returns the room and the owner of a ticket that is valid here; `None` if it is not.
    pub fn ticket_offer(&self, now: Instant, ticket: TicketHash) -> Option<TicketOffer> {
        let Some(of) = self.kept.connection_of(ticket) else {
            let seat = self.seat(now, ticket)?;
            let (room, time) = (seat.name, seat.expires - now);
            return Some(TicketOffer { room, peer: None, subject: None, time });
        };
        let room = self.rooms.get(self.places.get(&of)?)?;
        let subject = self.identity_of(of).and_then(|owner| owner.subject()).cloned();
        let (peer, time) = (room.peer_of(of)?, room.resume?);
        Some(TicketOffer { room: room.name.clone(), peer: Some(peer), subject, time })
    }

    /// Makes a resume ticket valid that an earlier owner of the room has offered, if the place of
    /// its player is kept, or the player was [restored](Self::restore_player) and has no ticket
    /// since. The caller has used it up in the directory of the cluster.
    pub fn restore_ticket(&mut self, room: &RoomName, resume: Resume) {
        if self.kept.connection_of(resume.ticket).is_some() {
            return;
        }
        let Some(&id) = self.names.get(room) else { return };
        let is_of = |it: &ListenerConnection| {
            self.places.get(it) == Some(&id) && self.peer_of(*it) == Some(resume.peer)
        };
        let of = self.kept.kept_or_restored().find(is_of);
        if let Some(of) = of {
            self.kept.set_ticket(of, resume.ticket);
        }
    }
}
