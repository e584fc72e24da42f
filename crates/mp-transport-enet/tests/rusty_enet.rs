//! A host of this crate with one of `rusty_enet` (ENet's C code, transpiled), in one process and in
//! virtual time, over networks with loss, duplication and reordering. Each is tested as client and
//! as server.

mod common;
#[path = "common/theirs.rs"]
mod theirs;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use common::{SERVER, address};
use mp_core::{ConnectionId, Instant, Rng};
use mp_transport_enet::io::DatagramSocket;
use mp_transport_enet::proto::{
    Admission, CompressionMode, Host, HostEvent, HostSettings, PacketFlags, TimeoutConfig,
};
use mp_transport_enet::testing::{Link, Network, Socket};
use rusty_enet::{Compressor, EventNoRef, Packet, PacketKind, PeerID, RangeCoder, crc32};
use theirs::Theirs;

const CLIENT: &str = "10.0.0.2:5000";
/// Virtual time within which all packets of a run must be received. It is long because ENet doubles
/// the retransmission timeout without a limit.
const DEADLINE: Duration = Duration::from_secs(1_000);

#[test]
fn clean_network_and_every_size() {
    let sizes = [0, 1, 100, 1_363, 1_364, 1_365, 2_728, 2_729, 10_000, 65_535, 65_536, 1 << 20];
    for is_server in [true, false] {
        let link = Link { latency: Duration::from_millis(10), ..Link::default() };
        let mut plan = Vec::new();
        for size in sizes {
            for kind in Kind::ALL {
                plan.push(Planned { kind, channel: 2, size });
            }
        }
        let mut world = World::new(88, link, is_server);
        world.run(&plan, &plan, 4);
        world.assert_nothing_lost();
    }
}

#[test]
fn every_channel() {
    for is_server in [true, false] {
        let link = Link { latency: Duration::from_millis(5), ..Link::default() };
        let plan: Vec<Planned> = (0..=254)
            .flat_map(|channel| Kind::ALL.map(|kind| Planned { kind, channel, size: 40 }))
            .collect();
        let mut world = World::new(91, link, is_server);
        world.run(&plan, &plan, 50);
        world.assert_nothing_lost();
    }
}

#[test]
fn bad_networks() {
    for seed in 0..200 {
        bad_network(seed, 80, 20_000);
    }
}

#[test]
fn bad_networks_and_a_megabyte() {
    for seed in 1_000..1_012 {
        bad_network(seed, 10, 1 << 20);
    }
}

#[test]
fn sequence_numbers_wrap_around() {
    // 70,000 reliable packets on one channel, interleaved with as many unreliable ones.
    let link = Link { latency: Duration::from_millis(5), loss_permille: 10, ..Link::default() };
    let plan: Vec<Planned> = (0..140_000)
        .map(|index| {
            let kind = if index % 2 == 0 { Kind::Reliable } else { Kind::Unsequenced };
            Planned { kind, channel: 0, size: 8 }
        })
        .collect();
    World::new(92, link, true).run(&plan, &[], 400);
}

