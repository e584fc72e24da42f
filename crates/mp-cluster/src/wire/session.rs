//! The bytes of searches for sessions, and of the sessions that were found.

use std::sync::Arc;
use std::time::Duration;

use mp_core::PeerId;
use mp_rooms::limits::NAME_BYTES_MAX;
use mp_rooms::{RoomName, TicketHash};
use serde::{Deserialize, Serialize};

use super::bounded::Text;
use super::identity::{WireIdentity, identity_from_wire, identity_to_wire};
use crate::call::{FoundSession, SessionQuery};

#[derive(Serialize, Deserialize)]
pub(super) struct WireQuery<'a> {
    #[serde(borrow)]
    template: Text<'a, NAME_BYTES_MAX>,
    ticket: [u8; 32],
    #[serde(borrow)]
    identity: WireIdentity<'a>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireSession<'a> {
    #[serde(borrow)]
    room: Text<'a, NAME_BYTES_MAX>,
    room_id: u64,
    peer: i32,
    milliseconds: u64,
}

/// Returns the wire form of a query. `attributes`: those of its player, encoded.
pub(super) fn query_to_wire<'a>(query: &'a SessionQuery, attributes: &'a [u8]) -> WireQuery<'a> {
    WireQuery {
        template: Text(query.template.as_str()),
        ticket: *query.ticket.as_bytes(),
        identity: identity_to_wire(&query.identity, attributes),
    }
}

/// Returns the query that was encoded; `None` if a value is not allowed.
pub(super) fn query_from_wire(wire: &WireQuery<'_>) -> Option<SessionQuery> {
    let identity = Arc::new(identity_from_wire(&wire.identity)?);
    let (template, ticket) = (RoomName::new(wire.template.0).ok()?, wire.ticket);
    Some(SessionQuery { template, identity, ticket: TicketHash::from_bytes(ticket) })
}

/// Returns the wire form of a session.
pub(super) fn session_to_wire(found: &FoundSession) -> WireSession<'_> {
    WireSession {
        room: Text(found.room.as_str()),
        room_id: found.room_id,
        peer: found.peer.get(),
        milliseconds: u64::try_from(found.time.as_millis()).unwrap_or(u64::MAX),
    }
}

/// Returns the session that was encoded; `None` if a value is not allowed.
pub(super) fn session_from_wire(wire: &WireSession<'_>) -> Option<FoundSession> {
    Some(FoundSession {
        room: RoomName::new(wire.room.0).ok()?,
        room_id: wire.room_id,
        peer: PeerId::new(wire.peer)?,
        time: Duration::from_millis(wire.milliseconds),
    })
}
