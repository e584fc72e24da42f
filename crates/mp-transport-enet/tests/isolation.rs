//! Attacks on a server while one client plays and another connects: neither client is affected.
//! Attacks on a single host are in `admission.rs` and `bounds.rs`.

mod common;

use std::net::SocketAddr;

use common::{
    RawClient, SERVER, address, at, connect_datagram, events, pattern, reliable, server, transmits,
};
use mp_core::{ConnectionId, Instant, Rng};
use mp_transport_enet::proto::command::{
    Body, CONTROL_CHANNEL, Command, FLAG_ACKNOWLEDGE, Fragment, ThrottleParameters,
};
use mp_transport_enet::proto::{Admission, Host, HostEvent, HostSettings, PacketFlags};

/// A correct client. Datagrams are received in the turn after they were sent.
struct Player {
    host: Host,
    address: SocketAddr,
    link: ConnectionId,
    /// Numbers of the packets received from the server.
    received: Vec<u32>,
    sent: u32,
    is_connected: bool,
    /// Datagrams in flight to this client.
    incoming: Vec<Vec<u8>>,
    /// Datagrams in flight to the server.
    outgoing: Vec<Vec<u8>>,
}

impl Player {
    fn new(address: SocketAddr, id: u32) -> Self {
        let mut settings = HostSettings::default();
        settings.admission = Admission::Nobody;
        settings.max_peers = 1;
        let mut host = Host::new(settings, Rng::seed_from_u64(id.into()));
        let link = host.connect(common::address(SERVER), 255, id).unwrap();
        Self {
            host,
            address,
            link,
            received: Vec::new(),
            sent: 0,
            is_connected: false,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        }
    }

    fn turn(&mut self, now: Instant) {
        for bytes in std::mem::take(&mut self.incoming) {
            self.host.handle_datagram(now, address(SERVER), &bytes);
        }
        self.host.handle_timeout(now);
        for event in events(&mut self.host) {
            match event {
                HostEvent::Connected { .. } => self.is_connected = true,
                HostEvent::Packet { payload, .. } => {
                    self.received.push(u32::from_le_bytes(payload[..4].try_into().unwrap()));
                }
                other => panic!("{} is affected: {other:?}", self.address),
            }
        }
        if self.is_connected {
            let number = bytes::Bytes::copy_from_slice(&self.sent.to_le_bytes());
            self.host.send(self.link, 0, PacketFlags::RELIABLE, number.into()).unwrap();
            self.sent += 1;
        }
        self.outgoing.extend(transmits(&mut self.host, now).into_iter().map(|(_, bytes)| bytes));
    }
}

/// A server that echoes the packets of players, and the datagrams that it sends to others.
struct World {
    server: Host,
    players: Vec<Player>,
    now: u64,
    /// Datagrams to addresses of other peers.
    to_others: Vec<(SocketAddr, Vec<u8>)>,
    /// Packets received on channels that players do not use.
    on_other_channels: usize,
}

impl World {
    fn new(settings: HostSettings) -> Self {
        Self {
            server: server(settings),
            players: Vec::new(),
            now: 10_000,
            to_others: Vec::new(),
            on_other_channels: 0,
        }
    }

    /// Runs for a number of milliseconds, and calls `attack` in each.
    fn pass(&mut self, millis: u64, mut attack: impl FnMut(&mut Host, u64)) {
        for _ in 0..millis {
            self.now += 1;
            let now = at(self.now);
            attack(&mut self.server, self.now);
            // The round-trip time is 40 ms.
            if self.now.is_multiple_of(20) {
                for player in &mut self.players {
                    for bytes in std::mem::take(&mut player.outgoing) {
                        self.server.handle_datagram(now, player.address, &bytes);
                    }
                }
            }
            self.server.handle_timeout(now);
            for event in events(&mut self.server) {
                match event {
                    HostEvent::Packet { connection, channel: 0, payload, .. } => {
                        let flags = PacketFlags::RELIABLE;
                        self.server.send(connection, 0, flags, payload.into()).unwrap();
                    }
                    HostEvent::Packet { .. } => self.on_other_channels += 1,
                    _ => {}
                }
            }
            for (to, bytes) in transmits(&mut self.server, now) {
                match self.players.iter_mut().find(|player| player.address == to) {
                    Some(player) => player.incoming.push(bytes),
                    None => self.to_others.push((to, bytes)),
                }
            }
            if self.now.is_multiple_of(20) {
                self.players.iter_mut().for_each(|player| player.turn(now));
            }
        }
    }

