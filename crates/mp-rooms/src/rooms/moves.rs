//! Moves of players from one room to another.

use std::collections::BTreeMap;

use mp_core::{Instant, PeerId};

use super::Rooms;
use super::room::Room;
use super::seats::TakenSeat;
use crate::join::ListenerConnection;
use crate::matchmaking::TicketHash;
use crate::name::{Code, RoomId};
use crate::refusal::{JoinRefusal, MoveRefusal};

/// The room to which a player moves. Without a code or a seat, it is neither private nor locked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MoveTarget {
    room: RoomId,
    code: Option<Code>,
    seat: Option<TicketHash>,
}

impl MoveTarget {
    /// Returns a target without code and seat, as `From<RoomId>` does.
    pub fn new(room: RoomId) -> Self {
        Self { room, code: None, seat: None }
    }

    /// Returns the room.
    pub fn room(&self) -> RoomId {
        self.room
    }

    /// Sets the code of a private room. Rooms without a code ignore it.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }

    /// Sets the ticket of a seat in the room, which is reserved for this player or for one without
    /// a subject. The player takes the seat, even if the room is locked, private or overloaded. The
    /// owner of the ticket can still use it if the player does not arrive.
    #[must_use]
    pub fn seat(mut self, ticket: TicketHash) -> Self {
        self.seat = Some(ticket);
        self
    }
}

impl From<RoomId> for MoveTarget {
    fn from(room: RoomId) -> Self {
        Self::new(room)
    }
}

impl Rooms {
    /// Reserves a place in a room for a player of room `from`, who is about to move there. Returns
    /// the connection of the player.
    ///
    /// The player occupies a place of both rooms until the host calls
    /// [`end_move`](Self::end_move), or the connection [leaves](Self::left). The server counts it
    /// once. It keeps its identity and, whatever the identity selects or restricts, may enter the
    /// room to which the program moves it. The owner of a room remains its owner.
    ///
    /// # Errors
    ///
    /// See [`MoveRefusal`]. The player stays in its room.
    pub fn start_move(
        &mut self,
        now: Instant,
        from: RoomId,
        peer: PeerId,
        target: impl Into<MoveTarget>,
    ) -> Result<ListenerConnection, MoveRefusal> {
        let target = target.into();
        let checked = self.check_move(now, from, peer, &target);
        let connection = checked.inspect_err(|_| self.moves.refused += 1)?;
        let to = target.room;
        let seat = target.seat.and_then(|ticket| self.take_seat(ticket));
        if let Some(target) = self.rooms.get_mut(&to) {
            target.add(connection, Some(peer));
        }
        self.moves.running.insert(connection, RunningMove { to, seat });
        self.update_deadline(now, to);
        Ok(connection)
    }

    /// Ends the move of a connection: if it `has_moved`, its place in the old room becomes free,
    /// else the one in the new room, or it is a seat again. Returns false if the connection has
    /// left meanwhile.
    pub fn end_move(
        &mut self,
        now: Instant,
        connection: ListenerConnection,
        has_moved: bool,
    ) -> bool {
        match has_moved {
            true => self.moves.moved += 1,
            false => self.moves.failed += 1,
        }
        if !has_moved {
            return self.cancel_move(now, connection);
        }
        let Some(RunningMove { to, seat }) = self.moves.running.remove(&connection) else {
            return false;
        };
        self.seats.taken += u64::from(seat.is_some());
        self.check_ticket_of_moved(connection, to);
        if let Some(from) = self.places.insert(connection, to) {
            self.free_place(now, from, connection);
        }
        true
    }

    /// Returns whether a connection is about to move to another room.
    pub(super) fn is_moving(&self, connection: ListenerConnection) -> bool {
        self.moves.running.contains_key(&connection)
    }

    /// Frees the place that is reserved for a connection that does not arrive in its new room.
    /// Returns false if the connection does not move.
    pub(super) fn cancel_move(&mut self, now: Instant, connection: ListenerConnection) -> bool {
        let Some(RunningMove { to, seat }) = self.moves.running.remove(&connection) else {
            return false;
        };
        if let Some(seat) = seat {
            self.return_seat(seat);
        }
        self.free_place(now, to, connection);
        true
    }

