//! The endpoint over the memory network: routing, batches, back-pressure and closing.

mod ack_delay;
mod addresses;
mod conditions;
mod decisions;
mod lingering;
mod overflow;
mod rates;
mod routing;
mod shared;
mod world;

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::limits::{
    BATCH_BYTES_MAX, BATCH_EVENTS_MAX, DRAIN_TIMEOUT, PENDING_BATCHES_MAX,
    RECEIVE_QUEUE_PACKETS_MAX,
};
use mp_core::{
    CloseMode, ConnectionStatus, DisconnectReason, MemoryMultiplayerPeer, MultiplayerPeer,
    PeerEvent, PeerId, Rng, StateMachine, ToBranch, ToEndpoint, TransferMode,
};

use world::*;

#[test]
fn opened_is_first_and_describes_the_transport() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let _client = world.join(2);
    world.turn();
    let [ToBranch::Opened(ENDPOINT, info), ToBranch::Events(ENDPOINT, events)] =
        world.messages(LOBBY)
    else {
        panic!("messages: {:?}", world.messages(LOBBY))
    };
    assert_eq!(info.unique_id, PeerId::SERVER);
    assert_eq!(info.status, ConnectionStatus::Connected);
    assert!(info.relay_supported);
    assert!(matches!(events[..], [PeerEvent::Connected { .. }]));
}

#[test]
fn opened_is_sent_once() {
    let mut world = World::new(LOBBY, [LOBBY]);
    world.endpoint.serve(LOBBY);
    world.turn();
    assert_eq!(world.messages(LOBBY).len(), 1);
}

#[test]
fn router_assigns_each_connection_to_its_branch() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let mut clients = [world.join(2), world.join(3), world.join(4)];
    world.turn();
    for client in &mut clients {
        client.turn();
        client.send(format!("from {}", client.peer.unique_id()));
    }
    world.turn();
    assert_eq!(world.payloads(LOBBY), ["from 2", "from 4"]);
    assert_eq!(world.payloads(ARENA), ["from 3"]);
}

#[test]
fn connection_rejected_by_the_router_is_reported_to_no_branch() {
    let mut world = World::new(Closed, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    world.turn();
    assert_eq!(world.messages(LOBBY).len(), 1, "only Opened");
    assert_eq!(world.endpoint.stats().rejected_connections, 1);
    assert_eq!(world.endpoint.stats().connections, 0);
}

#[test]
fn connection_to_a_branch_that_is_not_served_is_rejected() {
    let mut world = World::new(ARENA, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    assert_eq!(world.endpoint.stats().rejected_connections, 1);
}

#[test]
fn batches_are_bounded_in_events_and_bytes() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    for _ in 0..1_000 {
        client.queue("small");
    }
    for _ in 0..100 {
        client.queue(vec![0; 10_000]);
    }
    client.flush();
    world.turn();
    let batches = world.batches(LOBBY);
    let sizes: Vec<_> = batches.iter().map(|batch| batch.len()).collect();
    assert_eq!(sizes.iter().sum::<usize>(), 1_101);
    assert!(sizes.iter().all(|&events| events <= BATCH_EVENTS_MAX));
    assert!(sizes.contains(&BATCH_EVENTS_MAX), "{sizes:?}");
    for batch in &batches {
        let bytes = batch.iter().map(payload_len).collect::<Vec<_>>();
        let but_last = bytes[..bytes.len() - 1].iter().sum::<usize>();
        assert!(but_last < BATCH_BYTES_MAX, "{but_last} bytes before the last event");
    }
    assert_eq!(world.endpoint.stats().batches, batches.len() as u64);
}

#[test]
fn full_branch_pauses_its_connections_and_loses_no_reliable_packet() {
    const PACKETS: u32 = (BATCH_EVENTS_MAX * PENDING_BATCHES_MAX * 3) as u32;
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let (mut lobby, mut arena) = (world.join(2), world.join(3));
    world.turn();
    lobby.turn();
    arena.turn();
    world.full.insert(LOBBY);
    for number in 0..PACKETS {
        lobby.queue(number.to_le_bytes().to_vec());
        if number % 1_000 == 0 {
            lobby.flush();
            world.turn();
        }
    }
    lobby.flush();
    for _ in 0..10 {
        world.turn();
    }
    assert_eq!(world.endpoint.stats().pauses, 1);
    arena.send("not affected");
    world.turn();
    assert_eq!(world.payloads(ARENA), ["not affected"]);

    // The endpoint queues a bounded number of packets; the others stay with the client.
    world.full.clear();
    world.deliver();
    let kept = world.payloads(LOBBY).len();
    let bound = BATCH_EVENTS_MAX * PENDING_BATCHES_MAX + RECEIVE_QUEUE_PACKETS_MAX;
    assert!(kept <= bound, "{kept} packets queued, limit {bound}");

    for _ in 0..20 {
        world.turn();
    }
    let numbers = world
        .payloads(LOBBY)
        .into_iter()
        .map(|payload| u32::from_le_bytes(payload[..].try_into().expect("four bytes")));
    assert!(numbers.eq(0..PACKETS), "every packet is received once and in order");
}

#[test]
fn full_branch_drops_and_counts_unreliable_packets() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    world.full.insert(LOBBY);
    world.fill(&mut client);
    assert_eq!(world.endpoint.stats().pauses, 1);
    for _ in 0..10 {
        client.queue_as(TransferMode::Unreliable, "gone");
    }
    client.queue("kept");
    client.flush();
    world.turn();
    let connection = world.connections()[0];
    let drops = world.endpoint.connection_stats(connection).expect("a connection").receive_drops;
    assert_eq!(drops, 10);
    world.full.clear();
    world.turn();
    world.turn();
    let payloads = world.payloads(LOBBY);
    assert!(payloads.iter().all(|payload| payload != "gone"));
    assert_eq!(payloads.last().expect("packets"), "kept");
}

