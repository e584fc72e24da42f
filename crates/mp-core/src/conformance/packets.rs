//! What happens to packets.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;

use super::Rig;
use super::stage::{Link, SERVER, Stage};
use crate::{
    Channel, ConnectionId, Connections, DisconnectReason, Farewell, Outgoing, Packet, Prefix, Rng,
    SendError, TransferMode,
};

/// Packets of a check of unreliable modes.
const UNRELIABLE_PACKETS: u32 = 300;

/// Fewer than one packet in this many would make such a check say little.
const UNRELIABLE_LOSS_MAX: usize = 10;

/// More than the largest packet that is cut from it.
const NOISE_BYTES: usize = 256 * 1024;

/// From the server to a client and back, with the bytes that were sent.
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

/// Hundreds of packets of 1 byte to 200 kB, each way, on every channel at once: none lost, repeated, changed or late.
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
    assert_eq!(arrived(&stage), [300, 300], "more packets arrived than were sent");
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
                    "packet {index} of channel {channel}: {len} for {meant} B"
                );
            }
        }
    }
}

/// A packet without bytes arrives, in its place among the others.
pub fn an_empty_packet_arrives_empty<R: Rig>(rig: R) {
    assert!(rig.capabilities().empty_packets, "this rig says that packets may not be empty");
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

/// Unreliable packets may get lost on the way, but none comes twice or changed.
pub fn unreliable_packets_arrive_at_most_once<R: Rig>(rig: R) {
    let (stage, link) = unreliable_traffic(rig, TransferMode::Unreliable);
    for (side, connection) in arrivals(link) {
        let mut seen = BTreeSet::new();
        for number in numbers(&stage, side, connection) {
            assert!(seen.insert(number), "unreliable packet {number} arrived twice");
        }
    }
}

/// Unreliable ordered packets may get lost on the way, but what arrives is newer than what came before it.
pub fn unreliable_ordered_packets_never_go_backwards<R: Rig>(rig: R) {
    let (stage, link) = unreliable_traffic(rig, TransferMode::UnreliableOrdered);
    for (side, connection) in arrivals(link) {
        let numbers: Vec<_> = numbers(&stage, side, connection).collect();
        for pair in numbers.windows(2) {
            assert!(pair[0] < pair[1], "ordered packet {} arrived after {}", pair[1], pair[0]);
        }
    }
}

/// A packet arrives with the mode and on the channel it was sent with, as far as the transport has them.
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
                    assert!(stage.now < deadline, "waited in vain for {text}");
                    if !mode.is_reliable() {
                        // It may have got lost.
                        stage.send(from, connection, mode, channel, text.clone());
                    }
                };
                let meant = if stage.can.modes { mode } else { TransferMode::Reliable };
                assert_eq!(got, (meant, channel), "{text}");
            }
        }
    }
}

/// The prefix of an [`Outgoing`] arrives in front of its payload.
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
        stage.sides[SERVER].peer.send(outgoing).expect("a packet is accepted");
    }
    stage.until("three packets", |stage| {
        stage.sides[link.client].packets(link.at_client).count() == 3
    });
    let meant = cases.map(|(prefix, payload)| [prefix, payload].concat());
    assert_eq!(stage.sides[link.client].payloads(link.at_client), meant);
}

