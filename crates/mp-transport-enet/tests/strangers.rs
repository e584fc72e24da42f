//! What strangers and slow peers can cost: slots, bytes sent to forged addresses, memory, queues.

mod common;

use std::time::Duration;

use common::{
    RawClient, address, at, connect_command, connect_datagram, datagram, events, packets, parse,
    pattern, reliable, server, transmits, unreliable,
};
use mp_core::{DisconnectReason, Farewell, Instant};
use mp_transport_enet::proto::command::{
    Body, CONTROL_CHANNEL, Command, FLAG_ACKNOWLEDGE, Fragment,
};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{Admission, Host, HostEvent, HostSettings, NO_PEER, PacketFlags};

const FROM: &str = "10.0.0.2:5000";

/// The datagram that turns a client away, as a real Godot client understands it.
const REFUSAL: &str = "0000" /* to its slot 0 */;

fn assert_refused(host: &mut Host, now: u64, from: &str, data: u32) {
    host.handle_datagram(at(now), address(from), &connect_datagram(at(now), data, data));
    let sent = transmits(host, at(now));
    let refusal = format!("{REFUSAL}44ff000100000000");
    assert_eq!(sent, [(address(from), common::unhex(&refusal))]);
    assert!(events(host).is_empty());
}

#[test]
fn a_client_with_a_bad_id_is_told_at_once() {
    let mut host = server(HostSettings::default());
    // Godot 4.6.3 takes the last three for clients with negative ids.
    for data in [0, 1, 0x8000_0000, 0xffff_fffe, 0xffff_ffff] {
        assert_refused(&mut host, 1_000, FROM, data);
    }
    assert_eq!(host.stats().connections_refused, 5);
}

#[test]
fn a_client_with_an_id_in_use_is_told_at_once() {
    let mut host = server(HostSettings::default());
    let first = RawClient::connect(&mut host, at(1_000), FROM, 77);
    assert_refused(&mut host, 1_000, "10.0.0.3:5000", 77);
    first.send(&mut host, at(1_100), &[Command::control(2, Body::Disconnect { data: 0 })]);
    transmits(&mut host, at(1_100));
    events(&mut host);
    RawClient::connect(&mut host, at(1_200), "10.0.0.3:5000", 77);
}

#[test]
fn ids_may_repeat_when_the_rooms_judge_them() {
    let mut settings = HostSettings::default();
    settings.admission = Admission::PeerIds { unique: false };
    let mut host = server(settings);
    RawClient::connect(&mut host, at(1_000), FROM, 77);
    RawClient::connect(&mut host, at(1_000), "10.0.0.3:5000", 77);
}

#[test]
fn of_two_clients_with_one_id_in_the_handshake_the_first_to_answer_stays() {
    let mut host = server(HostSettings::default());
    let now = at(1_000);
    let first = RawClient::half_open(&mut host, now, FROM, 77);
    let second = RawClient::half_open(&mut host, now, "10.0.0.3:5000", 77);
    second.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, now);
    assert!(matches!(events(&mut host)[..], [HostEvent::Connected { data: 77, .. }]));
    first.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, now);
    assert!(events(&mut host).is_empty());
    let sent = transmits(&mut host, now);
    let told = sent.iter().find(|(to, _)| *to == first.address).unwrap();
    assert!(matches!(parse(&told.1).1[0].body, Body::Disconnect { data: 0 }));
}

#[test]
fn a_full_server_tells_at_once() {
    let mut settings = HostSettings::default();
    settings.max_peers = 2;
    let mut host = server(settings);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:1", 2);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:2", 3);
    assert_eq!(host.connected_peers(), 2);
    assert_refused(&mut host, 1_000, "10.0.0.2:3", 4);
}

#[test]
fn a_refusing_server_tells_at_once_and_keeps_its_clients() {
    let mut host = server(HostSettings::default());
    let mut client = RawClient::connect(&mut host, at(1_000), FROM, 77);
    host.set_refuse_new_connections(true);
    assert_refused(&mut host, 1_000, "10.0.0.3:5000", 78);
    let ping = client.ping();
    client.send(&mut host, at(1_100), &[ping]);
    assert_eq!(client.acknowledged(&mut host, at(1_100), CONTROL_CHANNEL), [2]);
    host.set_refuse_new_connections(false);
    RawClient::connect(&mut host, at(1_200), "10.0.0.3:5000", 78);
}