#[test]
fn full_branch_rejects_new_connections() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut first = world.join(2);
    world.turn();
    first.turn();
    world.full.insert(LOBBY);
    world.fill(&mut first);
    let mut second = world.join(3);
    world.turn();
    second.turn();
    assert_eq!(second.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    assert_eq!(world.endpoint.stats().rejected_connections, 1);
    world.full.clear();
    world.turn();
    let mut third = world.join(4);
    world.turn();
    third.turn();
    assert_eq!((third.disconnect_reason(), world.connections().len()), (None, 2));
}

#[test]
fn short_connections_do_not_fill_the_queue_of_a_stuck_branch() {
    let mut world = World::new(LOBBY, [LOBBY]);
    world.full.insert(LOBBY);
    let join_and_leave = |world: &mut World<_>| {
        for id in 2..10_002 {
            let client = world.join(id);
            world.turn();
            drop(client);
        }
        world.turn();
    };
    join_and_leave(&mut world);
    assert!(world.endpoint.stats().rejected_connections > 0, "the queue is full");
    let rejected = world.endpoint.stats().rejected_connections;
    join_and_leave(&mut world);
    assert_eq!(world.endpoint.stats().rejected_connections, rejected + 10_000);
    world.full.clear();
    world.deliver();
    assert!(
        world.messages(LOBBY).len() <= PENDING_BATCHES_MAX + 1,
        "{}",
        world.messages(LOBBY).len()
    );
}

#[test]
fn branch_sends_to_its_connections_and_closes_them() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = world.connections()[0];
    world.handle(
        LOBBY,
        ToEndpoint::Send(vec![packet(connection, "one"), packet(connection, "two")]),
    );
    world.turn();
    client.turn();
    assert_eq!(client.payloads(), ["one", "two"]);
    world.handle(
        LOBBY,
        ToEndpoint::Disconnect {
            connection,
            reason: DisconnectReason::Kicked,
            close_mode: CloseMode::Graceful,
        },
    );
    world.turn();
    world.turn();
    client.turn();
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::Kicked)]);
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
}

#[test]
fn immediate_disconnect_is_not_reported_to_the_branch() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    client.send("discarded");
    let (connection, reason) = (world.connections()[0], DisconnectReason::Kicked);
    world.handle(
        LOBBY,
        ToEndpoint::Disconnect { connection, reason, close_mode: CloseMode::Immediate },
    );
    world.turn();
    world.turn();
    assert!(world.ends(LOBBY).is_empty() && world.payloads(LOBBY).is_empty());
    assert_eq!(world.endpoint.stats().connections, 0);
    client.turn();
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
}

#[test]
fn packet_rejected_by_the_transport_is_counted() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let _client = world.join(2);
    world.turn();
    let max = world.endpoint.peer().max_packet_size();
    let too_large = packet(world.connections()[0], vec![0; max + 1]);
    world.handle(LOBBY, ToEndpoint::Send(vec![too_large]));
    assert_eq!(world.endpoint.stats().rejected_packets, 1);
}

#[test]
fn branch_can_refuse_new_connections() {
    let mut world = World::new(LOBBY, [LOBBY]);
    world.handle(LOBBY, ToEndpoint::RefuseNewConnections(true));
    let mut client = world.join(2);
    world.turn();
    client.turn();
    assert_eq!(client.peer.connection_status(), ConnectionStatus::Disconnected);
    assert!(world.connections().is_empty());
}

