//! Memory of a server's peers.

mod common;

use std::net::SocketAddr;

use bytes::Bytes;
use common::{SERVER, address, at, server};
use mp_core::{ConnectionId, Rng};
use mp_transport_enet::proto::{Admission, Host, HostEvent, HostSettings, PacketFlags};

/// A server and its clients, whose datagrams are delivered at once.
struct Network {
    server: Host,
    clients: Vec<Host>,
    /// Connections of the server, in order.
    connections: Vec<ConnectionId>,
    now: u64,
}

impl Network {
    fn new(clients: u8) -> Self {
        let mut settings = HostSettings::default();
        settings.admission = Admission::Anybody;
        let server = server(settings.clone());
        settings.admission = Admission::Nobody;
        let client = |seed: u8| Host::new(settings.clone(), Rng::seed_from_u64(seed.into()));
        let clients = (0..clients).map(client).collect();
        Self { server, clients, connections: Vec::new(), now: 1_000 }
    }

    /// Connects all clients. Each is sent `announcements` reliable packets at once, as a player is
    /// who joins a room.
    fn connect(&mut self, announcements: usize) {
        for client in &mut self.clients {
            client.connect(address(SERVER), 255, 7).unwrap();
        }
        self.run(100);
        let connections = std::mem::take(&mut self.connections);
        assert_eq!(connections.len(), self.clients.len());
        for &connection in &connections {
            for _ in 0..announcements {
                let packet = Bytes::from_static(&[7, 1, 0, 0, 0, 1]).into();
                self.server.send(connection, 0, PacketFlags::RELIABLE, packet).unwrap();
            }
            self.run(10);
        }
        self.connections = connections;
    }

    /// Runs both sides for a time in milliseconds.
    fn run(&mut self, millis: u64) {
        let mut buf = [0; 4_096];
        for _ in 0..millis {
            self.now += 1;
            let now = at(self.now);
            for (index, client) in self.clients.iter_mut().enumerate() {
                client.handle_timeout(now);
                client.end_turn(now);
                while let Some(sent) = client.poll_transmit(now, &mut buf) {
                    self.server.handle_datagram(now, client_address(index), &buf[..sent.len]);
                }
            }
            while let Some(event) = self.server.poll_event() {
                if let HostEvent::Connected { connection, .. } = event {
                    self.connections.push(connection);
                }
            }
            self.server.handle_timeout(now);
            self.server.end_turn(now);
            while let Some(sent) = self.server.poll_transmit(now, &mut buf) {
                let client = &mut self.clients[usize::from(sent.to.port())];
                for datagram in buf[..sent.len].chunks(sent.segment_size.unwrap_or(sent.len)) {
                    client.handle_datagram(now, address(SERVER), datagram);
                }
                while client.poll_event().is_some() {}
            }
        }
    }
}

/// Returns the address of a client, whose port is its index.
fn client_address(index: usize) -> SocketAddr {
    (std::net::Ipv4Addr::new(10, 0, 0, 2), index as u16).into()
}

/// Returns the memory of a connection of idle peers at the server, in bytes.
fn idle_bytes(announcements: usize) -> i64 {
    let mut network = Network::new(CLIENTS);
    network.connect(announcements);
    network.run(2_000);
    // Dropping the server frees what its peers have kept.
    let Network { server, connections, .. } = network;
    assert_eq!(connections.len(), usize::from(CLIENTS));
    -allocation_counter::measure(|| drop(server)).bytes_current / i64::from(CLIENTS)
}

#[test]
fn idle_peer_keeps_little_memory_also_after_a_burst() {
    let (quiet, after_burst) = (idle_bytes(0), idle_bytes(255));
    assert!(quiet <= 2 * 1_024, "{quiet} bytes per idle peer");
    assert!(after_burst <= quiet + 512, "{after_burst} bytes, and {quiet} without the burst");
}

#[test]
fn reliable_packet_in_flight_takes_little_memory() {
    let mut network = Network::new(1);
    network.connect(0);
    let Network { mut server, connections, now, .. } = network;
    let (now, mut buf) = (at(now), [0; 4_096]);
    let memory = allocation_counter::measure(|| {
        for _ in 0..IN_FLIGHT {
            let packet = Bytes::from_static(&[7, 1, 0, 0, 0, 1]).into();
            server.send(connections[0], 0, PacketFlags::RELIABLE, packet).unwrap();
        }
        server.end_turn(now);
        while server.poll_transmit(now, &mut buf).is_some() {}
    });
    let each = memory.bytes_current / IN_FLIGHT;
    assert!(each <= 100, "{each} bytes");
}

const CLIENTS: u8 = 32;
/// A power of two, so that the lists of packets have no spare capacity.
const IN_FLIGHT: i64 = 256;