#[test]
fn an_address_has_only_so_many_connections() {
    let mut settings = HostSettings::default();
    settings.max_peers_per_address = 2;
    let mut host = server(settings);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:1", 2);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:2", 3);
    assert_refused(&mut host, 1_000, "10.0.0.2:3", 4);
    RawClient::connect(&mut host, at(1_000), "10.0.0.3:1", 5);
}

#[test]
fn a_flood_of_half_open_connections_does_not_keep_an_honest_client_out() {
    // 32 datagrams keep honest clients out of Godot 4.6.3's 32 slots for half a minute.
    let mut host = server(HostSettings::default());
    for number in 0..5_000_u32 {
        let from = format!("10.1.{}.{}:9", number >> 8 & 0xff, number & 0xff);
        let bytes = connect_datagram(at(1_000), number, 1_000 + number);
        host.handle_datagram(at(1_000), address(&from), &bytes);
    }
    transmits(&mut host, at(1_000));
    RawClient::connect(&mut host, at(1_000), FROM, 77);
    assert_eq!(host.stats().half_open_dropped, 5_000 - 1_024 + 1);
}

#[test]
fn a_half_open_connection_ends_after_ten_seconds() {
    let mut host = server(HostSettings::default());
    let client = RawClient::half_open(&mut host, at(1_000), FROM, 77);
    let mut now = at(1_000);
    while let Some(next) = host.poll_timeout() {
        now = next;
        host.handle_timeout(now);
        transmits(&mut host, now);
    }
    assert_eq!(now, at(11_000));
    client.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, at(1_000));
    assert!(events(&mut host).is_empty(), "nobody was there to be reported");
    assert_eq!(host.stats().datagrams_stray, 1);
}

#[test]
fn an_address_that_does_not_answer_gets_at_most_three_times_what_it_cost() {
    // 5.7 times with Godot 4.6.3, headers of IP and UDP included.
    let mut host = server(HostSettings::default());
    let connect = connect_datagram(at(1_000), 5, 77);
    let mut received = 0;
    let mut sent = 0;
    for now in (1_000..12_000).step_by(100) {
        // The same CONNECT twice, as a client that hears nothing sends it.
        if now == 1_000 || now == 4_000 {
            host.handle_datagram(at(now), address(FROM), &connect);
            received += connect.len() + 28;
        }
        host.handle_timeout(at(now));
        for (_, bytes) in transmits(&mut host, at(now)) {
            sent += bytes.len() + 28;
        }
        assert!(sent <= received * 3, "{sent} for {received} after {now} ms");
    }
    assert_eq!(sent, 5 * (48 + 28), "0, 0.5, 1.5, 3.5 (held until the second CONNECT) and 7.5 s");
}

#[test]
fn a_repeated_connect_opens_nothing_new() {
    let mut host = server(HostSettings::default());
    let connect = connect_datagram(at(1_000), 5, 77);
    host.handle_datagram(at(1_000), address(FROM), &connect);
    assert_eq!(transmits(&mut host, at(1_000)).len(), 1);
    host.handle_datagram(at(1_010), address(FROM), &connect);
    assert!(transmits(&mut host, at(1_010)).is_empty(), "the answer is already on its way");
    assert_eq!(host.stats().connections_refused, 0);
}

#[test]
fn a_lost_acknowledgement_of_the_handshake_is_made_good_by_the_next_datagram() {
    let mut host = server(HostSettings::default());
    let mut client = RawClient::half_open(&mut host, at(1_000), FROM, 77);
    // The client believes itself connected and pings; the server answers no ping yet, but its VERIFY_CONNECT again.
    for now in [1_500, 2_500] {
        host.handle_timeout(at(now));
        transmits(&mut host, at(now));
    }
    host.handle_timeout(at(4_600));
    assert!(transmits(&mut host, at(4_600)).is_empty(), "three times is enough for one CONNECT");
    let ping = client.ping();
    client.send(&mut host, at(4_700), &[ping]);
    let sent = transmits(&mut host, at(4_700));
    assert!(matches!(parse(&sent[0].1).1[..], [Command { body: Body::VerifyConnect(_), .. }]));
    client.acknowledge(&mut host, at(4_710), CONTROL_CHANNEL, 1, at(4_700));
    assert!(matches!(events(&mut host)[..], [HostEvent::Connected { data: 77, .. }]));
}

