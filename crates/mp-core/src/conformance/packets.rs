//! Checks of packet delivery.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::Rig;
use super::stage::{Link, SERVER, Stage};
use crate::{
    Channel, ConnectionId, Connections, DisconnectReason, Farewell, Outgoing, Packet, Prefix, Rng,
    SendError, TransferMode,
};

/// Number of packets in a check of unreliable modes.
const UNRELIABLE_PACKETS: u32 = 300;

/// Reciprocal of the share of unreliable packets that must be received for a check to be
/// meaningful.
const UNRELIABLE_LOSS_MAX: usize = 10;

/// Size of the random data; more than the largest packet.
const NOISE_BYTES: usize = 256 * 1024;

/// Packets from the server to clients and back are received unchanged.
pub fn packets_travel_both_ways<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect()];
    for (link, (down, up)) in links.into_iter().zip([("down 0", "up 0"), ("down 1", "up 1")]) {
        stage.say(SERVER, link.at_server, down);
        stage.say(link.client, link.at_client, up);
        stage.until("a packet each way", |stage| {
            !stage.sides[link.client].payloads(link.at_client).is_empty()
                && !stage.sides[SERVER].payloads(link.at_server).is_empty()
        });
        assert_eq!(stage.sides[link.client].payloads(link.at_client), [down.as_bytes()]);
        assert_eq!(stage.sides[SERVER].payloads(link.at_server), [up.as_bytes()]);
    }
}

/// Hundreds of packets of 1 byte to 200 kB, both ways and on all channels at once, are received
/// once, unchanged and in order.
pub fn reliable_packets_arrive_once_and_in_order<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    let mut noise = Noise::new(1);
    let largest = 200_000.min(stage.sides[SERVER].peer.max_packet_size());
    let channels = usize::from(stage.can.channels);
    let mut sent = [vec![Vec::new(); channels], vec![Vec::new(); channels]];
    for number in 0..300 {
        let channel = number % channels;
        for (direction, (side, connection)) in ways(link).into_iter().enumerate() {
            let payload = noise.take(size(number, largest));
            stage.send(
                side,
                connection,
                TransferMode::Reliable,
                Channel(channel as u8),
                payload.clone(),
            );
            sent[direction][channel].push(payload);
        }
        if number % 10 == 9 {
            stage.turn();
        }
    }
    let arrived = |stage: &Stage<R>| {
        [stage.sides[link.client].all_packets().count(), stage.sides[SERVER].all_packets().count()]
    };
    stage.until("300 reliable packets each way", |stage| {
        arrived(stage).into_iter().all(|count| count >= 300)
    });
    stage.quiet();
    assert_eq!(arrived(&stage), [300, 300], "more packets received than sent");
    for (direction, (side, connection)) in arrivals(link).into_iter().enumerate() {
        for (channel, expected) in sent[direction].iter().enumerate() {
            let on_channel = |packet: &&Packet| packet.channel == Channel(channel as u8);
            let got = stage.sides[side].packets(connection).filter(on_channel);
            let got: Vec<_> = got.map(|packet| &packet.payload).collect();
            assert_eq!(got.len(), expected.len(), "packets on channel {channel}");
            for (index, (got, expected)) in got.into_iter().zip(expected).enumerate() {
                let (len, meant) = (got.len(), expected.len());
                assert!(
                    got == expected,
                    "packet {index} of channel {channel} differs: {len} bytes received, {meant} sent"
                );
            }
        }
    }
}

/// An empty packet is received, in order with others.
pub fn an_empty_packet_arrives_empty<R: Rig>(rig: R) {
    assert!(rig.capabilities().empty_packets, "the rig does not support empty packets");
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    for (side, connection) in ways(link) {
        for payload in ["before", "", "after"] {
            stage.say(side, connection, payload);
        }
    }
    for (side, connection) in arrivals(link) {
        stage.until("three packets", |stage| stage.sides[side].packets(connection).count() == 3);
        let payloads = stage.sides[side].payloads(connection);
        assert_eq!(payloads, [b"before".as_slice(), b"", b"after"]);
    }
}

