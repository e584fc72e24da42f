//! Checks of packet delivery.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::Rig;
use super::session::{ConnectionPair, SERVER, Session};
use crate::{
    Channel, CloseMode, ConnectionId, Connections, DisconnectReason, OutgoingPacket, Packet,
    Prefix, Rng, SendError, TransferMode,
};

/// Number of packets in a check of unreliable modes.
const UNRELIABLE_PACKETS: u32 = 300;

/// Divisor of the number of sent packets: fewer received ones would make a check meaningless.
const UNRELIABLE_DIVISOR: usize = 10;

/// Size of the random data; more than the largest packet.
const NOISE_BYTES: usize = 256 * 1024;

/// Packets from the server to clients and back are received unchanged.
pub fn packets_are_delivered_both_ways<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect()];
    for (pair, (down, up)) in pairs.into_iter().zip([("down 0", "up 0"), ("down 1", "up 1")]) {
        session.send_reliable(SERVER, pair.at_server, down);
        session.send_reliable(pair.client, pair.at_client, up);
        session.until("a packet each way", |session| {
            !session.peers[pair.client].payloads(pair.at_client).is_empty()
                && !session.peers[SERVER].payloads(pair.at_server).is_empty()
        });
        assert_eq!(session.peers[pair.client].payloads(pair.at_client), [down.as_bytes()]);
        assert_eq!(session.peers[SERVER].payloads(pair.at_server), [up.as_bytes()]);
    }
}

/// Hundreds of packets of 1 byte to 200 kB, both ways and on all channels at once, are received
/// once, unchanged and in order.
pub fn reliable_packets_are_delivered_once_and_in_order<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pair = session.connect();
    let mut noise = Noise::new(1);
    let largest = 200_000.min(session.peers[SERVER].peer.max_packet_size());
    let channels = usize::from(session.capabilities.channels);
    let mut sent = [vec![Vec::new(); channels], vec![Vec::new(); channels]];
    for number in 0..300 {
        let channel = number % channels;
        for (direction, (side, connection)) in senders(pair).into_iter().enumerate() {
            let payload = noise.next(size(number, largest));
            session.send(
                side,
                connection,
                TransferMode::Reliable,
                Channel(channel as u8),
                payload.clone(),
            );
            sent[direction][channel].push(payload);
        }
        if number % 10 == 9 {
            session.turn();
        }
    }
    let received = |session: &Session<R>| {
        [
            session.peers[pair.client].all_packets().count(),
            session.peers[SERVER].all_packets().count(),
        ]
    };
    session.until("300 reliable packets each way", |session| {
        received(session).into_iter().all(|count| count >= 300)
    });
    session.quiet();
    assert_eq!(received(&session), [300, 300], "more packets received than sent");
    for (direction, (side, connection)) in receivers(pair).into_iter().enumerate() {
        for (channel, expected) in sent[direction].iter().enumerate() {
            let on_channel = |packet: &&Packet| packet.channel == Channel(channel as u8);
            let got = session.peers[side].packets(connection).filter(on_channel);
            let got: Vec<_> = got.map(|packet| &packet.payload).collect();
            assert_eq!(got.len(), expected.len(), "packets on channel {channel}");
            for (index, (got, expected)) in got.into_iter().zip(expected).enumerate() {
                let (len, sent) = (got.len(), expected.len());
                assert!(
                    got == expected,
                    "packet {index} of channel {channel} differs: {len} bytes received, {sent} sent"
                );
            }
        }
    }
}

/// An empty packet is received, in order with others.
pub fn empty_packet_is_delivered<R: Rig>(rig: R) {
    assert!(rig.capabilities().empty_packets, "the rig does not support empty packets");
    let mut session = Session::open(rig);
    let pair = session.connect();
    for (side, connection) in senders(pair) {
        for payload in ["before", "", "after"] {
            session.send_reliable(side, connection, payload);
        }
    }
    for (side, connection) in receivers(pair) {
        session
            .until("three packets", |session| session.peers[side].packets(connection).count() == 3);
        let payloads = session.peers[side].payloads(connection);
        assert_eq!(payloads, [b"before".as_slice(), b"", b"after"]);
    }
}

