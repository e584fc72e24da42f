//! Limits of the memory that a host uses for one connected peer: out-of-order packets, and the
//! queues in both directions. Back-pressure is in `pause.rs`, handshakes are in `admission.rs`.

mod common;

use std::time::Duration;

use common::{
    RawClient, at, events, packets, parse, pattern, reliable, server, transmits, unreliable,
};
use mp_core::{CloseMode, DisconnectReason, Instant};
use mp_transport_enet::proto::command::{
    Body, CONTROL_CHANNEL, Command, FLAG_ACKNOWLEDGE, Fragment,
};
use mp_transport_enet::proto::{Host, HostEvent, HostSettings, PacketFlags};

const FROM: &str = "10.0.0.2:5000";

fn connected() -> (Host, RawClient) {
    let mut host = server(HostSettings::default());
    let client = RawClient::connect(&mut host, at(10_000), FROM, 77);
    (host, client)
}

#[test]
fn the_announced_length_of_a_packet_takes_no_memory() {
    let (mut host, client) = connected();
    for channel in 0..255 {
        let fragment = Fragment {
            start: 1,
            count: 24_601,
            number: 0,
            total: 32 << 20,
            offset: 0,
            payload: &pattern(0, 1_364),
        };
        let body = Body::SendFragment(fragment);
        let command = Command { flags: FLAG_ACKNOWLEDGE, channel, sequence: 1, body };
        client.send(&mut host, at(10_100), &[command]);
    }
    assert_eq!(host.waiting_bytes(client.connection), Some(255 * (1_364 + 64)));
}

#[test]
fn reliable_packets_out_of_order_are_kept_up_to_four_mebibytes() {
    let (mut host, client) = connected();
    let payload = pattern(0, 1_300);
    let mut acknowledged = 0;
    for channel in 0..10 {
        // Number 1 is missing.
        for sequence in 2..4_000 {
            client.send(&mut host, at(10_100), &[reliable(channel, sequence, &payload)]);
            acknowledged += client.acknowledged(&mut host, at(10_100), channel).len();
        }
    }
    let waiting = host.waiting_bytes(client.connection).unwrap();
    assert!(waiting <= 4 << 20, "{waiting}");
    assert_eq!(
        acknowledged,
        (4 << 20) / (1_300 + 64),
        "only buffered packets must be acknowledged"
    );
    client.send(&mut host, at(10_100), &[reliable(0, 1, &payload)]);
    assert_eq!(
        client.acknowledged(&mut host, at(10_100), 0),
        [1],
        "the next packet must always be accepted"
    );
    assert!(host.waiting_bytes(client.connection).unwrap() < 100);
}

#[test]
fn empty_packets_count_against_the_memory_bound() {
    let (mut host, client) = connected();
    for channel in 0..20 {
        let commands: Vec<_> =
            (2..20_000).map(|sequence| reliable(channel, sequence, &[])).collect();
        for commands in commands.chunks(600) {
            client.send(&mut host, at(10_100), commands);
        }
    }
    assert!(host.waiting_bytes(client.connection).unwrap() <= 4 << 20);
}

#[test]
fn a_packet_larger_than_the_budget_still_arrives_and_gives_its_bytes_back() {
    let (mut host, client) = connected();
    let whole = pattern(0, 12 << 20);
    let count = whole.len().div_ceil(1_364) as u32;
    // Two at once, on two channels. The second must be retransmitted until the first is complete.
    let piece = |channel: u8, number: u32| {
        let offset = number as usize * 1_364;
        let payload = &whole[offset..whole.len().min(offset + 1_364)];
        let fragment = Fragment {
            start: 1,
            count,
            number,
            total: whole.len() as u32,
            offset: offset as u32,
            payload,
        };
        let sequence = 1_u16.wrapping_add(number as u16);
        Command { flags: FLAG_ACKNOWLEDGE, channel, sequence, body: Body::SendFragment(fragment) }
    };
    let mut missing: Vec<(u8, u32)> =
        (0..count).flat_map(|number| [(0, number), (1, number)]).collect();
    let mut arrived = 0;
    for round in 0..3 {
        let mut deferred = Vec::new();
        for (channel, number) in missing {
            client.send(&mut host, at(10_100 + round), &[piece(channel, number)]);
            if client.acknowledged(&mut host, at(10_100 + round), channel).is_empty() {
                deferred.push((channel, number));
            }
            assert!(
                host.waiting_bytes(client.connection).unwrap() <= (12 << 20) + (4 << 20) + 65_536
            );
        }
        missing = deferred;
        for (_, _, payload) in packets(&mut host) {
            assert!(payload == whole);
            arrived += 1;
        }
    }
    assert_eq!((arrived, missing.len()), (2, 0));
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
}

