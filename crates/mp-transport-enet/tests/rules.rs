//! Rules of the protocol: delivery, acknowledgements, retransmission. The examples were checked
//! with Godot 4.6.3 where possible.

mod common;

use common::{
    RawClient, address, at, connect_datagram, datagram, events, packets, parse, pattern, reliable,
    server, transmits, unreliable,
};
use mp_core::{ConnectionId, DisconnectReason};
use mp_transport_enet::ServerOptions;
use mp_transport_enet::proto::command::{
    Body, CONTROL_CHANNEL, Command, FLAG_ACKNOWLEDGE, FLAG_UNSEQUENCED, Fragment,
    ThrottleParameters,
};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{
    CommandRefusal, CompressionMode, DatagramRefusal, Host, HostEvent, HostSettings, NetworkPath,
    PacketFlags,
};

const FROM: &str = "10.0.0.2:5000";

fn connected() -> (Host, RawClient) {
    let mut host = server(HostSettings::default());
    let client = RawClient::connect(&mut host, at(10_000), FROM, 77);
    (host, client)
}

fn first_bytes(host: &mut Host) -> Vec<u8> {
    packets(host).iter().map(|(.., payload)| payload[0]).collect()
}

fn fragment<'a>(start: u16, number: u32, count: u32, whole: &'a [u8]) -> Fragment<'a> {
    let piece_len = whole.len().div_ceil(count as usize);
    let offset = number as usize * piece_len;
    let payload = &whole[offset..whole.len().min(offset + piece_len)];
    Fragment { start, count, number, total: whole.len() as u32, offset: offset as u32, payload }
}

fn reliable_fragment<'a>(start: u16, number: u32, count: u32, whole: &'a [u8]) -> Command<'a> {
    let body = Body::SendFragment(fragment(start, number, count, whole));
    Command {
        flags: FLAG_ACKNOWLEDGE,
        channel: 0,
        sequence: start.wrapping_add(number as u16),
        body,
    }
}

fn unreliable_fragment<'a>(start: u16, number: u32, count: u32, whole: &'a [u8]) -> Command<'a> {
    let body = Body::SendUnreliableFragment(fragment(start, number, count, whole));
    Command { flags: 0, channel: 0, sequence: 0, body }
}

fn unsequenced(group: u16, payload: &[u8]) -> Command<'_> {
    let body = Body::SendUnsequenced { group, payload };
    Command { flags: FLAG_UNSEQUENCED, channel: 1, sequence: 0, body }
}

// Delivery.

#[test]
fn reliable_packets_wait_for_those_before_them() {
    let (mut host, client) = connected();
    let now = at(10_100);
    client.send(&mut host, now, &[reliable(0, 2, &[2])]);
    assert!(packets(&mut host).is_empty());
    assert_eq!(
        client.acknowledged(&mut host, now, 0),
        [2],
        "out-of-order packets must be acknowledged"
    );
    client.send(&mut host, now, &[reliable(0, 1, &[1])]);
    assert_eq!(first_bytes(&mut host), [1, 2]);
    client.send(&mut host, now, &[reliable(0, 1, &[1]), reliable(0, 2, &[2])]);
    assert!(packets(&mut host).is_empty(), "duplicates");
    assert_eq!(client.acknowledged(&mut host, now, 0), [1, 1, 2], "duplicates are acknowledged");
}

#[test]
fn a_duplicate_of_a_pending_packet_is_acknowledged_and_uses_no_memory() {
    let (mut host, client) = connected();
    let now = at(10_100);
    client.send(&mut host, now, &[reliable(0, 2, &[2])]);
    let waiting = host.waiting_bytes(client.connection);
    client.send(&mut host, now, &[reliable(0, 2, &[2])]);
    assert_eq!(host.waiting_bytes(client.connection), waiting);
    assert_eq!(client.acknowledged(&mut host, now, 0), [2, 2]);
}