/// Unreliable packets may be lost but are not duplicated or changed.
pub fn unreliable_packets_are_delivered_at_most_once<R: Rig>(rig: R) {
    let (session, pair) = unreliable_traffic(rig, TransferMode::Unreliable);
    for (side, connection) in receivers(pair) {
        let mut seen = BTreeSet::new();
        for number in numbers(&session, side, connection) {
            assert!(seen.insert(number), "unreliable packet {number} received twice");
        }
    }
}

/// Unreliable ordered packets may be lost, but each received one is newer than the one before.
pub fn unreliable_ordered_packets_never_go_backwards<R: Rig>(rig: R) {
    let (session, pair) = unreliable_traffic(rig, TransferMode::UnreliableOrdered);
    for (side, connection) in receivers(pair) {
        let numbers: Vec<_> = numbers(&session, side, connection).collect();
        for pair in numbers.windows(2) {
            assert!(pair[0] < pair[1], "ordered packet {} received after {}", pair[1], pair[0]);
        }
    }
}

/// A packet is received with the mode and channel it was sent with, as far as the transport
/// supports them.
pub fn modes_and_channels_are_reported<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pair = session.connect();
    for channel in (0..session.capabilities.channels).map(Channel) {
        for mode in TransferMode::ALL {
            for ((from, connection), (to, connection_there)) in
                senders(pair).into_iter().zip(receivers(pair))
            {
                let text = format!("{mode:?} on {channel} from {from}");
                let find = |session: &Session<R>| {
                    let mut packets = session.peers[to].packets(connection_there);
                    packets.find(|packet| packet.payload == text).map(|p| (p.mode, p.channel))
                };
                let deadline = session.now + session.capabilities.patience;
                session.send(from, connection, mode, channel, text.clone());
                let got = loop {
                    session.turn();
                    if let Some(found) = find(&session) {
                        break found;
                    }
                    assert!(session.now < deadline, "timed out waiting for {text}");
                    if !mode.is_reliable() {
                        // It may be lost.
                        session.send(from, connection, mode, channel, text.clone());
                    }
                };
                let expected =
                    if session.capabilities.modes { mode } else { TransferMode::Reliable };
                assert_eq!(got, (expected, channel), "{text}");
            }
        }
    }
}

/// The prefix of an [`OutgoingPacket`] precedes its payload in the received packet.
pub fn prefix_precedes_the_payload<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pair = session.connect();
    let cases = [(&b"pre"[..], &b"fix"[..]), (b"12345678", &[7; 5_000]), (b"alone", b"")];
    for (prefix, payload) in cases {
        let outgoing = OutgoingPacket {
            to: pair.at_server.into(),
            mode: TransferMode::Reliable,
            channel: Channel(0),
            prefix: Prefix::new(prefix),
            payload: Bytes::from_static(payload),
        };
        session.peers[SERVER].peer.send(outgoing).expect("packet accepted");
    }
    session.until("three packets", |session| {
        session.peers[pair.client].packets(pair.at_client).count() == 3
    });
    let expected = cases.map(|(prefix, payload)| [prefix, payload].concat());
    assert_eq!(session.peers[pair.client].payloads(pair.at_client), expected);
}

/// A packet for several connections is received once on each of them, and on no other.
pub fn packet_for_many_connections_is_delivered_to_each<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect(), session.connect()];
    session.send_reliable(SERVER, many(&[pairs[0], pairs[2]]), "for 0 and 2");
    session.send_reliable(SERVER, many(&pairs), "for all");
    session.until("the packet for all connections", |session| {
        pairs.iter().all(|pair| {
            session.peers[pair.client].packets(pair.at_client).any(|p| p.payload == "for all")
        })
    });
    session.quiet();
    for (index, pair) in pairs.into_iter().enumerate() {
        let expected: &[&[u8]] =
            if index == 1 { &[b"for all"] } else { &[b"for 0 and 2", b"for all"] };
        assert_eq!(session.peers[pair.client].payloads(pair.at_client), expected, "client {index}");
    }
}