/// Unreliable packets may be lost but are not duplicated or changed.
pub fn unreliable_packets_arrive_at_most_once<R: Rig>(rig: R) {
    let (stage, link) = unreliable_traffic(rig, TransferMode::Unreliable);
    for (side, connection) in arrivals(link) {
        let mut seen = BTreeSet::new();
        for number in numbers(&stage, side, connection) {
            assert!(seen.insert(number), "unreliable packet {number} received twice");
        }
    }
}

/// Unreliable ordered packets may be lost, but each received one is newer than the one before.
pub fn unreliable_ordered_packets_never_go_backwards<R: Rig>(rig: R) {
    let (stage, link) = unreliable_traffic(rig, TransferMode::UnreliableOrdered);
    for (side, connection) in arrivals(link) {
        let numbers: Vec<_> = numbers(&stage, side, connection).collect();
        for pair in numbers.windows(2) {
            assert!(pair[0] < pair[1], "ordered packet {} received after {}", pair[1], pair[0]);
        }
    }
}

/// A packet is received with the mode and channel it was sent with, as far as the transport
/// supports them.
pub fn modes_and_channels_are_reported<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    for channel in (0..stage.can.channels).map(Channel) {
        for mode in TransferMode::EVERY {
            for ((from, connection), (to, arrives)) in ways(link).into_iter().zip(arrivals(link)) {
                let text = format!("{mode:?} on {channel} from {from}");
                let find = |stage: &Stage<R>| {
                    let mut packets = stage.sides[to].packets(arrives);
                    packets.find(|packet| packet.payload == text).map(|p| (p.mode, p.channel))
                };
                let deadline = stage.now + stage.can.patience;
                stage.send(from, connection, mode, channel, text.clone());
                let got = loop {
                    stage.turn();
                    if let Some(found) = find(&stage) {
                        break found;
                    }
                    assert!(stage.now < deadline, "timed out waiting for {text}");
                    if !mode.is_reliable() {
                        // It may be lost.
                        stage.send(from, connection, mode, channel, text.clone());
                    }
                };
                let meant = if stage.can.modes { mode } else { TransferMode::Reliable };
                assert_eq!(got, (meant, channel), "{text}");
            }
        }
    }
}

/// The prefix of an [`Outgoing`] precedes its payload in the received packet.
pub fn a_prefix_is_part_of_the_packet<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    let cases = [(&b"pre"[..], &b"fix"[..]), (b"12345678", &[7; 5_000]), (b"alone", b"")];
    for (prefix, payload) in cases {
        let outgoing = Outgoing {
            to: link.at_server.into(),
            mode: TransferMode::Reliable,
            channel: Channel(0),
            prefix: Prefix::new(prefix),
            payload: Bytes::from_static(payload),
        };
        stage.sides[SERVER].peer.send(outgoing).expect("packet accepted");
    }
    stage.until("three packets", |stage| {
        stage.sides[link.client].packets(link.at_client).count() == 3
    });
    let meant = cases.map(|(prefix, payload)| [prefix, payload].concat());
    assert_eq!(stage.sides[link.client].payloads(link.at_client), meant);
}

/// A packet for several connections is received once on each of them, and on no other.
pub fn many_goes_to_each<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect()];
    stage.say(SERVER, many(&[links[0], links[2]]), "for 0 and 2");
    stage.say(SERVER, many(&links), "for all");
    stage.until("the packet for all connections", |stage| {
        links.iter().all(|link| {
            stage.sides[link.client].packets(link.at_client).any(|p| p.payload == "for all")
        })
    });
    stage.quiet();
    for (index, link) in links.into_iter().enumerate() {
        let meant: &[&[u8]] =
            if index == 1 { &[b"for all"] } else { &[b"for 0 and 2", b"for all"] };
        assert_eq!(stage.sides[link.client].payloads(link.at_client), meant, "client {index}");
    }
}