    fn join(&mut self, from: &str, id: u32) {
        self.players.push(Player::new(address(from), id));
    }

    /// Asserts that all players are connected, and have received their packets in order, except for
    /// those in flight.
    fn assert_unharmed(&self) {
        for Player { address, received, sent, is_connected, .. } in &self.players {
            assert!(is_connected, "{address} is not connected");
            assert!(received.iter().copied().eq(0..received.len() as u32), "{address}");
            let on_their_way = *sent as usize - received.len();
            assert!(on_their_way <= 4, "{address} misses {on_their_way} of {sent} packets");
        }
    }
}

#[test]
fn a_flood_of_forged_connects_neither_excludes_players_nor_is_amplified() {
    let mut world = World::new(HostSettings::default());
    world.join("10.0.0.2:1", 2);
    world.pass(200, |_, _| {});
    world.join("10.0.0.3:1", 3);
    let (mut number, mut received) = (0_u32, 0);
    // 5,000 per second, each from another address.
    world.pass(2_000, |server, now| {
        for _ in 0..5 {
            number += 1;
            let from = SocketAddr::from(([172, 16, (number >> 8) as u8, number as u8], 9));
            let connect = connect_datagram(at(now), number, 1_000 + number);
            received += connect.len() + 28;
            server.handle_datagram(at(now), from, &connect);
        }
    });
    world.assert_unharmed();
    let sent: usize = world.to_others.iter().map(|(_, bytes)| bytes.len() + 28).sum();
    assert!(sent <= received * 3, "{sent} for {received}");
    assert_eq!(world.server.connected_peers(), 2);
}

#[test]
fn a_flood_from_one_address_does_not_drop_the_handshakes_of_others() {
    let mut world = World::new(HostSettings::default());
    world.join("10.0.0.2:1", 2);
    world.pass(200, |_, _| {});
    world.join("10.0.0.3:1", 3);
    let mut number = 0_u32;
    // 50,000 per second: within one round trip of the connecting player, twice the limit of
    // half-open connections.
    world.pass(500, |server, now| {
        for _ in 0..50 {
            number += 1;
            let connect = connect_datagram(at(now), number, 1_000 + number);
            server.handle_datagram(at(now), address("10.0.0.66:9"), &connect);
        }
    });
    world.assert_unharmed();
}

#[test]
fn many_players_behind_one_address_can_connect_at_once() {
    let mut settings = HostSettings::default();
    settings.max_peers = 200;
    let mut world = World::new(settings);
    for number in 0..60 {
        world.join(&format!("10.0.0.2:{}", 1_000 + number), 2 + number);
    }
    world.pass(1_000, |_, _| {});
    world.assert_unharmed();
}

/// Returns a fragment of a packet whose first fragment is never sent.
fn hoarded(channel: u8, number: u32, payload: &[u8]) -> Command<'_> {
    let (len, count) = (payload.len() as u32, 20_000);
    let fragment =
        Fragment { start: 1, count, number, total: count * len, offset: number * len, payload };
    let sequence = 1_u16.wrapping_add(number as u16);
    Command { flags: FLAG_ACKNOWLEDGE, channel, sequence, body: Body::SendFragment(fragment) }
}

