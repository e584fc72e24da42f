//! Seats: places of rooms that are reserved for the owners of tickets.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mp_core::{Instant, PeerId};
use mp_identity::{Identity, Subject};

use super::Rooms;
use super::offers::TicketChanges;
use super::players::OwnPlaces;
use super::restored::RestoredSeat;
use super::room::Room;
use crate::join::ListenerConnection;
use crate::limits::{SEATS_MAX, WAITING_MAX};
use crate::matchmaking::{MatchRefusal, Reservation, TicketHash, TicketsBySubject};
use crate::name::RoomId;
use crate::refusal::{JoinRefusal, Removal};

/// The seats of all rooms.
#[derive(Debug, Default)]
pub(super) struct Seats {
    by_ticket: BTreeMap<TicketHash, Seat>,
    by_subject: TicketsBySubject,
    expiries: BTreeSet<(Instant, TicketHash)>,
    changes: TicketChanges,
    /// Seats taken by their owners so far.
    pub(super) taken: u64,
    /// Seats that expired so far.
    pub(super) expired: u64,
}

/// A place of a room that is reserved for the owner of a ticket.
#[derive(Clone, Debug)]
struct Seat {
    room: RoomId,
    expires: Instant,
    /// Player for whom it is reserved.
    identity: Arc<Identity>,
}

/// A seat that a player has taken, and that its ticket may get back.
#[derive(Debug)]
pub(super) struct TakenSeat {
    ticket: TicketHash,
    seat: Seat,
}

impl Seats {
    pub(super) fn len(&self) -> usize {
        self.by_ticket.len()
    }

    /// Returns the time at which the next seat expires.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.expiries.first().map(|&(due, _)| due)
    }

    /// Returns the tickets of a player's seats.
    pub(super) fn of(&self, subject: &Subject) -> impl Iterator<Item = TicketHash> {
        self.by_subject.of(subject)
    }

    pub(super) fn changes_mut(&mut self) -> &mut TicketChanges {
        &mut self.changes
    }

    fn insert(&mut self, ticket: TicketHash, seat: Seat) {
        self.changes.mark(ticket);
        self.restore(ticket, seat);
    }

    /// Adds a seat whose ticket was offered before.
    fn restore(&mut self, ticket: TicketHash, seat: Seat) {
        self.by_subject.insert(&seat.identity, ticket);
        self.expiries.insert((seat.expires, ticket));
        self.by_ticket.insert(ticket, seat);
    }

    pub(super) fn remove(&mut self, ticket: TicketHash) -> Option<TakenSeat> {
        let seat = self.by_ticket.remove(&ticket)?;
        self.by_subject.remove(&seat.identity, ticket);
        self.expiries.remove(&(seat.expires, ticket));
        self.changes.mark(ticket);
        Some(TakenSeat { ticket, seat })
    }
}

impl Rooms {
    /// Handles the request of a connection to take the seat of a ticket. The decision follows as
    /// for a [join](Self::join). A seat admits its owner whether or not the room is locked and has
    /// a code: these were checked when it was reserved. The player enters as the identity for which
    /// the seat is reserved: its other connections are treated as
    /// [`RoomsSettings::same_player`](super::RoomsSettings::same_player) says. A refused connection
    /// does not use up the ticket.
    pub fn join_by_ticket(
        &mut self,
        now: Instant,
        connection: ListenerConnection,
        claimed_id: Option<PeerId>,
        ticket: Result<TicketHash, JoinRefusal>,
    ) {
        if self.places.contains_key(&connection) {
            mp_core::bug!("{connection} joins twice");
            return;
        }
        let found = ticket.and_then(|ticket| {
            let seat = self.valid_seat(now, ticket)?;
            let replaced = self.replaced_by(&seat.identity)?;
            self.check_seat(&seat, claimed_id, &replaced)?;
            Ok((ticket, seat, replaced))
        });
        let (ticket, seat, replaced) = match found {
            Ok(found) => found,
            Err(refusal) => return self.refuse(connection, refusal),
        };
        for other in replaced {
            self.disconnect(now, other, Removal::Replaced);
        }
        self.take_seat(ticket);
        self.seats.taken += 1;
        self.players.insert(connection, seat.identity);
        self.enter(now, seat.room, connection, claimed_id);
    }

    /// Returns the seat that is reserved for the owner of a ticket; `None` if it was taken, has
    /// expired, or its room has ended.
    pub fn seat(&self, now: Instant, ticket: TicketHash) -> Option<Reservation> {
        let seat = self.seats.by_ticket.get(&ticket).filter(|seat| now < seat.expires)?;
        Some(reservation(seat.room, self.rooms.get(&seat.room)?, seat.expires))
    }

    /// Returns the identity for which the seat of a ticket is reserved; `None` if there is none.
    pub fn identity_of_seat(&self, ticket: TicketHash) -> Option<&Arc<Identity>> {
        self.seats.by_ticket.get(&ticket).map(|seat| &seat.identity)
    }