/// A packet for connections of which some have ended is sent to the others, without an error.
pub fn a_link_that_has_gone_is_skipped<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect(), stage.connect()];
    let [kicked, forgotten, left, here] = links;
    let reason = DisconnectReason::Kicked;
    stage.sides[SERVER].disconnect(kicked.at_server, reason, Farewell::Polite);
    stage.sides[SERVER].disconnect(forgotten.at_server, reason, Farewell::Abrupt);
    stage.say(SERVER, many(&links), "while closing");
    stage.sides[left.client].close();
    stage.until("three connections to end", |stage| {
        [kicked, forgotten].iter().all(|l| stage.sides[l.client].end_of(l.at_client).is_some())
            && [kicked, left].iter().all(|l| stage.sides[SERVER].end_of(l.at_server).is_some())
    });
    stage.say(SERVER, many(&links), "after closing");
    stage.say(SERVER, kicked.at_server, "dropped");
    stage.until("both packets on the remaining connection", |stage| {
        stage.sides[here.client].packets(here.at_client).count() == 2
    });
    stage.quiet();
    let payloads = stage.sides[here.client].payloads(here.at_client);
    assert_eq!(payloads, [&b"while closing"[..], b"after closing"]);
    for gone in [kicked, forgotten] {
        assert!(stage.sides[gone.client].payloads(gone.at_client).is_empty());
    }
}

/// A packet that exceeds `max_packet_size`, including its prefix, is rejected for all of its
/// connections.
pub fn a_packet_that_is_too_large_is_refused_and_goes_nowhere<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect()];
    let max = stage.sides[SERVER].peer.max_packet_size();
    let zeros = Bytes::from(vec![0; max + 1]);
    for (prefix, payload) in
        [(Prefix::EMPTY, zeros.clone()), (Prefix::new(b"12"), zeros.slice(1..))]
    {
        let len = prefix.as_slice().len() + payload.len();
        for mode in TransferMode::EVERY {
            let (to, channel, payload) = (many(&links), Channel(0), payload.clone());
            let outgoing = Outgoing { to, mode, channel, prefix, payload };
            let sent = stage.sides[SERVER].peer.send(outgoing);
            assert_eq!(sent, Err(SendError::TooLarge { len, max }), "{len} bytes, {mode:?}");
        }
    }
    stage.say(SERVER, many(&links), "hello");
    stage.until("the packet within the limit", |stage| {
        links.iter().all(|l| stage.sides[l.client].packets(l.at_client).next().is_some())
    });
    stage.quiet();
    for link in links {
        assert_eq!(stage.sides[link.client].payloads(link.at_client), [b"hello"]);
    }
}

/// A paused connection delivers nothing. After resuming it delivers all reliable packets in order,
/// and no unreliable packet received meanwhile. Other connections are not affected.
pub fn a_held_link_leaves_packets_with_their_sender<R: Rig>(rig: R) {
    const PACKETS: usize = 200;
    assert!(rig.capabilities().holds, "the rig does not support pausing connections");
    let mut stage = Stage::open(rig);
    let (held, other) = (stage.connect(), stage.connect());
    let modes = stage.can.modes;
    stage.quiet();
    let mut noise = Noise::new(2);
    let sent: Vec<_> = (0..PACKETS).map(|number| noise.take(size(number, 2_000))).collect();
    stage.sides[SERVER].peer.hold(held.at_server, true);
    for (number, payload) in sent.iter().enumerate() {
        stage.say(held.client, held.at_client, payload.clone());
        if modes {
            let (mode, channel) = (TransferMode::Unreliable, Channel(0));
            stage.send(held.client, held.at_client, mode, channel, "to be dropped");
        }
        if number % 20 == 19 {
            stage.turn();
        }
    }
    stage.say(other.client, other.at_client, "other");
    stage.quiet();
    stage.until("a packet on the other connection", |stage| {
        stage.sides[SERVER].packets(other.at_server).count() == 1
    });
    let early = stage.sides[SERVER].packets(held.at_server).count();
    assert_eq!(early, 0, "packets received on a paused connection");

    stage.sides[SERVER].peer.hold(held.at_server, false);
    stage.until("the packets of the resumed connection", |stage| {
        stage.sides[SERVER].packets(held.at_server).count() >= PACKETS
    });
    stage.quiet();
    let got: Vec<_> = stage.sides[SERVER].packets(held.at_server).collect();
    assert_eq!(got.len(), PACKETS, "packets of the resumed connection, without unreliable ones");
    for (index, (packet, sent)) in got.into_iter().zip(&sent).enumerate() {
        assert!(
            packet.payload == *sent,
            "packet {index} of the resumed connection is out of order"
        );
    }
    assert_eq!(stage.sides[SERVER].end_of(held.at_server), None, "end of the paused connection");
}

