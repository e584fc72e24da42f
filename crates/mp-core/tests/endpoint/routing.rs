//! Connections that are routed by their packets, and connections that move to another branch.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::limits::{
    UNDECIDED_BYTES_MAX, UNDECIDED_CONNECTIONS_MAX, UNDECIDED_PACKETS_MAX, UNDECIDED_TIMEOUT,
};
use mp_core::{
    BranchId, CarriedSession, ConnectionId, ConnectionRouter, DisconnectReason, NewConnection,
    OutgoingPacket, Packet, PeerEvent, Route, StateMachine, ToEndpoint,
};

use crate::world::*;

/// A router that asks each connection for a room and assigns the branch by its reply.
#[derive(Clone, Default)]
struct RoomRouter {
    forgotten: Rc<RefCell<Vec<ConnectionId>>>,
}

impl ConnectionRouter for RoomRouter {
    fn route(&mut self, new: &NewConnection<'_>, replies: &mut Vec<OutgoingPacket>) -> Route {
        replies.push(packet(new.connection, "which room?"));
        Route::Undecided
    }

    fn handle_packet(
        &mut self,
        new: &NewConnection<'_>,
        received: &Packet,
        replies: &mut Vec<OutgoingPacket>,
    ) -> Route {
        match &received.payload[..] {
            b"lobby" => Route::Branch(LOBBY),
            b"arena" => Route::Branch(ARENA),
            b"no" => Route::Reject(DisconnectReason::Refused),
            _ => {
                replies.push(packet(new.connection, "say again"));
                Route::Undecided
            }
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        self.forgotten.borrow_mut().push(connection);
    }
}

fn two_branches() -> (World<RoomRouter>, RoomRouter) {
    let router = RoomRouter::default();
    (World::new(router.clone(), [LOBBY, ARENA]), router)
}

fn connections(world: &World<impl ConnectionRouter>, branch: BranchId) -> usize {
    world
        .events(branch)
        .filter(|event| matches!(event, PeerEvent::Connected { .. } | PeerEvent::Moved { .. }))
        .count()
}

#[test]
fn connection_is_routed_by_its_packets() {
    let (mut world, _) = two_branches();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    client.send("hello");
    world.turn();
    client.turn();
    assert_eq!(client.payloads(), ["which room?", "say again"]);
    assert_eq!((world.endpoint.stats().connections, world.endpoint.stats().undecided), (1, 1));
    assert_eq!(world.connections(), [], "the connection is not assigned");

    client.queue("arena");
    client.send("and on");
    world.turn();
    assert_eq!(world.payloads(ARENA), ["hello", "arena", "and on"]);
    let first = world.events(ARENA).next();
    assert!(
        matches!(first, Some(PeerEvent::Connected { claimed_id, .. }) if *claimed_id == Some(peer_id(2)))
    );
    assert_eq!(connections(&world, LOBBY), 0);
    assert_eq!((world.endpoint.stats().connections, world.endpoint.stats().undecided), (1, 0));
}

#[test]
fn connection_rejected_by_its_packets_is_reported_to_no_branch() {
    let (mut world, router) = two_branches();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = client.connection().expect("connected");
    client.send("no");
    world.turn();
    client.turn();
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    assert_eq!((world.connections(), world.endpoint.stats().rejected_connections), (vec![], 1));
    assert_eq!(router.forgotten.borrow().len(), 1, "{connection}");
}

#[test]
fn undecided_connection_is_rejected_after_its_timeout() {
    let (mut world, router) = two_branches();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let deadline = world.now + UNDECIDED_TIMEOUT;
    while world.now < deadline {
        assert_eq!(world.endpoint.stats().undecided, 1);
        world.now = world.endpoint.poll_timeout().unwrap();
        world.turn();
    }
    assert_eq!(world.now, deadline);
    client.turn();
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    assert_eq!(router.forgotten.borrow().len(), 1);
    assert_eq!(world.endpoint.stats().undecided, 0);
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_reject_an_undecided_connection() {
    let (mut world, _router) = two_branches();
    let _client = world.join(2);
    world.turn();
    world.now += UNDECIDED_TIMEOUT * 2;
    world.turn();
    assert_eq!(world.endpoint.stats().undecided, 1);
    // Time in which the process runs counts again.
    let limit = world.now + UNDECIDED_TIMEOUT;
    while world.endpoint.stats().undecided > 0 {
        world.now = world.endpoint.poll_timeout().unwrap();
        assert!(world.now < limit);
        world.turn();
    }
}

#[test]
fn undecided_connection_that_ends_is_forgotten() {
    let (mut world, router) = two_branches();
    let client = world.join(2);
    world.turn();
    drop(client);
    world.turn();
    assert_eq!(world.endpoint.stats().undecided, 0);
    assert_eq!(router.forgotten.borrow().len(), 1);
    assert_eq!(world.endpoint.stats().rejected_connections, 0, "the connection was not rejected");
}

#[test]
fn packets_of_an_undecided_connection_are_bounded() {
    let small = vec![vec![0]; UNDECIDED_PACKETS_MAX];
    let big = vec![vec![0; UNDECIDED_BYTES_MAX]];
    for packets in [small, big] {
        let (mut world, _) = two_branches();
        let mut client = world.join(2);
        world.turn();
        client.turn();
        for payload in packets {
            client.queue(payload);
        }
        client.flush();
        world.turn();
        assert_eq!(world.endpoint.stats().undecided, 1, "within the limit");
        client.send("x");
        world.turn();
        client.turn();
        assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    }
}

#[test]
fn number_of_undecided_connections_is_bounded() {
    let (mut world, _) = two_branches();
    let ids = 2..2 + UNDECIDED_CONNECTIONS_MAX as i32;
    let mut clients: Vec<_> = ids.map(|id| world.join(id)).collect();
    world.turn();
    let mut one_more = world.join(100_000);
    world.turn();
    one_more.turn();
    assert_eq!(one_more.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    assert_eq!(world.endpoint.stats().undecided, UNDECIDED_CONNECTIONS_MAX);
    clients[0].turn();
    clients[0].send("lobby");
    world.turn();
    let mut next = world.join(100_001);
    world.turn();
    next.turn();
    assert_eq!(next.disconnect_reason(), None, "one connection is assigned");
}

#[test]
fn moved_connection_keeps_its_queued_packets_in_order() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let (mut client, mut other) = (world.join(2), world.join(4));
    world.turn();
    client.turn();
    other.turn();
    let connection = world.connections()[0];
    client.send("taken by the lobby");
    world.turn();
    world.full.insert(LOBBY);
    for number in 0..5 {
        client.send(format!("mover {number}"));
        other.send(format!("stayer {number}"));
        world.turn();
    }
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "last packet of the lobby")]));
    let carried = Box::new(CarriedSession { sync_time: 7, ..CarriedSession::default() });
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried });
    client.send("mover 5");
    world.turn();
    world.handle(ARENA, ToEndpoint::Send(vec![packet(connection, "welcome to the arena")]));
    world.full.clear();
    world.turn();
    client.turn();

    assert_eq!(world.payloads(ARENA), (0..6).map(|n| format!("mover {n}")).collect::<Vec<_>>());
    let first = world.events(ARENA).next();
    assert!(matches!(first, Some(PeerEvent::Moved { claimed_id, carried, .. })
            if *claimed_id == Some(peer_id(2)) && carried.sync_time == 7));
    let mut expected = vec!["taken by the lobby".to_owned()];
    expected.extend((0..5).map(|n| format!("stayer {n}")));
    assert_eq!(world.payloads(LOBBY), expected);
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::Moved)]);
    assert_eq!(client.payloads(), ["last packet of the lobby", "welcome to the arena"]);
    assert_eq!(client.disconnect_reason(), None);
}