    fn free_place(&mut self, now: Instant, room: RoomId, connection: ListenerConnection) {
        if let Some(of) = self.rooms.get_mut(&room) {
            of.remove(connection);
            self.update_deadline(now, room);
        }
    }

    /// Returns the connection of a player that may move.
    fn check_move(
        &self,
        now: Instant,
        from: RoomId,
        peer: PeerId,
        to: &MoveTarget,
    ) -> Result<ListenerConnection, MoveRefusal> {
        let source = self.rooms.get(&from).filter(|room| room.is_open());
        let source = source.ok_or(MoveRefusal::UnknownPeer)?;
        let connection = source.connection_of(peer).ok_or(MoveRefusal::UnknownPeer)?;
        let target = self.rooms.get(&to.room).ok_or(MoveRefusal::UnknownRoom)?;
        if self.kept.contains(connection) {
            return Err(MoveRefusal::NotConnected);
        }
        if self.moves.running.contains_key(&connection) {
            return Err(MoveRefusal::AlreadyMoving);
        }
        if from == to.room {
            return Err(MoveRefusal::SameRoom);
        }
        if self.is_draining {
            return Err(MoveRefusal::Draining);
        }
        if !source.template.moves {
            return Err(MoveRefusal::NoMovesFromRoom);
        }
        if !target.template.moves {
            return Err(MoveRefusal::NoMovesToRoom);
        }
        if !target.is_open() {
            return Err(MoveRefusal::RoomNotOpen);
        }
        match to.seat {
            Some(ticket) => self.check_move_to_seat(now, connection, peer, to.room, ticket)?,
            None => check_entry(target, peer, to.code.as_ref())?,
        }
        Ok(connection)
    }

    /// Checks whether a player may take a seat of an open room.
    fn check_move_to_seat(
        &self,
        now: Instant,
        connection: ListenerConnection,
        peer: PeerId,
        to: RoomId,
        ticket: TicketHash,
    ) -> Result<(), MoveRefusal> {
        let is_in_room = self.seat(now, ticket).is_some_and(|seat| seat.room == to);
        let subject = self.identity_of_seat(ticket).and_then(|identity| identity.subject());
        let own = self.identity_of(connection).and_then(|identity| identity.subject());
        if !is_in_room || subject.is_some_and(|subject| Some(subject) != own) {
            return Err(MoveRefusal::InvalidTicket);
        }
        let has_id = self.rooms.get(&to).is_some_and(|room| room.has_id(peer, &[]));
        if has_id { Err(MoveRefusal::DuplicateId) } else { Ok(()) }
    }
}

/// Checks whether a player who knows `code` may enter an open room.
fn check_entry(room: &Room, peer: PeerId, code: Option<&Code>) -> Result<(), MoveRefusal> {
    match room.refusal(Some(peer), code, &[]) {
        None => Ok(()),
        Some(JoinRefusal::RoomLocked) => Err(MoveRefusal::RoomLocked),
        Some(JoinRefusal::WrongCode) if code.is_some() => Err(MoveRefusal::WrongCode),
        Some(JoinRefusal::WrongCode) => Err(MoveRefusal::RoomPrivate),
        Some(JoinRefusal::DuplicateId) => Err(MoveRefusal::DuplicateId),
        Some(JoinRefusal::Overloaded) => Err(MoveRefusal::Overloaded),
        Some(_) => Err(MoveRefusal::RoomFull),
    }
}

/// The moves of a registry.
#[derive(Debug, Default)]
pub(super) struct Moves {
    running: BTreeMap<ListenerConnection, RunningMove>,
    /// Players that have moved so far.
    pub(super) moved: u64,
    /// Moves refused so far.
    pub(super) refused: u64,
    /// Moves that were accepted and failed so far.
    pub(super) failed: u64,
}

/// A move of a connection, which has a place in both rooms.
#[derive(Debug)]
struct RunningMove {
    to: RoomId,
    /// The seat that the place was before.
    seat: Option<TakenSeat>,
}
