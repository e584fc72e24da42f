//! The bytes of joins.

use std::sync::Arc;

use mp_core::{ConnectionId, EndpointId, PeerId};
use mp_rooms::limits::{CODE_BYTES_MAX, NAME_BYTES_MAX};
use mp_rooms::{Code, Resume, RoomName, Selection, TicketHash};
use serde::{Deserialize, Serialize};

use super::bounded::Text;
use super::identity::{WireIdentity, identity_from_wire, identity_to_wire};
use super::request::{PlayerTicket, RemoteJoin};

/// A ticket's hash, and the peer whose session it resumes.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireTicket {
    Resume([u8; 32], i32),
    Seat([u8; 32]),
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireJoin<'a> {
    endpoint: u32,
    connection: ConnectionId,
    claimed_id: Option<i32>,
    #[serde(borrow)]
    room: Text<'a, NAME_BYTES_MAX>,
    #[serde(borrow)]
    template: Option<Text<'a, NAME_BYTES_MAX>>,
    #[serde(borrow)]
    code: Option<Text<'a, CODE_BYTES_MAX>>,
    #[serde(borrow)]
    identity: WireIdentity<'a>,
}

/// Returns the wire form of a join. `attributes`: those of its player, encoded.
pub(super) fn join_to_wire<'a>(join: &'a RemoteJoin, attributes: &'a [u8]) -> WireJoin<'a> {
    let selection = &join.selection;
    WireJoin {
        endpoint: join.endpoint.0,
        connection: join.connection,
        claimed_id: join.claimed_id.map(PeerId::get),
        room: Text(selection.room.as_str()),
        template: selection.template.as_ref().map(|name| Text(name.as_str())),
        code: selection.code.as_ref().map(|code| Text(code.as_str())),
        identity: identity_to_wire(&join.identity, attributes),
    }
}

/// Returns the join that was encoded; `None` if a value is not allowed.
pub(super) fn join_from_wire(
    wire: &WireJoin<'_>,
    host_key: Option<[u8; 32]>,
    ticket: Option<WireTicket>,
) -> Option<RemoteJoin> {
    let claimed_id = match wire.claimed_id {
        Some(id) => Some(PeerId::new(id)?),
        None => None,
    };
    let mut selection = Selection::new(RoomName::new(wire.room.0).ok()?);
    if let Some(template) = wire.template {
        selection = selection.template(RoomName::new(template.0).ok()?);
    }
    if let Some(code) = wire.code {
        selection = selection.code(Code::new(code.0).ok()?);
    }
    let ticket = match ticket {
        Some(ticket) => Some(ticket_from_wire(ticket)?),
        None => None,
    };
    Some(RemoteJoin {
        endpoint: EndpointId(wire.endpoint),
        connection: wire.connection,
        claimed_id,
        selection,
        identity: Arc::new(identity_from_wire(&wire.identity)?),
        host_key,
        ticket,
    })
}

impl From<PlayerTicket> for WireTicket {
    fn from(ticket: PlayerTicket) -> Self {
        match ticket {
            PlayerTicket::Resume(Resume { ticket, peer }) => {
                Self::Resume(*ticket.as_bytes(), peer.get())
            }
            PlayerTicket::Seat(hash) => Self::Seat(*hash.as_bytes()),
        }
    }
}

/// Returns the ticket that was encoded; `None` if its peer id is not allowed.
fn ticket_from_wire(wire: WireTicket) -> Option<PlayerTicket> {
    Some(match wire {
        WireTicket::Resume(hash, peer) => {
            let (ticket, peer) = (TicketHash::from_bytes(hash), PeerId::new(peer)?);
            PlayerTicket::Resume(Resume { ticket, peer })
        }
        WireTicket::Seat(hash) => PlayerTicket::Seat(TicketHash::from_bytes(hash)),
    })
}