fn bad_network(seed: u64, packets: usize, size_max: usize) {
    let mut rng = Rng::seed_from_u64(seed);
    let link = Link {
        latency: Duration::from_millis(rng.below(60)),
        jitter: Duration::from_millis(rng.below(40)),
        loss_permille: rng.below(301) as u16,
        duplication_permille: rng.below(151) as u16,
        reordering_permille: rng.below(151) as u16,
    };
    let channels = [1, 3, 255][rng.below(3) as usize];
    let mut plan = |packets| -> Vec<Planned> {
        let planned = |_| {
            let kind = Kind::ALL[rng.below(4) as usize];
            let size = 4 + match rng.below(10) {
                // Packets that are too short for a number must be reliable, because they cannot be
                // distinguished.
                0 => {
                    let channel = rng.below(channels) as u8;
                    // ENet's range coder reads beyond the end of an empty packet.
                    let least = usize::from(is_compressed(seed));
                    let size = least + rng.below(3) as usize;
                    return Planned { kind: Kind::Reliable, channel, size };
                }
                1..8 => rng.below(200) as usize,
                8 => rng.below(5_000) as usize,
                _ => rng.below(size_max as u64) as usize,
            };
            Planned { kind, channel: rng.below(channels) as u8, size }
        };
        (0..packets).map(planned).collect()
    };
    let (ours, theirs) = (plan(packets), plan(packets));
    println!("seed {seed}: {link:?}");
    World::new(seed, link, seed.is_multiple_of(2)).run(&ours, &theirs, 3);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Reliable,
    Unreliable,
    Unsequenced,
    Fragmented,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Reliable, Self::Unreliable, Self::Unsequenced, Self::Fragmented];

    fn flags(self) -> PacketFlags {
        match self {
            Self::Reliable => PacketFlags::RELIABLE,
            Self::Unreliable => PacketFlags::UNRELIABLE,
            Self::Unsequenced => PacketFlags::UNSEQUENCED,
            Self::Fragmented => PacketFlags::UNRELIABLE_FRAGMENT,
        }
    }

    fn theirs(self) -> PacketKind {
        match self {
            Self::Reliable => PacketKind::Reliable,
            Self::Unreliable => PacketKind::Unreliable { sequenced: true },
            Self::Unsequenced => PacketKind::Unreliable { sequenced: false },
            Self::Fragmented => PacketKind::AlwaysUnreliable { sequenced: true },
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Planned {
    kind: Kind,
    channel: u8,
    size: usize,
}

/// Returns `true` if a run uses compression.
const fn is_compressed(seed: u64) -> bool {
    seed % 4 >= 2
}

/// Returns `true` if a run uses checksums.
const fn has_checksum(seed: u64) -> bool {
    seed % 8 >= 4
}

/// Packets sent in one direction, and received.
#[derive(Default)]
struct Direction {
    name: &'static str,
    /// Maximum length of a packet that is not fragmented.
    whole_max: usize,
    sent: Vec<Planned>,
    /// Numbers of the packets received.
    arrived: BTreeSet<usize>,
    /// Next reliable packets by channel.
    reliable: BTreeMap<u8, Vec<usize>>,
    /// Last sequenced packet by channel.
    sequenced: BTreeMap<u8, usize>,
    lost: usize,
}

impl Direction {
    fn named(name: &'static str, has_checksum: bool) -> Self {
        let whole_max = if has_checksum { 1_360 } else { 1_364 };
        Self { name, whole_max, ..Self::default() }
    }

    /// Returns the bytes of the next packet: its number and a pattern. A packet shorter than the
    /// number has none.
    fn send(&mut self, planned: Planned) -> Vec<u8> {
        let number = self.sent.len();
        self.sent.push(planned);
        if self.is_reliable(planned) {
            self.reliable.entry(planned.channel).or_default().insert(0, number);
        }
        payload(number, planned.size)
    }

    /// Returns whether ENet sends a packet reliably. It does so for fragmented packets unless
    /// requested otherwise.
    fn is_reliable(&self, planned: Planned) -> bool {
        planned.kind == Kind::Reliable
            || planned.size > self.whole_max && planned.kind != Kind::Fragmented
    }

    fn arrive(&mut self, channel: u8, is_reliable: Option<bool>, bytes: &[u8], place: &str) {
        let name = self.name;
        let number = match bytes.first_chunk::<4>() {
            Some(number) => u32::from_be_bytes(*number) as usize,
            // Too short for a number: the oldest packet of the channel that matches. Only the order
            // of these packets is not checked.
            None => {
                let is_it = |&number: &usize| {
                    let sent = self.sent[number];
                    (sent.channel, sent.size) == (channel, bytes.len())
                        && is_reliable.is_none_or(|wanted| self.is_reliable(sent) == wanted)
                        && !self.arrived.contains(&number)
                };
                (0..self.sent.len())
                    .find(is_it)
                    .unwrap_or_else(|| panic!("{place} {name}: duplicate"))
            }
        };
        let planned = self.sent[number];
        assert_eq!(planned.channel, channel, "{place} {name} packet {number}");
        let has_flags = is_reliable.is_none_or(|wanted| self.is_reliable(planned) == wanted);
        assert!(has_flags, "{place} {name} packet {number}: wrong flags");
        assert!(
            bytes == payload(number, planned.size),
            "{place} {name} packet {number}: wrong bytes"
        );
        assert!(self.arrived.insert(number), "{place} {name} packet {number}: duplicate");
        if bytes.len() < 4 {
            if let Some(waiting) = self.reliable.get_mut(&channel) {
                waiting.retain(|&other| other != number);
            }
            return;
        }
        if self.is_reliable(planned) {
            let waiting = self.reliable.get_mut(&channel).unwrap();
            while waiting.last().is_some_and(|&first| self.sent[first].size < 4 && first != number)
            {
                // Short packets before it cannot be distinguished.
                waiting.pop();
            }
            assert_eq!(waiting.pop(), Some(number), "{place} {name}: wrong order");
        } else if planned.kind != Kind::Unsequenced {
            let last = self.sequenced.insert(channel, number);
            assert!(last < Some(number), "{place} {name} packet {number}: after {last:?}");
        }
    }

    /// Returns whether all reliable packets have been received.
    fn is_done(&self) -> bool {
        self.reliable.values().all(|waiting| waiting.is_empty())
    }
}

fn payload(number: usize, size: usize) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..size).map(|index| (index + number) as u8).collect();
    if let Some(head) = bytes.first_chunk_mut::<4>() {
        *head = (number as u32).to_be_bytes();
    }
    bytes
}