#[test]
fn pieces_of_unreliable_packets_are_kept_up_to_four_mebibytes() {
    let (mut host, client) = connected();
    let payload = pattern(0, 1_364);
    for sequence in 1..20_000_u16 {
        let fragment = Fragment {
            start: sequence,
            count: 2,
            number: 0,
            total: 2_728,
            offset: 0,
            payload: &payload,
        };
        let body = Body::SendUnreliableFragment(fragment);
        let command = Command { flags: 0, channel: (sequence % 5) as u8, sequence: 0, body };
        client.send(&mut host, at(10_100), &[command]);
        assert!(host.waiting_bytes(client.connection).unwrap() <= 4 << 20);
    }
    // Godot's ENet would charge these bytes forever.
    for channel in 0..5 {
        client.send(&mut host, at(10_100), &[unreliable(channel, 0, 65_000, b"later")]);
    }
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
    assert_eq!(packets(&mut host).len(), 5);
}

#[test]
fn packets_that_are_not_polled_are_bounded_and_then_not_acknowledged() {
    let (mut host, client) = connected();
    let now = at(10_100);
    let mut acknowledged = 0;
    for sequence in 1..=5_000 {
        client.send(
            &mut host,
            now,
            &[reliable(0, sequence, &[1]), unreliable(0, sequence, 1, &[2])],
        );
        acknowledged += client.acknowledged(&mut host, now, 0).len();
    }
    assert_eq!(acknowledged, 2_048);
    assert_eq!(packets(&mut host).len(), 4_096);
    client.send(&mut host, now, &[reliable(0, 2_049, &[1])]);
    assert_eq!(
        client.acknowledged(&mut host, now, 0),
        [2_049],
        "the queue must have capacity again"
    );
}

#[test]
fn the_oldest_unreliable_packets_are_dropped_when_their_queue_is_full() {
    let (mut host, client) = connected();
    for number in 0..1_000_u32 {
        let mut payload = pattern(0, 1_000);
        payload[..4].copy_from_slice(&number.to_be_bytes());
        let payload = bytes::Bytes::from(payload);
        host.send(client.connection, 0, PacketFlags::UNSEQUENCED, payload.into()).unwrap();
    }
    let kept = 256 * 1_024 / (1_000 + 64);
    let stats = host.connection_stats(client.connection).unwrap();
    assert_eq!(stats.send_drops, 1_000 - kept);
    let sent = transmits(&mut host, at(10_100));
    let first = parse(&sent[0].1).1[0].body.payload()[..4].to_vec();
    assert_eq!(first, (1_000 - kept as u32).to_be_bytes());
    // A packet that exceeds the queue is sent if it is alone.
    let large = bytes::Bytes::from(pattern(0, 1 << 20));
    host.send(client.connection, 0, PacketFlags::UNRELIABLE_FRAGMENT, large.into()).unwrap();
    assert_eq!(transmits(&mut host, at(10_100)).len(), (1_usize << 20).div_ceil(1_364));
}

#[test]
fn a_peer_whose_reliable_queue_is_full_is_closed() {
    let (mut host, client) = connected();
    let payload = bytes::Bytes::from(vec![0; 16 << 20]);
    for _ in 0..3 {
        host.send(client.connection, 0, PacketFlags::RELIABLE, payload.clone().into()).unwrap();
    }
    assert!(events(&mut host).is_empty());
    host.send(client.connection, 0, PacketFlags::RELIABLE, payload.into()).unwrap();
    let connection = client.connection;
    let end = HostEvent::Disconnected { connection, reason: DisconnectReason::QueueFull };
    assert_eq!(events(&mut host), [end]);
    let sent = transmits(&mut host, at(10_100));
    assert_eq!(sent.len(), 1);
    assert!(matches!(parse(&sent[0].1).1[0].body, Body::Disconnect { .. }));
    client.acknowledge(&mut host, at(10_110), CONTROL_CHANNEL, 2, at(10_100));
    assert!(events(&mut host).is_empty(), "the end was reported before");
    assert_eq!(host.connected_peers(), 0);
}

