//! [`NodeCall`]: calls of a node about the rooms and queues of another one, and their replies.
#![expect(clippy::exhaustive_structs, clippy::exhaustive_enums, reason = "servers construct them")]

use std::sync::Arc;
use std::time::Duration;

use mp_core::PeerId;
use mp_identity::{Identity, Subject};
use mp_rooms::{
    MatchRefusal, MatchRequest, Metadata, PartyRequest, QueueEnd, QueueRefusal, RoomId, RoomInfo,
    RoomName, TicketHash,
};

use crate::limits::{LISTED_TEXT_BYTES_MAX, LISTED_TEXTS_MAX};

/// A call about the rooms and queues of the receiving node. The calling node has checked who the
/// player is. Of a ticket only its hash crosses the bus.
#[derive(Clone, Debug, PartialEq)]
pub enum NodeCall {
    /// Lists public rooms of a template whose numbers are larger than `after`. The reply is
    /// [`NodeReply::Rooms`].
    List {
        /// The template.
        template: RoomName,
        /// Number of the last room of the page before; 0 for the first page.
        after: u64,
    },
    /// Reserves a seat. The reply is [`NodeReply::Seat`].
    Seat(Box<SeatCall>),
    /// Returns the seat of a ticket. The reply is [`NodeReply::Seat`].
    SeatOf(TicketHash),
    /// Looks for the session of a player, and makes a ticket for it valid. The reply is
    /// [`NodeReply::Session`].
    Session(Box<SessionQuery>),
    /// Returns the connections and rooms of a player. The reply is [`NodeReply::Player`].
    Player(Subject),
    /// Calls the queue of a template. The reply is [`NodeReply::Queue`], or [`NodeReply::Left`].
    Queue {
        /// The template.
        template: RoomName,
        /// Ticket of the player.
        ticket: TicketHash,
        /// The call.
        call: QueueCall,
    },
}

/// A player who asks for its session.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionQuery {
    /// Template of the room.
    pub template: RoomName,
    /// The player, who has a subject.
    pub identity: Arc<Identity>,
    /// Hash of the ticket, which the node of the player has drawn.
    pub ticket: TicketHash,
}

/// The session of a player, on another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundSession {
    /// The room.
    pub room: RoomName,
    /// Number of the room on its node.
    pub room_id: u64,
    /// The player.
    pub peer: PeerId,
    /// Time for which the place is still kept, or would be without a connection.
    pub time: Duration,
}

/// A request for a seat in a room of the receiving node.
#[derive(Clone, Debug, PartialEq)]
pub struct SeatCall {
    /// The room.
    pub verb: SeatVerb,
    /// Template, metadata and code of the room.
    pub request: MatchRequest,
    /// Ticket of the seat.
    pub ticket: TicketHash,
    /// The player.
    pub identity: Arc<Identity>,
}

/// The way in which a seat is requested from another node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SeatVerb {
    /// A seat in the oldest room of the node that fits.
    Join,
    /// A seat in a new room.
    Create,
    /// A seat in the room of this name.
    In(RoomName),
}

/// A call of a queue.
#[derive(Clone, Debug, PartialEq)]
pub enum QueueCall {
    /// The player enters the queue.
    Enter {
        /// Rank that the player claims.
        rank: i32,
        /// Party of the player.
        party: PartyRequest,
        /// The player.
        identity: Arc<Identity>,
    },
    /// Returns the state of the player.
    State,
    /// The player confirms its group.
    Confirm,
    /// The party of the player leaves the queue, or its seat is freed.
    Leave,
}

/// The reply to a [`NodeCall`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NodeReply {
    /// Rooms, by age.
    Rooms {
        /// The rooms, at most [`LOBBY_PAGE_MAX`](mp_rooms::limits::LOBBY_PAGE_MAX).
        rooms: Vec<ListedRoom>,
        /// Value of `after` for the next page; `None`: there are no more rooms.
        next: Option<u64>,
    },
    /// A seat.
    Seat(Result<SeatOffer, MatchRefusal>),
    /// State of a player in a queue.
    Queue(Result<QueueReport, QueueRefusal>),
    /// The session of a player; `None`: the node has none.
    Session(Option<FoundSession>),
    /// Connections and rooms of a player.
    Player(PlayerReport),
    /// True if a player has left a queue, false if it had neither a place nor a seat.
    Left(bool),
}

/// The connections and rooms of a player on a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlayerReport {
    /// True if the player is connected.
    pub is_connected: bool,
    /// True if a join of the player waits for the reports of other nodes.
    pub is_joining: bool,
    /// Rooms that the player has created.
    pub rooms: u32,
    /// Rooms that are created for the player unless the reports of other nodes prevent it.
    pub new_rooms: u32,
}

/// A public room, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoom {
    /// The room, which no other node has.
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// Number of players.
    pub players: u32,
    /// Seats that are reserved.
    pub seats: u32,
    /// Maximum number of players.
    pub max_players: u16,
    /// Texts of the program.
    pub metadata: Metadata,
}

/// A seat that is reserved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatOffer {
    /// The room.
    pub room: RoomId,
    /// Its name.
    pub name: RoomName,
    /// Name of its template.
    pub template: RoomName,
    /// Time in which the player must take the seat.
    pub expires_in: Duration,
}

/// The state of a player in a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueReport {
    /// Its group has a room, in which it has a seat.
    Seated(SeatOffer),
    /// Players of its party have not entered yet.
    Gathering {
        /// Players that have entered.
        present: u32,
        /// Players of the party.
        size: u32,
    },
    /// Its party waits for a group.
    Waiting {
        /// Time since the party was opened.
        waited: Duration,
    },
    /// A group was found, and must be confirmed.
    Confirming {
        /// True if this player has confirmed.
        is_confirmed: bool,
        /// Players of the group that have not confirmed.
        missing: u32,
        /// Time in which all players must confirm.
        expires_in: Duration,
    },
    /// All players of its group have confirmed. The room follows.
    Formed,
    /// Its party has left the queue.
    Ended(QueueEnd),
}

impl ListedRoom {
    /// Returns the number of places that are taken or reserved.
    pub fn taken(&self) -> u32 {
        self.players.saturating_add(self.seats)
    }

    /// Returns whether the room has no place left.
    pub fn is_full(&self) -> bool {
        self.taken() >= u32::from(self.max_players)
    }

    /// Returns the room without metadata that is too long for other nodes: more than
    /// [`LISTED_TEXTS_MAX`] texts, or texts of more than [`LISTED_TEXT_BYTES_MAX`] in all.
    #[must_use]
    pub fn shortened(mut self) -> Self {
        let bytes: usize = self.metadata.iter().map(|(key, text)| key.len() + text.len()).sum();
        if self.metadata.len() > LISTED_TEXTS_MAX || bytes > LISTED_TEXT_BYTES_MAX {
            self.metadata.clear();
        }
        self
    }
}

impl From<RoomInfo> for ListedRoom {
    fn from(info: RoomInfo) -> Self {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            room: info.id,
            name: info.name,
            players: count(info.players),
            seats: count(info.seats),
            max_players: info.max_players,
            metadata: info.metadata,
        }
    }
}
