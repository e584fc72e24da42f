//! The bytes of [`NodeCall`]s and [`NodeReply`]s. New kinds are appended.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use mp_core::Reason;
use mp_identity::Subject;
use mp_identity::limits::SUBJECT_BYTES_MAX;
use mp_rooms::limits::{
    CODE_BYTES_MAX, FILTER_BYTES_MAX, FILTER_PAIRS_MAX, LOBBY_PAGE_MAX, NAME_BYTES_MAX,
};
use mp_rooms::{Code, Filter, MatchRequest, Metadata, PartyRequest, RoomId, RoomName, TicketHash};
use serde::{Deserialize, Serialize};

use super::bounded::{List, Text};
use super::identity::{WireIdentity, identity_from_wire, identity_to_wire};
use super::session::{
    WireQuery, WireSession, query_from_wire, query_to_wire, session_from_wire, session_to_wire,
};
use crate::call::{
    ListedRoom, NodeCall, NodeReply, PlayerReport, QueueCall, QueueReport, SeatCall, SeatOffer,
    SeatVerb,
};
use crate::limits::{LISTED_TEXT_BYTES_MAX, LISTED_TEXTS_MAX};

type Name<'a> = Text<'a, NAME_BYTES_MAX>;
type Texts<'a, const BYTES: usize, const MAX: usize> =
    List<(Text<'a, BYTES>, Text<'a, BYTES>), MAX>;
type Hash = [u8; 32];