/// A packet for connections of which some have ended is sent to the others, without an error.
pub fn closed_connections_are_skipped<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect(), session.connect(), session.connect()];
    let [kicked, removed, left, remaining] = pairs;
    let reason = DisconnectReason::Kicked;
    session.peers[SERVER].disconnect(kicked.at_server, reason, CloseMode::Graceful);
    session.peers[SERVER].disconnect(removed.at_server, reason, CloseMode::Immediate);
    session.send_reliable(SERVER, many(&pairs), "while closing");
    session.peers[left.client].close();
    session.until("three connections to end", |session| {
        [kicked, removed]
            .iter()
            .all(|pair| session.peers[pair.client].end_of(pair.at_client).is_some())
            && [kicked, left].iter().all(|l| session.peers[SERVER].end_of(l.at_server).is_some())
    });
    session.send_reliable(SERVER, many(&pairs), "after closing");
    session.send_reliable(SERVER, kicked.at_server, "dropped");
    session.until("both packets on the remaining connection", |session| {
        session.peers[remaining.client].packets(remaining.at_client).count() == 2
    });
    session.quiet();
    let payloads = session.peers[remaining.client].payloads(remaining.at_client);
    assert_eq!(payloads, [&b"while closing"[..], b"after closing"]);
    for ended in [kicked, removed] {
        assert!(session.peers[ended.client].payloads(ended.at_client).is_empty());
    }
}

/// A packet that exceeds `max_packet_size`, including its prefix, is rejected for all of its
/// connections.
pub fn oversized_packet_is_rejected<R: Rig>(rig: R) {
    let mut session = Session::open(rig);
    let pairs = [session.connect(), session.connect()];
    let max = session.peers[SERVER].peer.max_packet_size();
    let zeros = Bytes::from(vec![0; max + 1]);
    for (prefix, payload) in
        [(Prefix::EMPTY, zeros.clone()), (Prefix::new(b"12"), zeros.slice(1..))]
    {
        let len = prefix.as_slice().len() + payload.len();
        for mode in TransferMode::ALL {
            let (to, channel, payload) = (many(&pairs), Channel(0), payload.clone());
            let outgoing = OutgoingPacket { to, mode, channel, prefix, payload };
            let sent = session.peers[SERVER].peer.send(outgoing);
            assert_eq!(sent, Err(SendError::TooLarge { len, max }), "{len} bytes, {mode:?}");
        }
    }
    session.send_reliable(SERVER, many(&pairs), "hello");
    session.until("the packet within the limit", |session| {
        pairs.iter().all(|pair| session.peers[pair.client].packets(pair.at_client).next().is_some())
    });
    session.quiet();
    for pair in pairs {
        assert_eq!(session.peers[pair.client].payloads(pair.at_client), [b"hello"]);
    }
}

