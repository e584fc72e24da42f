//! The router in an endpoint over the memory network, with a registry that the tests play.
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::rc::Rc;

use bytes::Bytes;
use mp_core::limits::UNDECIDED_TIMEOUT;
use mp_core::{
    BranchId, Channel, ConnectionId, DisconnectReason, Endpoint, EndpointId, Instant,
    MemoryMultiplayerPeer, MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Prefix, Route,
    StateMachine, ToBranch, TransferMode,
};
use mp_rooms::{
    Join, JoinRefusal, Listener, ListenerConnection, ListenerId, RoomName, RoomRegistry,
    RoomRouter, Selection,
};

const ROOM: BranchId = BranchId(1);
const NOTHING: [Bytes; 0] = [];
const REFUSED: Option<DisconnectReason> = Some(DisconnectReason::Remote(0));

/// The messages of a router.
#[derive(Clone, Default)]
struct Registry {
    is_full: bool,
    joins: Rc<RefCell<Vec<Join>>>,
    left: Rc<RefCell<Vec<ListenerConnection>>>,
}

impl RoomRegistry for Registry {
    fn join(&mut self, join: Join) -> bool {
        if !self.is_full {
            self.joins.borrow_mut().push(join);
        }
        !self.is_full
    }

    fn leave(&mut self, connection: ListenerConnection) {
        self.left.borrow_mut().push(connection);
    }
}

/// An endpoint with a router, one client, and the packets that the room received.
struct World {
    endpoint: Endpoint<MemoryMultiplayerPeer, RoomRouter<Registry>>,
    client: MemoryMultiplayerPeer,
    registry: Registry,
    now: Instant,
    room: Vec<PeerEvent>,
    received: Vec<Bytes>,
    end: Option<DisconnectReason>,
}

impl World {
    fn new(listener: Listener, registry: Registry) -> Self {
        let peer = MemoryMultiplayerPeer::server();
        let client = peer.address().connect(PeerId::new(7).unwrap());
        let router = RoomRouter::new(ListenerId(3), listener, registry.clone());
        let mut endpoint = Endpoint::new(EndpointId(0), peer, router).shared();
        endpoint.serve(ROOM);
        let (now, room) = (Instant::from_millis(1_000), Vec::new());
        let mut world =
            Self { endpoint, client, registry, now, room, received: Vec::new(), end: None };
        world.turn();
        world
    }

    fn turn(&mut self) {
        self.endpoint.end_turn(self.now);
        let room = &mut self.room;
        self.endpoint.deliver(&mut |_, message| {
            if let ToBranch::Events(_, events) = message {
                room.extend(events);
            }
            Ok(())
        });
        self.client.poll(self.now);
        while let Some(event) = self.client.next_event() {
            match event {
                PeerEvent::Packet(packet) => self.received.push(packet.payload),
                PeerEvent::Disconnected { reason, .. } => self.end = Some(reason),
                _ => {}
            }
        }
        self.client.flush(self.now);
    }

    fn send(&mut self, payload: &'static [u8]) {
        let outgoing = OutgoingPacket {
            to: ConnectionId { slot: 0, generation: 0 }.into(),
            mode: TransferMode::Reliable,
            channel: Channel(0),
            prefix: Prefix::EMPTY,
            payload: Bytes::from_static(payload),
        };
        self.client.send(outgoing).unwrap();
        self.client.flush(self.now);
        self.turn();
    }

    /// Returns the join that the router passed to the registry.
    fn join(&self) -> Option<Join> {
        let joins = self.registry.joins.borrow();
        assert!(joins.len() <= 1, "{joins:?}");
        joins.first().cloned()
    }

    fn decide(&mut self, decision: Route) {
        let connection = self.join().expect("a join").connection.connection;
        self.endpoint.decide(connection, decision);
        self.turn();
    }