#[test]
fn channels_do_not_wait_for_each_other() {
    let (mut host, client) = connected();
    client.send(&mut host, at(10_100), &[reliable(3, 2, &[1]), reliable(254, 1, &[2])]);
    assert_eq!(first_bytes(&mut host), [2]);
}

#[test]
fn unreliable_packets_never_go_backwards() {
    let (mut host, client) = connected();
    for sequence in [5, 3, 5, 6] {
        client.send(&mut host, at(10_100), &[unreliable(0, 0, sequence, &[sequence as u8])]);
    }
    assert_eq!(first_bytes(&mut host), [5, 6]);
    let stats = host.connection_stats(client.connection).unwrap();
    assert_eq!((stats.packets_received, stats.receive_drops), (2, 2));
}

#[test]
fn unreliable_packets_wait_for_the_reliable_ones_before_them() {
    let (mut host, client) = connected();
    let now = at(10_100);
    client.send(&mut host, now, &[unreliable(0, 1, 2, &[12]), unreliable(0, 1, 1, &[11])]);
    client.send(&mut host, now, &[unreliable(0, 2, 1, &[21]), unreliable(0, 0, 9, &[9])]);
    assert_eq!(first_bytes(&mut host), [9]);
    client.send(&mut host, now, &[reliable(0, 1, &[1])]);
    assert_eq!(first_bytes(&mut host), [1, 11, 12], "numbers must restart after a reliable packet");
    client.send(&mut host, now, &[reliable(0, 2, &[2]), unreliable(0, 1, 3, &[13])]);
    assert_eq!(first_bytes(&mut host), [2, 21], "13 is behind reliable packet 2");
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
}

#[test]
fn unsequenced_packets_are_delivered_once_in_any_order() {
    let (mut host, client) = connected();
    for group in [3_u16, 1, 3, 2, 1_025, 1, 1_026] {
        client.send(&mut host, at(10_100), &[unsequenced(group, &group.to_be_bytes())]);
    }
    let groups: Vec<u16> = packets(&mut host)
        .into_iter()
        .map(|(channel, flags, payload)| {
            assert_eq!((channel, flags), (1, PacketFlags::UNSEQUENCED));
            u16::from_be_bytes(payload.try_into().unwrap())
        })
        .collect();
    assert_eq!(groups, [3, 1, 2, 1_025, 1_026]);
}

#[test]
fn of_unreliable_packets_only_those_to_acknowledge_need_a_turn() {
    let ((mut host, client), now) = (connected(), at(10_100));
    transmits(&mut host, now);
    let before = host.poll_timeout();
    client.send(&mut host, now, &[unreliable(0, 0, 1, &[1]), unsequenced(1, &[2])]);
    assert_eq!(host.poll_timeout(), before, "there is nothing to send");
    let acknowledged = Command { flags: FLAG_ACKNOWLEDGE, ..unreliable(0, 0, 2, &[3]) };
    client.send(&mut host, now, &[acknowledged]);
    assert_eq!((host.poll_timeout(), client.acknowledged(&mut host, now, 0)), (Some(now), vec![0]));
}

#[test]
fn fragments_are_reassembled_to_a_packet_with_the_flag_of_their_kind() {
    let (mut host, client) = connected();
    let whole = pattern(0, 3_000);
    for number in [2, 0, 1] {
        client.send(&mut host, at(10_100), &[reliable_fragment(1, number, 3, &whole)]);
    }
    client.send(&mut host, at(10_100), &[reliable(0, 4, b"after the three numbers")]);
    let arrived = packets(&mut host);
    assert_eq!(arrived.len(), 2);
    assert_eq!(arrived[0], (0, PacketFlags::RELIABLE, whole.clone()));
    for number in [1, 2, 0] {
        let mut command = unreliable_fragment(1, number, 3, &whole);
        command.sequence = 4;
        client.send(&mut host, at(10_100), &[command]);
    }
    assert_eq!(packets(&mut host), [(0, PacketFlags::UNRELIABLE_FRAGMENT, whole)]);
}

