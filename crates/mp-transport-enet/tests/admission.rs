//! Admission of clients: rejections, half-open connections, and the bytes sent to addresses that
//! are not validated. See `bounds.rs` for the memory and queues of connected peers, and
//! `isolation.rs` for attacks while others play.

mod common;

use common::{
    RawClient, address, at, connect_command, connect_datagram, datagram, events, packets, parse,
    pattern, reliable, server, transmits,
};
use mp_core::{ConnectionGate, DisconnectReason, GateLimits, GateRefusal, Rate};
use mp_transport_enet::proto::command::{Body, CONTROL_CHANNEL, Command};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{
    Admission, DatagramRefusal, HandshakeRefusal, Host, HostEvent, HostSettings, NO_PEER,
    PacketFlags,
};

const FROM: &str = "10.0.0.2:5000";

/// Header of the datagram that rejects a client. Godot's clients understand the datagram.
const REFUSAL: &str = "0000" /* to its slot 0 */;

fn assert_refused(host: &mut Host, now: u64, from: &str, data: u32) {
    host.handle_datagram(at(now), address(from), &connect_datagram(at(now), data, data));
    let sent = transmits(host, at(now));
    let refusal = format!("{REFUSAL}44ff000100000000");
    assert_eq!(sent, [(address(from), common::unhex(&refusal))]);
    assert!(events(host).is_empty());
}

fn refused(host: &Host) -> Vec<(HandshakeRefusal, u64)> {
    host.stats().refused_handshakes.iter().collect()
}

#[test]
fn a_client_with_an_invalid_id_is_rejected_at_once() {
    let mut host = server(HostSettings::default());
    // Godot 4.6.3 accepts the last three as negative ids.
    for data in [0, 1, 0x8000_0000, 0xffff_fffe, 0xffff_ffff] {
        assert_refused(&mut host, 1_000, FROM, data);
    }
    assert_eq!(refused(&host), [(HandshakeRefusal::InvalidPeerId, 5)]);
}

#[test]
fn a_client_with_an_id_in_use_is_rejected_at_once() {
    let mut host = server(HostSettings::default());
    let first = RawClient::connect(&mut host, at(1_000), FROM, 77);
    assert_refused(&mut host, 1_000, "10.0.0.3:5000", 77);
    assert_eq!(refused(&host), [(HandshakeRefusal::PeerIdTaken, 1)]);
    first.send(&mut host, at(1_100), &[Command::control(2, Body::Disconnect { data: 0 })]);
    transmits(&mut host, at(1_100));
    events(&mut host);
    RawClient::connect(&mut host, at(1_200), "10.0.0.3:5000", 77);
}

#[test]
fn ids_may_repeat_when_a_host_leaves_them_to_its_branches() {
    let mut settings = HostSettings::default();
    settings.admission = Admission::PeerIds { unique: false };
    let mut host = server(settings);
    RawClient::connect(&mut host, at(1_000), FROM, 77);
    RawClient::connect(&mut host, at(1_000), "10.0.0.3:5000", 77);
}

#[test]
fn of_two_clients_with_one_id_the_first_to_complete_the_handshake_stays() {
    let mut host = server(HostSettings::default());
    let now = at(1_000);
    let first = RawClient::half_open(&mut host, now, FROM, 77);
    let second = RawClient::half_open(&mut host, now, "10.0.0.3:5000", 77);
    second.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, now);
    assert!(matches!(events(&mut host)[..], [HostEvent::Connected { data: 77, .. }]));
    first.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, now);
    assert!(events(&mut host).is_empty());
    let sent = transmits(&mut host, now);
    let rejection = sent.iter().find(|(to, _)| *to == first.address).unwrap();
    assert!(matches!(parse(&rejection.1).1[0].body, Body::Disconnect { data: 0 }));
    assert_eq!(refused(&host), [(HandshakeRefusal::PeerIdTaken, 1)]);
}

#[test]
fn a_full_server_rejects_new_clients_at_once() {
    let mut settings = HostSettings::default();
    settings.max_peers = 2;
    let mut host = server(settings);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:1", 2);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:2", 3);
    assert_eq!(host.connected_peers(), 2);
    assert_refused(&mut host, 1_000, "10.0.0.2:3", 4);
    assert_eq!(refused(&host), [(HandshakeRefusal::HostFull, 1)]);
}

#[test]
fn a_refusing_server_rejects_new_clients_at_once_and_keeps_its_own() {
    let mut host = server(HostSettings::default());
    let mut client = RawClient::connect(&mut host, at(1_000), FROM, 77);
    host.set_refuse_new_connections(true);
    assert_refused(&mut host, 1_000, "10.0.0.3:5000", 78);
    assert_eq!(refused(&host), [(HandshakeRefusal::Refusing, 1)]);
    let ping = client.ping();
    client.send(&mut host, at(1_100), &[ping]);
    assert_eq!(client.acknowledged(&mut host, at(1_100), CONTROL_CHANNEL), [2]);
    host.set_refuse_new_connections(false);
    RawClient::connect(&mut host, at(1_200), "10.0.0.3:5000", 78);
}