/// A packet for many links arrives once on each of them and on no other.
pub fn many_goes_to_each<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect()];
    stage.say(SERVER, many(&[links[0], links[2]]), "for 0 and 2");
    stage.say(SERVER, many(&links), "for all");
    stage.until("what is for all", |stage| {
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

/// Sending to a link that has gone is no error, and the packet still goes to the others.
pub fn a_link_that_has_gone_is_skipped<R: Rig>(rig: R) {
    let mut stage = Stage::open(rig);
    let links = [stage.connect(), stage.connect(), stage.connect(), stage.connect()];
    let [kicked, forgotten, left, here] = links;
    let reason = DisconnectReason::Kicked;
    stage.sides[SERVER].disconnect(kicked.at_server, reason, Farewell::Polite);
    stage.sides[SERVER].disconnect(forgotten.at_server, reason, Farewell::Abrupt);
    stage.say(SERVER, many(&links), "while they go");
    stage.sides[left.client].close();
    stage.until("three links to end", |stage| {
        [kicked, forgotten].iter().all(|l| stage.sides[l.client].end_of(l.at_client).is_some())
            && [kicked, left].iter().all(|l| stage.sides[SERVER].end_of(l.at_server).is_some())
    });
    stage.say(SERVER, many(&links), "after they went");
    stage.say(SERVER, kicked.at_server, "nobody");
    stage.until("what is for the link that is here", |stage| {
        stage.sides[here.client].packets(here.at_client).count() == 2
    });
    stage.quiet();
    let payloads = stage.sides[here.client].payloads(here.at_client);
    assert_eq!(payloads, [&b"while they go"[..], b"after they went"]);
    for gone in [kicked, forgotten] {
        assert!(stage.sides[gone.client].payloads(gone.at_client).is_empty());
    }
}

/// A packet beyond `max_packet_size`, its prefix included, is refused for all links that it was for.
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
    stage.until("the packet that fits", |stage| {
        links.iter().all(|l| stage.sides[l.client].packets(l.at_client).next().is_some())
    });
    stage.quiet();
    for link in links {
        assert_eq!(stage.sides[link.client].payloads(link.at_client), [b"hello"]);
    }
}

/// While a link is held nothing comes out of it; afterwards come all reliable packets, in order, and no unreliable one
/// that came meanwhile. Other links do not notice.
pub fn a_held_link_leaves_packets_with_their_sender<R: Rig>(rig: R) {
    const PACKETS: usize = 200;
    assert!(rig.capabilities().holds, "this rig says that its transport cannot hold");
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
    stage.say(other.client, other.at_client, "passes");
    stage.quiet();
    stage.until("a packet of another link", |stage| {
        stage.sides[SERVER].packets(other.at_server).count() == 1
    });
    let early = stage.sides[SERVER].packets(held.at_server).count();
    assert_eq!(early, 0, "packets came out of a held link");

    stage.sides[SERVER].peer.hold(held.at_server, false);
    stage.until("the packets of the held link", |stage| {
        stage.sides[SERVER].packets(held.at_server).count() >= PACKETS
    });
    stage.quiet();
    let got: Vec<_> = stage.sides[SERVER].packets(held.at_server).collect();
    assert_eq!(got.len(), PACKETS, "packets of the held link, unreliable ones dropped");
    for (index, (packet, sent)) in got.into_iter().zip(&sent).enumerate() {
        assert!(packet.payload == *sent, "packet {index} of a held link is not in its place");
    }
    assert_eq!(stage.sides[SERVER].end_of(held.at_server), None, "a held link stays");
}

/// Numbered packets of an unreliable `mode` each way; enough of them have arrived.
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
        assert!(arrived >= least, "only {arrived} of {UNRELIABLE_PACKETS} packets arrived");
    }
    (stage, link)
}

/// A packet that starts with its number; some are larger than a datagram.
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
        let number: [u8; 4] = packet.payload[..4].try_into().expect("a number in front");
        let number = u32::from_le_bytes(number);
        assert!(packet.payload == numbered(number), "unreliable packet {number} was changed");
        number
    })
}

/// Both senders of a link, each with its name for it.
fn ways(link: Link) -> [(usize, ConnectionId); 2] {
    [(SERVER, link.at_server), (link.client, link.at_client)]
}

/// Where the packets of [`ways`] arrive.
fn arrivals(link: Link) -> [(usize, ConnectionId); 2] {
    [(link.client, link.at_client), (SERVER, link.at_server)]
}

fn many(links: &[Link]) -> Connections {
    Connections::Many(links.iter().map(|link| link.at_server).collect::<Arc<[_]>>())
}

/// Bytes in which every place looks different.
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

/// Sizes around every border that datagrams and frames have, up to `largest`.
fn size(number: usize, largest: usize) -> usize {
    const SIZES: [usize; 20] = [
        1, 2, 3, 17, 125, 126, 127, 500, 1_199, 1_200, 1_363, 1_364, 1_365, 1_400, 1_401, 4_096,
        9_000, 65_535, 65_536, 200_000,
    ];
    SIZES[(number * 7) % SIZES.len()].min(largest)
}
