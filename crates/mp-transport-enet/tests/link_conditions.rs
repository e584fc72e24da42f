//! Simulated link conditions of one connection of a server: they apply below the protocol, only to
//! that connection, and end with it.

mod common;

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use common::{SERVER, address};
use mp_core::link_shaper::LinkConditions;
use mp_core::{
    Channel, CloseMode, ConnectionConditions, ConnectionId, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, PeerEvent, Prefix, Rng, TransferMode,
};
use mp_transport_enet::testing::{Link, Network, Socket};
use mp_transport_enet::{ClientOptions, EnetMultiplayerPeer, ServerOptions};

type Peer = EnetMultiplayerPeer<Socket>;

/// A server and clients. Peer 0 is the server.
struct World {
    network: Network,
    now: Instant,
    peers: Vec<Peer>,
    /// Payloads that each peer has received.
    received: Vec<Vec<Bytes>>,
    /// Connections of the server, in the order of the clients.
    connections: Vec<ConnectionId>,
}

impl World {
    fn new(clients: u8) -> Self {
        let network = Network::new(Rng::seed_from_u64(1), Link::default());
        let now = Instant::from_millis(1_000);
        network.advance(now);
        let options = ServerOptions::default().seed([1; 32]);
        let server = Peer::server(network.socket(address(SERVER)), options).unwrap();
        let mut world = Self {
            network,
            now,
            peers: vec![server],
            received: vec![Vec::new()],
            connections: Vec::new(),
        };
        for number in 0..clients {
            world.join(SocketAddr::from(([10, 0, 0, 2], 5_000 + u16::from(number))), number);
        }
        world
    }

    fn join(&mut self, from: SocketAddr, number: u8) {
        let options = ClientOptions::default().seed([2 + number; 32]);
        let client = Peer::client(self.network.socket(from), address(SERVER), options).unwrap();
        self.peers.push(client);
        self.received.push(Vec::new());
        self.run(50);
    }

    fn run(&mut self, millis: u64) {
        for _ in 0..millis {
            self.now += Duration::from_millis(1);
            self.network.advance(self.now);
            for (index, peer) in self.peers.iter_mut().enumerate() {
                peer.poll(self.now);
                while let Some(event) = peer.next_event() {
                    match event {
                        PeerEvent::Connected { connection, .. } if index == 0 => {
                            self.connections.push(connection);
                        }
                        PeerEvent::Packet(packet) => self.received[index].push(packet.payload),
                        _ => {}
                    }
                }
                peer.flush(self.now);
            }
        }
    }

    fn set(&mut self, client: usize, conditions: LinkConditions) {
        let conditions = Some(ConnectionConditions::both(conditions));
        let connection = self.connections[client];
        self.peers[0].set_conditions(connection, conditions, &mut Rng::seed_from_u64(3));
    }

    fn send(&mut self, client: usize, mode: TransferMode, text: &str) {
        let payload = Bytes::copy_from_slice(text.as_bytes());
        let (to, channel) = (self.connections[client].into(), Channel(0));
        let packet = OutgoingPacket { to, mode, channel, prefix: Prefix::EMPTY, payload };
        self.peers[0].send(packet).unwrap();
    }
}

fn delay(millis: u64) -> LinkConditions {
    LinkConditions { delay: Duration::from_millis(millis), ..LinkConditions::default() }
}

#[test]
fn a_delay_applies_to_one_connection_and_to_its_round_trip_time() {
    let mut world = World::new(2);
    world.set(0, delay(100));
    for client in [0, 1] {
        world.send(client, TransferMode::Reliable, "hello");
    }
    world.run(99);
    assert_eq!((world.received[1].len(), world.received[2].len()), (0, 1));
    world.run(3);
    assert_eq!(world.received[1].len(), 1);
    for _ in 0..40 {
        world.run(500);
        world.send(0, TransferMode::Reliable, "again");
    }
    let rtt = [0, 1].map(|client| {
        let stats = world.peers[0].connection_stats(world.connections[client]);
        stats.unwrap().round_trip_time.unwrap().as_millis()
    });
    assert!((190..260).contains(&rtt[0]) && rtt[1] < 50, "{rtt:?}");
}

#[test]
fn lost_datagrams_delay_reliable_packets_but_lose_none() {
    let mut world = World::new(1);
    world.set(0, LinkConditions { loss_permille: 100, duplication_permille: 200, ..delay(10) });
    for number in 0..200 {
        world.send(0, TransferMode::Reliable, &number.to_string());
        world.send(0, TransferMode::Unreliable, "u");
        world.run(20);
    }
    world.run(20_000);
    let is_reliable = |payload: &&Bytes| payload.as_ref() != b"u";
    let reliable: Vec<_> = world.received[1].iter().filter(is_reliable).cloned().collect();
    assert_eq!(reliable, (0..200).map(|n| Bytes::from(n.to_string())).collect::<Vec<_>>());
    let unreliable = world.received[1].len() - 200;
    assert!((170..195).contains(&unreliable), "{unreliable} of 200 unreliable packets received");
    let (_, stats) = world.peers[0].conditions(world.connections[0]).unwrap();
    assert!(stats.lost > 30, "{stats:?}");
    let retransmissions = world.peers[0].connection_stats(world.connections[0]).unwrap();
    assert!(retransmissions.retransmissions > 10, "{retransmissions:?}");
}

#[test]
fn removed_conditions_no_longer_apply() {
    let mut world = World::new(1);
    world.set(0, delay(100));
    world.run(10);
    assert!(world.peers[0].conditions(world.connections[0]).is_some());
    world.peers[0].set_conditions(world.connections[0], None, &mut Rng::seed_from_u64(3));
    assert_eq!(world.peers[0].conditions(world.connections[0]), None);
    world.run(200);
    world.send(0, TransferMode::Reliable, "hello");
    world.run(2);
    assert_eq!(world.received[1].len(), 1);
}

#[test]
fn conditions_end_with_their_connection() {
    let mut world = World::new(1);
    world.set(0, delay(100));
    let connection = world.connections[0];
    world.peers[0].disconnect(connection, DisconnectReason::Kicked, CloseMode::Graceful);
    world.run(1_000);
    assert_eq!(world.peers[0].conditions(connection), None);
    // A client at the same address has a connection of its own.
    world.peers.pop();
    world.received.pop();
    world.join(SocketAddr::from(([10, 0, 0, 2], 5_000)), 9);
    assert_eq!(world.connections.len(), 2);
    world.send(1, TransferMode::Reliable, "hello");
    world.run(2);
    assert_eq!(world.received[1].len(), 1);
}