/// A paused connection delivers nothing. After resuming it delivers all reliable packets in order,
/// and no unreliable packet received meanwhile. Other connections are not affected.
pub fn paused_connection_leaves_packets_with_their_sender<R: Rig>(rig: R) {
    const PACKETS: usize = 200;
    assert!(rig.capabilities().can_pause, "the rig does not support pausing connections");
    let mut session = Session::open(rig);
    let (paused, other) = (session.connect(), session.connect());
    let modes = session.capabilities.modes;
    session.quiet();
    let mut noise = Noise::new(2);
    let sent: Vec<_> = (0..PACKETS).map(|number| noise.next(size(number, 2_000))).collect();
    session.peers[SERVER].peer.pause_receiving(paused.at_server, true);
    for (number, payload) in sent.iter().enumerate() {
        session.send_reliable(paused.client, paused.at_client, payload.clone());
        if modes {
            let (mode, channel) = (TransferMode::Unreliable, Channel(0));
            session.send(paused.client, paused.at_client, mode, channel, "to be dropped");
        }
        if number % 20 == 19 {
            session.turn();
        }
    }
    session.send_reliable(other.client, other.at_client, "other");
    session.quiet();
    session.until("a packet on the other connection", |session| {
        session.peers[SERVER].packets(other.at_server).count() == 1
    });
    let early = session.peers[SERVER].packets(paused.at_server).count();
    assert_eq!(early, 0, "packets received on a paused connection");

    session.peers[SERVER].peer.pause_receiving(paused.at_server, false);
    session.until("the packets of the resumed connection", |session| {
        session.peers[SERVER].packets(paused.at_server).count() >= PACKETS
    });
    session.quiet();
    let got: Vec<_> = session.peers[SERVER].packets(paused.at_server).collect();
    assert_eq!(got.len(), PACKETS, "packets of the resumed connection, without unreliable ones");
    for (index, (packet, sent)) in got.into_iter().zip(&sent).enumerate() {
        assert!(
            packet.payload == *sent,
            "packet {index} of the resumed connection is out of order"
        );
    }
    assert_eq!(
        session.peers[SERVER].end_of(paused.at_server),
        None,
        "end of the paused connection"
    );
}

/// Sends numbered packets of an unreliable `mode` both ways, and checks that enough are received.
fn unreliable_traffic<R: Rig>(rig: R, mode: TransferMode) -> (Session<R>, ConnectionPair) {
    let mut session = Session::open(rig);
    let pair = session.connect();
    for number in 0..UNRELIABLE_PACKETS {
        for (side, connection) in senders(pair) {
            session.send(side, connection, mode, Channel(0), numbered(number));
        }
        if number % 5 == 4 {
            session.turn();
        }
    }
    session.quiet();
    for (side, connection) in receivers(pair) {
        let received = session.peers[side].packets(connection).count();
        let least = UNRELIABLE_PACKETS as usize / UNRELIABLE_DIVISOR;
        assert!(received >= least, "only {received} of {UNRELIABLE_PACKETS} packets received");
    }
    (session, pair)
}

/// Returns a packet that starts with its number. Some are larger than a datagram.
fn numbered(number: u32) -> Vec<u8> {
    let len = if number % 16 == 15 { 3_000 } else { 4 + number as usize };
    let mut payload = vec![number as u8; len];
    payload[..4].copy_from_slice(&number.to_le_bytes());
    payload
}

fn numbers<R>(
    session: &Session<R>,
    side: usize,
    connection: ConnectionId,
) -> impl Iterator<Item = u32>
where
    R: Rig,
{
    session.peers[side].packets(connection).map(|packet| {
        let number: [u8; 4] = packet.payload[..4].try_into().expect("payloads start with a number");
        let number = u32::from_le_bytes(number);
        assert!(packet.payload == numbered(number), "unreliable packet {number} has changed");
        number
    })
}

/// Returns the senders of a connection, as peer indexes and connection ids.
fn senders(pair: ConnectionPair) -> [(usize, ConnectionId); 2] {
    [(SERVER, pair.at_server), (pair.client, pair.at_client)]
}

/// Returns the receivers of the packets from [`senders`], in the same order.
fn receivers(pair: ConnectionPair) -> [(usize, ConnectionId); 2] {
    [(pair.client, pair.at_client), (SERVER, pair.at_server)]
}

fn many(pairs: &[ConnectionPair]) -> Connections {
    Connections::Many(pairs.iter().map(|pair| pair.at_server).collect::<Arc<[_]>>())
}

/// Random data in which any two positions differ.
struct Noise {
    bytes: Bytes,
    rng: Rng,
}

impl Noise {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seed_from_u64(seed);
        let bytes = (0..NOISE_BYTES / 8).flat_map(|_| rng.next_u64().to_le_bytes()).collect();
        Self { bytes, rng }
    }

    fn next(&mut self, len: usize) -> Bytes {
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
