//! Liveness: vanished remote hosts are detected, and time in which this process is suspended does
//! not count against remote peers.

use std::time::Duration;

use mp_core::{ConnectionStatus, DisconnectReason, MultiplayerPeer, TransferMode};
use mp_transport_ws::limits::{
    HANDSHAKE_TIMEOUT, KEEPALIVES_PER_TIMEOUT, RELIABLE_PROGRESS_TIMEOUT, TCP_TIMEOUT,
};
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{ClientOptions, ServerOptions};

use crate::common::*;

const SUSPENSION: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(500);

#[test]
fn suspended_server_waits_for_the_pong_of_its_last_ping() {
    for answers in [true, false] {
        let mut world = World::new(StreamConditions {
            latency: Duration::from_millis(50),
            ..StreamConditions::default()
        });
        let options = ServerOptions::default().heartbeat_interval(Duration::from_secs(10));
        let mut server = world.server(options);
        let mut player = world.raw_peer();
        player.send(&request("/", ""));
        world.run(&mut server, MOMENT);
        world.pass(SUSPENSION);
        assert_eq!(world.turn(&mut server), []);
        // The pong was lost during the suspension and is sent again.
        if answers {
            player.send(&masked(0x8A, b""));
        }
        let events = world.run(&mut server, Duration::from_secs(5));
        let end = (!answers).then_some(DisconnectReason::Timeout);
        assert_eq!(end_of(&events), end);
    }
}

#[test]
fn suspended_server_continues_pending_handshakes() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let mut players = [world.raw_peer(), world.raw_peer()];
    world.turn(&mut server);
    world.pass(SUSPENSION);
    world.turn(&mut server);
    players[0].send(&request("/", ""));
    world.run(&mut server, HANDSHAKE_TIMEOUT);
    let [joined, silent] =
        players.map(|mut player| String::from_utf8(player.take()[..12].to_vec()));
    assert_eq!(joined.unwrap(), "HTTP/1.1 101");
    assert_eq!(silent.unwrap(), "HTTP/1.1 408");
}

#[test]
fn a_suspended_client_continues_to_connect() {
    let mut world = World::new(StreamConditions::default());
    let mut listener = world.network.listener();
    let mut client = world.client(ClientOptions::default());
    world.turn(&mut client);
    let _server = RawPeer::accepted(&mut listener);
    world.turn(&mut client);
    world.pass(SUSPENSION);
    world.turn(&mut client);
    assert_eq!(client.connection_status(), ConnectionStatus::Connecting);
    world.run(&mut client, HANDSHAKE_TIMEOUT);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn a_suspended_server_tries_a_full_socket_again_before_it_ends_the_connection() {
    for reads in [true, false] {
        let mut world =
            World::new(StreamConditions { capacity: 10_000, ..StreamConditions::default() });
        let mut server = world.server(ServerOptions::default());
        let (mut player, connection) = world.joined(&mut server);
        for _ in 0..3 {
            server.send(packet(connection, TransferMode::Reliable, vec![7; 10_000])).unwrap();
        }
        world.turn(&mut server);
        world.pass(SUSPENSION);
        assert_eq!(world.turn(&mut server), []);
        if reads {
            for _ in 0..3 {
                player.take();
                world.turn(&mut server);
            }
        }
        let events = world.run(&mut server, RELIABLE_PROGRESS_TIMEOUT);
        assert_eq!(end_of(&events), (!reads).then_some(DisconnectReason::QueueFull));
    }
}

#[test]
fn idle_connection_sends_pongs_that_tcp_can_time_out() {
    let interval = TCP_TIMEOUT / KEEPALIVES_PER_TIMEOUT;
    for has_timeout in [false, true] {
        let mut world = World::new(StreamConditions { has_timeout, ..StreamConditions::default() });
        let mut server = world.server(ServerOptions::default());
        let (mut player, connection) = world.joined(&mut server);
        world.run(&mut server, interval * 3 + MOMENT);
        let mut received = player.take();
        let pongs = frames(&mut received);
        assert!(pongs.iter().all(|frame| frame.first == 0x8A && frame.payload.is_empty()));
        assert_eq!(pongs.len(), if has_timeout { 3 } else { 0 });
        // Other output replaces the pongs.
        for _ in 0..20 {
            server.send(packet(connection, TransferMode::Reliable, vec![7])).unwrap();
            world.run(&mut server, interval / 2);
        }
        let mut received = player.take();
        assert!(frames(&mut received).iter().all(|frame| frame.first == 0x82));
    }
}
