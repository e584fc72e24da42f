//! Limits for all connections of a server together, and time limits for incomplete messages.

use std::time::Duration;

use mp_core::{Connections, DisconnectReason, MultiplayerPeer, TransferMode};
use mp_transport_ws::ServerOptions;
use mp_transport_ws::limits::{MESSAGE_TIMEOUT, WAITING_BYTES_OF_EACH};
use mp_transport_ws::testing::StreamConditions;

use crate::common::*;

const MESSAGE: usize = 1 << 20;
const WAITING: usize = 4 << 20;
const PLAYERS: usize = 20;

fn options() -> ServerOptions {
    ServerOptions::default().buffer_sizes(MESSAGE).buffered_bytes(WAITING)
}

#[test]
fn incomplete_messages_of_all_connections_are_bounded() {
    let mut world = World::new(StreamConditions {
        capacity: 4 << 20,
        chunk: 4 << 20,
        ..StreamConditions::default()
    });
    let mut server = world.server(options());
    let (mut honest, id) = world.joined(&mut server);
    // All but the last byte of a message.
    let whole = masked(0x82, &vec![7; MESSAGE]);
    let mut ends = 0;
    let mut players: Vec<_> = (0..PLAYERS).map(|_| world.joined(&mut server).0).collect();
    for player in &mut players {
        player.send(&whole[..whole.len() - 1]);
        for _ in 0..40 {
            let end = end_of(&world.turn(&mut server));
            assert!(end.is_none_or(|end| end == DisconnectReason::QueueFull), "{end:?}");
            ends += usize::from(end.is_some());
            player.receive();
            if player.end.is_some() {
                player.shutdown();
            }
        }
    }
    // With their headers, one message less than `WAITING / MESSAGE` fits.
    assert_eq!(ends, PLAYERS - (WAITING / MESSAGE - 1));
    assert_eq!(server.server_stats().shed, ends as u64);
    // A message within the share of each connection is received.
    let small = vec![8; WAITING_BYTES_OF_EACH / 2];
    honest.send(&masked(0x82, &small));
    let received: Vec<_> = (0..10).flat_map(|_| packets(&world.turn(&mut server))).collect();
    assert_eq!(received, [small]);
    assert!(server.connection_stats(id).is_some());
}

#[test]
fn packets_for_full_sockets_of_all_connections_are_bounded() {
    let mut world =
        World::new(StreamConditions { capacity: 10_000, ..StreamConditions::default() });
    let mut server = world.server(options());
    let players: Vec<_> = (0..PLAYERS).map(|_| world.joined(&mut server)).collect();
    let mut most = 0;
    for _ in 0..20 {
        for &(_, player) in &players {
            let piece = vec![7; WAITING_BYTES_OF_EACH / 2];
            server.send(packet(player, TransferMode::Reliable, piece)).unwrap();
            let queued =
                |&(_, player): &_| server.connection_stats(player).map_or(0, |s| s.queued_bytes);
            most = most.max(players.iter().map(queued).sum());
        }
        world.turn(&mut server);
    }
    let of_each = (PLAYERS * 2 * WAITING_BYTES_OF_EACH) as u64;
    assert!(most > WAITING as u64 / 2 && most < WAITING as u64 + of_each, "{most}");
}

#[test]
fn a_payload_for_many_full_sockets_counts_once() {
    let mut world =
        World::new(StreamConditions { capacity: 10_000, ..StreamConditions::default() });
    let mut server = world.server(options());
    let players: Vec<_> = (0..PLAYERS).map(|_| world.joined(&mut server)).collect();
    let all: Vec<_> = players.iter().map(|&(_, player)| player).collect();
    let len = MESSAGE - 1_000;
    for payload in [vec![7; 20_000], vec![7; len], vec![7; len], vec![7; len]] {
        let mut packet = packet(all[0], TransferMode::Reliable, payload);
        packet.to = Connections::Many(all.clone().into());
        server.send(packet).unwrap();
        assert_eq!(world.turn(&mut server), []);
    }
    for player in all {
        assert!(server.connection_stats(player).unwrap().queued_bytes > 3 * len as u64);
    }
}

#[test]
fn incomplete_message_closes_its_connection_after_a_timeout() {
    let half = |len: usize| masked(0x82, &vec![7; 1_000])[..len].to_vec();
    for begun in [half(1), half(500), masked(0x02, b"a fragment")] {
        let mut world = World::new(StreamConditions::default());
        let mut server = world.server(ServerOptions::default());
        let (mut player, id) = world.joined(&mut server);
        player.send(&begun);
        world.turn(&mut server);
        let left = MESSAGE_TIMEOUT - Duration::from_secs(1);
        assert_eq!(world.run(&mut server, left), []);
        // Neither pings nor time in which the server does not read extend its deadline.
        player.send(if begun.len() == 16 { b"\x89\x80\0\0\0\0" } else { b"" });
        server.pause_receiving(id, true);
        assert_eq!(world.run(&mut server, MESSAGE_TIMEOUT * 2), []);
        server.pause_receiving(id, false);
        assert_eq!(world.run(&mut server, left), []);
        let events = world.run(&mut server, Duration::from_secs(6));
        assert_eq!(end_of(&events), Some(DisconnectReason::Timeout), "{}", begun.len());
    }
}