#[test]
fn connection_moved_before_connected_is_not_reported_to_the_first_branch() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    world.full.insert(LOBBY);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    client.send("first words");
    world.turn();
    let connection = ConnectionId { slot: 0, generation: 0 };
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried: Box::default() });
    world.full.clear();
    world.turn();
    assert_eq!((connections(&world, LOBBY), world.ends(LOBBY)), (0, vec![]));
    assert_eq!((connections(&world, ARENA), world.payloads(ARENA).len()), (1, 1));
}

#[test]
fn moved_connection_of_a_full_branch_resumes() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let (mut client, mut filler) = (world.join(2), world.join(4));
    world.turn();
    client.turn();
    filler.turn();
    let connection = client.connection().expect("connected");
    world.full.insert(LOBBY);
    world.fill(&mut filler);
    client.send("withheld");
    world.turn();
    assert_eq!(world.payloads(ARENA).len(), 0);
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried: Box::default() });
    for _ in 0..4 {
        world.turn();
    }
    assert_eq!(world.payloads(ARENA), ["withheld"]);
}

#[test]
fn held_connection_reports_nothing_until_it_moves() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let (mut client, mut other) = (world.join(2), world.join(4));
    world.turn();
    client.turn();
    other.turn();
    let connection = client.connection().expect("connected");
    world.full.insert(LOBBY);
    client.send("before");
    world.turn();
    world.full.clear();
    world.handle(LOBBY, ToEndpoint::Hold { connection });
    client.send("after");
    other.send("of another");
    world.turn();
    world.turn();
    assert_eq!(world.payloads(LOBBY), ["of another"]);
    let held = |event: &&PeerEvent| matches!(event, PeerEvent::Held { .. });
    assert_eq!(world.events(LOBBY).filter(held).count(), 1);
    world.handle(LOBBY, ToEndpoint::Hold { connection });
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "still of the lobby")]));
    let carried = Box::default();
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried });
    world.turn();
    client.turn();
    client.send("last");
    world.turn();
    assert_eq!(world.payloads(ARENA), ["before", "after", "last"]);
    assert_eq!(world.events(LOBBY).filter(held).count(), 1);
    assert_eq!(client.payloads(), ["still of the lobby"]);
}

