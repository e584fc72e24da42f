//! Limits of the memory that all connections of a host use together.

mod common;

use bytes::Bytes;
use common::{RawClient, at, events, pattern, reliable, server, transmits, unreliable};
use mp_core::{CloseMode, DisconnectReason};
use mp_transport_enet::limits::{QUEUED_BYTES_SHARE, WAITING_BYTES_OF_EACH};
use mp_transport_enet::proto::command::{Body, Command};
use mp_transport_enet::proto::{Host, HostEvent, HostSettings, PacketFlags};

const PEERS: usize = 20;
const SUM: usize = 4 << 20;
const NOW: u64 = 10_000;

fn settings() -> HostSettings {
    let mut settings = HostSettings::default();
    settings.queued_bytes = SUM;
    settings.waiting_bytes = SUM;
    settings
}

/// Returns connected clients that acknowledge nothing.
fn clients(host: &mut Host, from: usize, count: usize) -> Vec<RawClient> {
    (from..from + count)
        .map(|number| {
            let address = format!("10.0.9.{number}:9");
            RawClient::connect(host, at(NOW), &address, 5_000 + number as u32)
        })
        .collect()
}

fn ends(host: &mut Host) -> Vec<DisconnectReason> {
    let end = |event| match event {
        HostEvent::Disconnected { reason, .. } => Some(reason),
        _ => None,
    };
    events(host).into_iter().filter_map(end).collect()
}

#[test]
fn reliable_packets_for_all_peers_together_are_bounded() {
    let mut host = server(settings());
    let silent = clients(&mut host, 0, PEERS);
    let honest = clients(&mut host, PEERS, 1).remove(0);
    let packet = Bytes::from(pattern(0, 100_000));
    for _ in 0..10 {
        for client in &silent {
            // A separate payload for each.
            let own = Bytes::copy_from_slice(&packet);
            host.send(client.connection, 0, PacketFlags::RELIABLE, own.into()).unwrap();
            assert!(host.queued_bytes() <= SUM + (PEERS + 1) * QUEUED_BYTES_SHARE);
            transmits(&mut host, at(NOW));
        }
    }
    let ends = ends(&mut host);
    assert!(ends.iter().all(|&end| end == DisconnectReason::QueueFull), "{ends:?}");
    // Each of them would use 1 MB.
    assert!((PEERS / 2..PEERS).contains(&ends.len()), "{} connections closed", ends.len());
    assert_eq!(host.stats().shed, ends.len() as u64);
    // A connection below its share can still send.
    let own = Bytes::copy_from_slice(&packet);
    host.send(honest.connection, 0, PacketFlags::RELIABLE, own.into()).unwrap();
    assert!(host.connection_stats(honest.connection).unwrap().queued_bytes > 100_000);
    assert_eq!(events(&mut host), []);
}

#[test]
fn unreliable_packets_are_dropped_at_the_limit_of_all_peers() {
    let mut host = server(settings());
    let all = clients(&mut host, 0, 2);
    let (last, other) = (&all[0], &all[1]);
    let send = |host: &mut Host, client: &RawClient, len, flags| {
        host.send(client.connection, 0, flags, Bytes::from(pattern(0, len)).into()).unwrap();
    };
    send(&mut host, last, QUEUED_BYTES_SHARE - 50_000, PacketFlags::RELIABLE);
    while host.queued_bytes() < SUM - 2_000 {
        send(&mut host, other, 1_000, PacketFlags::RELIABLE);
    }
    let before = host.connection_stats(last.connection).unwrap();
    for _ in 0..200 {
        send(&mut host, last, 1_000, PacketFlags::UNRELIABLE);
    }
    let stats = host.connection_stats(last.connection).unwrap();
    let queued = (stats.queued_bytes - before.queued_bytes) as usize;
    assert!((10_000..50_000).contains(&queued), "{queued} bytes");
    assert_eq!(stats.send_drops as usize, 200 - queued / 1_064);
    assert_eq!((events(&mut host), host.stats().shed), (vec![], 0));
}

