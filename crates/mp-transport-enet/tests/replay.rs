//! Replays of captured sessions: a host in place of one side sends the same bytes at the same
//! times.

mod common;

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use common::{SERVER, address, at, capture, datagram, hex, pattern, transmits};
use mp_core::{CloseMode, ConnectionId, DisconnectReason, Rng};
use mp_transport_enet::proto::command::{Command, ThrottleParameters};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{
    Admission, CompressionMode, Compressor, Host, HostEvent, HostSettings, PacketFlags,
};

const CLIENT: &str = "10.0.0.2:5000";
const RELIABLE: PacketFlags = PacketFlags(1);
const ORDERED: PacketFlags = PacketFlags(8);
const UNRELIABLE: PacketFlags = PacketFlags(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Client,
    Server,
}

/// An action of the application just before the datagram of this index is sent.
type Action<'a> = (usize, &'a dyn Fn(&mut Host, ConnectionId));

struct Replayed {
    events: Vec<HostEvent>,
    sent: usize,
}

/// Replays `side` of a capture. `epoch`: time from the start of the host's bandwidth rounds to the
/// first datagram in milliseconds.
fn replay(
    name: &str,
    side: Side,
    settings: HostSettings,
    epoch: u64,
    channels: u8,
    actions: &[Action<'_>],
) -> Replayed {
    let captured = capture(name);
    let first_time = captured[0].decoded["sent_time"].as_u64().unwrap();
    // Any epoch with the same low 16 bits.
    let begin = (7 << 16) + first_time;
    let mode = settings.compression;
    let mut host = Host::new(settings, Rng::seed_from_u64(7));
    host.handle_timeout(at(begin - epoch));
    let (ours, theirs): (SocketAddr, SocketAddr) = match side {
        Side::Client => (address(CLIENT), address(SERVER)),
        Side::Server => (address(SERVER), address(CLIENT)),
    };
    assert_ne!(ours, theirs);
    let mut connect_id: Option<[u8; 4]> = None;
    let mut connection = ConnectionId { slot: 0, generation: 0 };
    if side == Side::Client {
        let data = &captured[0].decoded["commands"][0]["data"];
        connection = host.connect(theirs, channels, data.as_u64().unwrap() as u32).unwrap();
    }
    let mut produced = Vec::new();
    let mut replayed = Replayed { events: Vec::new(), sent: 0 };
    for datagram in &captured {
        let place = format!("{name} datagram {}", datagram.index);
        let mut now = begin + datagram.millis as u64;
        let is_ours = datagram.is_from_client == (side == Side::Client);
        let mut bytes = datagram.bytes.clone();
        if let Some(ours) = connect_id {
            bytes = with_connect_id(bytes, mode, ours);
        }
        if !is_ours {
            assert!(produced.is_empty(), "{place}: unexpected datagrams {produced:?}");
            if !datagram.is_whole() {
                bytes = datagram.rebuilt();
            }
            host.handle_datagram(at(now), theirs, &bytes);
            while let Some(event) = host.poll_event() {
                if let HostEvent::Connected { connection: new, .. } = event {
                    connection = new;
                }
                replayed.events.push(event);
            }
            continue;
        }
        if let Some(time) = datagram.decoded.get("sent_time") {
            let time = time.as_u64().unwrap();
            // The clock of the captures has a finer resolution than the header, and may differ by a
            // millisecond.
            now = now - (now & 0xffff)
                + time
                + if (now & 0xffff) > time + 0x8000 { 1 << 16 } else { 0 };
        }
        if produced.is_empty() {
            for (_, act) in actions.iter().filter(|(index, _)| *index == datagram.index) {
                act(&mut host, connection);
            }
            host.handle_timeout(at(now));
            produced = transmits(&mut host, at(now));
            assert!(!produced.is_empty(), "{place}: nothing was sent");
        }
        let (to, sent) = produced.remove(0);
        assert_eq!(to, theirs, "{place}");
        if datagram.index == 0 {
            let (_, commands) = opened(&sent, mode);
            let ours = commands[CONNECT_ID].try_into().unwrap();
            bytes = with_connect_id(bytes, mode, ours);
            connect_id = Some(ours);
        }
        let len = if datagram.is_whole() { bytes.len() } else { datagram.len };
        assert_eq!(sent.len(), len, "{place}");
        assert_eq!(hex(&sent[..bytes.len()]), hex(&bytes), "{place}");
        replayed.sent += 1;
    }
    assert!(produced.is_empty(), "{name}: unexpected datagrams {produced:?}");
    replayed.events.extend(common::events(&mut host));
    replayed
}

/// Position of the connect id in CONNECT and VERIFY_CONNECT.
const CONNECT_ID: Range<usize> = 40..44;

/// Returns a captured datagram with another connect id, because Godot's random numbers differ.
fn with_connect_id(bytes: Vec<u8>, mode: CompressionMode, connect_id: [u8; 4]) -> Vec<u8> {
    let (mut header, mut commands) = opened(&bytes, mode);
    if !matches!(commands[0], 0x82 | 0x83) {
        return bytes;
    }
    commands[CONNECT_ID].copy_from_slice(&connect_id);
    let mut out = [0; 4_096];
    let packed = Compressor::new(mode).compress(&commands, &mut out);
    let packed = packed.filter(|&len| len < commands.len());
    header.compressed = packed.is_some();
    let mut again = datagram(header, &[]);
    again.extend(packed.map_or(&commands[..], |len| &out[..len]));
    again
}

/// Returns the header of a datagram and its decompressed commands.
fn opened(bytes: &[u8], mode: CompressionMode) -> (Header, Vec<u8>) {
    let (header, rest) = Header::parse(bytes).unwrap();
    if !header.compressed {
        return (header, rest.to_vec());
    }
    let mut out = [0; 4_096];
    let len = Compressor::new(mode).expand(rest, &mut out).unwrap();
    (header, out[..len].to_vec())
}

fn server_settings() -> HostSettings {
    HostSettings::default()
}

fn client_settings() -> HostSettings {
    let mut settings = HostSettings::default();
    settings.max_peers = 1;
    settings.admission = Admission::Nobody;
    settings
}

fn send(channel: u8, flags: PacketFlags, len: usize) -> impl Fn(&mut Host, ConnectionId) {
    move |host, connection| {
        let payload = bytes::Bytes::from(pattern(0, len));
        host.send(connection, channel, flags, payload.into()).unwrap();
    }
}

fn is_remote_end(event: &HostEvent, data: u32) -> bool {
    matches!(event, HostEvent::Disconnected { reason: DisconnectReason::Remote(found), .. } if *found == data)
}

#[test]
fn a_server_shakes_hands_and_pings() {
    let replayed = replay("enet_connect.json", Side::Server, server_settings(), 603, 255, &[]);
    assert_eq!(replayed.sent, 10);
    assert!(is_remote_end(replayed.events.last().unwrap(), 0), "{:?}", replayed.events);
}

#[test]
fn a_client_shakes_hands_and_pings() {
    let close = |host: &mut Host, _| host.close(0);
    let actions: [Action<'_>; 1] = [(20, &close)];
    let replayed = replay("enet_connect.json", Side::Client, client_settings(), 0, 255, &actions);
    assert_eq!(replayed.sent, 11);
    assert!(matches!(replayed.events[..], [HostEvent::Connected { .. }]));
}

#[test]
fn a_client_without_a_reply_tries_six_times() {
    let replayed = replay("enet_no_server.json", Side::Client, client_settings(), 0, 255, &[]);
    assert_eq!(replayed.sent, 6);
}

#[test]
fn limits_and_channels_are_negotiated() {
    // Godot passes its arguments one position off. These are the values that its ENet host
    // received.
    let mut settings = server_settings();
    settings.incoming_bandwidth = 0;
    settings.outgoing_bandwidth = 2_000_000;
    replay("enet_args_bandwidth.json", Side::Server, settings, 833, 255, &[]);

    let mut settings = client_settings();
    settings.incoming_bandwidth = 500_000;
    settings.outgoing_bandwidth = 600_000;
    let close = |host: &mut Host, _| host.close(0);
    let actions: [Action<'_>; 1] = [(18, &close)];
    replay("enet_args_bandwidth.json", Side::Client, settings, 0, 255, &actions);
}

#[test]
fn a_server_echoes_every_mode() {
    let (reliable, ordered, unreliable) =
        (send(0, RELIABLE, 5), send(1, ORDERED, 5), send(1, UNRELIABLE, 5));
    let (reliable_4, ordered_4, unreliable_4) =
        (send(4, RELIABLE, 5), send(4, ORDERED, 5), send(4, UNRELIABLE, 5));
    let actions: [Action<'_>; 6] = [
        (8, &reliable),
        (11, &ordered),
        (13, &unreliable),
        (16, &reliable_4),
        (19, &ordered_4),
        (21, &unreliable_4),
    ];
    let replayed = replay("enet_modes.json", Side::Server, server_settings(), 959, 255, &actions);
    let packets: Vec<(u8, u8)> = replayed
        .events
        .iter()
        .filter_map(|event| match event {
            HostEvent::Packet { channel, flags, .. } => Some((*channel, flags.0)),
            _ => None,
        })
        .collect();
    assert_eq!(packets, [(0, 1), (1, 0), (1, 2), (4, 1), (4, 0), (4, 2)]);
}

#[test]
fn a_client_sends_every_mode() {
    let (reliable, ordered, unreliable) =
        (send(0, RELIABLE, 5), send(1, ORDERED, 5), send(1, UNRELIABLE, 5));
    let (reliable_4, ordered_4, unreliable_4) =
        (send(4, RELIABLE, 5), send(4, ORDERED, 5), send(4, UNRELIABLE, 5));
    let close = |host: &mut Host, _| host.close(0);
    let actions: [Action<'_>; 7] = [
        (6, &reliable),
        (10, &ordered),
        (12, &unreliable),
        (14, &reliable_4),
        (18, &ordered_4),
        (20, &unreliable_4),
        (22, &close),
    ];
    replay("enet_modes.json", Side::Client, client_settings(), 0, 255, &actions);
}

#[test]
fn flags_choose_the_command() {
    let small = |host: &mut Host, connection: ConnectionId| {
        for flags in [0, 1, 2, 8] {
            send(2, PacketFlags(flags), 5)(host, connection);
        }
    };
    let (plain, unsequenced, fragment) =
        (send(2, PacketFlags(0), 3_000), send(2, PacketFlags(2), 3_000), send(2, ORDERED, 3_000));
    let close = |host: &mut Host, _| host.close(0);
    let actions: [Action<'_>; 5] =
        [(6, &small), (8, &plain), (12, &unsequenced), (16, &fragment), (21, &close)];
    replay("enet_raw_flags.json", Side::Client, client_settings(), 0, 255, &actions);
}

#[test]
fn large_packets_are_fragmented_and_acknowledged() {
    let large = send(0, RELIABLE, 102_400);
    let actions: [Action<'_>; 1] = [(4, &large)];
    // The capture contains the first 20 of 76 fragments. The others are sent in the same flush.
    let captured = capture("enet_frag_reliable_100k.json");
    let mut host = Host::new(client_settings(), Rng::seed_from_u64(7));
    let begin = (7 << 16) + captured[0].decoded["sent_time"].as_u64().unwrap();
    let connection = host.connect(address(SERVER), 255, 1).unwrap();
    let connect = transmits(&mut host, at(begin));
    let mut verify = captured[1].bytes.clone();
    verify[44..48].copy_from_slice(&connect[0].1[44..48]);
    host.handle_datagram(at(begin + 4), address(SERVER), &verify);
    transmits(&mut host, at(begin + 17));
    host.handle_datagram(at(begin + 28), address(SERVER), &captured[3].bytes);
    (actions[0].1)(&mut host, connection);
    let now = at((7 << 16) + captured[4].decoded["sent_time"].as_u64().unwrap());
    let sent = transmits(&mut host, now);
    assert_eq!(sent.len(), 48, "48 fragments of 1,364 bytes fit a window of 65,536");
    let shown: Vec<_> = captured[4..].iter().filter(|datagram| datagram.is_from_client).collect();
    assert_eq!(shown.len(), 20);
    for (datagram, (_, bytes)) in shown.iter().zip(&sent) {
        assert_eq!(bytes.len(), 1_392);
        assert_eq!(hex(&bytes[..datagram.bytes.len()]), hex(&datagram.bytes));
    }
}

#[test]
fn a_draining_server_sends_everything_first() {
    let later = |host: &mut Host, connection: ConnectionId| {
        send(0, RELIABLE, 20_000)(host, connection);
        host.disconnect(connection, 77, DisconnectReason::Kicked, CloseMode::Drain);
    };
    let actions: [Action<'_>; 1] = [(6, &later)];
    let replayed = replay(
        "enet_disc_packet_peer_later.json",
        Side::Server,
        server_settings(),
        906,
        255,
        &actions,
    );
    assert_eq!(replayed.sent, 19);
    let end = replayed.events.last().unwrap();
    assert!(
        matches!(end, HostEvent::Disconnected { reason: DisconnectReason::Kicked, .. }),
        "{end:?}"
    );
}

#[test]
fn a_server_disconnects_in_every_way() {
    let graceful = |host: &mut Host, connection| {
        host.disconnect(connection, 0, DisconnectReason::Kicked, CloseMode::Graceful);
    };
    let abrupt = |host: &mut Host, connection| {
        host.disconnect(connection, 0, DisconnectReason::Kicked, CloseMode::Immediate);
    };
    let now = |host: &mut Host, _| host.close(1234);
    let close = |host: &mut Host, _| host.close(0);
    let run = |name: &str, epoch, index, act: &dyn Fn(&mut Host, ConnectionId)| {
        replay(name, Side::Server, server_settings(), epoch, 255, &[(index, act)]).events
    };

    let events = run("enet_disc_server_disconnect_peer.json", 0, 4, &graceful);
    let end = events.last().unwrap();
    assert!(
        matches!(end, HostEvent::Disconnected { reason: DisconnectReason::Kicked, .. }),
        "{end:?}"
    );

    let events = run("enet_disc_server_disconnect_peer_force.json", 871, 6, &abrupt);
    assert_eq!(events.len(), 1, "an immediate disconnect must not be reported: {events:?}");

    let events = run("enet_disc_packet_peer_now.json", 772, 6, &now);
    assert_eq!(events.len(), 1, "{events:?}");

    let events = run("enet_disc_server_close.json", 809, 6, &close);
    assert_eq!(events.len(), 1, "{events:?}");
}

#[test]
fn a_server_acknowledges_disconnects() {
    let events = replay(
        "enet_disc_client_disconnect_peer.json",
        Side::Server,
        server_settings(),
        858,
        255,
        &[],
    );
    assert!(is_remote_end(events.events.last().unwrap(), 0));
    let events =
        replay("enet_disc_client_packet_peer.json", Side::Server, server_settings(), 772, 255, &[]);
    assert!(is_remote_end(events.events.last().unwrap(), 42));
}

#[test]
fn a_client_disconnects() {
    let graceful = |host: &mut Host, connection| {
        host.disconnect(connection, 42, DisconnectReason::Closed, CloseMode::Graceful);
    };
    let actions: [Action<'_>; 1] = [(6, &graceful)];
    let replayed = replay(
        "enet_disc_client_packet_peer.json",
        Side::Client,
        client_settings(),
        0,
        255,
        &actions,
    );
    let end = replayed.events.last().unwrap();
    assert!(
        matches!(end, HostEvent::Disconnected { reason: DisconnectReason::Closed, .. }),
        "{end:?}"
    );
}

#[test]
fn compressed_sessions_of_every_mode_are_replayed_by_either_peer() {
    let texts = [RELIABLE, RELIABLE, RELIABLE, UNRELIABLE];
    // Indices of the datagrams before which the client sends its four texts, the server echoes
    // them, and the client closes. The time from the server's bandwidth rounds to the first
    // datagram follows below.
    let sessions = [
        (CompressionMode::RangeCoder, "range", [4, 10, 14, 18], [6, 12, 16, 19], 20),
        (CompressionMode::FastLz, "fastlz", [4, 8, 12, 18], [6, 10, 14, 19], 20),
        (CompressionMode::Zlib, "zlib", [4, 8, 12, 16], [6, 10, 14, 17], 18),
        (CompressionMode::Zstd, "zstd", [6, 10, 14, 18], [8, 12, 16, 19], 20),
    ];
    for (mode, name, sent, echoed, closed) in sessions {
        let name = format!("enet_compress_{name}.json");
        let captured = capture(&name);
        let text = |index: usize, flags: PacketFlags| {
            let (_, commands) = opened(&captured[index].bytes, mode);
            let (command, _) = Command::parse(&commands).unwrap();
            let payload = bytes::Bytes::copy_from_slice(command.body.payload());
            let channel = command.channel;
            move |host: &mut Host, connection| {
                host.send(connection, channel, flags, payload.clone().into()).unwrap();
            }
        };
        let announced = captured.iter().find(|datagram| {
            !datagram.is_from_client && datagram.decoded["commands"][0]["cmd"] == "BANDWIDTH_LIMIT"
        });
        let epoch = announced.map_or(0, |datagram| {
            let time = |at: usize| captured[at].decoded["sent_time"].as_u64().unwrap();
            1_000 - (time(datagram.index) - time(0))
        });
        let mut settings = server_settings();
        settings.compression = mode;
        let echoes: Vec<_> =
            (0..4).map(|index| (echoed[index], text(sent[index], texts[index]))).collect();
        let actions: Vec<Action<'_>> =
            echoes.iter().map(|(at, act)| (*at, act as &dyn Fn(&mut Host, ConnectionId))).collect();
        let replayed = replay(&name, Side::Server, settings, epoch, 255, &actions);
        let packets =
            replayed.events.iter().filter(|event| matches!(event, HostEvent::Packet { .. }));
        assert_eq!(packets.count(), 4, "{name}");

        let mut settings = client_settings();
        settings.compression = mode;
        let close = |host: &mut Host, _| host.close(0);
        let texts: Vec<_> =
            (0..4).map(|index| (sent[index], text(sent[index], texts[index]))).collect();
        let mut actions: Vec<Action<'_>> =
            texts.iter().map(|(at, act)| (*at, act as &dyn Fn(&mut Host, ConnectionId))).collect();
        actions.push((closed, &close));
        replay(&name, Side::Client, settings, 0, 255, &actions);
    }
}

#[test]
fn a_client_configures_its_connection() {
    let parameters = ThrottleParameters { interval: 1_000, acceleration: 3, deceleration: 4 };
    let configure = |host: &mut Host, connection| {
        host.configure_throttle(connection, parameters);
        host.set_ping_interval(connection, Duration::from_millis(100));
    };
    let limit = |host: &mut Host, connection| {
        host.set_ping_interval(connection, Duration::ZERO);
        host.ping(connection);
        // Godot was also given an incoming limit of 70,000, and announces 0 to a peer without a
        // limit.
        host.bandwidth_limit(0, 80_000);
    };
    let close = |host: &mut Host, _| host.close(0);
    let actions: [Action<'_>; 3] = [(4, &configure), (14, &limit), (26, &close)];
    replay("enet_config_commands.json", Side::Client, client_settings(), 0, 255, &actions);
}

#[test]
fn the_second_peer_of_a_slot_has_another_session() {
    let mut settings = server_settings();
    settings.max_peers = 1;
    let replayed = replay("enet_reconnect.json", Side::Server, settings, 300, 255, &[]);
    let connections: Vec<ConnectionId> = replayed
        .events
        .iter()
        .filter_map(|event| match event {
            HostEvent::Connected { connection, .. } => Some(*connection),
            _ => None,
        })
        .collect();
    assert_eq!(
        connections,
        [ConnectionId { slot: 0, generation: 0 }, ConnectionId { slot: 0, generation: 1 }]
    );
}

#[test]
fn data_queued_at_once_shares_the_datagram_of_the_handshake() {
    let data = send(0, RELIABLE, 5);
    let close = |host: &mut Host, _| host.close(0);
    let mut settings = server_settings();
    // The hosts of a mesh accept any data.
    settings.admission = Admission::Anybody;
    let actions: [Action<'_>; 2] = [(3, &data), (5, &close)];
    replay("enet_mesh.json", Side::Server, settings, 0, 255, &actions);
}
