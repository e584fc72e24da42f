//! Calls and replies as bytes.

use mp_core::PeerId;
use mp_identity::{Identity, Subject};
use mp_rooms::{MatchRefusal, QueueEnd, QueueRefusal};

use super::*;
use crate::{
    ClusterId, ClusterNodeId, FoundSession, NodeRequest, NodeRequestId, RequestCodec, SessionQuery,
};

const TICKET: TicketHash = TicketHash::from_bytes([7; 32]);

fn room_name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

fn texts() -> Metadata {
    [("mode".to_owned(), "duel".to_owned())].into()
}

fn seat() -> SeatOffer {
    let (name, template) = (room_name("arena-1"), room_name("arena"));
    SeatOffer { room: RoomId::new(9), name, template, expires_in: Duration::from_millis(15_000) }
}

fn calls() -> Vec<NodeCall> {
    let (template, ticket) = (room_name("arena"), TICKET);
    let identity = Arc::new(Identity::new(Subject::new("kay").unwrap()));
    let request = MatchRequest::new(template.clone())
        .filter(Filter::new(texts()).unwrap())
        .code(Code::new("1").unwrap());
    let verbs = [SeatVerb::Join, SeatVerb::Create, SeatVerb::In(room_name("a"))];
    let seats = verbs.map(|verb| {
        let (request, identity) = (request.clone(), Arc::clone(&identity));
        NodeCall::Seat(Box::new(SeatCall { verb, request, ticket, identity }))
    });
    let parties = [
        PartyRequest::Alone,
        PartyRequest::Open { code: TICKET, size: 3 },
        PartyRequest::Join { code: TICKET },
    ];
    let enter =
        parties.map(|party| QueueCall::Enter { rank: -5, party, identity: Arc::clone(&identity) });
    let others = [QueueCall::State, QueueCall::Confirm, QueueCall::Leave];
    let queue = enter.into_iter().chain(others).map(|call| NodeCall::Queue {
        template: room_name("arena"),
        ticket,
        call,
    });
    let query = SessionQuery { template: template.clone(), identity, ticket };
    let session = NodeCall::Session(Box::new(query));
    let list = NodeCall::List { template, after: 3 };
    let player = NodeCall::Player(Subject::new("kay").unwrap());
    let others = [list, NodeCall::SeatOf(ticket), session, player];
    seats.into_iter().chain(queue).chain(others).collect()
}

fn listed_room() -> ListedRoom {
    ListedRoom {
        room: RoomId::new(9),
        name: room_name("a"),
        players: 3,
        seats: 1,
        max_players: 8,
        metadata: texts(),
    }
}

fn replies() -> Vec<NodeReply> {
    let reports = [
        QueueReport::Seated(seat()),
        QueueReport::Gathering { present: 1, size: 2 },
        QueueReport::Waiting { waited: Duration::from_secs(3) },
        QueueReport::Confirming {
            is_confirmed: true,
            missing: 1,
            expires_in: Duration::from_secs(4),
        },
        QueueReport::Formed,
        QueueReport::Ended(QueueEnd::TimedOut),
    ];
    let reports = reports.map(|report| NodeReply::Queue(Ok(report)));
    let (room, time) = (room_name("a"), Duration::from_millis(1_500));
    let session = FoundSession { room, room_id: 7, peer: PeerId::SERVER, time };
    let others = [
        NodeReply::Rooms { rooms: vec![listed_room()], next: Some(9) },
        NodeReply::Seat(Ok(seat())),
        NodeReply::Seat(Err(MatchRefusal::RoomFull)),
        NodeReply::Queue(Err(QueueRefusal::QueueFull)),
        NodeReply::Left(true),
        NodeReply::Session(Some(session)),
        NodeReply::Session(None),
        NodeReply::Player(PlayerReport {
            is_connected: true,
            is_joining: false,
            rooms: 3,
            new_rooms: 1,
        }),
    ];
    reports.into_iter().chain(others).collect()
}

#[test]
fn calls_and_replies_survive_encoding_and_decoding() {
    let codec = RequestCodec::new(ClusterId::named("a"), ClusterNodeId::new(7));
    let id = NodeRequestId::new(1);
    let calls = calls().into_iter().map(|call| NodeRequest::Call(id, call));
    let replies = replies().into_iter().map(|reply| NodeRequest::Reply(id, reply));
    let player = Subject::new("kay").unwrap();
    let others = [
        NodeRequest::BansChanged,
        NodeRequest::PlayerJoined { player: player.clone(), number: 7 },
        NodeRequest::PlayerElsewhere { player, number: 7 },
        NodeRequest::RoomMoved(room_name("arena")),
    ];
    for request in calls.chain(replies).chain(others) {
        let bytes = codec.encode(&request);
        assert_eq!(codec.decode(&bytes), Ok((ClusterNodeId::new(7), request)));
        for length in 0..bytes.len() {
            assert!(codec.decode(&bytes[..length]).is_err());
        }
    }
}

#[test]
fn longest_page_of_rooms_fits_into_a_reply() {
    let text = "x".repeat(LISTED_TEXT_BYTES_MAX - 1);
    let room = ListedRoom {
        room: RoomId::new(u64::MAX),
        name: room_name(&"x".repeat(NAME_BYTES_MAX)),
        players: u32::MAX,
        seats: u32::MAX,
        max_players: u16::MAX,
        metadata: [("k".to_owned(), text)].into(),
    };
    assert_eq!(room.clone().shortened(), room);
    let rooms = vec![room; LOBBY_PAGE_MAX];
    let codec = RequestCodec::new(ClusterId::named("a"), ClusterNodeId::new(7));
    let reply = NodeReply::Rooms { rooms, next: None };
    let request = NodeRequest::Reply(NodeRequestId::new(1), reply);
    assert!(codec.decode(&codec.encode(&request)).is_ok());
}

#[test]
fn usual_page_of_rooms_has_less_than_eight_kilobytes() {
    let room = ListedRoom {
        room: RoomId::new(1 << 52),
        name: room_name("arena-4503599627370496"),
        players: 3,
        seats: 1,
        max_players: 16,
        metadata: [("mode", "duel"), ("map", "harbor-night")]
            .map(|(key, text)| (key.to_owned(), text.to_owned()))
            .into(),
    };
    let reply = NodeReply::Rooms { rooms: vec![room; LOBBY_PAGE_MAX], next: Some(1 << 52) };
    let codec = RequestCodec::new(ClusterId::named("a"), ClusterNodeId::new(u64::MAX));
    let bytes = codec.encode(&NodeRequest::Reply(NodeRequestId::new(1), reply));
    assert!(bytes.len() < 8 * 1024, "{}", bytes.len());
}

#[test]
fn metadata_that_is_too_long_is_not_sent() {
    let metadata = |count: usize, len: usize| {
        (0..count).map(|it| (it.to_string(), "x".repeat(len))).collect::<Metadata>()
    };
    let room = |metadata| ListedRoom { metadata, ..listed_room() };
    for long in [metadata(LISTED_TEXTS_MAX + 1, 1), metadata(1, LISTED_TEXT_BYTES_MAX)] {
        assert!(room(long).shortened().metadata.is_empty());
    }
    assert!(!room(metadata(LISTED_TEXTS_MAX, 1)).shortened().metadata.is_empty());
}