#[test]
fn a_payload_for_many_peers_counts_once() {
    let mut host = server(settings());
    let silent = clients(&mut host, 0, PEERS);
    let packet = Bytes::from(pattern(0, SUM / 2));
    host.broadcast(0, PacketFlags::RELIABLE, &packet.into()).unwrap();
    assert!(host.queued_bytes() < SUM, "{}", host.queued_bytes());
    assert!(host.queued_bytes() > SUM / 2, "{}", host.queued_bytes());
    for client in &silent {
        let queued = host.connection_stats(client.connection).unwrap().queued_bytes;
        assert!(queued as usize > SUM / 2, "the limit of a peer counts all bytes");
    }
    assert_eq!(events(&mut host), []);
}

#[test]
fn queued_bytes_are_released_on_acknowledgement_and_disconnect() {
    let mut host = server(settings());
    let all = clients(&mut host, 0, 2);
    let payload = Bytes::from(pattern(0, 10_000));
    host.broadcast(0, PacketFlags::RELIABLE, &payload.clone().into()).unwrap();
    host.broadcast(1, PacketFlags::UNRELIABLE, &payload.slice(..500).into()).unwrap();
    assert!(host.queued_bytes() > 10_000);
    transmits(&mut host, at(NOW));
    for sequence in 1..=8 {
        all[0].acknowledge(&mut host, at(NOW), 0, sequence, at(NOW));
    }
    assert_eq!(host.connection_stats(all[0].connection).unwrap().queued_bytes, 0);
    let left = host.queued_bytes();
    assert!((5_000..7_000).contains(&left), "{left}: the half of the other peer must remain");
    let disconnect = Command::control(2, Body::Disconnect { data: 0 });
    all[1].send(&mut host, at(NOW), &[disconnect]);
    assert_eq!(host.queued_bytes(), 0);
}

#[test]
fn packets_of_all_peers_that_are_not_polled_are_bounded() {
    let mut host = server(settings());
    let mut all = clients(&mut host, 0, PEERS + 1);
    let late = all.pop().unwrap();
    let payload = pattern(0, 1_000);
    let mut accepted = 0;
    for number in 1..=1_000 {
        for client in &all {
            let commands = [reliable(0, number, &payload), unreliable(1, 0, number, &payload)];
            client.send(&mut host, at(NOW), &commands);
            accepted += client.acknowledged(&mut host, at(NOW), 0).len();
            assert!(host.received_bytes() <= SUM + PEERS * (WAITING_BYTES_OF_EACH + 2_000));
        }
    }
    assert!(host.received_bytes() >= SUM);
    // Reliable packets are retransmitted.
    assert_eq!(host.stats().deferred as usize, 1_000 * PEERS - accepted);
    assert!(host.stats().deferred > 0);
    let drops: u64 =
        all.iter().map(|it| host.connection_stats(it.connection).unwrap().receive_drops).sum();
    // A client that has sent nothing has a share.
    late.send(&mut host, at(NOW), &[reliable(0, 1, &payload)]);
    assert_eq!(late.acknowledged(&mut host, at(NOW), 0), [1]);

    let packets =
        events(&mut host).iter().filter(|it| matches!(it, HostEvent::Packet { .. })).count();
    assert_eq!(packets as u64, accepted as u64 + (1_000 * PEERS as u64 - drops) + 1);
    assert_eq!(host.received_bytes(), 0, "all bytes must be released");
}

#[test]
fn packets_of_disconnected_peers_count_until_they_are_polled() {
    let mut host = server(settings());
    let client = clients(&mut host, 0, 1).remove(0);
    client.send(&mut host, at(NOW), &[reliable(0, 1, b"one"), reliable(0, 3, b"three")]);
    let disconnect = Command::control(2, Body::Disconnect { data: 0 });
    client.send(&mut host, at(NOW), &[disconnect]);
    transmits(&mut host, at(NOW));
    assert_eq!(host.received_bytes(), 3 + 64, "the third packet was out of order");
    assert_eq!(events(&mut host).len(), 2);
    assert_eq!(host.received_bytes(), 0);
}

#[test]
fn packets_of_a_removed_peer_do_not_count() {
    let mut host = server(settings());
    let all = clients(&mut host, 0, 2);
    for client in &all {
        client.send(&mut host, at(NOW), &[reliable(0, 1, b"one"), reliable(0, 3, b"three")]);
    }
    let (kicked, abrupt) = (DisconnectReason::Kicked, CloseMode::Immediate);
    host.disconnect(all[0].connection, 0, kicked, abrupt);
    assert_eq!(host.received_bytes(), 3 + 64 + 5 + 64, "the packets of the other peer remain");
    host.close(0);
    assert_eq!(host.received_bytes(), 0);
}
