//! Receipts: a server learns that a client has read its packets, and rejects it afterwards.

use std::time::Duration;

use mp_core::limits::{LINGER_TIME, LINGER_TIMEOUT};
use mp_core::{
    BranchId, ConnectionRouter, DisconnectReason, Endpoint, EndpointId, MultiplayerPeer,
    NewConnection, OutgoingPacket, PeerEvent, Rejection, Route, StateMachine, TransferMode,
};
use mp_transport_ws::testing::StreamConditions;
use mp_transport_ws::{ClientOptions, ServerOptions};

use crate::common::*;

#[test]
fn packet_is_delivered_when_the_client_has_answered_the_ping_behind_it() {
    let mut world = World::new(StreamConditions::default());
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    server.send(packet(id, TransferMode::Reliable, "last")).unwrap();
    assert!(!server.poll_delivered(id));
    world.turn(&mut server);
    let read = frames(&mut raw_peer.take());
    let kinds: Vec<_> = read.iter().map(|frame| frame.first).collect();
    assert_eq!(kinds, [0x82, 0x89], "a packet, and one ping behind it");
    raw_peer.send(&masked(0x8A, b""));
    world.turn(&mut server);
    assert!(!server.poll_delivered(id), "a pong without a ping is no receipt");
    raw_peer.send(&masked(0x8A, &read[1].payload));
    world.turn(&mut server);
    assert!(server.poll_delivered(id));
    assert_eq!(raw_peer.take(), b"", "the ping is sent once");
}

#[test]
fn receipt_is_requested_behind_packets_for_a_full_socket() {
    let mut world =
        World::new(StreamConditions { capacity: 10_000, ..StreamConditions::default() });
    let mut server = world.server(ServerOptions::default());
    let (mut raw_peer, id) = world.joined(&mut server);
    for _ in 0..3 {
        server.send(packet(id, TransferMode::Reliable, vec![7; 60_000])).unwrap();
    }
    assert!(!server.poll_delivered(id));
    let mut kinds = Vec::new();
    let mut received = Vec::new();
    for _ in 0..100 {
        world.turn(&mut server);
        received.extend(raw_peer.take());
        kinds.extend(frames(&mut received).iter().map(|frame| frame.first));
    }
    assert_eq!(kinds, [0x82, 0x82, 0x82, 0x89]);
}

/// Rejects all clients with a packet.
struct Rejecting;

impl ConnectionRouter for Rejecting {
    fn route(&mut self, new: &NewConnection<'_>, replies: &mut Vec<OutgoingPacket>) -> Route {
        replies.push(packet(new.connection, TransferMode::Reliable, "full"));
        Route::Reject(DisconnectReason::Rejected(Rejection::new("full", "no capacity")))
    }
}

/// A server that has just rejected a client, which has not received the packet.
struct Rejected {
    world: World,
    endpoint: Endpoint<Peer, Rejecting>,
    client: Peer,
}

impl Rejected {
    fn new() -> Self {
        let mut world = World::new(StreamConditions::default());
        let server = world.server(ServerOptions::default());
        let mut endpoint = Endpoint::new(EndpointId(0), server, Rejecting).shared();
        endpoint.serve(BranchId(0));
        let mut client = world.client(ClientOptions::default());
        while endpoint.stats().lingering == 0 {
            assert_eq!(world.turn(&mut client), []);
            endpoint.end_turn(world.now);
        }
        Self { world, endpoint, client }
    }

    /// Runs the server while the client is busy with a frame.
    fn busy(&mut self, time: Duration) {
        let end = self.world.now + time;
        while self.world.now < end {
            self.world.pass(Duration::from_millis(10));
            self.endpoint.end_turn(self.world.now);
        }
    }

    /// Returns what the client receives in a frame: packets, and whether the connection ends.
    fn frame(&mut self) -> (Vec<Vec<u8>>, bool) {
        let events: Vec<PeerEvent> = self.world.turn(&mut self.client);
        (packets(&events), end_of(&events).is_some())
    }
}

#[test]
fn rejected_client_receives_the_packet_in_an_earlier_frame_than_the_end() {
    let mut rejected = Rejected::new();
    rejected.busy(4 * LINGER_TIME);
    assert_eq!(rejected.frame(), (vec![b"full".to_vec()], false));
    rejected.busy(LINGER_TIME / 2);
    assert_eq!(rejected.frame(), (vec![], false));
    rejected.busy(LINGER_TIME);
    assert_eq!(rejected.frame(), (vec![], true));
}

#[test]
fn rejected_client_that_reads_nothing_is_closed_after_the_timeout() {
    let mut rejected = Rejected::new();
    rejected.busy(LINGER_TIMEOUT);
    assert_eq!(rejected.endpoint.stats().lingering, 0);
    assert_eq!(rejected.frame(), (vec![b"full".to_vec()], true));
}
