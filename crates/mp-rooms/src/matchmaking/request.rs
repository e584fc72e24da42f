//! Requests of players for seats and lists of rooms, and their results.

use mp_core::Instant;

use crate::matchmaking::Filter;
use crate::name::{Code, RoomId, RoomName};
use crate::rooms::RoomInfo;

/// The way in which a player requests a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MatchVerb {
    /// A seat in the oldest room that fits, or else in a new one.
    JoinOrCreate,
    /// A seat in a new room.
    Create,
    /// A seat in the oldest room that fits.
    Join,
    /// A seat in this room.
    JoinById(RoomId),
}

/// The room in which a player requests a seat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatchRequest {
    /// Template of the room.
    pub template: RoomName,
    /// Metadata that the room must have. A new room receives it, if the template allows it
    /// ([`player_metadata`](crate::Template::player_metadata)). Default: none.
    pub filter: Filter,
    /// Code of the room: only private rooms with this code fit, and a new room is private. Default:
    /// none, so that only public rooms fit.
    pub code: Option<Code>,
}

impl MatchRequest {
    /// Returns the request for a public room of a template.
    pub fn new(template: RoomName) -> Self {
        Self { template, filter: Filter::default(), code: None }
    }

    /// Sets the metadata that the room must have.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = filter;
        self
    }

    /// Sets the code of the room.
    #[must_use]
    pub fn code(mut self, code: Code) -> Self {
        self.code = Some(code);
        self
    }
}

/// A seat: a place in a room that is reserved for the owner of a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Reservation {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// Name of its template.
    pub template: RoomName,
    /// Time at which the seat is free again unless it was taken.
    pub expires: Instant,
}

/// A request for a list of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LobbyQuery {
    /// Template of the rooms.
    pub template: RoomName,
    /// Metadata that the rooms must have. Default: none.
    pub filter: Filter,
    /// Number of the last room of the page before. Default: 0, for the first page.
    pub after: u64,
    /// Maximum number of rooms, up to [`LOBBY_PAGE_MAX`](crate::limits::LOBBY_PAGE_MAX), which is
    /// the default.
    pub limit: usize,
}

impl LobbyQuery {
    /// Returns the request for the first page of all rooms of a template.
    pub fn new(template: RoomName) -> Self {
        let limit = crate::limits::LOBBY_PAGE_MAX;
        Self { template, filter: Filter::default(), after: 0, limit }
    }
}

/// A part of a list of rooms.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LobbyPage {
    /// The rooms, by age.
    pub rooms: Vec<RoomInfo>,
    /// Value of [`LobbyQuery::after`] for the next page; `None`: there are no more rooms.
    pub next: Option<u64>,
}