/// Returns a connection with a packet sent at 10.1 s, whose remote peer acknowledges nothing.
fn without_progress() -> (Host, RawClient) {
    let mut settings = HostSettings::default();
    // Otherwise the peer would time out earlier.
    settings.timeout.limit = u32::MAX;
    settings.timeout.maximum = Duration::from_secs(1_000);
    let mut host = server(settings);
    let client = RawClient::connect(&mut host, at(10_000), FROM, 77);
    host.send(client.connection, 0, PacketFlags::RELIABLE, bytes::Bytes::from_static(b"x").into())
        .unwrap();
    transmits(&mut host, at(10_100));
    (host, client)
}

/// Returns the next event, its time, and the datagrams sent then.
fn next_event(host: &mut Host) -> (Vec<HostEvent>, Instant, Vec<Vec<u8>>) {
    loop {
        let now = host.poll_timeout().unwrap();
        host.handle_timeout(now);
        let (events, sent) = (events(host), transmits(host, now));
        if !events.is_empty() {
            return (events, now, sent.into_iter().map(|(_, datagram)| datagram).collect());
        }
    }
}

#[test]
fn a_peer_that_acknowledges_no_data_is_closed_after_thirty_seconds() {
    let (mut host, client) = without_progress();
    let connection = client.connection;
    let end = HostEvent::Disconnected { connection, reason: DisconnectReason::QueueFull };
    let (ends, now, _) = next_event(&mut host);
    assert_eq!((ends, now), (vec![end], at(40_100)));
}

#[test]
fn a_draining_connection_without_progress_ends_with_queue_full() {
    let (mut host, client) = without_progress();
    let connection = client.connection;
    host.disconnect(connection, 7, DisconnectReason::Closed, CloseMode::Drain);
    let end = HostEvent::Disconnected { connection, reason: DisconnectReason::QueueFull };
    let (ends, now, sent) = next_event(&mut host);
    assert_eq!((ends, now), (vec![end], at(40_100)));
    let disconnect = parse(&sent[0]).1[0].body;
    assert!(matches!(disconnect, Body::Disconnect { data: 7 }), "{disconnect:?}");
    client.acknowledge(&mut host, at(40_110), CONTROL_CHANNEL, 2, at(40_100));
    assert!(events(&mut host).is_empty(), "the end was reported before");
}

#[test]
fn a_draining_connection_ends_with_a_timeout_unless_everything_was_delivered() {
    for (arrives, reason) in [(false, DisconnectReason::Timeout), (true, DisconnectReason::Closed)]
    {
        let (mut host, client) = connected();
        let connection = client.connection;
        let last_words = bytes::Bytes::from_static(b"x");
        host.send(connection, 0, PacketFlags::RELIABLE, last_words.into()).unwrap();
        transmits(&mut host, at(10_100));
        host.disconnect(connection, 0, DisconnectReason::Closed, CloseMode::Drain);
        if arrives {
            client.acknowledge(&mut host, at(10_110), 0, 1, at(10_100));
            transmits(&mut host, at(10_110));
        }
        // The DISCONNECT is not acknowledged.
        assert_eq!(next_event(&mut host).0, [HostEvent::Disconnected { connection, reason }]);
    }
}

#[test]
fn a_packet_that_cannot_be_sent_is_rejected() {
    let (mut host, client) = connected();
    let payload = bytes::Bytes::from(vec![0; (32 << 20) + 1]);
    let error = host.send(client.connection, 0, PacketFlags::RELIABLE, payload.into()).unwrap_err();
    assert_eq!(error.to_string(), "packet of 33554433 bytes is larger than 33554432");
    let error = host
        .send(client.connection, 255, PacketFlags::RELIABLE, bytes::Bytes::new().into())
        .unwrap_err();
    assert_eq!(error.to_string(), "channel 255 is beyond the 255 channels agreed on");
}
