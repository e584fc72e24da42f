//! Endpoints of several branches: they outlive their branches, keep the branches' connections
//! apart, and route connections by decisions of the program.

use mp_core::{
    CloseMode, ConnectionRouter, DisconnectReason, NewConnection, OutgoingPacket, Packet,
    PeerEvent, Route, ToBranch, ToEndpoint,
};

use crate::world::*;

/// A router that leaves all decisions to the program.
struct Undecided;

impl ConnectionRouter for Undecided {
    fn route(&mut self, _: &NewConnection<'_>, _: &mut Vec<OutgoingPacket>) -> Route {
        Route::Undecided
    }

    fn handle_packet(
        &mut self,
        _: &NewConnection<'_>,
        _: &Packet,
        _: &mut Vec<OutgoingPacket>,
    ) -> Route {
        Route::Undecided
    }
}

const REFUSED: Option<DisconnectReason> = Some(DisconnectReason::Remote(0));

#[test]
fn shared_endpoint_outlives_its_branches() {
    let mut world = World::new(EvenToLobby, [LOBBY]).shared();
    world.leave(LOBBY, CloseMode::Drain);
    world.turn();
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
    assert!(!world.endpoint.is_finished());
    let mut early = world.join(3);
    world.turn();
    early.turn();
    assert_eq!(early.disconnect_reason(), REFUSED, "no branch is served");

    world.endpoint.serve(ARENA);
    let mut client = world.join(5);
    world.turn();
    client.turn();
    assert_eq!((client.disconnect_reason(), world.connections().len()), (None, 1));
}

#[test]
fn closed_shared_endpoint_rejects_undecided_connections_and_drains_the_others() {
    let mut world = World::new(Undecided, [LOBBY]).shared();
    let (mut client, mut undecided) = (world.join(2), world.join(4));
    world.turn();
    client.turn();
    undecided.turn();
    world.endpoint.decide(client.connection().expect("connected"), Route::Branch(LOBBY));
    world.turn();
    let connection = client.connection().expect("connected");
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "last packet")]));
    world.endpoint.close(world.now, DisconnectReason::Closed);
    world.turn();
    client.turn();
    undecided.turn();
    assert_eq!(
        (client.payloads(), client.disconnect_reason()),
        (vec!["last packet".into()], REFUSED)
    );
    assert_eq!(undecided.disconnect_reason(), REFUSED);
    world.turn();
    assert!(world.endpoint.is_finished());
    assert!(matches!(world.messages(LOBBY).last(), Some(ToBranch::Closed(..))));
}

#[test]
fn closed_shared_endpoint_without_branches_is_finished() {
    let mut world = World::new(EvenToLobby, []).shared();
    world.endpoint.close(world.now, DisconnectReason::Closed);
    world.turn();
    assert!(world.endpoint.is_finished());
}

#[test]
fn decision_of_the_program_assigns_a_connection_with_its_packets() {
    let mut world = World::new(Undecided, [LOBBY, ARENA]).shared();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    client.queue("one");
    client.send("two");
    world.turn();
    let connection = client.connection().expect("connected");
    world.endpoint.decide(connection, Route::Branch(ARENA));
    world.endpoint.decide(connection, Route::Branch(LOBBY));
    client.send("three");
    world.turn();
    assert_eq!(world.payloads(ARENA), ["one", "two", "three"]);
    assert_eq!(world.events(LOBBY).count(), 0, "the first decision is final");
}

#[test]
fn branch_reaches_no_connection_of_another_branch() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]).shared();
    let (mut even, mut odd) = (world.join(2), world.join(3));
    world.turn();
    even.turn();
    odd.turn();
    let [of_lobby, of_arena] = world.connections()[..] else { panic!("two connections") };
    let to_both = |text| OutgoingPacket {
        to: mp_core::Connections::Many([of_lobby, of_arena].into()),
        ..packet(of_lobby, text)
    };
    world.handle(LOBBY, ToEndpoint::Send(vec![to_both("of the lobby")]));
    world.handle(ARENA, ToEndpoint::Send(vec![packet(of_lobby, "of the arena")]));
    let (reason, close_mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
    world.handle(ARENA, ToEndpoint::Disconnect { connection: of_lobby, reason, close_mode });
    world.handle(
        ARENA,
        ToEndpoint::Move { connection: of_lobby, branch: ARENA, carried: Box::default() },
    );
    world.turn();
    even.turn();
    odd.turn();
    assert_eq!(even.payloads(), ["of the lobby"]);
    assert_eq!((even.disconnect_reason(), odd.payloads().len()), (None, 0));
    assert_eq!(world.endpoint.stats().foreign_sends, 3);
    even.send("still in the lobby");
    world.turn();
    assert_eq!(world.payloads(LOBBY), ["still in the lobby"]);
}

#[test]
fn packets_that_a_branch_sends_after_a_move_are_dropped() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]).shared();
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = client.connection().expect("connected");
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried: Box::default() });
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "too late")]));
    world.handle(ARENA, ToEndpoint::Send(vec![packet(connection, "welcome")]));
    world.turn();
    client.turn();
    assert_eq!(
        (client.payloads(), world.endpoint.stats().foreign_sends),
        (vec!["welcome".into()], 1)
    );
}

#[test]
fn refusing_branch_rejects_only_its_own_connections() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]).shared();
    world.handle(LOBBY, ToEndpoint::RefuseNewConnections(true));
    let (mut even, mut odd) = (world.join(2), world.join(3));
    world.turn();
    even.turn();
    odd.turn();
    assert_eq!((even.disconnect_reason(), odd.disconnect_reason()), (REFUSED, None));
    world.handle(LOBBY, ToEndpoint::RefuseNewConnections(false));
    let mut late = world.join(4);
    world.turn();
    late.turn();
    assert_eq!(late.disconnect_reason(), None);
    let joined = |event: &PeerEvent| matches!(event, PeerEvent::Connected { .. });
    assert_eq!(world.events(LOBBY).filter(|event| joined(event)).count(), 1);
}