#[derive(Serialize, Deserialize)]
pub(super) enum WireCall<'a> {
    List {
        #[serde(borrow)]
        template: Name<'a>,
        after: u64,
    },
    Seat(#[serde(borrow)] WireSeatCall<'a>),
    SeatOf(Hash),
    Queue {
        #[serde(borrow)]
        template: Name<'a>,
        ticket: Hash,
        #[serde(borrow)]
        call: WireQueueCall<'a>,
    },
    Session(#[serde(borrow)] WireQuery<'a>),
    Player(#[serde(borrow)] Text<'a, SUBJECT_BYTES_MAX>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireSeatCall<'a> {
    #[serde(borrow)]
    verb: WireVerb<'a>,
    #[serde(borrow)]
    template: Name<'a>,
    #[serde(borrow)]
    filter: Texts<'a, FILTER_BYTES_MAX, FILTER_PAIRS_MAX>,
    #[serde(borrow)]
    code: Option<Text<'a, CODE_BYTES_MAX>>,
    ticket: Hash,
    #[serde(borrow)]
    identity: WireIdentity<'a>,
}

#[derive(Serialize, Deserialize)]
enum WireVerb<'a> {
    Join,
    Create,
    In(#[serde(borrow)] Name<'a>),
}

#[derive(Serialize, Deserialize)]
pub(super) enum WireQueueCall<'a> {
    Enter {
        rank: i32,
        party: WireParty,
        #[serde(borrow)]
        identity: WireIdentity<'a>,
    },
    State,
    Confirm,
    Leave,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) enum WireParty {
    Alone,
    Open { code: Hash, size: u16 },
    Join { code: Hash },
}

#[derive(Serialize, Deserialize)]
pub(super) enum WireReply<'a> {
    Rooms {
        #[serde(borrow)]
        rooms: List<WireRoom<'a>, LOBBY_PAGE_MAX>,
        next: Option<u64>,
    },
    Seat(#[serde(borrow)] WireSeat<'a>),
    SeatRefused(#[serde(borrow)] Label<'a>),
    Queue(#[serde(borrow)] WireReport<'a>),
    QueueRefused(#[serde(borrow)] Label<'a>),
    Left(bool),
    Session(#[serde(borrow)] Option<WireSession<'a>>),
    Player {
        is_connected: bool,
        is_joining: bool,
        rooms: u32,
        new_rooms: u32,
    },
}

/// The label of a reason.
type Label<'a> = Text<'a, 64>;

#[derive(Serialize, Deserialize)]
pub(super) struct WireRoom<'a> {
    room: u64,
    #[serde(borrow)]
    name: Name<'a>,
    players: u32,
    seats: u32,
    max_players: u16,
    #[serde(borrow)]
    metadata: Texts<'a, LISTED_TEXT_BYTES_MAX, LISTED_TEXTS_MAX>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct WireSeat<'a> {
    room: u64,
    #[serde(borrow)]
    name: Name<'a>,
    #[serde(borrow)]
    template: Name<'a>,
    expires_in: u64,
}

/// Times are in milliseconds.
#[derive(Serialize, Deserialize)]
pub(super) enum WireReport<'a> {
    Seated(#[serde(borrow)] WireSeat<'a>),
    Gathering { present: u32, size: u32 },
    Waiting { waited: u64 },
    Confirming { is_confirmed: bool, missing: u32, expires_in: u64 },
    Formed,
    Ended(#[serde(borrow)] Label<'a>),
}

/// Returns the wire form of a call. `attributes`: those of its player, encoded.
pub(super) fn call_to_wire<'a>(call: &'a NodeCall, attributes: &'a [u8]) -> WireCall<'a> {
    match call {
        NodeCall::List { template, after } => {
            WireCall::List { template: Text(template.as_str()), after: *after }
        }
        NodeCall::Seat(seat) => WireCall::Seat(seat_call_to_wire(seat, attributes)),
        NodeCall::SeatOf(ticket) => WireCall::SeatOf(*ticket.as_bytes()),
        NodeCall::Queue { template, ticket, call } => WireCall::Queue {
            template: Text(template.as_str()),
            ticket: *ticket.as_bytes(),
            call: queue_call_to_wire(call, attributes),
        },
        NodeCall::Session(query) => WireCall::Session(query_to_wire(query, attributes)),
        NodeCall::Player(player) => WireCall::Player(Text(player.as_str())),
    }
}

/// Returns the call that was encoded; `None` if a value is not allowed.
pub(super) fn call_from_wire(wire: WireCall<'_>) -> Option<NodeCall> {
    Some(match wire {
        WireCall::List { template, after } => NodeCall::List { template: name(template)?, after },
        WireCall::Seat(seat) => NodeCall::Seat(Box::new(seat_call_from_wire(seat)?)),
        WireCall::SeatOf(ticket) => NodeCall::SeatOf(TicketHash::from_bytes(ticket)),
        WireCall::Queue { template, ticket, call } => NodeCall::Queue {
            template: name(template)?,
            ticket: TicketHash::from_bytes(ticket),
            call: queue_call_from_wire(call)?,
        },
        WireCall::Session(query) => NodeCall::Session(Box::new(query_from_wire(&query)?)),
        WireCall::Player(player) => NodeCall::Player(Subject::new(player.0).ok()?),
    })
}

/// Returns the wire form of a reply.
pub(super) fn reply_to_wire(reply: &NodeReply) -> WireReply<'_> {
    match reply {
        NodeReply::Rooms { rooms, next } => {
            let rooms = rooms.iter().take(LOBBY_PAGE_MAX).map(room_to_wire);
            WireReply::Rooms { rooms: List(rooms.collect()), next: *next }
        }
        NodeReply::Seat(Ok(seat)) => WireReply::Seat(seat_to_wire(seat)),
        NodeReply::Seat(Err(refusal)) => WireReply::SeatRefused(Text(refusal.label())),
        NodeReply::Queue(Ok(report)) => WireReply::Queue(report_to_wire(report)),
        NodeReply::Queue(Err(refusal)) => WireReply::QueueRefused(Text(refusal.label())),
        NodeReply::Left(has_left) => WireReply::Left(*has_left),
        NodeReply::Session(found) => WireReply::Session(found.as_ref().map(session_to_wire)),
        NodeReply::Player(PlayerReport { is_connected, is_joining, rooms, new_rooms }) => {
            let (is_connected, is_joining) = (*is_connected, *is_joining);
            WireReply::Player { is_connected, is_joining, rooms: *rooms, new_rooms: *new_rooms }
        }
    }
}

/// Returns the reply that was encoded; `None` if a value is not allowed.
pub(super) fn reply_from_wire(wire: WireReply<'_>) -> Option<NodeReply> {
    Some(match wire {
        WireReply::Rooms { rooms, next } => {
            let rooms: Option<_> = rooms.0.into_iter().map(room_from_wire).collect();
            NodeReply::Rooms { rooms: rooms?, next }
        }
        WireReply::Seat(seat) => NodeReply::Seat(Ok(seat_from_wire(&seat)?)),
        WireReply::SeatRefused(label) => NodeReply::Seat(Err(reason(label)?)),
        WireReply::Queue(report) => NodeReply::Queue(Ok(report_from_wire(report)?)),
        WireReply::QueueRefused(label) => NodeReply::Queue(Err(reason(label)?)),
        WireReply::Left(has_left) => NodeReply::Left(has_left),
        WireReply::Player { is_connected, is_joining, rooms, new_rooms } => {
            NodeReply::Player(PlayerReport { is_connected, is_joining, rooms, new_rooms })
        }
        WireReply::Session(None) => NodeReply::Session(None),
        WireReply::Session(Some(found)) => NodeReply::Session(Some(session_from_wire(&found)?)),
    })
}

fn seat_call_to_wire<'a>(seat: &'a SeatCall, attributes: &'a [u8]) -> WireSeatCall<'a> {
    let request = &seat.request;
    WireSeatCall {
        verb: match &seat.verb {
            SeatVerb::Join => WireVerb::Join,
            SeatVerb::Create => WireVerb::Create,
            SeatVerb::In(room) => WireVerb::In(Text(room.as_str())),
        },
        template: Text(request.template.as_str()),
        filter: texts_to_wire(request.filter.texts()),
        code: request.code.as_ref().map(|code| Text(code.as_str())),
        ticket: *seat.ticket.as_bytes(),
        identity: identity_to_wire(&seat.identity, attributes),
    }
}

fn seat_call_from_wire(wire: WireSeatCall<'_>) -> Option<SeatCall> {
    let filter = Filter::new(texts_from_wire(wire.filter)).ok()?;
    let mut request = MatchRequest::new(name(wire.template)?).filter(filter);
    if let Some(code) = wire.code {
        request = request.code(Code::new(code.0).ok()?);
    }
    Some(SeatCall {
        verb: match wire.verb {
            WireVerb::Join => SeatVerb::Join,
            WireVerb::Create => SeatVerb::Create,
            WireVerb::In(room) => SeatVerb::In(name(room)?),
        },
        request,
        ticket: TicketHash::from_bytes(wire.ticket),
        identity: Arc::new(identity_from_wire(&wire.identity)?),
    })
}

fn queue_call_to_wire<'a>(call: &'a QueueCall, attributes: &'a [u8]) -> WireQueueCall<'a> {
    match call {
        QueueCall::Enter { rank, party, identity } => WireQueueCall::Enter {
            rank: *rank,
            party: match *party {
                PartyRequest::Alone => WireParty::Alone,
                PartyRequest::Open { code, size } => {
                    WireParty::Open { code: *code.as_bytes(), size }
                }
                PartyRequest::Join { code } => WireParty::Join { code: *code.as_bytes() },
            },
            identity: identity_to_wire(identity, attributes),
        },
        QueueCall::State => WireQueueCall::State,
        QueueCall::Confirm => WireQueueCall::Confirm,
        QueueCall::Leave => WireQueueCall::Leave,
    }
}

fn queue_call_from_wire(wire: WireQueueCall<'_>) -> Option<QueueCall> {
    Some(match wire {
        WireQueueCall::Enter { rank, party, identity } => QueueCall::Enter {
            rank,
            party: match party {
                WireParty::Alone => PartyRequest::Alone,
                WireParty::Open { code, size } => {
                    PartyRequest::Open { code: TicketHash::from_bytes(code), size }
                }
                WireParty::Join { code } => {
                    PartyRequest::Join { code: TicketHash::from_bytes(code) }
                }
            },
            identity: Arc::new(identity_from_wire(&identity)?),
        },
        WireQueueCall::State => QueueCall::State,
        WireQueueCall::Confirm => QueueCall::Confirm,
        WireQueueCall::Leave => QueueCall::Leave,
    })
}

fn room_to_wire(room: &ListedRoom) -> WireRoom<'_> {
    WireRoom {
        room: room.room.get(),
        name: Text(room.name.as_str()),
        players: room.players,
        seats: room.seats,
        max_players: room.max_players,
        metadata: texts_to_wire(&room.metadata),
    }
}

fn room_from_wire(wire: WireRoom<'_>) -> Option<ListedRoom> {
    let WireRoom { room, players, seats, max_players, .. } = wire;
    Some(ListedRoom {
        room: RoomId::new(room),
        name: name(wire.name)?,
        players,
        seats,
        max_players,
        metadata: texts_from_wire(wire.metadata),
    })
}

fn seat_to_wire(seat: &SeatOffer) -> WireSeat<'_> {
    WireSeat {
        room: seat.room.get(),
        name: Text(seat.name.as_str()),
        template: Text(seat.template.as_str()),
        expires_in: milliseconds(seat.expires_in),
    }
}

fn seat_from_wire(wire: &WireSeat<'_>) -> Option<SeatOffer> {
    Some(SeatOffer {
        room: RoomId::new(wire.room),
        name: name(wire.name)?,
        template: name(wire.template)?,
        expires_in: Duration::from_millis(wire.expires_in),
    })
}

fn report_to_wire(report: &QueueReport) -> WireReport<'_> {
    match *report {
        QueueReport::Seated(ref seat) => WireReport::Seated(seat_to_wire(seat)),
        QueueReport::Gathering { present, size } => WireReport::Gathering { present, size },
        QueueReport::Waiting { waited } => WireReport::Waiting { waited: milliseconds(waited) },
        QueueReport::Confirming { is_confirmed, missing, expires_in } => {
            let expires_in = milliseconds(expires_in);
            WireReport::Confirming { is_confirmed, missing, expires_in }
        }
        QueueReport::Formed => WireReport::Formed,
        QueueReport::Ended(reason) => WireReport::Ended(Text(reason.label())),
    }
}

fn report_from_wire(wire: WireReport<'_>) -> Option<QueueReport> {
    Some(match wire {
        WireReport::Seated(seat) => QueueReport::Seated(seat_from_wire(&seat)?),
        WireReport::Gathering { present, size } => QueueReport::Gathering { present, size },
        WireReport::Waiting { waited } => {
            QueueReport::Waiting { waited: Duration::from_millis(waited) }
        }
        WireReport::Confirming { is_confirmed, missing, expires_in } => {
            let expires_in = Duration::from_millis(expires_in);
            QueueReport::Confirming { is_confirmed, missing, expires_in }
        }
        WireReport::Formed => QueueReport::Formed,
        WireReport::Ended(label) => QueueReport::Ended(reason(label)?),
    })
}

fn texts_to_wire<const BYTES: usize, const MAX: usize>(texts: &Metadata) -> Texts<'_, BYTES, MAX> {
    List(texts.iter().map(|(key, text)| (Text(key), Text(text))).collect())
}

fn texts_from_wire<const BYTES: usize, const MAX: usize>(wire: Texts<'_, BYTES, MAX>) -> Metadata {
    let owned = wire.0.into_iter().map(|(key, text)| (key.0.to_owned(), text.0.to_owned()));
    owned.collect::<BTreeMap<_, _>>()
}

fn name(wire: Name<'_>) -> Option<RoomName> {
    RoomName::new(wire.0).ok()
}

/// Returns the reason with a label; `None` if it is one of a later version.
fn reason<R: Reason>(label: Label<'_>) -> Option<R> {
    R::ALL.iter().copied().find(|reason| reason.label() == label.0)
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
