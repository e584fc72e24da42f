//! Limits of the rate at which connections send.

use std::time::Duration;

use bytes::Bytes;
use mp_core::limits::EXCESS_GAP;
use mp_core::{
    BranchId, BranchRate, DisconnectReason, Rate, ReceiveLimits, StateMachine, ToEndpoint,
    TransferMode,
};

use crate::world::*;

fn packets(rate: Rate) -> ReceiveLimits {
    let mut limits = ReceiveLimits::default();
    limits.packets = Some(rate);
    limits
}

/// Returns an endpoint with limits of each connection, and a client of the lobby.
fn limited(limits: ReceiveLimits) -> (World<EvenToLobby>, Client) {
    let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
    world.endpoint.set_receive_limits(limits);
    let client = joined(&mut world, 2);
    (world, client)
}

fn joined(world: &mut World<EvenToLobby>, id: i32) -> Client {
    let mut client = world.join(id);
    world.turn();
    client.turn();
    client
}

fn send(client: &mut Client, mode: TransferMode, packets: u32) {
    for number in 0..packets {
        client.queue_as(mode, Bytes::copy_from_slice(&number.to_le_bytes()));
    }
    client.flush();
}

/// Runs turns when they are due, up to `by` after now.
fn run(world: &mut World<EvenToLobby>, by: Duration) {
    let end = world.now + by;
    loop {
        world.turn();
        match world.endpoint.poll_timeout() {
            Some(next) if next <= end => world.now = world.now.max(next),
            _ => break,
        }
    }
    world.now = end;
    world.turn();
}

fn received(world: &World<EvenToLobby>, branch: BranchId) -> usize {
    world.payloads(branch).len()
}

#[test]
fn unreliable_packets_above_the_rate_are_dropped_and_counted() {
    let (mut world, mut client) = limited(packets(Rate::per_second(10).with_burst(20)));
    send(&mut client, TransferMode::Unreliable, 50);
    world.turn();
    assert_eq!(received(&world, LOBBY), 20);
    assert_eq!(world.endpoint.stats().rate_drops, 30);
    world.now += Duration::from_secs(1);
    send(&mut client, TransferMode::Unreliable, 50);
    world.turn();
    assert_eq!(received(&world, LOBBY), 30, "ten more in a second");
    assert_eq!(world.endpoint.stats().rate_pauses, 0);
}

#[test]
fn payload_bytes_are_limited_like_packets() {
    let mut limits = ReceiveLimits::default();
    limits.bytes = Some(Rate::per_second(1_000).with_burst(1_000));
    let (mut world, mut client) = limited(limits);
    for _ in 0..5 {
        client.queue_as(TransferMode::Unreliable, vec![0; 400]);
    }
    client.flush();
    world.turn();
    assert_eq!((received(&world, LOBBY), world.endpoint.stats().rate_drops), (2, 3));
}

#[test]
fn reliable_packets_above_the_rate_slow_their_sender_down_and_none_is_lost() {
    const PACKETS: u32 = 8_000;
    let (mut world, mut client) = limited(packets(Rate::per_second(1_000).with_burst(100)));
    let mut sent = 0;
    let mut most_received = Vec::new();
    while received(&world, LOBBY) < PACKETS as usize {
        while sent < PACKETS && sent < received(&world, LOBBY) as u32 + 2_500 {
            client.queue(Bytes::copy_from_slice(&sent.to_le_bytes()));
            sent += 1;
        }
        client.flush();
        run(&mut world, Duration::from_secs(1));
        most_received.push(received(&world, LOBBY));
        assert!(most_received.len() < 20, "stuck at {most_received:?}");
    }
    let numbers = world.payloads(LOBBY);
    let numbers = numbers.iter().map(|it| u32::from_le_bytes(it[..].try_into().unwrap()));
    assert!(numbers.eq(0..PACKETS), "every packet is received once and in order");
    assert!(most_received.len() >= 4, "faster than the rate: {most_received:?}");
    assert!(world.endpoint.stats().rate_pauses > 0);
    assert_eq!(world.endpoint.stats().rate_drops, 0);
}

#[test]
fn connection_that_is_paused_for_its_rate_does_not_affect_others() {
    let (mut world, mut client) = limited(packets(Rate::per_second(1).with_burst(1)));
    let mut other = joined(&mut world, 4);
    send(&mut client, TransferMode::Reliable, 10);
    world.turn();
    assert_eq!(world.endpoint.stats().rate_pauses, 1);
    assert_eq!(world.endpoint.poll_timeout(), Some(world.now + Duration::from_secs(9)));
    other.send("not affected");
    world.turn();
    assert_eq!(world.payloads(LOBBY).last().unwrap(), "not affected");
}

