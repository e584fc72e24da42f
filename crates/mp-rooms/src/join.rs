//! [`Join`]: the request of a connection to join a room.
#![expect(clippy::exhaustive_structs, reason = "routers and tests construct them")]

use std::fmt;

use mp_core::{ConnectionId, PeerId};

use crate::refusal::JoinRefusal;
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
}