#[test]
fn an_incomplete_unreliable_packet_is_dropped_when_a_later_one_arrives() {
    let (mut host, client) = connected();
    let whole = pattern(0, 3_000);
    client.send(&mut host, at(10_100), &[unreliable_fragment(1, 0, 3, &whole)]);
    assert_ne!(host.waiting_bytes(client.connection), Some(0));
    client.send(&mut host, at(10_100), &[unreliable(0, 0, 2, &[2])]);
    assert_eq!(host.waiting_bytes(client.connection), Some(0), "its bytes must be released");
    for number in [1, 2] {
        client.send(&mut host, at(10_100), &[unreliable_fragment(1, number, 3, &whole)]);
    }
    assert_eq!(first_bytes(&mut host), [2]);
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
}

#[test]
fn overlapping_fragments_are_rejected() {
    // Godot 4.6.3 delivers two fragments at offset 0, followed by heap contents.
    let (mut host, client) = connected();
    let whole = pattern(0, 1_024);
    let first = reliable_fragment(1, 0, 2, &whole);
    let mut second = reliable_fragment(1, 1, 2, &whole);
    if let Body::SendFragment(fragment) = &mut second.body {
        fragment.offset = 0;
    }
    client.send(&mut host, at(10_100), &[first, second]);
    assert!(packets(&mut host).is_empty());
    assert_eq!(client.acknowledged(&mut host, at(10_100), 0), [1]);
    assert_eq!(host.stats().refused_commands.get(CommandRefusal::InvalidFragment), 1);
}

#[test]
fn a_fragment_with_a_wrong_sequence_number_is_rejected() {
    let (mut host, client) = connected();
    let whole = pattern(0, 1_024);
    let mut command = reliable_fragment(1, 1, 2, &whole);
    command.sequence = 7;
    client.send(&mut host, at(10_100), &[command]);
    assert!(client.acknowledged(&mut host, at(10_100), 0).is_empty());
    assert_eq!(host.waiting_bytes(client.connection), Some(0));
}

// Acknowledgements.

#[test]
fn windows_seven_and_eight_ahead_are_not_acknowledged() {
    let (mut host, client) = connected();
    for window in 6..16 {
        client.send(&mut host, at(10_100), &[reliable(0, window * 4_096, &[1])]);
    }
    let windows: Vec<u16> = client
        .acknowledged(&mut host, at(10_100), 0)
        .into_iter()
        .map(|sequence| sequence / 4_096)
        .collect();
    assert_eq!(windows, [6, 9, 10, 11, 12, 13, 14, 15]);
    assert!(packets(&mut host).is_empty());
}

#[test]
fn commands_before_a_malformed_one_are_acknowledged_and_those_after_it_are_not() {
    let (mut host, mut client) = connected();
    let now = at(10_100);
    let (good, later) = (client.ping(), client.ping());
    let header = client.header(Some(5));
    let mut bytes = datagram(header, &[good]);
    bytes.extend([0x8e, 0xff, 0, 9]);
    bytes.extend(&datagram(header, &[later])[4..]);
    host.handle_datagram(now, client.address, &bytes);
    assert_eq!(
        client.acknowledged(&mut host, now, 0xff),
        [2],
        "an unknown command 14 between pings"
    );

    let third = client.ping();
    let mut bytes = datagram(header, &[third]);
    bytes.extend([1, 2, 3]);
    host.handle_datagram(now, client.address, &bytes);
    assert_eq!(client.acknowledged(&mut host, now, 0xff), [4], "three stray bytes");

    let fourth = client.ping();
    let mut bytes = datagram(header, &[reliable(0, 1, b"five!"), fourth]);
    bytes[9] = 200;
    host.handle_datagram(now, client.address, &bytes);
    assert!(transmits(&mut host, now).is_empty(), "a length that runs past the end");
    assert!(packets(&mut host).is_empty());

    let bytes = datagram(client.header(None), &[fourth]);
    host.handle_datagram(now, client.address, &bytes);
    assert!(transmits(&mut host, now).is_empty(), "a datagram without a time");
}