    /// Returns the packets that the room received, once the connection is assigned to it.
    fn room(&self) -> Option<Vec<Bytes>> {
        self.room.first()?;
        let payload = |event: &PeerEvent| match event {
            PeerEvent::Packet(packet) => Some(packet.payload.clone()),
            _ => None,
        };
        Some(self.room.iter().filter_map(payload).collect())
    }
}

fn selection(room: &str) -> Result<Selection, JoinRefusal> {
    Ok(Selection::new(RoomName::new(room).unwrap()))
}

fn main_room() -> Listener {
    Listener::room(RoomName::new("main").unwrap())
}

#[test]
fn connection_joins_the_listeners_room_with_its_packets() {
    let mut world = World::new(main_room(), Registry::default());
    let join = world.join().unwrap();
    assert_eq!((join.selection, join.claimed_id), (selection("main"), PeerId::new(7)));
    assert_eq!(join.connection.listener, ListenerId(3));
    world.send(b"\x07\x00early");
    assert_eq!(world.room(), None);
    world.decide(Route::Admit(ROOM));
    assert_eq!(world.room().unwrap(), [&b"\x07\x00early"[..]], "the room handles it");
    assert_eq!(world.received, NOTHING);
}

#[test]
fn refused_connection_is_disconnected() {
    let mut world = World::new(main_room(), Registry::default());
    world.decide(Route::Reject(DisconnectReason::Refused));
    world.turn();
    assert_eq!((world.end, world.room()), (REFUSED, None));
    assert_eq!(world.registry.left.borrow().len(), 1);
}

/// Returns the packet that a rejected client receives.
fn reason(code: &str, text: &str) -> Bytes {
    format!("\x07\0{{\"code\":\"{code}\",\"text\":\"{text}\"}}").into()
}

impl World {
    /// Runs turns until the client is disconnected.
    fn pass_until_end(&mut self) {
        while self.end.is_none() {
            self.now = self.endpoint.poll_timeout().expect("the client is connected");
            self.turn();
        }
    }
}

#[test]
fn rejected_client_that_authenticates_receives_the_reason_and_then_the_end() {
    let full = JoinRefusal::RoomFull.disconnect_reason();
    let (code, text): (std::sync::Arc<str>, _) = ("banned_until_may".into(), "See you.".into());
    let by_service = Route::RejectWith { reason: full, code, text };
    for (decision, expected) in [
        (Route::Reject(full), reason("room_full", "the room is full")),
        (by_service, reason("banned_until_may", "See you.")),
    ] {
        let mut world = World::new(Listener::by_auth(), Registry::default());
        world.send(b"\x07\x00arena");
        world.send(b"\x07\x00");
        world.decide(decision.clone());
        world.turn();
        assert_eq!((&world.received[..], world.end), (&[expected.clone()][..], None));
        world.pass_until_end();
        assert_eq!((world.received.len(), world.end, world.room()), (1, REFUSED, None));

        // The same if the listener selected the room.
        let mut world = World::new(main_room(), Registry::default());
        world.send(b"\x07\x00ticket");
        world.decide(decision);
        world.pass_until_end();
        assert_eq!(world.received, [expected]);
    }
}

#[test]
fn rejected_client_that_does_not_authenticate_receives_no_packet() {
    for early in [None, Some(&b"\x00rpc"[..])] {
        let mut world = World::new(main_room(), Registry::default());
        if let Some(early) = early {
            world.send(early);
        }
        world.decide(Route::Reject(JoinRefusal::RoomFull.disconnect_reason()));
        world.turn();
        assert_eq!((&world.received[..], world.end), (&NOTHING[..], REFUSED));
    }
}

#[test]
fn client_receives_the_reason_if_the_registry_is_full() {
    let registry = Registry { is_full: true, ..Registry::default() };
    let mut world = World::new(Listener::by_auth(), registry);
    world.send(b"\x07\x00arena");
    world.pass_until_end();
    let expected = reason("too_many_waiting", "too many joins wait for rooms");
    assert_eq!((world.received.clone(), world.registry.left.borrow().len()), (vec![expected], 0));
}

