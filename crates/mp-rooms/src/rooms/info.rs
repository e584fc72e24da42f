//! Descriptions of rooms, and statistics of the registry.

use mp_core::{PeerId, ReasonCounts};

use super::Rooms;
use super::room::Room;
use crate::matchmaking::MatchRefusal;
use crate::name::{RoomId, RoomName};
use crate::queue::QueueRefusal;
use crate::refusal::{JoinRefusal, RoomEnd};
use crate::template::Metadata;

/// A description of a room.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomInfo {
    /// The room.
    pub id: RoomId,
    /// Its name.
    pub name: RoomName,
    /// Name of its template.
    pub template: RoomName,
    /// Its type.
    pub room_type: String,
    /// Its state.
    pub state: RoomState,
    /// Number of its players, including those that wait for it to open, and those that are moving
    /// to it or from it.
    pub players: usize,
    /// Number of its reserved seats.
    pub seats: usize,
    /// Maximum number of players.
    pub max_players: u16,
    /// True if it refuses all players.
    pub is_locked: bool,
    /// True while its thread does not keep up, so that it refuses players.
    pub is_overloaded: bool,
    /// True if players need a code.
    pub is_private: bool,
    /// Texts of the program.
    pub metadata: Metadata,
}

/// The state of a room. A room that was closed is not listed any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomState {
    /// It is being created.
    Creating,
    /// It is open.
    Open,
}

/// Statistics of a registry since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomsStats {
    /// Rooms that are open.
    pub open: usize,
    /// Rooms that are being created.
    pub creating: usize,
    /// Rooms that were closed and have not ended.
    pub closing: usize,
    /// Connections that were admitted and have not left.
    pub players: usize,
    /// Connections that wait for a room to open.
    pub waiting: usize,
    /// Rooms created so far.
    pub created_rooms: u64,
    /// Rooms that could not be created.
    pub failed_rooms: u64,
    /// Rooms that have ended.
    pub ended_rooms: u64,
    /// Rooms that are not listed any more, by reason. They may be closing.
    pub closed_rooms: ReasonCounts<RoomEnd>,
    /// Connections admitted so far.
    pub joined: u64,
    /// Connections refused so far.
    pub refused: ReasonCounts<JoinRefusal>,
    /// Seats that are reserved.
    pub seats: usize,
    /// Seats taken by their owners so far.
    pub taken_seats: u64,
    /// Seats that expired so far.
    pub expired_seats: u64,
    /// Places that are kept for players whose connection was lost.
    pub kept_places: usize,
    /// Sessions resumed so far.
    pub resumed: u64,
    /// Kept places that expired so far.
    pub expired_keeps: u64,
    /// Requests for seats refused so far.
    pub match_refused: ReasonCounts<MatchRefusal>,
    /// Players in all queues.
    pub queued: usize,
    /// Groups of queues that have received a room so far.
    pub formed_groups: u64,
    /// Requests to queues refused so far.
    pub queue_refused: ReasonCounts<QueueRefusal>,
    /// Players that have moved to another room so far.
    pub moved: u64,
    /// Moves that the registry has refused so far.
    pub refused_moves: u64,
    /// Moves that the registry has accepted, and that failed, so far.
    pub failed_moves: u64,
}

impl Rooms {
    /// Returns the rooms that are open or being created, by age.
    pub fn list(&self) -> impl Iterator<Item = RoomInfo> {
        self.rooms.iter().map(|(&id, room)| describe(id, room))
    }

    /// Returns the rooms that are open or being created whose id is larger than `after`, by age.
    pub fn list_after(&self, after: u64) -> impl Iterator<Item = RoomInfo> {
        let later = self.rooms.range(RoomId(after.saturating_add(1))..);
        later.map(|(&id, room)| describe(id, room))
    }

    /// Returns a room.
    pub fn get(&self, id: RoomId) -> Option<RoomInfo> {
        self.rooms.get(&id).map(|room| describe(id, room))
    }

    /// Returns the room of this name.
    pub fn find_by_name(&self, name: &RoomName) -> Option<RoomId> {
        self.names.get(name).copied()
    }

    /// Returns the peer ids that connections of a room claim, in order.
    pub fn peer_ids(&self, id: RoomId) -> Vec<PeerId> {
        self.rooms.get(&id).map(|room| room.ids().collect()).unwrap_or_default()
    }

    /// Returns the number of connections of a room.
    pub fn player_count(&self, id: RoomId) -> usize {
        self.rooms.get(&id).map_or(0, Room::places)
    }

    /// Returns whether a room refuses all players, because it is locked, full or overloaded, and
    /// has no seats.
    pub fn is_refusing(&self, id: RoomId) -> bool {
        self.rooms.get(&id).is_some_and(Room::is_refusing)
    }

    /// Returns whether no connection can join any room, because the server has its maximum number
    /// of players, and no seat is reserved.
    pub fn is_full(&self) -> bool {
        self.seats.len() == 0 && !self.has_places_for(1, 0)
    }

    /// Returns the number of connections that were admitted and have not left.
    pub fn players(&self) -> usize {
        self.places.len() - self.waiting
    }

    /// Returns the number of reserved seats.
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Returns whether the registry refuses joins because the server is about to end.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Returns statistics. Counts the open rooms.
    pub fn stats(&self) -> RoomsStats {
        let open = self.rooms.values().filter(|room| room.is_open()).count();
        RoomsStats {
            open,
            creating: self.rooms.len() - open,
            closing: self.closing.len(),
            players: self.players(),
            waiting: self.waiting,
            created_rooms: self.created,
            failed_rooms: self.failed,
            ended_rooms: self.ended,
            closed_rooms: self.removed,
            joined: self.joined,
            refused: self.refused,
            seats: self.seats.len(),
            taken_seats: self.seats.taken,
            expired_seats: self.seats.expired,
            kept_places: self.kept.len(),
            resumed: self.kept.resumed,
            expired_keeps: self.kept.expired,
            match_refused: self.match_refused,
            queued: self.queues.players(),
            formed_groups: self.queues.formed,
            queue_refused: self.queues.refused,
            moved: self.moves.moved,
            refused_moves: self.moves.refused,
            failed_moves: self.moves.failed,
        }
    }
}

pub(super) fn describe(id: RoomId, room: &Room) -> RoomInfo {
    RoomInfo {
        id,
        name: room.name.clone(),
        template: room.template.name.clone(),
        room_type: room.template.room_type.clone(),
        state: if room.is_open() { RoomState::Open } else { RoomState::Creating },
        players: room.places(),
        seats: room.seats(),
        max_players: room.max_players,
        is_locked: room.is_locked,
        is_overloaded: room.is_overloaded,
        is_private: room.code.is_some(),
        metadata: room.metadata.clone(),
    }
}