struct World {
    network: Network,
    now: Instant,
    ours: Host,
    our_socket: Socket,
    theirs: rusty_enet::Host<Theirs>,
    is_server: bool,
    link: Option<ConnectionId>,
    their_peer: Option<PeerID>,
    to_them: Direction,
    to_us: Direction,
    place: String,
}

impl World {
    fn new(seed: u64, link: Link, is_server: bool) -> Self {
        let network = Network::new(Rng::seed_from_u64(seed), link);
        let now = Instant::from_millis(1_000);
        network.advance(now);
        let (our_address, their_address) =
            if is_server { (SERVER, CLIENT) } else { (CLIENT, SERVER) };
        let mut settings = HostSettings::default();
        // Prevents timeouts on these bad networks.
        settings.timeout = TimeoutConfig {
            limit: 1 << 30,
            minimum: Duration::from_secs(1_000),
            maximum: Duration::from_secs(2_000),
        };
        settings.reliable_progress_timeout = settings.timeout.maximum;
        settings.admission = if is_server { Admission::Anybody } else { Admission::Nobody };
        settings.unreliable_queue_bytes = 64 << 20;
        let (is_compressed, has_checksum) = (is_compressed(seed), has_checksum(seed));
        settings.checksum = has_checksum;
        if is_compressed {
            settings.compression = CompressionMode::RangeCoder;
        }
        let mut ours = Host::new(settings, Rng::seed_from_u64(seed + 1));
        let clock = Rc::new(RefCell::new(network.clone()));
        let their_settings = rusty_enet::HostSettings {
            peer_limit: 4,
            channel_limit: 255,
            time: Box::new(move || Duration::from_micros(clock.borrow().now().as_micros())),
            seed: Some(seed as u32),
            compressor: is_compressed.then(|| Box::new(RangeCoder::new()) as Box<dyn Compressor>),
            checksum: has_checksum.then(|| Box::new(crc32) as Box<dyn Fn(&[&[u8]]) -> u32>),
            ..Default::default()
        };
        let their_socket = Theirs(network.socket(address(their_address)));
        let mut theirs = rusty_enet::Host::new(their_socket, their_settings).unwrap();
        if is_server {
            theirs.connect(address(SERVER), 255, 77).unwrap();
        } else {
            ours.connect(address(SERVER), 255, 77).unwrap();
        }
        let our_socket = network.socket(address(our_address));
        Self {
            network,
            now,
            ours,
            our_socket,
            theirs,
            is_server,
            link: None,
            their_peer: None,
            to_them: Direction::named("to them", has_checksum),
            to_us: Direction::named("to us", has_checksum),
            place: format!("seed {seed}, we are {}", if is_server { "server" } else { "client" }),
        }
    }