#[test]
fn connection_above_its_rate_for_long_is_closed_with_the_reason() {
    let mut limits = packets(Rate::per_second(10).with_burst(10));
    limits.disconnect_after = Some(Duration::from_secs(5));
    let (mut world, mut client) = limited(limits);
    let connection = world.connections()[0];
    for tenth in 0..=50 {
        assert_eq!(world.ends(LOBBY), [], "after {tenth} tenths of a second");
        send(&mut client, TransferMode::Unreliable, 20);
        world.turn();
        world.now += Duration::from_millis(100);
    }
    assert_eq!(world.ends(LOBBY), [(connection, DisconnectReason::RateExceeded)]);
    assert_eq!(world.endpoint.stats().rate_disconnects, 1);
    assert_eq!(world.endpoint.stats().connections, 0);
}

#[test]
fn peaks_with_pauses_close_no_connection() {
    let mut limits = packets(Rate::per_second(10).with_burst(10));
    limits.disconnect_after = Some(Duration::from_secs(5));
    let (mut world, mut client) = limited(limits);
    for _ in 0..20 {
        send(&mut client, TransferMode::Unreliable, 20);
        world.turn();
        world.now += EXCESS_GAP + Duration::from_millis(1);
    }
    assert!(world.endpoint.stats().rate_drops > 100);
    assert_eq!(world.ends(LOBBY), []);
}

#[test]
fn used_tokens_of_a_connection_move_with_it() {
    let (mut world, mut client) = limited(packets(Rate::per_second(1).with_burst(5)));
    let connection = world.connections()[0];
    send(&mut client, TransferMode::Unreliable, 3);
    world.turn();
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried: Box::default() });
    send(&mut client, TransferMode::Unreliable, 5);
    world.turn();
    assert_eq!((received(&world, LOBBY), received(&world, ARENA)), (3, 2));
}

#[test]
fn moved_connection_stays_paused_for_its_rate() {
    let (mut world, mut client) = limited(packets(Rate::per_second(1).with_burst(5)));
    let connection = world.connections()[0];
    send(&mut client, TransferMode::Reliable, 10);
    world.turn();
    world.handle(LOBBY, ToEndpoint::Move { connection, branch: ARENA, carried: Box::default() });
    send(&mut client, TransferMode::Unreliable, 5);
    client.send("later");
    world.turn();
    assert_eq!(received(&world, ARENA), 0, "the move does not resume receiving");
    run(&mut world, Duration::from_secs(7));
    assert_eq!(world.payloads(ARENA), ["later"]);
}

#[test]
fn total_of_a_branch_limits_its_connections_on_all_endpoints() {
    let total = BranchRate::new(packets(Rate::per_second(10).with_burst(30)));
    let mut worlds = [0, 1].map(|_| {
        let mut world = World::new(EvenToLobby, [LOBBY, ARENA]);
        world.endpoint.set_branch_rate(LOBBY, Some(total.clone()));
        world
    });
    for world in &mut worlds {
        let mut clients = [2, 4, 3].map(|id| joined(world, id));
        for client in &mut clients {
            send(client, TransferMode::Unreliable, 10);
        }
        world.turn();
        assert_eq!(received(world, ARENA), 10, "another branch is not affected");
    }
    assert_eq!(worlds.each_ref().map(|world| received(world, LOBBY)), [20, 10]);
    assert_eq!(worlds.each_ref().map(|world| world.endpoint.stats().rate_drops), [0, 10]);
}

#[test]
fn limits_are_replaced_while_connections_exist() {
    let (mut world, mut client) = limited(ReceiveLimits::default());
    send(&mut client, TransferMode::Unreliable, 100);
    world.turn();
    assert_eq!(received(&world, LOBBY), 100);
    world.endpoint.set_receive_limits(packets(Rate::per_second(1).with_burst(3)));
    send(&mut client, TransferMode::Unreliable, 100);
    world.turn();
    assert_eq!(received(&world, LOBBY), 103);
}

#[test]
fn connection_paused_for_its_rate_stays_paused_when_its_branch_accepts_events_again() {
    let (mut world, mut client) = limited(packets(Rate::per_second(1).with_burst(1)));
    send(&mut client, TransferMode::Reliable, 10);
    world.turn();
    let mut other = joined(&mut world, 4);
    world.endpoint.set_receive_limits(ReceiveLimits::default());
    world.full.insert(LOBBY);
    world.fill(&mut other);
    world.full.clear();
    world.turn();
    client.send("later");
    world.turn();
    assert!(!world.payloads(LOBBY).contains(&Bytes::from("later")));
    run(&mut world, Duration::from_secs(10));
    assert!(world.payloads(LOBBY).contains(&Bytes::from("later")));
}
