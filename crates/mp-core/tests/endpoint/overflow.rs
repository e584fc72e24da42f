//! A transport that does not pause connections, as `ScriptedPeer`, does not exhaust memory when a
//! branch accepts nothing.

use bytes::Bytes;
use mp_core::limits::{BATCH_EVENTS_MAX, PENDING_BATCHES_MAX};
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    BranchId, CloseMode, DisconnectReason, Endpoint, Instant, PeerEvent, PeerId, StateMachine,
    ToBranch, ToEndpoint, TransferMode,
};

use crate::world::{ARENA, ENDPOINT, LOBBY, World};

/// Returns the messages for a branch that accepted nothing while `packets` packets were received,
/// and the endpoint.
fn flooded(packets: usize, mode: TransferMode) -> (Vec<ToBranch>, Endpoint<ScriptedPeer>) {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, PeerId::new(2));
    peer.receive(0, packets, mode, Bytes::new());
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    for _ in 0..2 {
        endpoint.end_turn(Instant::from_millis(1));
        endpoint.deliver(&mut |_, message| Err(message));
    }
    let mut messages = Vec::new();
    endpoint.deliver(&mut |_, message| {
        messages.push(message);
        Ok(())
    });
    (messages, endpoint)
}

const BOUND: usize = 2 * PENDING_BATCHES_MAX * BATCH_EVENTS_MAX;

#[test]
fn unreliable_packets_beyond_the_limit_are_dropped_and_counted() {
    let (messages, endpoint) = flooded(BOUND + 1_000, TransferMode::Unreliable);
    assert!(messages.len() <= 2 * PENDING_BATCHES_MAX, "{} messages", messages.len());
    assert!(endpoint.stats().dropped_packets >= 1_000);
    assert_eq!(endpoint.peer().disconnected, []);
}

#[test]
fn connection_that_loses_a_reliable_packet_is_closed_and_reported() {
    let (messages, endpoint) = flooded(BOUND + 1_000, TransferMode::Reliable);
    assert_eq!(endpoint.stats().dropped_packets, 1, "later packets belong to no connection");
    let reason = DisconnectReason::QueueFull;
    assert_eq!(endpoint.peer().disconnected, [(connection(0), reason, CloseMode::Immediate)]);
    let Some(ToBranch::Events(_, events)) = messages.last() else {
        panic!("{:?}", messages.last())
    };
    assert_eq!(events.last(), Some(&PeerEvent::Disconnected { connection: connection(0), reason }));
}

#[test]
fn burst_of_any_size_is_delivered_to_a_branch_that_accepts_it() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, PeerId::new(2));
    peer.receive(0, 2 * BOUND, TransferMode::Reliable, Bytes::new());
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    let (mut events, now) = (0, Instant::from_millis(1));
    while events < 1 + 2 * BOUND {
        endpoint.end_turn(now);
        endpoint.deliver(&mut |_, message| {
            if let ToBranch::Events(_, batch) = message {
                events += batch.len();
            }
            Ok(())
        });
        assert!(
            events > 2 * BOUND || endpoint.poll_timeout() == Some(now),
            "the next turn is due immediately"
        );
    }
    assert_eq!(endpoint.stats().dropped_packets, 0);
}

#[test]
fn simultaneous_bursts_of_many_memory_clients_lose_nothing() {
    let mut world = World::new(LOBBY, [LOBBY]);
    let mut clients: Vec<_> = (2..18).map(|id| world.join(id)).collect();
    world.turn();
    world.full.insert(LOBBY);
    for client in &mut clients {
        client.turn();
        for _ in 0..4_000 {
            client.queue("burst");
        }
        client.flush();
    }
    for _ in 0..100 {
        world.turn();
    }
    world.full.clear();
    for _ in 0..100 {
        world.turn();
    }
    assert_eq!(world.payloads(LOBBY).len(), 16 * 4_000);
    assert_eq!(world.endpoint.stats().dropped_packets, 0);
    assert_eq!(world.endpoint.stats().connections, 16);
}

/// Receives `packets` packets of a held connection, and then moves the connection to the arena.
/// Returns the number of packets that each branch receives, and the endpoint.
fn held(packets: usize, mode: TransferMode) -> ([usize; 2], Endpoint<ScriptedPeer>) {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, PeerId::new(2));
    let mut endpoint = Endpoint::new(ENDPOINT, peer, LOBBY);
    endpoint.serve(LOBBY);
    endpoint.serve(ARENA);
    let (mut received, now) = ([0; 2], Instant::from_millis(1));
    let mut turn = |endpoint: &mut Endpoint<ScriptedPeer>| {
        endpoint.end_turn(now);
        endpoint.deliver(&mut |BranchId(branch), message| {
            if let ToBranch::Events(_, events) = message {
                let packets = events.iter().filter(|it| matches!(it, PeerEvent::Packet(_)));
                received[branch as usize] += packets.count();
            }
            Ok(())
        });
    };
    turn(&mut endpoint);
    let connection = connection(0);
    endpoint.handle_input(now, (LOBBY, ToEndpoint::Hold { connection }));
    endpoint.peer_mut().receive(0, packets, mode, Bytes::new());
    turn(&mut endpoint);
    let carried = Box::default();
    endpoint.handle_input(now, (LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried }));
    for _ in 0..4 {
        turn(&mut endpoint);
    }
    (received, endpoint)
}

#[test]
fn packets_of_a_held_connection_follow_it_although_the_transport_does_not_pause() {
    let (received, endpoint) = held(1_000, TransferMode::Reliable);
    assert_eq!((received, endpoint.stats().dropped_packets), ([0, 1_000], 0));
}

#[test]
fn packets_of_a_held_connection_are_bounded() {
    let (received, endpoint) = held(BOUND + 1_000, TransferMode::Unreliable);
    assert_eq!((received, endpoint.stats().dropped_packets), ([0, BOUND], 1_000));
    let (_, endpoint) = held(BOUND + 1_000, TransferMode::Reliable);
    let reason = DisconnectReason::QueueFull;
    assert_eq!(endpoint.peer().disconnected, [(connection(0), reason, CloseMode::Immediate)]);
}