#[test]
fn a_client_that_begins_anew_at_its_address_is_not_sent_what_was_for_the_old_one() {
    let mut host = server(HostSettings::default());
    let old = RawClient::connect(&mut host, at(1_000), FROM, 77);
    let mut new = RawClient::half_open(&mut host, at(1_000), FROM, 78);
    let say = |host: &mut Host, to| {
        host.send(to, 0, PacketFlags::RELIABLE, bytes::Bytes::from(pattern(0, 10)).into()).unwrap();
        transmits(host, at(1_000)).iter().map(|(_, bytes)| parse(bytes).0.session).collect()
    };
    let to_old: Vec<u8> = say(&mut host, old.connection);

    new.acknowledge(&mut host, at(1_000), CONTROL_CHANNEL, 1, at(1_000));
    let events = events(&mut host);
    let [HostEvent::Connected { connection, .. }, ended] = &events[..] else {
        panic!("{events:?}")
    };
    new.connection = *connection;
    let (connection, reason) = (old.connection, DisconnectReason::Timeout);
    assert_eq!(*ended, HostEvent::Disconnected { connection, reason });

    let to_new: Vec<u8> = say(&mut host, new.connection);
    assert_ne!(to_old, to_new, "it can tell what is on its way from what is for it");
    assert_eq!(to_old.len(), 1);
    assert_eq!(say(&mut host, old.connection), Vec::<u8>::new());
    assert_eq!(host.connection_stats(old.connection), None);
}

#[test]
fn nonsense_in_connect_opens_nothing() {
    let mut host = server(HostSettings::default());
    let header = Header { peer_id: NO_PEER, session: 0, compressed: false, sent_time: Some(5) };
    for change in 0..3 {
        let mut command = connect_command(5, 77);
        let Body::Connect(connect) = &mut command.body else { unreachable!() };
        match change {
            0 => connect.terms.channel_count = 0,
            1 => connect.terms.channel_count = 256,
            _ => connect.terms.peer_id = NO_PEER,
        }
        host.handle_datagram(at(1_000), address(FROM), &datagram(header, &[command]));
    }
    host.handle_datagram(
        at(1_000),
        address(FROM),
        &datagram(header, &[Command::control(1, Body::Ping)]),
    );
    host.handle_datagram(at(1_000), address(FROM), &datagram(header, &[]));
    assert!(transmits(&mut host, at(1_000)).is_empty());
    assert_eq!(host.stats().datagrams_malformed, 5);
    assert_eq!(host.poll_timeout(), None);
}

#[test]
fn data_before_the_handshake_is_complete_is_not_taken() {
    let mut host = server(HostSettings::default());
    let client = RawClient::half_open(&mut host, at(1_000), FROM, 77);
    client.send(&mut host, at(1_000), &[reliable(0, 1, b"early")]);
    let Body::Connect(connect) = connect_command(77, 77).body else { unreachable!() };
    let verify = Command::control(1, Body::VerifyConnect(connect.terms));
    client.send(&mut host, at(1_000), &[verify]);
    assert!(transmits(&mut host, at(1_000)).is_empty(), "nothing is acknowledged yet");
    client.acknowledge(&mut host, at(1_010), CONTROL_CHANNEL, 1, at(1_000));
    client.send(&mut host, at(1_020), &[reliable(0, 1, b"early")]);
    assert_eq!(packets(&mut host).len(), 1, "it comes again");
}

#[test]
fn a_client_takes_no_connections() {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Nobody;
    let mut host = server(settings);
    host.handle_datagram(at(1_000), address(FROM), &connect_datagram(at(1_000), 5, 77));
    assert!(transmits(&mut host, at(1_000)).is_empty());
    assert_eq!(host.stats().datagrams_stray, 1);
}

// Memory.

fn connected() -> (Host, RawClient) {
    let mut host = server(HostSettings::default());
    let client = RawClient::connect(&mut host, at(10_000), FROM, 77);
    (host, client)
}

#[test]
fn announced_bytes_cost_nothing() {
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
        // Number 1 never comes.
        for sequence in 2..4_000 {
            client.send(&mut host, at(10_100), &[reliable(channel, sequence, &payload)]);
            acknowledged += client.acknowledged(&mut host, at(10_100), channel).len();
        }
    }
    let waiting = host.waiting_bytes(client.connection).unwrap();
    assert!(waiting <= 4 << 20, "{waiting}");
    assert_eq!(acknowledged, (4 << 20) / (1_300 + 64), "what is not kept is not acknowledged");
    client.send(&mut host, at(10_100), &[reliable(0, 1, &payload)]);
    assert_eq!(client.acknowledged(&mut host, at(10_100), 0), [1], "what is next is always taken");
    assert!(host.waiting_bytes(client.connection).unwrap() < 100);
}