#[test]
fn zeros_after_the_last_command_are_ignored() {
    let (mut host, mut client) = connected();
    let mut bytes = datagram(client.header(Some(5)), &[client.ping()]);
    bytes.extend([0; 8]);
    host.handle_datagram(at(10_100), client.address, &bytes);
    assert_eq!(client.acknowledged(&mut host, at(10_100), 0xff), [2]);
    assert_eq!(host.stats().refused_commands.total(), 0);
}

#[test]
fn compressed_datagrams_are_counted_and_ignored() {
    let (mut host, mut client) = connected();
    let mut header = client.header(Some(5));
    header.compressed = true;
    let bytes = datagram(header, &[client.ping()]);
    host.handle_datagram(at(10_100), client.address, &bytes);
    assert!(transmits(&mut host, at(10_100)).is_empty());
    assert_eq!(host.stats().refused_datagrams.get(DatagramRefusal::UnexpectedCompression), 1);
}

#[test]
fn a_host_with_compression_accepts_uncompressed_datagrams() {
    let (mut host, mut client) = connected();
    host.compress(CompressionMode::Zstd);
    let ping = client.ping();
    client.send(&mut host, at(1_000), &[ping]);
    assert_eq!(client.acknowledged(&mut host, at(1_000), CONTROL_CHANNEL), [2]);
}

#[test]
fn limits_and_throttle_parameters_are_acknowledged() {
    let (mut host, client) = connected();
    let throttle = ThrottleParameters { interval: 1, acceleration: 900, deceleration: 900 };
    let commands = [
        Command::control(2, Body::ThrottleConfigure(throttle)),
        Command::control(3, Body::BandwidthLimit { incoming: 1, outgoing: 1 }),
    ];
    client.send(&mut host, at(10_100), &commands);
    assert_eq!(client.acknowledged(&mut host, at(10_100), 0xff), [2, 3]);
    // A peer with a limit of one byte per second gets the minimum window: three fragments of 1,364
    // bytes.
    send(&mut host, client.connection, PacketFlags::RELIABLE, 10_000);
    let sent = transmits(&mut host, at(10_100));
    assert_eq!(sent.len(), 3);
}

#[test]
fn a_server_configures_its_clients_not_to_drop_packets() {
    let mut host = server(ServerOptions::default().host_settings());
    let client = RawClient::half_open(&mut host, at(10_000), FROM, 77);
    client.acknowledge(&mut host, at(10_000), 0xff, 1, at(10_000));
    let lines: Vec<_> = transmits(&mut host, at(10_000))
        .iter()
        .flat_map(|(_, bytes)| parse(bytes).1.iter().map(ToString::to_string).collect::<Vec<_>>())
        .filter(|command| command.contains("THROTTLE_CONFIGURE"))
        .collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains(" 5000 ms +2 -0 "), "{lines:?}");
}

// Sending.

fn send(host: &mut Host, to: ConnectionId, flags: PacketFlags, len: usize) {
    host.send(to, 0, flags, bytes::Bytes::from(pattern(0, len)).into()).unwrap();
}

#[test]
fn a_turn_shares_datagrams_up_to_32_commands() {
    let (mut host, client) = connected();
    for _ in 0..70 {
        send(&mut host, client.connection, PacketFlags::UNSEQUENCED, 4);
    }
    let sent = transmits(&mut host, at(10_100));
    let commands: Vec<usize> = sent.iter().map(|(_, bytes)| parse(bytes).1.len()).collect();
    assert_eq!(commands, [32, 32, 6]);
    let times: Vec<_> = sent.iter().map(|(_, bytes)| parse(bytes).0.sent_time).collect();
    assert_eq!(times, [None; 3], "no command requests an acknowledgement");
}