#[test]
fn peers_with_incomplete_packets_cannot_exhaust_the_memory_of_a_host() {
    let mut settings = HostSettings::default();
    settings.max_peers = 200;
    settings.waiting_bytes = 4 << 20;
    let mut world = World::new(settings);
    world.join("10.0.0.2:1", 2);
    world.pass(200, |_, _| {});
    let attackers: Vec<RawClient> = (0..20)
        .map(|number| {
            let from = format!("10.0.9.{number}:9");
            RawClient::connect(&mut world.server, at(world.now), &from, 5_000 + number)
        })
        .collect();
    let piece = pattern(0, 1_300);
    let mut number = 0;
    world.pass(1_000, |server, now| {
        number += 1;
        for attacker in &attackers {
            attacker.send(server, at(now), &[hoarded(3, number, &piece)]);
        }
    });
    let held = |world: &World| -> usize {
        attackers.iter().filter_map(|it| world.server.waiting_bytes(it.connection)).sum()
    };
    // Without the limit of the host, the attackers would use 26 MiB.
    let share = 128 << 10;
    assert!(held(&world) > 3 << 20, "{} bytes: the attack had no effect", held(&world));
    assert!(held(&world) <= (4 << 20) + attackers.len() * share, "{} bytes", held(&world));

    // A new client can still have packets reassembled and reordered.
    world.join("10.0.0.3:1", 3);
    world.pass(500, |_, _| {});
    let late = RawClient::connect(&mut world.server, at(world.now), "10.0.0.4:1", 4);
    let whole = pattern(0, 60_000);
    for number in (0..60_u32).rev() {
        let payload = &whole[number as usize * 1_000..][..1_000];
        let fragment = Fragment {
            start: 1,
            count: 60,
            number,
            total: 60_000,
            offset: number * 1_000,
            payload,
        };
        let (body, sequence) = (Body::SendFragment(fragment), 1 + number as u16);
        let command = Command { flags: FLAG_ACKNOWLEDGE, channel: 5, sequence, body };
        late.send(&mut world.server, at(world.now), &[command]);
    }
    let arrived = events(&mut world.server);
    let is_whole = |event: &HostEvent| matches!(event, HostEvent::Packet { payload, .. } if payload[..] == whole[..]);
    assert!(arrived.iter().any(is_whole), "{} events", arrived.len());
    world.assert_unharmed();

    // The memory of the attackers is released when they disconnect.
    for attacker in &attackers {
        let disconnect = Command::control(2, Body::Disconnect { data: 0 });
        attacker.send(&mut world.server, at(world.now), &[disconnect]);
    }
    world.pass(100, |_, _| {});
    let next = RawClient::connect(&mut world.server, at(world.now), "10.0.9.99:9", 6_000);
    for number in 1..1_000 {
        next.send(&mut world.server, at(world.now), &[hoarded(3, number, &piece)]);
    }
    let held = world.server.waiting_bytes(next.connection).unwrap();
    assert!(held > 1_000_000, "{held} bytes: the memory must be available again");
}

#[test]
fn a_peer_with_false_fragments_times_and_limits_affects_no_other_peer() {
    let mut world = World::new(HostSettings::default());
    world.join("10.0.0.2:1", 2);
    world.pass(200, |_, _| {});
    world.join("10.0.0.3:1", 3);
    let mut attacker = RawClient::connect(&mut world.server, at(world.now), "10.0.9.1:9", 9_000);
    let piece = pattern(0, 100);
    world.pass(1_000, |server, now| {
        // Overlapping fragments, of two packets with the same number, and beyond the end.
        for (number, offset, total) in [(0, 0, 300), (1, 0, 300), (1, 100, 900), (2, 250, 300)] {
            let fragment = Fragment { start: 1, count: 3, number, total, offset, payload: &piece };
            let (body, sequence) = (Body::SendFragment(fragment), 1 + number as u16);
            let command = Command { flags: FLAG_ACKNOWLEDGE, channel: 4, sequence, body };
            attacker.send(server, at(now), &[command]);
        }
        // Acknowledgements of sent and of unknown commands, with any times.
        for sequence in 0..20 {
            let body = Body::Acknowledge { sequence, sent_time: (now as u16).wrapping_mul(31) };
            let channel = [CONTROL_CHANNEL, 0][usize::from(sequence % 2)];
            attacker.send(server, at(now), &[Command { flags: 0, channel, sequence, body }]);
        }
        let wild =
            ThrottleParameters { interval: 0, acceleration: u32::MAX, deceleration: 1 << 31 };
        let sequence = attacker.ping().sequence;
        attacker.send(
            server,
            at(now),
            &[Command::control(sequence, Body::ThrottleConfigure(wild))],
        );
        let limit = Body::BandwidthLimit { incoming: 1, outgoing: u32::MAX };
        let sequence = attacker.ping().sequence;
        attacker.send(server, at(now), &[Command::control(sequence, limit)]);
    });
    assert_eq!(world.on_other_channels, 0, "no packet must be reassembled from such fragments");
    world.assert_unharmed();
}

#[test]
fn a_peer_that_floods_fills_its_own_queue_and_no_other() {
    let mut world = World::new(HostSettings::default());
    world.join("10.0.0.2:1", 2);
    world.pass(200, |_, _| {});
    world.join("10.0.0.3:1", 3);
    let attacker = RawClient::connect(&mut world.server, at(world.now), "10.0.9.1:9", 9_000);
    let mut sequence = 0_u16;
    // A million packets per second on another channel, which are polled at the end of each
    // millisecond.
    world.pass(300, |server, now| {
        for _ in 0..50 {
            let packets: [_; 20] = std::array::from_fn(|_| {
                sequence = sequence.wrapping_add(1);
                reliable(7, sequence, b"flood")
            });
            attacker.send(server, at(now), &packets);
        }
    });
    world.assert_unharmed();
    assert!(world.on_other_channels > 10_000, "the flood had no effect");
}