#[test]
fn end_of_a_held_connection_is_reported_to_its_branch() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = client.connection().expect("connected");
    world.handle(LOBBY, ToEndpoint::Hold { connection });
    client.send("lost with the connection");
    drop(client);
    world.turn();
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried: Box::default() });
    world.turn();
    assert_eq!(world.ends(LOBBY).len(), 1);
    assert_eq!((connections(&world, ARENA), world.payloads(LOBBY).len()), (0, 0));
}

#[test]
fn connection_returns_when_the_other_branch_does_not_accept_it() {
    const NOWHERE: BranchId = BranchId(9);
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let (mut client, mut filler) = (world.join(2), world.join(3));
    world.turn();
    client.turn();
    filler.turn();
    let connection = client.connection().expect("connected");
    world.full.insert(ARENA);
    world.fill(&mut filler);
    let of_arena = world.payloads(ARENA).len();
    for branch in [NOWHERE, ARENA, LOBBY] {
        world.full.insert(LOBBY);
        client.send(format!("before the move to {branch:?}"));
        world.turn();
        let carried = Box::new(CarriedSession { sync_time: 7, ..CarriedSession::default() });
        world.handle(LOBBY, ToEndpoint::Move { connection, branch, carried });
        world.full.remove(&LOBBY);
        world.turn();
    }
    client.send("after all moves");
    world.turn();
    let returned = world.events(LOBBY).filter_map(|event| match event {
        PeerEvent::Moved { claimed_id, carried, .. } => Some((*claimed_id, carried.sync_time)),
        _ => None,
    });
    assert_eq!(returned.collect::<Vec<_>>(), [(Some(peer_id(2)), 7); 3]);
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::Moved); 3]);
    let mut sent: Vec<_> = ["BranchId(9)", "BranchId(1)", "BranchId(0)"]
        .map(|id| format!("before the move to {id}"))
        .into();
    sent.push("after all moves".to_owned());
    assert_eq!(world.payloads(LOBBY), sent);
    assert_eq!((world.payloads(ARENA).len(), world.endpoint.stats().rejected_moves), (of_arena, 3));
}