#[test]
fn acknowledgements_share_datagrams_with_data() {
    let (mut host, client) = connected();
    client.send(&mut host, at(10_100), &[reliable(0, 1, &[1])]);
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    let sent = transmits(&mut host, at(10_100));
    assert_eq!(sent.len(), 1);
    let (header, commands) = parse(&sent[0].1);
    assert_eq!(header.sent_time, Some(10_100));
    assert!(matches!(commands[0].body, Body::Acknowledge { sequence: 1, .. }));
    assert!(matches!(commands[1].body, Body::SendReliable { .. }));
}

/// Returns the number of commands of each datagram, after `count` packets were received and
/// `queued` packets of 64 bytes were queued.
fn commands_sent(count: u16, queued: usize) -> Vec<usize> {
    let (mut host, client) = connected();
    let now = at(10_100);
    for sequence in 1..=count {
        client.send(&mut host, now, &[reliable(0, sequence, &[1])]);
    }
    for _ in 0..queued {
        let payload = bytes::Bytes::from_static(&[7; 64]).into();
        host.send(client.connection, 0, PacketFlags::RELIABLE, payload).unwrap();
    }
    let sent = transmits(&mut host, now);
    sent.iter().map(|(_, bytes)| parse(bytes).1.len()).collect()
}

#[test]
fn acknowledgements_do_not_divide_packets_among_more_datagrams() {
    // 19 packets and 7 acknowledgements fit. If the 19 acknowledgements came first, they would
    // leave commands for 13 packets.
    assert_eq!(commands_sent(19, 19), [26, 12]);
}

#[test]
fn datagram_full_of_acknowledgements_does_not_limit_the_length_of_the_next() {
    // The first has 24 acknowledgements, which precede more packets than a datagram can have, and
    // 8 packets.
    assert_eq!(commands_sent(24, 40), [32, 19, 13]);
}

#[test]
fn no_datagram_is_longer_than_the_mtu() {
    let (mut host, client) = connected();
    for len in [1_364, 1_300, 60, 1_365, 20, 700, 700] {
        for flags in [PacketFlags::RELIABLE, PacketFlags::UNRELIABLE_FRAGMENT] {
            send(&mut host, client.connection, flags, len);
        }
    }
    let sent = transmits(&mut host, at(10_100));
    assert!(sent.iter().all(|(_, bytes)| bytes.len() <= 1_392));
    assert!(sent.iter().any(|(_, bytes)| bytes.len() == 1_392));
}

#[test]
fn the_retransmission_timeout_doubles_each_time() {
    let (mut host, client) = connected();
    // The first sample of the round-trip time is 0, counted as 1 ms. Mean 1 and variance 1 make 5
    // ms.
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    let mut times = Vec::new();
    let mut now = 10_100;
    let mut end = None;
    while end.is_none() {
        host.handle_timeout(at(now));
        end = events(&mut host).pop().map(|event| (now, event));
        for (_, bytes) in transmits(&mut host, at(now)) {
            let is_data = |command: &Command<'_>| matches!(command.body, Body::SendReliable { .. });
            if parse(&bytes).1.iter().any(is_data) {
                times.push(now - 10_100);
            }
        }
        now += 1;
        assert!(now < 60_000);
    }
    assert_eq!(times, [0, 5, 15, 35, 75, 155, 315, 635, 1_275, 2_555]);
    let (at, event) = end.unwrap();
    assert_eq!(at - 10_100, 5_115, "five seconds of silence and more than five attempts");
    let connection = client.connection;
    assert_eq!(event, HostEvent::Disconnected { connection, reason: DisconnectReason::Timeout });
}