    /// Frees the seat of a ticket. Returns false if there is none.
    pub fn cancel_seat(&mut self, now: Instant, ticket: TicketHash) -> bool {
        let Some(TakenSeat { seat, .. }) = self.take_seat(ticket) else { return false };
        self.update_deadline(now, seat.room);
        true
    }

    /// Returns the seats of an open room; none if there is no such room.
    pub fn seats_of(&self, now: Instant, room: RoomId) -> Vec<RestoredSeat> {
        let room = self.rooms.get(&room).filter(|room| room.is_open());
        let seat = |ticket| {
            let Seat { expires, identity, .. } = self.seats.by_ticket.get(&ticket)?;
            let time = expires.saturating_since(now);
            Some(RestoredSeat { ticket, identity: Arc::clone(identity), time })
        };
        room.into_iter().flat_map(|room| room.tickets()).filter_map(seat).collect()
    }

    /// Reserves a seat of a room that was reserved in the same room on another server, whatever the
    /// limits of this one. `is_offered`: its ticket [changes](Self::changed_tickets), so that this
    /// server offers it in the directory of a cluster; otherwise the other server has offered it.
    /// Returns false, and does nothing, if there is no such room, or the ticket has a seat.
    pub fn restore_seat(
        &mut self,
        now: Instant,
        id: RoomId,
        seat: RestoredSeat,
        is_offered: bool,
    ) -> bool {
        let RestoredSeat { ticket, identity, time } = seat;
        let Some(room) = self.rooms.get_mut(&id) else { return false };
        if self.seats.by_ticket.contains_key(&ticket) {
            return false;
        }
        room.add_seat(ticket);
        let seat = Seat { room: id, expires: now + time, identity };
        match is_offered {
            true => self.seats.insert(ticket, seat),
            false => self.seats.restore(ticket, seat),
        }
        true
    }

    /// Reserves a seat for a player, in a room that was found not to refuse it.
    pub(super) fn reserve_seat(
        &mut self,
        now: Instant,
        id: RoomId,
        ticket: TicketHash,
        identity: &Arc<Identity>,
    ) -> Result<Reservation, MatchRefusal> {
        let room = self.rooms.get_mut(&id).ok_or(MatchRefusal::UnknownRoom)?;
        let expires = now + room.template.seat_timeout;
        room.add_seat(ticket);
        let reservation = reservation(id, room, expires);
        self.seats.insert(ticket, Seat { room: id, expires, identity: Arc::clone(identity) });
        self.update_deadline(now, id);
        Ok(reservation)
    }

    /// Returns the reason why no more seats can be reserved for a player with places of its own.
    pub(super) fn seat_refusal(&self, own: &OwnPlaces) -> Option<MatchRefusal> {
        if !self.has_places_for(1, own.connections.len() + own.seats.len()) {
            return Some(MatchRefusal::ServerFull);
        }
        (self.seats.len() >= SEATS_MAX + own.seats.len()).then_some(MatchRefusal::TooManySeats)
    }

    /// Frees the seats whose time is over.
    pub(super) fn expire_seats(&mut self, now: Instant) {
        while let Some(&(due, ticket)) = self.seats.expiries.first()
            && now >= due
        {
            self.seats.expired += 1;
            self.cancel_seat(now, ticket);
        }
    }

    fn valid_seat(&self, now: Instant, ticket: TicketHash) -> Result<Seat, JoinRefusal> {
        if self.is_draining {
            return Err(JoinRefusal::Draining);
        }
        let seat = self.seats.by_ticket.get(&ticket).filter(|seat| now < seat.expires);
        seat.cloned().ok_or(JoinRefusal::InvalidTicket)
    }

    /// Checks whether a connection that replaces others may take a seat.
    fn check_seat(
        &self,
        seat: &Seat,
        claimed_id: Option<PeerId>,
        replaced: &[ListenerConnection],
    ) -> Result<(), JoinRefusal> {
        let room = self.rooms.get(&seat.room).ok_or(JoinRefusal::InvalidTicket)?;
        if claimed_id.is_some_and(|claimed_id| room.has_id(claimed_id, replaced)) {
            return Err(JoinRefusal::DuplicateId);
        }
        if !room.is_open() && self.waiting >= WAITING_MAX {
            return Err(JoinRefusal::TooManyWaiting);
        }
        Ok(())
    }

    /// Removes the seat of a ticket, whose place is free then.
    pub(super) fn take_seat(&mut self, ticket: TicketHash) -> Option<TakenSeat> {
        let taken = self.seats.remove(ticket)?;
        if let Some(room) = self.rooms.get_mut(&taken.seat.room) {
            room.remove_seat(ticket);
        }
        Some(taken)
    }

    /// Reserves a seat again that was taken, unless its room has ended.
    pub(super) fn return_seat(&mut self, TakenSeat { ticket, seat }: TakenSeat) {
        if let Some(room) = self.rooms.get_mut(&seat.room) {
            room.add_seat(ticket);
            self.seats.insert(ticket, seat);
        }
    }
}

fn reservation(id: RoomId, room: &Room, expires: Instant) -> Reservation {
    let (name, template) = (room.name.clone(), room.template.name.clone());
    Reservation { room: id, name, template, expires }
}
