//! Responses to players.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::Reason as _;
use mp_rooms::{LobbyPage, PlayerSession, QueueStatus, ResumeTicket, RoomInfo, Ticket};
use serde::Serialize;

use super::addresses::ServerAddresses;
use crate::rooms::{QueueProgress, Seat};

/// A seat.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SeatResponse {
    /// Name of the room.
    room: String,
    /// Number of the room.
    room_id: u64,
    template: String,
    /// The ticket: the token with which the player joins.
    token: String,
    /// Whole seconds in which the player must join.
    expires_in: u64,
    addresses: ServerAddresses,
}

/// A session that the player can resume.
#[derive(Clone, Debug, Serialize)]
pub(super) struct SessionResponse {
    /// Name of the room.
    room: String,
    /// Number of the room.
    room_id: u64,
    template: String,
    /// The ticket with which the player resumes the session.
    resume: String,
    /// Whole seconds for which the place is still kept, or would be without a connection.
    expires_in: u64,
    addresses: ServerAddresses,
}

/// The rooms of a page.
#[derive(Clone, Debug, Serialize)]
pub(super) struct LobbyResponse {
    rooms: Vec<LobbyRoom>,
    /// Value of `after` for the next page; missing on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

#[derive(Clone, Debug, Serialize)]
struct LobbyRoom {
    room: String,
    room_id: u64,
    players: usize,
    /// Seats that are reserved.
    seats: usize,
    max_players: u16,
    metadata: BTreeMap<String, String>,
}

/// The state of a player in a queue.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum QueueResponse {
    /// Players of the party have not entered yet.
    Gathering { present: usize, size: usize },
    /// The party waits for a group, for so many seconds.
    Waiting { waited: u64 },
    /// A group was found, and must be confirmed in so many seconds.
    Confirming { confirmed: bool, missing: usize, expires_in: u64 },
    /// All have confirmed. The room follows.
    Formed,
    /// The group has a room, and the player a seat in it.
    Seated(SeatResponse),
    /// The party has left the queue.
    Ended { code: &'static str, detail: String },
}

/// A new place in a queue.
#[derive(Clone, Debug, Serialize)]
pub(super) struct EnteredResponse {
    /// The ticket, also of the seat that follows.
    pub(super) token: String,
    /// Secret by which others join the party that was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) party: Option<String>,
    #[serde(flatten)]
    pub(super) state: QueueResponse,
}

impl SessionResponse {
    pub(super) fn new(
        session: PlayerSession,
        ticket: &ResumeTicket,
        addresses: ServerAddresses,
    ) -> Self {
        Self {
            room: session.name.to_string(),
            room_id: session.room.get(),
            template: session.template.to_string(),
            resume: ticket.reveal(),
            expires_in: session.time.as_secs(),
            addresses,
        }
    }
}

impl SeatResponse {
    pub(super) fn new(seat: Seat, ticket: &Ticket, addresses: ServerAddresses) -> Self {
        Self {
            room: seat.reservation.name.to_string(),
            room_id: seat.reservation.room.get(),
            template: seat.reservation.template.to_string(),
            token: ticket.reveal(),
            expires_in: seat.expires_in.as_secs(),
            addresses,
        }
    }
}

impl LobbyResponse {
    pub(super) fn new(page: LobbyPage) -> Self {
        Self { rooms: page.rooms.into_iter().map(LobbyRoom::new).collect(), next: page.next }
    }
}

impl LobbyRoom {
    fn new(info: RoomInfo) -> Self {
        Self {
            room: info.name.to_string(),
            room_id: info.id.get(),
            players: info.players,
            seats: info.seats,
            max_players: info.max_players,
            metadata: info.metadata,
        }
    }
}

impl QueueResponse {
    pub(super) fn new(
        progress: QueueProgress,
        ticket: &Ticket,
        addresses: ServerAddresses,
    ) -> Self {
        let (status, waited, expires_in) = match progress {
            QueueProgress::Seated(seat) => {
                return Self::Seated(SeatResponse::new(seat, ticket, addresses));
            }
            QueueProgress::Queued { status, waited, expires_in } => (status, waited, expires_in),
        };
        let seconds = |time: Duration| time.as_secs();
        match status {
            QueueStatus::Gathering { present, size } => Self::Gathering { present, size },
            QueueStatus::Confirming { is_confirmed, missing, .. } => Self::Confirming {
                confirmed: is_confirmed,
                missing,
                expires_in: seconds(expires_in),
            },
            QueueStatus::Formed => Self::Formed,
            QueueStatus::Ended(reason) => {
                Self::Ended { code: reason.label(), detail: reason.to_string() }
            }
            _ => Self::Waiting { waited: seconds(waited) },
        }
    }
}