#[test]
fn time_in_which_the_process_was_stopped_does_not_time_out_a_peer() {
    let (mut host, client) = connected();
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    transmits(&mut host, at(10_100));
    // The process is stopped for an hour, nine times. The packet is retransmitted each time.
    let mut now = 10_100;
    for _ in 0..9 {
        now += 3_600_000;
        host.handle_timeout(at(now));
        assert_eq!(events(&mut host), []);
        let again = host.poll_timeout().unwrap();
        assert!(again >= at(now) && again <= at(now + 3_000), "{again:?} after {now}");
        transmits(&mut host, at(now));
    }
    assert_eq!(host.stats().stalls, 9);
    // An unresponsive peer times out while the process runs.
    let begin = now;
    while events(&mut host).is_empty() {
        now += 1;
        assert!(now - begin < 31_000);
        host.handle_timeout(at(now));
        transmits(&mut host, at(now));
    }
    assert!(now - begin > 2_000, "{} ms", now - begin);
}

#[test]
fn packets_queued_long_after_the_last_turn_do_not_count_as_stalls() {
    let (mut host, client) = connected();
    let begin = 10_100;
    let mut now = begin;
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    transmits(&mut host, at(now));
    // The remote host has vanished, and the program sends a packet every 1.5 s.
    while events(&mut host).is_empty() {
        assert!(now - begin < 35_000, "the peer must time out");
        let due = host.poll_timeout().map_or(u64::MAX, |due| due.as_millis());
        now = due.max(now).min(now + 1_500);
        send(&mut host, client.connection, PacketFlags::UNSEQUENCED, 5);
        host.handle_timeout(at(now));
        transmits(&mut host, at(now));
    }
    assert_eq!(host.stats().stalls, 0);
}

#[test]
fn acknowledgements_received_during_a_stall_do_not_change_the_round_trip_time() {
    let (mut host, client) = connected();
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    transmits(&mut host, at(10_100));
    client.acknowledge(&mut host, at(70_100), 0, 1, at(10_100));
    host.handle_timeout(at(70_100));
    assert_eq!(events(&mut host), []);
    let stats = host.connection_stats(client.connection).unwrap();
    assert!(stats.round_trip_time.unwrap().as_secs() < 2, "{:?}", stats.round_trip_time);
}

#[test]
fn a_turn_is_due_when_a_timer_is_due() {
    let (mut host, client) = connected();
    let announced = host.poll_timeout().unwrap();
    assert_eq!(
        announced,
        at(10_000),
        "a bandwidth announcement is due immediately after the first turn"
    );
    host.handle_timeout(announced);
    transmits(&mut host, announced);
    client.acknowledge(&mut host, at(10_010), 0xff, 2, announced);
    host.handle_timeout(at(10_010));
    transmits(&mut host, at(10_010));
    let mut woken = Vec::new();
    let mut now = at(10_010);
    while woken.len() < 3 {
        let next = host.poll_timeout().unwrap();
        assert!(next > now, "{next:?}");
        now = next;
        host.handle_timeout(now);
        if !transmits(&mut host, now).is_empty() {
            woken.push(now.as_millis());
        }
    }
    // A ping 500 ms after the last acknowledgement, and retransmissions (mean 2, variance 3: 14
    // ms).
    assert_eq!(woken, [10_510, 10_524, 10_552]);
}

#[test]
fn a_ping_that_is_nearly_due_shares_the_datagram_of_a_packet() {
    // An eighth of the interval early: 62 of 500 ms after the last acknowledgement.
    for (millis, pings) in [(430, 0), (440, 1)] {
        let (mut host, client) = connected();
        host.handle_timeout(at(10_000));
        transmits(&mut host, at(10_000));
        client.acknowledge(&mut host, at(10_010), CONTROL_CHANNEL, 2, at(10_000));
        assert!(transmits(&mut host, at(10_010 + millis)).is_empty(), "nothing to share");
        send(&mut host, client.connection, PacketFlags::UNSEQUENCED, 5);
        let sent = transmits(&mut host, at(10_010 + millis));
        let [(_, datagram)] = &sent[..] else { panic!("{sent:?}") };
        let commands = parse(datagram).1;
        let found = commands.iter().filter(|command| command.body == Body::Ping).count();
        assert_eq!((found, commands.len()), (pings, 1 + pings), "after {millis} ms");
    }
}

