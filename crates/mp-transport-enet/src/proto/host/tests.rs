//! Connections in an impossible state, which no test from outside can bring about.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use mp_core::bug::{self, OnBug};
use mp_core::{ConnectionId, DisconnectReason, Instant, Rng};

use super::Host;
use crate::proto::{HostEvent, HostSettings, MTU_MAX, PacketFlags};

/// A server and a client, which is connected to it.
struct Pair {
    server: Host,
    client: Host,
    /// The client, at the server.
    connection: ConnectionId,
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

/// Sends what `from` has to send, from `port`.
fn transmit(from: &mut Host, port: u16, to: &mut Host) {
    let mut buf = [0; MTU_MAX as usize];
    from.end_turn(Instant::ZERO);
    while let Some(transmit) = from.poll_transmit(Instant::ZERO, &mut buf) {
        to.handle_datagram(Instant::ZERO, address(port), &buf[..transmit.len]);
    }
}

fn events(host: &mut Host) -> Vec<HostEvent> {
    std::iter::from_fn(|| host.poll_event()).collect()
}

impl Pair {
    fn new() -> Self {
        let mut server = Host::new(HostSettings::default(), Rng::from_seed([1; 32]));
        let mut client = Host::new(HostSettings::default(), Rng::from_seed([2; 32]));
        client.connect(address(1), 2, 2).unwrap();
        for _ in 0..3 {
            transmit(&mut client, 2, &mut server);
            transmit(&mut server, 1, &mut client);
        }
        let [HostEvent::Connected { connection, .. }] = events(&mut server)[..] else {
            panic!("the client is not connected");
        };
        assert_eq!(events(&mut client).len(), 1);
        Self { server, client, connection }
    }

    /// Queues a reliable packet at the server, whose channels are then lost.
    fn break_server(&mut self) {
        let payload = Bytes::from_static(b"promised").into();
        self.server.send(self.connection, 1, PacketFlags::RELIABLE, payload).unwrap();
        self.server.slots.peer_mut(self.connection).unwrap().lose_channels();
    }
}

#[test]
fn reliable_packet_of_a_missing_channel_closes_its_connection_in_release_builds() {
    let mut pair = Pair::new();
    pair.break_server();
    let before = bug::count();
    bug::with_policy(OnBug::Count, || transmit(&mut pair.server, 1, &mut pair.client));
    assert_eq!(bug::count() - before, 1);
    let (connection, reason) = (pair.connection, DisconnectReason::InternalError);
    assert_eq!(events(&mut pair.server), [HostEvent::Disconnected { connection, reason }]);
    assert_eq!(pair.server.queued_bytes(), 0, "the packet is not charged any more");
    let [HostEvent::Disconnected { reason, .. }] = events(&mut pair.client)[..] else {
        panic!("the client receives no DISCONNECT");
    };
    assert_eq!(reason, DisconnectReason::Remote(0));
    transmit(&mut pair.client, 2, &mut pair.server);
    assert_eq!(pair.server.connected_peers(), 0);
}

#[test]
fn reliable_packet_of_a_missing_channel_panics_in_debug_builds_and_simulations() {
    let mut pair = Pair::new();
    pair.break_server();
    let sent = catch_unwind(AssertUnwindSafe(|| {
        bug::with_policy(OnBug::Panic, || transmit(&mut pair.server, 1, &mut pair.client));
    }));
    let message = *sent.unwrap_err().downcast::<String>().unwrap();
    assert_eq!(message, "impossible state: a reliable packet of a missing channel is queued");
}
