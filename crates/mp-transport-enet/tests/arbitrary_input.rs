//! Property tests of a host with arbitrary bytes, mutated captures and well-formed commands with
//! any fields, from unknown addresses, half-open clients and connected ones. Nothing panics, memory
//! is bounded, and other peers are not affected. Specific attacks are in `isolation.rs`.

mod common;

use std::net::SocketAddr;

use common::{
    RawClient, address, at, capture, capture_names, datagram, events, parse, reliable, server,
    transmits,
};
use mp_core::Rng;
use mp_transport_enet::proto::command::{
    Body, CONTROL_CHANNEL, Command, Fragment, ThrottleParameters,
};
use mp_transport_enet::proto::header::Header;
use mp_transport_enet::proto::{Admission, CompressionMode, Host, HostEvent, HostSettings};
use proptest::prelude::*;

const ATTACKER: &str = "10.0.0.9:1";
const HALF_OPEN: &str = "10.0.0.8:1";
const UNKNOWN_PEER: &str = "10.0.0.7:1";
const HONEST: &str = "10.0.0.2:1";

/// Maximum number of bytes that the host may buffer for a peer: reliable and unreliable packets out
/// of order, and one packet of the maximum length.
const WAITING_MAX: usize = (4 + 4 + 32) << 20;

fn any_address() -> impl Strategy<Value = &'static str> {
    prop_oneof![4 => Just(ATTACKER), 1 => Just(HALF_OPEN), 1 => Just(UNKNOWN_PEER)]
}

/// A captured datagram with some bytes changed, removed or added.
fn mutated_capture() -> impl Strategy<Value = Vec<u8>> {
    let captured: Vec<Vec<u8>> = capture_names()
        .iter()
        .flat_map(|name| capture(name))
        .map(|captured| if captured.is_whole() { captured.bytes } else { captured.rebuilt() })
        .collect();
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (prop::sample::select(captured), changes, 0..8_usize, prop::collection::vec(any::<u8>(), 0..8))
        .prop_map(|(mut bytes, changes, cut, added)| {
            for (index, value) in changes {
                let index = index.index(bytes.len());
                bytes[index] = value;
            }
            bytes.truncate(bytes.len().saturating_sub(cut));
            bytes.extend(added);
            bytes
        })
}

/// Numbers near the limits of their ranges.
fn edge_u16() -> impl Strategy<Value = u16> {
    prop_oneof![0..8_u16, 4_090..4_100_u16, 28_000..30_000_u16, Just(u16::MAX), any::<u16>()]
}

fn edge_u32() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..8_u32,
        60_000..70_000_u32,
        Just(u32::MAX),
        Just(1 << 20),
        Just(32 << 20),
        any::<u32>()
    ]
}

/// One encoded command with any fields.
fn any_command() -> impl Strategy<Value = Vec<u8>> {
    let payload = prop::collection::vec(any::<u8>(), 0..40);
    let numbers = [edge_u32().boxed(), edge_u32().boxed(), edge_u32().boxed(), edge_u32().boxed()];
    (0..13_u8, any::<bool>(), 0..4_u8, edge_u16(), edge_u16(), numbers, payload).prop_map(
        |(kind, is_fragment_sane, channel, sequence, second, [a, b, c, d], payload)| {
            let payload = &payload[..];
            let throttle = ThrottleParameters { interval: a, acceleration: b, deceleration: c };
            let fragment = if is_fragment_sane {
                let (count, number) = (a % 100 + 1, b % (a % 100 + 1));
                let len = payload.len() as u32;
                Fragment {
                    start: second,
                    count,
                    number,
                    total: count * len,
                    offset: number * len,
                    payload,
                }
            } else {
                Fragment { start: second, count: a, number: b, total: c, offset: d, payload }
            };
            let body = match kind {
                0 => Body::Acknowledge { sequence: second, sent_time: a as u16 },
                1 | 2 => Body::SendReliable { payload },
                3 => Body::Disconnect { data: a },
                4 => Body::Ping,
                5 => Body::SendUnreliable { sequence: second, payload },
                6 | 7 => Body::SendFragment(fragment),
                8 => Body::SendUnsequenced { group: second, payload },
                9 => Body::BandwidthLimit { incoming: a, outgoing: b },
                10 => Body::ThrottleConfigure(throttle),
                _ => Body::SendUnreliableFragment(fragment),
            };
            let own = if is_fragment_sane && kind < 8 {
                second.wrapping_add(fragment.number as u16)
            } else {
                sequence
            };
            let is_control = matches!(kind, 3 | 4 | 9 | 10);
            let channel = if is_control { CONTROL_CHANNEL } else { channel };
            // A disconnect ends the test, so most of them are replaced.
            let body = if kind == 3 && a % 8 != 0 { Body::Ping } else { body };
            let command = Command { flags: 0x80, channel, sequence: own, body };
            let mut bytes = vec![0; command.encoded_len()];
            command.emit(&mut bytes);
            bytes
        },
    )
}