#[test]
fn packets_and_fragments_are_retransmitted_unchanged() {
    let (mut host, client) = connected();
    let commands = |host: &mut Host, now| {
        let mut all = Vec::new();
        for (_, datagram) in transmits(host, now) {
            let commands = parse(&datagram).1.into_iter();
            all.extend(commands.filter(|it| it.channel == 0).map(|it| format!("{it:?}")));
        }
        all
    };
    for len in [5, 3_000, 0] {
        send(&mut host, client.connection, PacketFlags::RELIABLE, len);
    }
    let sent = commands(&mut host, at(10_100));
    assert_eq!(sent.len(), 1 + 3 + 1);
    let mut now = at(10_100);
    for _ in 0..3 {
        let again = loop {
            now = host.poll_timeout().unwrap().max(now);
            host.handle_timeout(now);
            let again = commands(&mut host, now);
            if !again.is_empty() {
                break again;
            }
        };
        assert_eq!(again, sent);
    }
}

#[test]
fn an_acknowledgement_with_a_forged_time_does_not_change_the_round_trip_time() {
    let (mut host, client) = connected();
    let before = host.connection_stats(client.connection).unwrap().round_trip_time;
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    transmits(&mut host, at(10_100));
    let body = Body::Acknowledge { sequence: 1, sent_time: 1_000 };
    client.send(&mut host, at(10_101), &[Command { flags: 0, channel: 0, sequence: 1, body }]);
    let stats = host.connection_stats(client.connection).unwrap();
    assert_eq!(stats.round_trip_time, before);
    assert_eq!(stats.queued_bytes, 0, "the command must count as acknowledged");
}

#[test]
fn the_echoed_time_identifies_the_received_transmission() {
    let (mut host, client) = connected();
    send(&mut host, client.connection, PacketFlags::RELIABLE, 5);
    transmits(&mut host, at(10_100));
    host.handle_timeout(at(10_105));
    assert_eq!(transmits(&mut host, at(10_105)).len(), 1, "retransmitted");
    client.acknowledge(&mut host, at(10_180), 0, 1, at(10_100));
    let round_trip = host.connection_stats(client.connection).unwrap().round_trip_time.unwrap();
    assert_eq!(round_trip.as_millis(), 1 + (80 - 1) / 8);
}

#[test]
fn an_acknowledgement_of_an_unknown_command_has_no_effect() {
    let (mut host, client) = connected();
    let before = host.connection_stats(client.connection);
    client.acknowledge(&mut host, at(20_000), 3, 999, at(12_345));
    assert_eq!(host.connection_stats(client.connection), before);
}

#[test]
fn the_window_limits_reliable_data_only() {
    let (mut host, client) = connected();
    send(&mut host, client.connection, PacketFlags::RELIABLE, 200_000);
    send(&mut host, client.connection, PacketFlags::UNSEQUENCED, 9);
    let sent = transmits(&mut host, at(10_100));
    let pieces = sent
        .iter()
        .flat_map(|(_, bytes)| parse(bytes).1)
        .filter(|command| matches!(command.body, Body::SendFragment(_)));
    assert_eq!(pieces.count(), 48);
    let last = &sent.last().unwrap().1;
    assert!(matches!(parse(last).1[0].body, Body::SendUnsequenced { .. }));
    client.acknowledge(&mut host, at(10_110), 0, 1, at(10_100));
    assert_eq!(
        transmits(&mut host, at(10_110)).len(),
        1,
        "each acknowledgement allows one more fragment"
    );
}