#[test]
fn connections_from_one_ip_address_are_bounded() {
    let mut settings = HostSettings::default();
    settings.max_peers_per_address = 2;
    let mut host = server(settings);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:1", 2);
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:2", 3);
    assert_refused(&mut host, 1_000, "10.0.0.2:3", 4);
    assert_eq!(refused(&host), [(HandshakeRefusal::AddressFull, 1)]);
    RawClient::connect(&mut host, at(1_000), "10.0.0.3:1", 5);
}

#[test]
fn a_flood_of_half_open_connections_does_not_keep_an_honest_client_out() {
    // With 32 datagrams, clients cannot connect to Godot 4.6.3 with 32 slots for 30 s.
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
    assert!(events(&mut host).is_empty(), "a half-open connection must not be reported");
    assert_eq!(host.stats().refused_datagrams.get(DatagramRefusal::UnknownPeer), 1);
}

#[test]
fn an_address_that_is_not_validated_is_sent_at_most_three_times_the_received_bytes() {
    // 5.7 times with Godot 4.6.3, including the headers of IP and UDP.
    let mut host = server(HostSettings::default());
    let connect = connect_datagram(at(1_000), 5, 77);
    let mut received = 0;
    let mut sent = 0;
    for now in (1_000..12_000).step_by(100) {
        // The same CONNECT twice, as a client without a reply retransmits it.
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
    assert_eq!(
        sent,
        5 * (48 + 28),
        "at 0, 0.5, 1.5, 3.5 (delayed until the second CONNECT) and 7.5 s"
    );
}

#[test]
fn a_repeated_connect_opens_nothing_new() {
    let mut host = server(HostSettings::default());
    let connect = connect_datagram(at(1_000), 5, 77);
    host.handle_datagram(at(1_000), address(FROM), &connect);
    assert_eq!(transmits(&mut host, at(1_000)).len(), 1);
    host.handle_datagram(at(1_010), address(FROM), &connect);
    assert!(transmits(&mut host, at(1_010)).is_empty(), "the reply is already in flight");
    assert!(refused(&host).is_empty());
}

#[test]
fn a_lost_acknowledgement_of_the_handshake_is_recovered_by_the_next_datagram() {
    let mut host = server(HostSettings::default());
    let mut client = RawClient::half_open(&mut host, at(1_000), FROM, 77);
    // The client has received VERIFY_CONNECT and pings. The server ignores the ping and retransmits
    // VERIFY_CONNECT.
    for now in [1_500, 2_500] {
        host.handle_timeout(at(now));
        transmits(&mut host, at(now));
    }
    host.handle_timeout(at(4_600));
    assert!(transmits(&mut host, at(4_600)).is_empty(), "a CONNECT allows three replies");
    let ping = client.ping();
    client.send(&mut host, at(4_700), &[ping]);
    let sent = transmits(&mut host, at(4_700));
    assert!(matches!(parse(&sent[0].1).1[..], [Command { body: Body::VerifyConnect(_), .. }]));
    client.acknowledge(&mut host, at(4_710), CONTROL_CHANNEL, 1, at(4_700));
    assert!(matches!(events(&mut host)[..], [HostEvent::Connected { data: 77, .. }]));
}

#[test]
fn a_restarted_client_does_not_receive_packets_of_its_previous_connection() {
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
    assert_ne!(to_old, to_new, "the sessions must differ");
    assert_eq!(to_old.len(), 1);
    assert_eq!(say(&mut host, old.connection), Vec::<u8>::new());
    assert_eq!(host.connection_stats(old.connection), None);
}

#[test]
fn a_connect_with_invalid_terms_opens_no_connection() {
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
    let expected = [(HandshakeRefusal::NoConnect, 2), (HandshakeRefusal::InvalidTerms, 3)];
    assert_eq!(refused(&host), expected);
    assert_eq!(host.poll_timeout(), None);
}

#[test]
fn data_before_the_handshake_is_complete_is_not_accepted() {
    let mut host = server(HostSettings::default());
    let client = RawClient::half_open(&mut host, at(1_000), FROM, 77);
    client.send(&mut host, at(1_000), &[reliable(0, 1, b"early")]);
    let Body::Connect(connect) = connect_command(77, 77).body else { unreachable!() };
    let verify = Command::control(1, Body::VerifyConnect(connect.terms));
    client.send(&mut host, at(1_000), &[verify]);
    assert!(transmits(&mut host, at(1_000)).is_empty(), "nothing must be acknowledged yet");
    client.acknowledge(&mut host, at(1_010), CONTROL_CHANNEL, 1, at(1_000));
    client.send(&mut host, at(1_020), &[reliable(0, 1, b"early")]);
    assert_eq!(packets(&mut host).len(), 1, "the retransmission must be accepted");
}

#[test]
fn a_client_accepts_no_connections() {
    let mut settings = HostSettings::default();
    settings.admission = Admission::Nobody;
    let mut host = server(settings);
    host.handle_datagram(at(1_000), address(FROM), &connect_datagram(at(1_000), 5, 77));
    assert!(transmits(&mut host, at(1_000)).is_empty());
    assert_eq!(refused(&host), [(HandshakeRefusal::NotListening, 1)]);
}

#[test]
fn datagrams_of_unknown_addresses_and_earlier_sessions_get_no_reply() {
    let mut host = server(HostSettings::default());
    let mut client = RawClient::connect(&mut host, at(10_000), FROM, 77);
    let ping = client.ping();
    let mut wrong_session = client.header(Some(5));
    wrong_session.session = 2;
    let mut wrong_slot = client.header(Some(5));
    wrong_slot.peer_id = 9;
    let from = client.address;
    host.handle_datagram(at(10_100), from, &datagram(wrong_session, &[ping]));
    host.handle_datagram(at(10_100), from, &datagram(wrong_slot, &[ping]));
    host.handle_datagram(
        at(10_100),
        address("10.0.0.2:5001"),
        &datagram(client.header(Some(5)), &[ping]),
    );
    assert!(transmits(&mut host, at(10_100)).is_empty());
    assert_eq!(host.stats().refused_datagrams.get(DatagramRefusal::UnknownPeer), 3);
}

/// Returns a host with a gate.
fn gated(limits: GateLimits) -> (Host, ConnectionGate) {
    let gate = ConnectionGate::default();
    gate.set_limits(limits);
    let mut settings = HostSettings::default();
    settings.gate = Some(gate.clone());
    (server(settings), gate)
}

#[test]
fn gate_rejects_banned_addresses_at_once() {
    let (mut host, gate) = gated(GateLimits::default());
    gate.set_bans(["10.0.0.0/30".parse().unwrap()]);
    assert_refused(&mut host, 1_000, FROM, 77);
    assert_eq!(refused(&host), [(HandshakeRefusal::Gate, 1)]);
    assert_eq!(gate.stats().refused.get(GateRefusal::Banned), 1);
    RawClient::connect(&mut host, at(1_000), "10.0.0.4:5000", 77);
}

#[test]
fn gate_counts_the_connections_of_an_address_until_they_end() {
    let (mut host, gate) = gated(GateLimits { per_address: Some(1), handshakes: None });
    // Half-open connections may have forged addresses, and do not count.
    RawClient::half_open(&mut host, at(1_000), "10.0.0.2:9", 76);
    let first = RawClient::connect(&mut host, at(1_000), FROM, 77);
    assert_refused(&mut host, 1_000, "10.0.0.2:6000", 78);
    first.send(&mut host, at(1_100), &[Command::control(2, Body::Disconnect { data: 0 })]);
    transmits(&mut host, at(1_100));
    events(&mut host);
    assert_eq!(gate.stats().connections, 0);
    RawClient::connect(&mut host, at(1_100), "10.0.0.2:6000", 78);
}

#[test]
fn of_two_half_open_clients_of_an_address_the_gate_admits_one() {
    let (mut host, gate) = gated(GateLimits { per_address: Some(1), handshakes: None });
    let now = at(1_000);
    let first = RawClient::half_open(&mut host, now, "10.0.0.2:1", 77);
    let second = RawClient::half_open(&mut host, now, "10.0.0.2:2", 78);
    second.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, now);
    first.acknowledge(&mut host, now, CONTROL_CHANNEL, 1, now);
    assert_eq!((host.connected_peers(), gate.stats().connections), (1, 1));
    assert_eq!(refused(&host), [(HandshakeRefusal::Gate, 1)]);
}

#[test]
fn gate_limits_the_new_connections_per_second() {
    let rate = Rate::per_second(1).with_burst(2);
    let (mut host, gate) = gated(GateLimits { per_address: None, handshakes: Some(rate) });
    RawClient::connect(&mut host, at(1_000), "10.0.0.2:1", 2);
    RawClient::connect(&mut host, at(1_000), "10.0.0.3:1", 3);
    assert_refused(&mut host, 1_000, "10.0.0.4:1", 4);
    assert_eq!(gate.stats().refused.get(GateRefusal::TooManyHandshakes), 1);
    RawClient::connect(&mut host, at(2_000), "10.0.0.4:1", 4);
}
