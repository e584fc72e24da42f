//! Responses to players.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_cluster::{ListedRoom, QueueReport, SeatOffer};
use mp_core::Reason as _;
use mp_rooms::Ticket;
use serde::Serialize;

use super::addresses::ServerAddresses;
use crate::cluster::PlayerServer;
use crate::rooms::{Lobby, Queued, Session};

/// The addresses at which a player takes its seat or resumes its session.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Reachable {
    /// Addresses of this server.
    pub(super) addresses: ServerAddresses,
    /// Other servers of the cluster, which accept the ticket, too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) servers: Vec<PlayerServer>,
}

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
    #[serde(flatten)]
    at: Reachable,
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
    #[serde(flatten)]
    at: Reachable,
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
    players: u32,
    /// Seats that are reserved.
    seats: u32,
    max_players: u16,
    metadata: BTreeMap<String, String>,
}

/// The state of a player in a queue.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub(super) enum QueueResponse {
    /// Players of the party have not entered yet.
    Gathering { present: u32, size: u32 },
    /// The party waits for a group, for so many seconds.
    Waiting { waited: u64 },
    /// A group was found, and must be confirmed in so many seconds.
    Confirming { confirmed: bool, missing: u32, expires_in: u64 },
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
    token: String,
    /// Secret by which others join the party that was opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    party: Option<String>,
    #[serde(flatten)]
    state: QueueResponse,
}

impl SessionResponse {
    pub(super) fn new(session: Session, at: Reachable) -> Self {
        Self {
            room: session.room.to_string(),
            room_id: session.room_id,
            template: session.template.to_string(),
            resume: session.ticket.reveal(),
            expires_in: session.time.as_secs(),
            at,
        }
    }
}

impl SeatResponse {
    pub(super) fn new(offer: SeatOffer, ticket: &Ticket, at: Reachable) -> Self {
        Self {
            room: offer.name.to_string(),
            room_id: offer.room.get(),
            template: offer.template.to_string(),
            token: ticket.reveal(),
            expires_in: offer.expires_in.as_secs(),
            at,
        }
    }
}

impl LobbyResponse {
    pub(super) fn new(lobby: Lobby) -> Self {
        Self { rooms: lobby.rooms.into_iter().map(LobbyRoom::new).collect(), next: lobby.next }
    }
}

impl LobbyRoom {
    fn new(room: ListedRoom) -> Self {
        Self {
            room: room.name.to_string(),
            room_id: room.room.get(),
            players: room.players,
            seats: room.seats,
            max_players: room.max_players,
            metadata: room.metadata,
        }
    }
}

impl QueueResponse {
    pub(super) fn new(report: QueueReport, ticket: &Ticket, at: Reachable) -> Self {
        let seconds = |time: Duration| time.as_secs();
        match report {
            QueueReport::Seated(offer) => Self::Seated(SeatResponse::new(offer, ticket, at)),
            QueueReport::Gathering { present, size } => Self::Gathering { present, size },
            QueueReport::Waiting { waited } => Self::Waiting { waited: seconds(waited) },
            QueueReport::Confirming { is_confirmed, missing, expires_in } => Self::Confirming {
                confirmed: is_confirmed,
                missing,
                expires_in: seconds(expires_in),
            },
            QueueReport::Formed => Self::Formed,
            QueueReport::Ended(reason) => {
                Self::Ended { code: reason.label(), detail: reason.to_string() }
            }
        }
    }
}

impl EnteredResponse {
    /// `party`: secret of the party that was opened.
    pub(super) fn new(queued: Queued, party: Option<&Ticket>, at: Reachable) -> Self {
        Self {
            token: queued.ticket.reveal(),
            party: party.map(Ticket::reveal),
            state: QueueResponse::new(queued.report, &queued.ticket, at),
        }
    }
}