#[test]
fn a_channel_stops_at_the_end_of_a_full_window() {
    let (mut host, client) = connected();
    // Empty packets, which the window in bytes does not limit. The first window starts at number 1.
    for _ in 0..20_000 {
        send(&mut host, client.connection, PacketFlags::RELIABLE, 0);
    }
    let numbers = |host: &mut Host, now| {
        let sent = transmits(host, now);
        let commands = sent.iter().flat_map(|(_, bytes)| parse(bytes).1);
        let numbers: Vec<u16> = commands.map(|command| command.sequence).collect();
        (numbers.first().copied(), numbers.last().copied())
    };
    assert_eq!(numbers(&mut host, at(10_100)), (Some(1), Some(8_191)));
    client.acknowledge(&mut host, at(10_101), 0, 5_000, at(10_100));
    assert_eq!(
        numbers(&mut host, at(10_101)),
        (Some(8_192), Some(12_287)),
        "one acknowledgement in the window must suffice"
    );
}

#[test]
fn after_65535_unreliable_packets_one_is_reliable() {
    let (mut host, client) = connected();
    for _ in 0..65_535 {
        send(&mut host, client.connection, PacketFlags::UNRELIABLE, 0);
        transmits(&mut host, at(10_100));
    }
    send(&mut host, client.connection, PacketFlags::UNRELIABLE, 1);
    let sent = transmits(&mut host, at(10_100));
    assert!(matches!(parse(&sent[0].1).1[0].body, Body::SendReliable { .. }));
    send(&mut host, client.connection, PacketFlags::UNRELIABLE, 1);
    let sent = transmits(&mut host, at(10_100));
    let command = parse(&sent[0].1).1[0];
    assert!(matches!(command.body, Body::SendUnreliable { sequence: 1, .. }), "{command}");
    assert_eq!(command.sequence, 1);
}

/// Passes a CONNECT to the host that was received on `path`.
fn connect(host: &mut Host, path: NetworkPath, data: u32) {
    host.handle_datagram(at(10_000), path, &connect_datagram(at(10_000), data, data));
}

/// Returns the paths of the datagrams that the host sends now.
fn paths(host: &mut Host) -> Vec<NetworkPath> {
    host.end_turn(at(10_000));
    let mut buf = [0; 4_096];
    std::iter::from_fn(|| host.poll_transmit(at(10_000), &mut buf))
        .map(|transmit| NetworkPath { remote: transmit.to, local: transmit.from })
        .collect()
}

#[test]
fn datagrams_to_a_client_are_sent_from_the_address_that_it_connected_to() {
    let mut settings = HostSettings::default();
    settings.max_peers = 1;
    let mut host = server(settings);
    let path = |remote: &str, local: &str| NetworkPath {
        remote: address(remote),
        local: Some(local.parse().unwrap()),
    };
    let (first, second) = (path("10.0.0.2:5", "10.0.0.7"), path("10.0.0.3:5", "10.0.0.8"));
    connect(&mut host, first, 2);
    assert_eq!(paths(&mut host), [first], "VERIFY_CONNECT");
    // A datagram with the client's forged address, to another address of this host, has no effect.
    let body = Body::Acknowledge { sequence: 1, sent_time: 10_000 };
    let command = Command { flags: 0, channel: CONTROL_CHANNEL, sequence: 1, body };
    let header = Header { peer_id: 0, session: 0, compressed: false, sent_time: Some(7) };
    let forged = NetworkPath { local: second.local, ..first };
    host.handle_datagram(at(10_000), forged, &datagram(header, &[command]));
    let Some(HostEvent::Connected { connection, .. }) = host.poll_event() else {
        panic!("the client is not connected")
    };
    let payload = bytes::Bytes::from(vec![7; 5_000]);
    host.send(connection, 0, PacketFlags::RELIABLE, payload.into()).unwrap();
    assert_eq!(paths(&mut host).first(), Some(&first));

    connect(&mut host, second, 3);
    assert_eq!(paths(&mut host), [second], "the rejection");
    host.close(0);
    assert_eq!(paths(&mut host), [first], "the DISCONNECT");
}