#[test]
fn leaving_with_drain_delivers_accepted_packets_and_then_closes() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = world.connections()[0];
    world.handle(
        LOBBY,
        ToEndpoint::Send((0..100).map(|n| packet(connection, vec![n; 1_000])).collect()),
    );
    world.leave(LOBBY, CloseMode::Drain);
    world.turn();
    world.turn();
    assert!(!world.endpoint.is_finished(), "the client has not received the packets");
    client.turn();
    assert_eq!(client.payloads().len(), 100);
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    world.turn();
    assert!(world.endpoint.is_finished());
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::Closed)]);
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
    assert_eq!(world.endpoint.poll_timeout(), None);
    assert!(!world.endpoint.has_output());
}

#[test]
fn drain_is_aborted_at_its_deadline() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = world.connections()[0];
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "never read")]));
    world.leave(LOBBY, CloseMode::Drain);
    world.turn();
    let deadline = world.now + DRAIN_TIMEOUT;
    while world.now < deadline {
        assert!(!world.endpoint.is_finished());
        world.now = world.endpoint.poll_timeout().expect("a turn for the drain");
        world.turn();
    }
    assert_eq!(world.now, deadline);
    assert!(world.endpoint.is_finished());
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::Closed)]);
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
    client.turn();
    assert!(client.payloads().is_empty());
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
}

#[test]
fn second_leave_does_not_extend_the_deadline() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = world.connections()[0];
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "never read")]));
    world.leave(LOBBY, CloseMode::Drain);
    let deadline = world.now + DRAIN_TIMEOUT;
    world.now += Duration::from_secs(1);
    world.leave(LOBBY, CloseMode::Drain);
    while !world.endpoint.is_finished() {
        world.now = world.endpoint.poll_timeout().expect("a turn for the drain");
        world.turn();
    }
    assert_eq!(world.now, deadline);
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_abort_a_drain() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    let connection = world.connections()[0];
    world.handle(LOBBY, ToEndpoint::Send(vec![packet(connection, "read after the stop")]));
    world.leave(LOBBY, CloseMode::Drain);
    world.turn();
    world.now += DRAIN_TIMEOUT * 2;
    world.turn();
    assert!(!world.endpoint.is_finished());
    client.turn();
    assert_eq!(client.payloads(), ["read after the stop"]);
}

#[test]
fn leaving_with_immediate_disconnect_closes_immediately() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut client = world.join(2);
    world.turn();
    client.turn();
    world.leave(LOBBY, CloseMode::Immediate);
    world.turn();
    assert!(world.endpoint.is_finished());
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
    assert!(world.ends(LOBBY).is_empty());
    client.turn();
    assert_eq!(client.disconnect_reason(), Some(DisconnectReason::Remote(0)));
}

#[test]
fn leaving_without_connections_closes_immediately() {
    let mut world = World::new(LOBBY, [LOBBY]);
    world.leave(LOBBY, CloseMode::Drain);
    world.turn();
    assert!(world.endpoint.is_finished());
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
}

#[test]
fn one_branch_leaves_and_the_others_continue() {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    let (mut lobby, mut arena) = (world.join(2), world.join(3));
    world.turn();
    lobby.turn();
    arena.turn();
    world.leave(LOBBY, CloseMode::Graceful);
    for _ in 0..3 {
        world.turn();
        lobby.turn();
    }
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
    assert_eq!(world.ends(LOBBY).len(), 1);
    assert_eq!(lobby.disconnect_reason(), Some(DisconnectReason::Remote(0)));
    assert!(!world.endpoint.is_finished());
    assert_eq!(world.closed(ARENA), None);
    assert_eq!(world.endpoint.poll_timeout(), None, "nothing drains");

    arena.send("still here");
    let mut late = world.join(4);
    world.turn();
    late.turn();
    assert_eq!(world.payloads(ARENA), ["still here"]);
    assert_eq!(
        late.disconnect_reason(),
        Some(DisconnectReason::Remote(0)),
        "the lobby is not served"
    );

    world.endpoint.serve(LOBBY);
    let mut back = world.join(6);
    world.turn();
    back.turn();
    assert_eq!(back.disconnect_reason(), None, "the lobby is served again");

    world.leave(ARENA, CloseMode::Immediate);
    world.leave(LOBBY, CloseMode::Immediate);
    world.turn();
    assert!(world.endpoint.is_finished());
    assert_eq!(world.closed(ARENA), Some(DisconnectReason::Closed));
}

#[test]
fn lost_session_of_a_client_is_closed_with_the_reason_of_its_connection() {
    let mut server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(peer_id(2));
    let mut world = World::around(client, LOBBY, [LOBBY]);
    drain(&mut server);
    world.turn();
    let connection = world.connections()[0];
    server.close();
    drain(&mut server);
    world.turn();
    assert!(world.endpoint.is_finished());
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::Remote(0))]);
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Remote(0)));
}