fn any_datagram() -> impl Strategy<Value = Vec<u8>> {
    let commands = prop::collection::vec(any_command(), 1..6).prop_map(|commands| {
        let header = Header { peer_id: 0, session: 0, compressed: false, sent_time: Some(7) };
        let mut bytes = datagram(header, &[]);
        bytes.extend(commands.concat());
        bytes
    });
    prop_oneof![
        4 => commands,
        2 => mutated_capture(),
        1 => prop::collection::vec(any::<u8>(), 0..200),
    ]
}

/// The source address of a datagram, whether it has a valid header, its bytes, and the time that
/// passes after it.
fn any_input() -> impl Strategy<Value = (&'static str, bool, Vec<u8>, u64)> {
    (any_address(), any::<bool>(), any_datagram(), prop_oneof![9 => 0..20_u64, 1 => 0..2_000_u64])
}

/// A correct client of the host.
struct Honest {
    host: Host,
    address: SocketAddr,
    received: usize,
}

impl Honest {
    fn exchange(&mut self, server: &mut Host, now: u64, others: &mut Vec<(SocketAddr, Vec<u8>)>) {
        for _ in 0..4 {
            for (_, bytes) in transmits(&mut self.host, at(now)) {
                server.handle_datagram(at(now), self.address, &bytes);
            }
            for (to, bytes) in transmits(server, at(now)) {
                if to == self.address {
                    self.host.handle_datagram(at(now), address(common::SERVER), &bytes);
                } else {
                    others.push((to, bytes));
                }
            }
        }
        for event in events(&mut self.host) {
            match event {
                HostEvent::Packet { .. } => self.received += 1,
                HostEvent::Connected { .. } => {}
                other => panic!("the correct client is affected: {other:?}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_input_affects_a_host_or_its_other_peers(inputs in prop::collection::vec(any_input(), 1..60)) {
        let mut now = 10_000;
        let mut host = server(HostSettings::default());
        let attacker = RawClient::connect(&mut host, at(now), ATTACKER, 2_000);
        let half_open = RawClient::half_open(&mut host, at(now), HALF_OPEN, 3_000);
        let mut settings = HostSettings::default();
        settings.admission = Admission::Nobody;
        let mut honest = Honest {
            host: Host::new(settings, Rng::seed_from_u64(5)),
            address: address(HONEST),
            received: 0,
        };
        let to_server = honest.host.connect(address(common::SERVER), 255, 4_000).unwrap();
        let mut sent = Vec::new();
        honest.exchange(&mut host, now, &mut sent);
        let connected = events(&mut host);
        let Some(HostEvent::Connected { connection: to_honest, .. }) = connected.last() else {
            panic!("{connected:?}")
        };
        let mut from_honest = 0;

        for (index, (from, is_addressed, mut bytes, pause)) in inputs.into_iter().enumerate() {
            if is_addressed && bytes.len() >= 2 {
                // With the sender's own slot, so that the header is accepted.
                let client = if from == HALF_OPEN { &half_open } else { &attacker };
                let mut header = [0; 4];
                let time = (bytes[0] & 0x80 != 0).then_some(7);
                client.header(time).emit(&mut header);
                bytes[..2].copy_from_slice(&header[..2]);
            }
            // The attacker is paused now and then.
            host.pause_receiving(attacker.connection, pause % 4 == 0);
            host.handle_datagram(at(now), address(from), &bytes);
            let mut happened = events(&mut host);
            let number = [index as u8];
            let payload = bytes::Bytes::copy_from_slice(&number);
            host.send(*to_honest, 0, mp_transport_enet::proto::PacketFlags::RELIABLE, payload.clone().into()).unwrap();
            // Packets to the attacker, so that forged acknowledgements have commands in flight.
            host.send(attacker.connection, 0, mp_transport_enet::proto::PacketFlags::RELIABLE, payload.clone().into()).unwrap();
            honest.host.send(to_server, 0, mp_transport_enet::proto::PacketFlags::RELIABLE, payload.into()).unwrap();
            now += pause;
            host.handle_timeout(at(now));
            honest.host.handle_timeout(at(now));
            honest.exchange(&mut host, now, &mut sent);
            happened.extend(events(&mut host));
            for event in happened {
                match event {
                    HostEvent::Packet { connection, payload, .. } if connection == *to_honest => {
                        prop_assert_eq!(&payload[..], &number[..]);
                        from_honest += 1;
                    }
                    HostEvent::Disconnected { connection, .. } => prop_assert_ne!(connection, *to_honest),
                    _ => {}
                }
            }
            prop_assert!(host.waiting_bytes(attacker.connection).unwrap_or(0) <= WAITING_MAX);
            let waiting = host.connections().filter_map(|it| host.waiting_bytes(it));
            prop_assert_eq!(host.received_bytes(), waiting.sum::<usize>());
            prop_assert!(host.poll_timeout().is_none_or(|next| next > at(now)), "the next turn must not be due immediately again");
            prop_assert_eq!(honest.received, index + 1);
            prop_assert_eq!(from_honest, index + 1);
        }
        // All datagrams sent are well-formed.
        for (_, bytes) in &sent {
            prop_assert!(bytes.len() <= 1_392);
            parse(bytes);
        }
    }

    #[test]
    fn a_host_without_peers_handles_any_bytes(
        mode in 0..5_usize,
        checksum in any::<bool>(),
        inputs in prop::collection::vec(any_datagram(), 1..40),
    ) {
        let mut settings = HostSettings::default();
        settings.compression = CompressionMode::ALL[mode];
        settings.checksum = checksum;
        let mut host = server(settings);
        for bytes in &inputs {
            host.handle_datagram(at(1_000), address(UNKNOWN_PEER), bytes);
            transmits(&mut host, at(1_000));
        }
        // Captured handshakes may open connections, which time out.
        let mut turns = 0;
        while let Some(next) = host.poll_timeout() {
            host.handle_timeout(next);
            transmits(&mut host, next);
            turns += 1;
            prop_assert!(turns < 1_000);
        }
        prop_assert_eq!(host.connected_peers(), 0);
    }

    #[test]
    fn a_client_handles_any_bytes_from_its_server(
        mode in 0..5_usize,
        inputs in prop::collection::vec(any_datagram(), 1..40),
    ) {
        let mut settings = HostSettings::default();
        settings.compression = CompressionMode::ALL[mode];
        settings.admission = Admission::Nobody;
        let mut host = Host::new(settings, Rng::seed_from_u64(5));
        let connection = host.connect(address(common::SERVER), 255, 4_000).unwrap();
        transmits(&mut host, at(1_000));
        for bytes in &inputs {
            host.handle_datagram(at(1_000), address(common::SERVER), bytes);
            transmits(&mut host, at(1_000));
        }
        let seen = events(&mut host);
        prop_assert!(seen.iter().all(|event| event.connection() == connection));
        let ends = seen.iter().filter(|event| {
            matches!(event, HostEvent::ConnectFailed { .. } | HostEvent::Disconnected { .. })
        });
        prop_assert!(ends.count() <= 1);
    }

    #[test]
    fn parsed_commands_are_encoded_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let Some((header, mut rest)) = Header::parse(&bytes) else { return Ok(()) };
        let mut again = vec![0; header.encoded_len()];
        header.emit(&mut again);
        while let Ok((command, after)) = Command::parse(rest) {
            let start = again.len();
            again.resize(start + command.encoded_len(), 0);
            command.emit(&mut again[start..]);
            rest = after;
            prop_assert!(!command.to_string().is_empty());
        }
        prop_assert_eq!(&again[..], &bytes[..again.len()]);
    }
}

/// Checks that the input of these tests reaches the host: a valid command has an effect.
#[test]
fn a_valid_command_of_these_tests_reaches_the_host() {
    let mut host = server(HostSettings::default());
    let attacker = RawClient::connect(&mut host, at(10_000), ATTACKER, 2_000);
    assert_eq!((attacker.slot, attacker.session), (0, 0));
    let header = Header { peer_id: 0, session: 0, compressed: false, sent_time: Some(7) };
    host.handle_datagram(at(10_000), attacker.address, &datagram(header, &[reliable(0, 1, b"x")]));
    assert_eq!(common::packets(&mut host).len(), 1);
}