/// Sends numbered packets of an unreliable `mode` both ways, and checks that enough are received.
fn unreliable_traffic<R: Rig>(rig: R, mode: TransferMode) -> (Stage<R>, Link) {
    let mut stage = Stage::open(rig);
    let link = stage.connect();
    for number in 0..UNRELIABLE_PACKETS {
        for (side, connection) in ways(link) {
            stage.send(side, connection, mode, Channel(0), numbered(number));
        }
        if number % 5 == 4 {
            stage.turn();
        }
    }
    stage.quiet();
    for (side, connection) in arrivals(link) {
        let arrived = stage.sides[side].packets(connection).count();
        let least = UNRELIABLE_PACKETS as usize / UNRELIABLE_LOSS_MAX;
        assert!(arrived >= least, "only {arrived} of {UNRELIABLE_PACKETS} packets received");
    }
    (stage, link)
}

/// Returns a packet that starts with its number. Some are larger than a datagram.
fn numbered(number: u32) -> Vec<u8> {
    let len = if number % 16 == 15 { 3_000 } else { 4 + number as usize };
    let mut payload = vec![number as u8; len];
    payload[..4].copy_from_slice(&number.to_le_bytes());
    payload
}

fn numbers<R>(stage: &Stage<R>, side: usize, connection: ConnectionId) -> impl Iterator<Item = u32>
where
    R: Rig,
{
    stage.sides[side].packets(connection).map(|packet| {
        let number: [u8; 4] = packet.payload[..4].try_into().expect("payloads start with a number");
        let number = u32::from_le_bytes(number);
        assert!(packet.payload == numbered(number), "unreliable packet {number} has changed");
        number
    })
}

/// Returns the senders of a connection, as peer indexes and connection ids.
fn ways(link: Link) -> [(usize, ConnectionId); 2] {
    [(SERVER, link.at_server), (link.client, link.at_client)]
}

/// Returns the receivers of the packets from [`senders`], in the same order.
fn arrivals(link: Link) -> [(usize, ConnectionId); 2] {
    [(link.client, link.at_client), (SERVER, link.at_server)]
}

fn many(links: &[Link]) -> Connections {
    Connections::Many(links.iter().map(|link| link.at_server).collect::<Arc<[_]>>())
}

/// Random data in which any two positions differ.
struct Noise {
    bytes: Bytes,
    rng: Rng,
}

impl Noise {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::from_number(seed);
        let bytes = (0..NOISE_BYTES / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        Self { bytes, rng }
    }

    fn take(&mut self, len: usize) -> Bytes {
        let start = self.rng.below((NOISE_BYTES - len) as u64) as usize;
        self.bytes.slice(start..start + len)
    }
}

/// Returns sizes around the limits of datagrams and frames, at most `largest`.
fn size(number: usize, largest: usize) -> usize {
    const SIZES: [usize; 20] = [
        1, 2, 3, 17, 125, 126, 127, 500, 1_199, 1_200, 1_363, 1_364, 1_365, 1_400, 1_401, 4_096,
        9_000, 65_535, 65_536, 200_000,
    ];
    SIZES[(number * 7) % SIZES.len()].min(largest)
}