    /// Sends `per_turn` packets of each plan per turn until all have been received, then waits
    /// until the network is idle.
    fn run(&mut self, to_them: &[Planned], to_us: &[Planned], per_turn: usize) {
        let start = self.now;
        while self.link.is_none() || self.their_peer.is_none() {
            self.turn();
            assert!(self.now - start < DEADLINE, "{}: no connection", self.place);
        }
        let (link, peer) = (self.link.unwrap(), self.their_peer.unwrap());
        let (mut to_them, mut to_us) = (to_them.iter(), to_us.iter());
        loop {
            let is_sending = to_them.len() + to_us.len() > 0;
            for &planned in to_them.by_ref().take(per_turn) {
                let bytes = bytes::Bytes::from(self.to_them.send(planned));
                self.ours.send(link, planned.channel, planned.kind.flags(), bytes.into()).unwrap();
            }
            for &planned in to_us.by_ref().take(per_turn) {
                let bytes = self.to_us.send(planned);
                let packet = Packet::new(bytes, planned.kind.theirs());
                self.theirs.peer_mut(peer).send(planned.channel, &packet).unwrap();
            }
            self.turn();
            if !is_sending && self.to_them.is_done() && self.to_us.is_done() {
                break;
            }
            let waited = self.now - start;
            assert!(
                waited < DEADLINE,
                "{}: stalled; missing {:?} to them, {:?} to us",
                self.place,
                self.to_them.reliable,
                self.to_us.reliable,
            );
        }
        // Receive the packets in flight. After that, only fragments of lost packets may be left.
        let mut quiet = self.now + Duration::from_secs(5);
        while self.now < quiet {
            self.turn();
            if self.ours.connection_stats(link).unwrap().queued_bytes > 0 {
                quiet = self.now + Duration::from_secs(5);
            }
            assert!(self.now - start < DEADLINE, "{}: packets stay queued", self.place);
        }
        let has_pieces = self.to_us.sent.iter().any(|sent| sent.kind == Kind::Fragmented);
        let waiting = self.ours.waiting_bytes(link).unwrap();
        assert!(has_pieces || waiting == 0, "{}: {waiting} bytes pending", self.place);
        assert!(waiting <= 4 << 20, "{}: {waiting} bytes pending", self.place);
        assert_eq!((self.ours.queued_bytes(), self.ours.received_bytes()), (0, waiting));
        self.to_them.lost = self.to_them.sent.len() - self.to_them.arrived.len();
        self.to_us.lost = self.to_us.sent.len() - self.to_us.arrived.len();
    }

    fn assert_nothing_lost(&self) {
        assert_eq!((self.to_them.lost, self.to_us.lost), (0, 0), "{}", self.place);
        assert_ne!(self.to_them.sent.len(), 0);
    }

    fn turn(&mut self) {
        self.now += Duration::from_millis(4);
        self.network.advance(self.now);
        let mut buf = [0; 4_096];
        while let Ok((len, from)) = self.our_socket.try_recv_from(&mut buf) {
            self.ours.handle_datagram(self.now, from, &buf[..len]);
        }
        self.ours.handle_timeout(self.now);
        while let Some(event) = self.ours.poll_event() {
            match event {
                HostEvent::Connected { connection, data, .. } => {
                    assert_eq!(data, if self.is_server { 77 } else { 0 });
                    assert_eq!(self.link.replace(connection), None, "{}", self.place);
                }
                HostEvent::Packet { channel, flags, payload, .. } => {
                    let is_reliable = Some(flags == PacketFlags::RELIABLE);
                    self.to_us.arrive(channel, is_reliable, &payload, &self.place);
                }
                other => panic!("{}: {other:?}", self.place),
            }
        }
        self.ours.end_turn(self.now);
        while let Some(transmit) = self.ours.poll_transmit(self.now, &mut buf) {
            let segment = transmit.segment_size.unwrap_or(transmit.len);
            for datagram in buf[..transmit.len].chunks(segment) {
                self.our_socket.try_send_to(datagram, transmit.to).unwrap();
            }
        }
        while let Some(event) = self.theirs.service().unwrap().map(rusty_enet::Event::no_ref) {
            match event {
                EventNoRef::Connect { peer, data } => {
                    assert_eq!(data, if self.is_server { 0 } else { 77 });
                    self.theirs.peer_mut(peer).set_timeout(1 << 30, 1_000_000, 2_000_000);
                    // Otherwise `rusty_enet` drops unreliable packets when round-trip times grow.
                    self.theirs.peer_mut(peer).set_throttle(5_000, 32, 0);
                    self.their_peer = Some(peer);
                }
                EventNoRef::Receive { channel_id, packet, .. } => {
                    // `Packet::kind` of rusty_enet 0.4.1 is `Reliable` for all received packets.
                    self.to_them.arrive(channel_id, None, packet.data(), &self.place);
                }
                EventNoRef::Disconnect { .. } => panic!("{}: disconnected", self.place),
            }
        }
    }
}