#[test]
fn connection_is_rejected_if_the_registry_is_full_and_does_not_leave() {
    let registry = Registry { is_full: true, ..Registry::default() };
    let mut world = World::new(main_room(), registry);
    world.turn();
    assert_eq!((world.end, world.registry.left.borrow().len()), (REFUSED, 0));
    assert_eq!(world.endpoint.stats().connections, 0);
}

#[test]
fn connection_leaves_once_however_it_ends() {
    for (is_admitted, is_by_client) in [(false, true), (true, true), (true, false)] {
        let mut world = World::new(main_room(), Registry::default());
        if is_admitted {
            world.decide(Route::Admit(ROOM));
        }
        if is_by_client {
            world.client.close();
            world.client.flush(world.now);
        } else {
            world.endpoint.close(world.now, DisconnectReason::Closed);
        }
        world.turn();
        world.turn();
        assert_eq!(*world.registry.left.borrow(), [world.join().unwrap().connection]);
    }
}

#[test]
fn connections_leave_when_their_endpoint_is_dropped() {
    let mut world = World::new(main_room(), Registry::default());
    world.decide(Route::Admit(ROOM));
    let (registry, connection) = (world.registry.clone(), world.join().unwrap().connection);
    drop(world);
    assert_eq!(*registry.left.borrow(), [connection]);
}

#[test]
fn authentication_packet_selects_a_room_that_does_not_authenticate() {
    for completes_early in [true, false] {
        let mut world = World::new(Listener::by_auth(), Registry::default());
        assert_eq!(world.join(), None);
        world.send(b"\x07\x00arena");
        assert_eq!(world.join().unwrap().selection, selection("arena"));
        if completes_early {
            world.send(b"\x07\x00");
        }
        assert_eq!(world.received, NOTHING);
        world.decide(Route::Admit(ROOM));
        world.turn();
        assert_eq!(world.received, [&b"\x07\x00"[..]], "the authentication is completed");
        if !completes_early {
            world.send(b"\x07\x00more data");
            assert_eq!(world.room(), None, "the client has not completed it");
            world.send(b"overtakes");
            world.send(b"\x07\x00");
        }
        world.send(b"game");
        let packets: &[&[u8]] = if completes_early { &[b"game"] } else { &[b"overtakes", b"game"] };
        assert_eq!(world.room().unwrap(), packets);
    }
}

#[test]
fn room_that_authenticates_receives_all_authentication_packets() {
    let mut world = World::new(Listener::by_auth(), Registry::default());
    world.send(b"\x07\x00room=arena&name=Ann");
    assert_eq!(world.join().unwrap().selection, selection("arena"));
    world.send(b"\x07\x00more");
    world.decide(Route::Branch(ROOM));
    assert_eq!(world.room().unwrap(), [&b"\x07\x00room=arena&name=Ann"[..], b"\x07\x00more"]);
    assert_eq!(world.received, NOTHING);
}

#[test]
fn client_that_sends_no_authentication_packet_is_refused() {
    let mut world = World::new(Listener::by_auth(), Registry::default());
    let end = world.now + UNDECIDED_TIMEOUT;
    while world.end.is_none() {
        assert!(world.now <= end);
        world.now = world.endpoint.poll_timeout().unwrap_or(end);
        world.turn();
    }
    assert_eq!((world.now, world.join()), (end, None));
    assert_eq!(world.registry.left.borrow().len(), 0, "it has not joined");
}

#[test]
fn other_packets_than_a_selection_are_refused_by_the_registry() {
    for (payload, refusal) in [
        (&b"\x00rpc"[..], JoinRefusal::NoAuthentication),
        (b"\x07\x00", JoinRefusal::NoRoomSelected),
        (b"\x07\x00a b", JoinRefusal::InvalidName),
    ] {
        let mut world = World::new(Listener::by_auth(), Registry::default());
        world.send(payload);
        assert_eq!(world.join().unwrap().selection, Err(refusal));
    }
}