#[test]
fn empty_packets_cannot_be_kept_in_any_number() {
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
    // Two at once, on two channels: the second is held back by its sender until the first is whole.
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
        let mut withheld = Vec::new();
        for (channel, number) in missing {
            client.send(&mut host, at(10_100 + round), &[piece(channel, number)]);
            if client.acknowledged(&mut host, at(10_100 + round), channel).is_empty() {
                withheld.push((channel, number));
            }
            assert!(
                host.waiting_bytes(client.connection).unwrap() <= (12 << 20) + (4 << 20) + 65_536
            );
        }
        missing = withheld;
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
    // Godot's ENet would count these bytes for ever.
    for channel in 0..5 {
        client.send(&mut host, at(10_100), &[unreliable(channel, 0, 65_000, b"later")]);
    }
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
    assert_eq!(packets(&mut host).len(), 5);
}

// Back-pressure.

#[test]
fn packets_that_nobody_takes_fill_a_queue_and_no_more() {
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
    assert_eq!(client.acknowledged(&mut host, now, 0), [2_049], "there is room again");
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
    // One that is larger than the queue but alone is sent.
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
    assert!(events(&mut host).is_empty(), "it was reported already");
    assert_eq!(host.connected_peers(), 0);
}

/// A link to a peer that has been sent something at 10.1 s and acknowledges nothing.
fn without_progress() -> (Host, RawClient) {
    let mut settings = HostSettings::default();
    // Without these its silence about data would end it sooner.
    settings.patience.limit = u32::MAX;
    settings.patience.maximum = Duration::from_secs(1_000);
    let mut host = server(settings);
    let client = RawClient::connect(&mut host, at(10_000), FROM, 77);
    host.send(client.connection, 0, PacketFlags::RELIABLE, bytes::Bytes::from_static(b"x").into())
        .unwrap();
    transmits(&mut host, at(10_100));
    (host, client)
}

/// What is reported next, when, and the datagrams that are sent then.
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
fn a_link_that_could_not_deliver_what_it_had_accepted_does_not_report_a_goodbye() {
    let (mut host, client) = without_progress();
    let connection = client.connection;
    host.disconnect(connection, 7, DisconnectReason::Closed, Farewell::Drain);
    let end = HostEvent::Disconnected { connection, reason: DisconnectReason::QueueFull };
    let (ends, now, sent) = next_event(&mut host);
    assert_eq!((ends, now), (vec![end], at(40_100)));
    let goodbye = parse(&sent[0]).1[0].body;
    assert!(matches!(goodbye, Body::Disconnect { data: 7 }), "{goodbye:?}");
    client.acknowledge(&mut host, at(40_110), CONTROL_CHANNEL, 2, at(40_100));
    assert!(events(&mut host).is_empty(), "it was reported already");
}

#[test]
fn a_link_that_is_lost_before_it_has_delivered_what_it_had_accepted_reports_that() {
    for (arrives, reason) in [(false, DisconnectReason::Timeout), (true, DisconnectReason::Closed)]
    {
        let (mut host, client) = connected();
        let connection = client.connection;
        let last_words = bytes::Bytes::from_static(b"x");
        host.send(connection, 0, PacketFlags::RELIABLE, last_words.into()).unwrap();
        transmits(&mut host, at(10_100));
        host.disconnect(connection, 0, DisconnectReason::Closed, Farewell::Drain);
        if arrives {
            client.acknowledge(&mut host, at(10_110), 0, 1, at(10_100));
            transmits(&mut host, at(10_110));
        }
        // Nobody acknowledges the goodbye.
        assert_eq!(next_event(&mut host).0, [HostEvent::Disconnected { connection, reason }]);
    }
}

#[test]
fn a_packet_that_cannot_be_sent_is_refused() {
    let (mut host, client) = connected();
    let payload = bytes::Bytes::from(vec![0; (32 << 20) + 1]);
    let error = host.send(client.connection, 0, PacketFlags::RELIABLE, payload.into()).unwrap_err();
    assert_eq!(error.to_string(), "packet of 33554433 bytes is larger than 33554432");
    let error = host
        .send(client.connection, 255, PacketFlags::RELIABLE, bytes::Bytes::new().into())
        .unwrap_err();
    assert_eq!(error.to_string(), "channel 255 is beyond the 255 channels agreed on");
}
