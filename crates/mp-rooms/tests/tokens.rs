//! The router reads tokens from URLs and authentication packets.
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    BranchId, ConnectionOrigin, Endpoint, EndpointId, Instant, PeerId, Rng, Route, StateMachine,
    TransferMode,
};
use mp_identity::Token;
use mp_rooms::{
    Code, Join, JoinRefusal, Listener, ListenerConnection, ListenerId, ResumeTicket, RoomName,
    RoomRegistry, RoomRouter, Selection, Unselected,
};

#[derive(Clone, Default)]
struct Joins(Rc<RefCell<Vec<Join>>>);

impl RoomRegistry for Joins {
    fn join(&mut self, join: Join) -> bool {
        self.0.borrow_mut().push(join);
        true
    }

    fn leave(&mut self, _: ListenerConnection) {}
}

/// An endpoint with one client, which connects with `url` and sends `packets`.
struct World {
    endpoint: Endpoint<ScriptedPeer, RoomRouter<Joins>>,
    joins: Joins,
}

impl World {
    fn new(listener: Listener, url: Option<&str>, packets: &[&'static [u8]]) -> Self {
        let address = ([192, 0, 2, 1], 5).into();
        let origin = match url {
            Some(url) => ConnectionOrigin::Url { address, url: url.into() },
            None => ConnectionOrigin::Address(address),
        };
        let mut peer = ScriptedPeer::server();
        peer.connect_from(0, PeerId::new(7), origin);
        for packet in packets {
            peer.receive(0, 1, TransferMode::Reliable, Bytes::from_static(packet));
        }
        let joins = Joins::default();
        let router = RoomRouter::new(ListenerId(0), listener, joins.clone());
        let mut endpoint = Endpoint::new(EndpointId(0), peer, router).shared();
        endpoint.serve(ROOM);
        endpoint.end_turn(NOW);
        Self { endpoint, joins }
    }

    /// Returns the join that the router passed to the registry.
    fn join(&self) -> Option<Join> {
        let joins = self.joins.0.borrow();
        assert!(joins.len() <= 1, "{joins:?}");
        joins.first().cloned()
    }

    fn token(&self) -> Option<Token> {
        self.join().expect("a join").credentials.token
    }
}

fn name(text: &str) -> RoomName {
    RoomName::new(text).unwrap()
}

fn with_token(mut listener: Listener) -> Listener {
    listener.requires_token = true;
    listener
}

fn by_url() -> Listener {
    let lobby = Unselected::Room(Selection::new(name("lobby")));
    let mut listener = with_token(Listener::by_url());
    listener.unselected = lobby;
    listener
}

fn token(text: &str) -> Option<Token> {
    Some(Token::new(text).unwrap())
}

#[test]
fn token_of_the_url_joins_without_an_authentication_packet() {
    for (url, room, is_default) in [
        ("ws://host/?room=a&token=t", "a", false),
        ("ws://host/a?token=t", "a", false),
        ("ws://host/?token=t", "lobby", true),
    ] {
        let join = World::new(by_url(), Some(url), &[]).join().expect("a join");
        assert_eq!((join.selection, join.is_default), (Ok(Selection::new(name(room))), is_default));
        let address = Some([192, 0, 2, 1].into());
        assert_eq!((join.credentials.token, join.credentials.address), (token("t"), address));
        assert_eq!(join.credentials.room, (!is_default).then(|| room.to_owned()));
    }
}

#[test]
fn resume_ticket_joins_without_a_room_by_the_url_or_the_authentication_packet() {
    let ticket = ResumeTicket::random(&mut Rng::seed_from_u64(1), PeerId::new(9).unwrap());
    let query = format!("resume={}", ticket.reveal());
    let expected = (Err(JoinRefusal::NoRoomSelected), Some(Ok(ticket.resume())));
    let url = format!("ws://host/?{query}");
    let read = |join: Join| (join.selection, join.resume);
    let by_url = World::new(Listener::by_auth(), Some(&url), &[]).join().unwrap();
    assert_eq!(read(by_url), expected);
    let packet: &'static [u8] = [&[7, 0], query.as_bytes()].concat().leak();
    let by_auth = World::new(Listener::by_auth(), None, &[packet]).join().unwrap();
    assert_eq!(read(by_auth), expected);
    // Players who authenticate need a token, too.
    let listener = || with_token(Listener::by_auth());
    assert_eq!(World::new(listener(), Some(&url), &[]).join(), None);
    let join = World::new(listener(), Some(&url), &[b"\x07\x00token=t"]).join().unwrap();
    assert_eq!(join.credentials.token, token("t"));
    assert_eq!(read(join), expected);
    let malformed = World::new(Listener::by_auth(), None, &[b"\x07\x00resume=x"]).join().unwrap();
    assert_eq!(malformed.resume, Some(Err(JoinRefusal::InvalidResume)));
}

#[test]
fn client_without_a_token_in_its_url_sends_it_by_authentication_packet() {
    let url = Some("ws://host/a");
    assert_eq!(World::new(by_url(), url, &[]).join(), None);
    let join = World::new(by_url(), url, &[b"\x07\x00token=t&code=1&room=b"]).join().unwrap();
    let selection = Selection::new(name("a")).code(Code::new("1").unwrap());
    assert_eq!((join.selection, join.credentials.token), (Ok(selection), token("t")));

    let main = || with_token(Listener::room(name("main")));
    assert_eq!(World::new(main(), None, &[]).join(), None);
    let world = World::new(main(), None, &[b"\x07\x00token=t"]);
    assert_eq!((world.token(), world.join().unwrap().is_default), (token("t"), false));
    // A client that does not authenticate, or has no token, is refused by the registry.
    let join = World::new(main(), None, &[b"\x00rpc"]).join().unwrap();
    assert_eq!(join.selection, Err(JoinRefusal::NoAuthentication));
    assert_eq!(World::new(main(), None, &[b"\x07\x00hello"]).token(), None);
}

#[test]
fn packet_that_selects_the_room_has_the_token_unless_the_url_has_it() {
    let by_auth = || with_token(Listener::by_auth());
    let world = World::new(by_auth(), None, &[b"\x07\x00room=a&token=t"]);
    assert_eq!(world.join().unwrap().selection, Ok(Selection::new(name("a"))));
    assert_eq!(world.token(), token("t"));
    let url = Some("ws://host/?token=u");
    assert_eq!(World::new(by_auth(), url, &[]).join(), None);
    assert_eq!(World::new(by_auth(), url, &[b"\x07\x00room=a&token=t"]).token(), token("u"));
    let world = World::new(by_auth(), None, &[b"\x07\x00token=t"]);
    assert_eq!(world.join().unwrap().selection, Err(JoinRefusal::NoRoomSelected));
    assert_eq!(world.token(), token("t"), "its identity may select the room");
}

#[test]
fn malformed_token_is_refused_only_if_a_token_is_required() {
    let url = Some("ws://host/a?token=");
    // The client can receive the reason once it has sent an authentication packet.
    assert_eq!(World::new(by_url(), url, &[]).join(), None);
    let join = World::new(by_url(), url, &[b"\x07\x00token=t"]).join().unwrap();
    assert_eq!(join.selection, Err(JoinRefusal::InvalidToken));
    let join = World::new(Listener::by_url(), url, &[]).join().unwrap();
    assert_eq!((join.selection, join.credentials.token), (Ok(Selection::new(name("a"))), None));
    assert_eq!(
        World::new(Listener::by_url(), Some("ws://host/a?token=t"), &[]).token(),
        token("t")
    );
}

#[test]
fn router_completes_the_authentication_of_a_client_that_sent_its_token() {
    let main = with_token(Listener::room(name("main")));
    let mut world = World::new(main, None, &[b"\x07\x00token=t", b"\x07\x00"]);
    world.endpoint.decide(connection(0), Route::Admit(ROOM));
    let sent: Vec<_> = world.endpoint.peer().sent.iter().map(|it| it.payload.clone()).collect();
    assert_eq!(sent, [&b"\x07\x00"[..]]);
    assert_eq!(world.endpoint.stats().undecided, 0);
}

#[test]
fn refused_client_receives_the_reason_as_raw_packet_only_over_webrtc_without_authentication() {
    let reason =
        br#"{"code":"invalid_resume","text":"the resume ticket is unknown, used or expired"}"#;
    let raw = Some([&[3], &reason[..]].concat());
    let auth = Some([&[7, 0], &reason[..]].concat());
    for (url, packets, expected) in [
        ("webrtc:///a", &[][..], raw),
        ("webrtc:///a", &[&b"\x07\x00hello"[..]][..], auth),
        ("ws://host/a", &[][..], None),
    ] {
        let mut world = World::new(Listener::by_url(), Some(url), packets);
        let route = Route::Reject(JoinRefusal::InvalidResume.disconnect_reason());
        world.endpoint.decide(connection(0), route);
        world.endpoint.end_turn(NOW);
        let sent = world.endpoint.peer().sent.first().map(|it| it.payload.to_vec());
        assert_eq!(sent, expected, "{url} {packets:?}");
    }
}

const ROOM: BranchId = BranchId(1);
const NOW: Instant = Instant::from_millis(1_000);
