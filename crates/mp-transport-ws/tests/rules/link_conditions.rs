//! Simulated delay and rate of a connection.

use std::time::Duration;

use mp_core::link_shaper::LinkConditions;
use mp_core::{
    CloseMode, ConnectionConditions, ConnectionId, DisconnectReason, LinkSimulation,
    MultiplayerPeer, PeerEvent, Rng, TransferMode,
};
use mp_transport_ws::ServerOptions;
use mp_transport_ws::testing::StreamConditions;

use crate::common::*;

fn set(server: &mut Peer, connection: ConnectionId, conditions: LinkConditions) {
    let conditions = Some(ConnectionConditions::both(conditions));
    server.set_conditions(connection, conditions, &mut Rng::seed_from_u64(3));
}

fn delay(millis: u64) -> LinkConditions {
    LinkConditions { delay: Duration::from_millis(millis), ..LinkConditions::default() }
}

/// Returns a world with a server, a client and its connection, under these conditions.
fn shaped(conditions: LinkConditions) -> (World, Peer, RawPeer, ConnectionId) {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, connection) = world.joined(&mut server);
    raw_peer.take();
    set(&mut server, connection, conditions);
    (world, server, raw_peer, connection)
}

#[test]
fn a_delay_applies_to_each_direction_of_a_connection() {
    let (mut world, mut server, mut raw_peer, connection) = shaped(delay(100));
    let (mut other, _) = world.joined(&mut server);
    for peer in [&mut raw_peer, &mut other] {
        peer.send(&masked(0x82, b"to the server"));
    }
    server.send(packet(connection, TransferMode::Reliable, "to the client")).unwrap();
    let mut events = world.turn(&mut server);
    events.extend(world.run(&mut server, Duration::from_millis(90)));
    assert_eq!(packets(&events).len(), 1, "the other connection has no delay");
    assert_eq!(raw_peer.take(), b"");
    let events = world.run(&mut server, Duration::from_millis(15));
    assert_eq!(packets(&events), [b"to the server"]);
    assert_eq!(frames(&mut raw_peer.take())[0].payload, b"to the client");
}

#[test]
fn a_rate_applies_to_each_direction_of_a_connection() {
    let conditions = LinkConditions { bytes_per_second: 10_000, ..LinkConditions::default() };
    let (mut world, mut server, mut raw_peer, connection) = shaped(conditions);
    // Twice the time for which a link queues, and more than a socket accepts at once.
    for _ in 0..30 {
        raw_peer.send(&masked(0x82, &[7; 994]));
        server.send(packet(connection, TransferMode::Reliable, vec![7; 996])).unwrap();
    }
    let mut received = Vec::new();
    let mut at_server = 0;
    world.turn(&mut server);
    let (_, stats) = server.conditions(connection).unwrap();
    assert!(stats.queued_bytes < 2 * 5_000, "more than 300 ms are on their way: {stats:?}");
    for second in 1..=3 {
        at_server += packets(&world.run(&mut server, Duration::from_secs(1))).len();
        received.extend(raw_peer.take());
        let at_client = received.len() / 1_000;
        let expected = second * 10 - 1..=second * 10 + 1;
        assert!(expected.contains(&at_server), "{at_server} after {second} s at the server");
        assert!(expected.contains(&at_client), "{at_client} after {second} s at the client");
    }
    assert_eq!(frames(&mut received).len(), 30, "nothing is lost");
}

#[test]
fn removed_conditions_no_longer_apply_and_nothing_is_reordered() {
    let (mut world, mut server, mut raw_peer, connection) = shaped(delay(100));
    server.send(packet(connection, TransferMode::Reliable, "first")).unwrap();
    world.turn(&mut server);
    assert!(server.conditions(connection).is_some());
    server.set_conditions(connection, None, &mut Rng::seed_from_u64(3));
    assert_eq!(server.conditions(connection), None);
    server.send(packet(connection, TransferMode::Reliable, "second")).unwrap();
    world.turn(&mut server);
    assert_eq!(raw_peer.take(), b"");
    world.run(&mut server, Duration::from_millis(100));
    let payloads: Vec<_> = frames(&mut raw_peer.take()).into_iter().map(|it| it.payload).collect();
    assert_eq!(payloads, [b"first".to_vec(), b"second".to_vec()]);
    server.send(packet(connection, TransferMode::Reliable, "third")).unwrap();
    world.turn(&mut server);
    assert_eq!(frames(&mut raw_peer.take())[0].payload, b"third");
}

#[test]
fn the_end_of_a_stream_follows_the_bytes_on_their_way() {
    let (mut world, mut server, mut raw_peer, _) = shaped(delay(100));
    raw_peer.send(&masked(0x82, b"last"));
    raw_peer.shutdown();
    world.turn(&mut server);
    assert_eq!(world.run(&mut server, Duration::from_millis(90)).len(), 0);
    let events = world.run(&mut server, Duration::from_millis(20));
    assert_eq!(packets(&events), [b"last"]);
    assert_eq!(end_of(&events), Some(DisconnectReason::Remote(0)));
}

#[test]
fn a_connection_that_ends_at_once_writes_the_bytes_on_their_way() {
    let (mut world, mut server, mut raw_peer, connection) = shaped(delay(100));
    server.send(packet(connection, TransferMode::Reliable, "last")).unwrap();
    world.turn(&mut server);
    server.close();
    world.turn(&mut server);
    assert_eq!(frames(&mut raw_peer.take())[0].payload, b"last");
}

#[test]
fn a_graceful_disconnect_is_delayed() {
    let (mut world, mut server, mut raw_peer, connection) = shaped(delay(100));
    server.disconnect(connection, DisconnectReason::Kicked, CloseMode::Graceful);
    world.turn(&mut server);
    world.run(&mut server, Duration::from_millis(90));
    assert_eq!(raw_peer.take(), b"");
    world.run(&mut server, Duration::from_millis(20));
    assert_eq!(frames(&mut raw_peer.take())[0].first, 0x88);
    raw_peer.send(&masked(0x88, &1_000_u16.to_be_bytes()));
    raw_peer.shutdown();
    world.turn(&mut server);
    let events = world.run(&mut server, Duration::from_millis(120));
    let ended = PeerEvent::Disconnected { connection, reason: DisconnectReason::Kicked };
    assert_eq!(events, [ended]);
}

#[test]
fn an_idle_connection_with_conditions_causes_no_turns() {
    let (mut world, mut server, mut raw_peer, _) = shaped(delay(100));
    raw_peer.send(&masked(0x82, b"x"));
    world.turn(&mut server);
    world.run(&mut server, Duration::from_millis(200));
    assert_eq!(server.poll_timeout(), None);
}

#[test]
fn a_stream_simulates_delay_and_rate_only() {
    let (_, server, _, connection) = shaped(LinkConditions { loss_permille: 500, ..delay(100) });
    assert_eq!(server.link_simulation(), LinkSimulation::Stream);
    let (conditions, _) = server.conditions(connection).unwrap();
    assert_eq!(conditions, ConnectionConditions::both(delay(100)));
}
