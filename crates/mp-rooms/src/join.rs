//! [`Join`]: the request of a connection to join a room.
#![expect(clippy::exhaustive_structs, reason = "routers and tests construct them")]

use std::fmt;

use mp_core::{ConnectionId, PeerId};
use mp_identity::{Credentials, Identity, Token};
use sha2::{Digest as _, Sha256};

use crate::matchmaking::Ticket;
use crate::name::RoomName;
use crate::refusal::JoinRefusal;
use crate::resume::Resume;
use crate::selection::Selection;

/// An endpoint with a [`RoomRouter`](crate::RoomRouter). The server assigns the numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u32);

/// A connection of a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerConnection {
    /// The listener.
    pub listener: ListenerId,
    /// The connection, unique within its listener.
    pub connection: ConnectionId,
}

impl fmt::Display for ListenerConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.listener.0, self.connection)
    }
}

/// The request of a connection to join a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The connection.
    pub connection: ListenerConnection,
    /// Peer id that the connection claims. A room accepts each id once.
    pub claimed_id: Option<PeerId>,
    /// The room, or the reason why the client's selection is refused.
    pub selection: Result<Selection, JoinRefusal>,
    /// True if the selection is the listener's, because the client, which could select a room, has
    /// selected none. The room of the player's identity then takes precedence.
    pub is_default: bool,
    /// Template of a room that the player's identity selects.
    pub template: Option<RoomName>,
    /// Data by which the player authenticates.
    pub credentials: Credentials,
    /// The session that the client resumes, whatever it selects; or the reason why its ticket is
    /// refused. `None`: none.
    pub resume: Option<Result<Resume, JoinRefusal>>,
}

impl Join {
    /// Returns a request without credentials.
    pub fn new(
        connection: ListenerConnection,
        claimed_id: Option<PeerId>,
        selection: Result<Selection, JoinRefusal>,
    ) -> Self {
        let (is_default, template, credentials) = (false, None, Credentials::default());
        let resume = None;
        Self { connection, claimed_id, selection, is_default, template, credentials, resume }
    }

    /// Returns the ticket of a seat, if the credentials are one: a token that begins with
    /// [`Ticket::PREFIX`]. The player then enters the room of the seat, whatever it selects.
    ///
    /// # Errors
    ///
    /// [`JoinRefusal::InvalidTicket`] if the token only begins like a ticket.
    pub fn ticket(&self) -> Option<Result<Ticket, JoinRefusal>> {
        let token = self.credentials.token.as_ref()?.as_str();
        let is_ticket = token.starts_with(Ticket::PREFIX);
        is_ticket.then(|| Ticket::parse(token).ok_or(JoinRefusal::InvalidTicket))
    }

    /// Returns the SHA-256 hash of the token, if there is one.
    pub fn token_hash(&self) -> Option<[u8; 32]> {
        self.credentials.token.as_ref().map(token_hash)
    }

    /// Returns the room that a player selects, or that its identity selects.
    ///
    /// # Errors
    ///
    /// The refusal of the client's selection, or [`JoinRefusal::WrongRoom`].
    pub fn selection_of(&self, identity: &Identity) -> Result<Selection, JoinRefusal> {
        let Some(room) = identity.room() else { return self.selection.clone() };
        let room = RoomName::new(room).map_err(|_| JoinRefusal::WrongRoom)?;
        let own = |code| Selection { room: room.clone(), template: self.template.clone(), code };
        match &self.selection {
            Ok(selection) if selection.room == room => Ok(selection.clone()),
            Ok(selection) if self.is_default => Ok(own(selection.code.clone())),
            Ok(_) => Err(JoinRefusal::WrongRoom),
            Err(JoinRefusal::NoRoomSelected) => Ok(own(None)),
            Err(refusal) => Err(*refusal),
        }
    }
}

/// Returns the SHA-256 hash of a token.
pub(crate) fn token_hash(token: &Token) -> [u8; 32] {
    Sha256::digest(token.as_str().as_bytes()).into()
}
