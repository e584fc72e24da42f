//! Moves of players from one room to another.

use std::collections::BTreeMap;

use mp_core::{Instant, PeerId};

use super::Rooms;
use crate::join::ListenerConnection;
use crate::name::RoomId;
use crate::refusal::{JoinRefusal, MoveRefusal};

impl Rooms {
    /// Reserves a place of room `to` for a player of room `from`, who is about to move there.
    /// Returns the connection of the player.
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
        to: RoomId,
    ) -> Result<ListenerConnection, MoveRefusal> {
        let checked = self.check_move(from, peer, to);
        let connection = checked.inspect_err(|_| self.moves.refused += 1)?;
        if let Some(target) = self.rooms.get_mut(&to) {
            target.add(connection, Some(peer));
        }
        self.moves.running.insert(connection, to);
        self.update_deadline(now, to);
        Ok(connection)
    }

    /// Ends the move of a connection: if it `has_moved`, its place in the old room becomes free,
    /// else the one in the new room. Returns false if the connection has left meanwhile.
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
        let Some(to) = self.moves.running.remove(&connection) else { return false };
        match has_moved {
            true => {
                if let Some(from) = self.places.insert(connection, to) {
                    self.free_place(now, from, connection);
                }
            }
            false => self.free_place(now, to, connection),
        }
        true
    }

    /// Returns whether a connection is about to move to another room.
    pub(super) fn is_moving(&self, connection: ListenerConnection) -> bool {
        self.moves.running.contains_key(&connection)
    }

    /// Frees the place that is reserved for a connection that leaves during its move.
    pub(super) fn cancel_move(&mut self, now: Instant, connection: ListenerConnection) {
        if let Some(to) = self.moves.running.remove(&connection) {
            self.free_place(now, to, connection);
        }
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
        from: RoomId,
        peer: PeerId,
        to: RoomId,
    ) -> Result<ListenerConnection, MoveRefusal> {
        let source = self.rooms.get(&from).filter(|room| room.is_open());
        let source = source.ok_or(MoveRefusal::UnknownPeer)?;
        let connection = source.connection_of(peer).ok_or(MoveRefusal::UnknownPeer)?;
        let target = self.rooms.get(&to).ok_or(MoveRefusal::UnknownRoom)?;
        if self.moves.running.contains_key(&connection) {
            return Err(MoveRefusal::AlreadyMoving);
        }
        if from == to {
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
        match target.refusal(Some(peer), None, &[]) {
            None => Ok(connection),
            Some(JoinRefusal::RoomLocked) => Err(MoveRefusal::RoomLocked),
            Some(JoinRefusal::WrongCode) => Err(MoveRefusal::RoomPrivate),
            Some(JoinRefusal::DuplicateId) => Err(MoveRefusal::DuplicateId),
            Some(JoinRefusal::Overloaded) => Err(MoveRefusal::Overloaded),
            Some(_) => Err(MoveRefusal::RoomFull),
        }
    }
}

/// The moves of a registry.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The rooms to which connections are moving, which have a place for them.
    running: BTreeMap<ListenerConnection, RoomId>,
    /// Players that have moved so far.
    pub(super) moved: u64,
    /// Moves refused so far.
    pub(super) refused: u64,
    /// Moves that were accepted and failed so far.
    pub(super) failed: u64,
}