#[test]
fn client_that_fails_to_connect_is_closed_with_timeout() {
    let server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(peer_id(2));
    drop(server);
    let mut world = World::around(client, LOBBY, [LOBBY]);
    world.turn();
    let [ToBranch::Opened(_, info), ToBranch::Closed(_, reason)] = world.messages(LOBBY) else {
        panic!("messages: {:?}", world.messages(LOBBY))
    };
    assert_eq!(info.status, ConnectionStatus::Connecting);
    assert_eq!(*reason, DisconnectReason::Timeout);
}

#[test]
fn client_that_failed_before_it_was_served_is_closed() {
    let server = MemoryMultiplayerPeer::server();
    let mut client = server.address().connect(peer_id(2));
    client.close();
    let mut world = World::around(client, LOBBY, [LOBBY]);
    world.turn();
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Timeout));
}

#[test]
fn client_that_disconnects_immediately_is_closed_with_its_own_reason() {
    let mut server = MemoryMultiplayerPeer::server();
    let client = server.address().connect(peer_id(2));
    let mut world = World::around(client, LOBBY, [LOBBY]);
    drain(&mut server);
    world.turn();
    let (connection, reason) = (world.connections()[0], DisconnectReason::Closed);
    world.handle(
        LOBBY,
        ToEndpoint::Disconnect { connection, reason, close_mode: CloseMode::Immediate },
    );
    world.turn();
    assert!(world.ends(LOBBY).is_empty());
    assert_eq!(world.closed(LOBBY), Some(DisconnectReason::Closed));
}

/// Clients join, send and disconnect in all ways, while branches are full at times and leave at the
/// end.
#[test]
fn each_branch_receives_connected_then_packets_then_disconnected() {
    for seed in 0..20 {
        let mut rng = Rng::seed_from_u64(seed);
        let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
        let mut clients = Vec::new();
        for turn in 0..200 {
            match rng.below(6) {
                0 | 1 => clients.push(world.join(2 + turn)),
                2 if !clients.is_empty() => {
                    let index = rng.below(clients.len() as u64) as usize;
                    drop(clients.swap_remove(index));
                }
                3 => {
                    let connections = world.connections();
                    if let Some(&connection) = connections.get(rng.below(8) as usize) {
                        let close_mode =
                            [CloseMode::Graceful, CloseMode::Drain][rng.below(2) as usize];
                        let reason = DisconnectReason::Kicked;
                        let branch = world.branch_of(connection);
                        world.handle(
                            branch,
                            ToEndpoint::Disconnect { connection, reason, close_mode },
                        );
                    }
                }
                4 => drop(world.full.insert([LOBBY, ARENA][rng.below(2) as usize])),
                _ => world.full.clear(),
            }
            world.turn();
            for client in &mut clients {
                client.turn();
                if client.connection().is_some() {
                    client.send("chatter");
                }
            }
        }
        world.full.clear();
        world.leave(LOBBY, CloseMode::Drain);
        world.leave(ARENA, CloseMode::Graceful);
        for _ in 0..5 {
            world.turn();
            clients.iter_mut().for_each(Client::turn);
        }
        assert!(world.endpoint.is_finished(), "seed {seed}");
        for branch in [LOBBY, ARENA] {
            let connections = check_order(world.messages(branch), seed);
            assert!(connections > 5, "seed {seed}: only {connections} connections of {branch:?}");
        }
    }
}

/// Checks the order of the messages for a branch and returns the number of its connections.
fn check_order(messages: &[ToBranch], seed: u64) -> usize {
    assert!(
        matches!(messages.first(), Some(ToBranch::Opened(..))),
        "seed {seed}: {:?}",
        messages.first()
    );
    assert!(
        matches!(messages.last(), Some(ToBranch::Closed(..))),
        "seed {seed}: {:?}",
        messages.last()
    );
    let mut phases = BTreeMap::new();
    for message in &messages[1..messages.len() - 1] {
        let ToBranch::Events(_, events) = message else { panic!("seed {seed}: {message:?}") };
        for event in events {
            match event {
                PeerEvent::Connected { connection, .. } => {
                    assert_eq!(phases.insert(*connection, true), None, "seed {seed}");
                }
                PeerEvent::Packet(packet) => {
                    assert_eq!(phases.get(&packet.from), Some(&true), "seed {seed}");
                }
                PeerEvent::Disconnected { connection, .. } => {
                    assert_eq!(phases.insert(*connection, false), Some(true), "seed {seed}");
                }
                other => panic!("unknown event {other:?}"),
            }
        }
    }
    assert!(
        phases.values().all(|&connected| !connected),
        "seed {seed}: a connection without Disconnected"
    );
    phases.len()
}
