//! Queues of a packet peer that is not read are bounded.

use bytes::Bytes;
use mp_core::PeerSignal::{PeerConnected, PeerDisconnected};
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{CloseMode, DisconnectReason, PacketPeer, TransferMode};

use crate::net::{NOW, Net, id, packets, signals};

/// Number of small packets at which connections are paused: 4 MiB at 256 bytes each.
const PAUSED_AT: usize = 16_384;

#[test]
fn full_queue_pauses_connections_and_loses_nothing() {
    let sent = 40_000_u32;
    let mut net = Net::with_clients(1);
    for number in 0..sent {
        net.clients[0].put_packet(number.to_le_bytes().to_vec()).unwrap();
    }
    for _ in 0..10 {
        net.settle();
    }
    assert_eq!(net.server.available_packet_count(), PAUSED_AT);
    assert_eq!(net.server.stats().pauses, 1);

    let mut read = Vec::new();
    for _ in 0..10 {
        read.extend(packets(&mut net.server).into_iter().map(|(_, payload)| payload));
        net.settle();
    }
    let expected = (0..sent).map(|number| Bytes::from(number.to_le_bytes().to_vec()));
    assert!(
        expected.eq(read.iter().cloned()),
        "{} of {sent} packets received, or out of order",
        read.len()
    );
    let stats = net.server.stats();
    assert_eq!((stats.packets_received, stats.packets_dropped), (u64::from(sent), 0));
}

#[test]
fn connections_resume_when_half_has_been_read() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, Some(id(2)));
    peer.receive(0, PAUSED_AT, TransferMode::Reliable, Bytes::new());
    peer.connect(1, Some(id(3)));
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    let paused = [(connection(0), true), (connection(1), true)];
    assert_eq!(server.peer().held, paused, "a later connection is paused, too");

    for _ in 1..PAUSED_AT / 2 {
        server.next_packet().unwrap();
    }
    assert_eq!(server.peer().held, paused);
    server.next_packet().unwrap();
    assert_eq!(server.peer().held[2..], [(connection(0), false), (connection(1), false)]);
}

#[test]
fn single_large_packet_does_not_pause() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, Some(id(2)));
    peer.receive(0, 1, TransferMode::Reliable, vec![0; 16 << 20].into());
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    assert_eq!(server.stats().pauses, 0);
    assert_eq!(server.next_packet().map(|packet| packet.len()), Ok(16 << 20));
}

#[test]
fn transport_that_does_not_pause_loses_unreliable_packets() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, Some(id(2)));
    peer.receive(0, 2 * PAUSED_AT + 5, TransferMode::Unreliable, Bytes::new());
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    assert_eq!(server.available_packet_count(), 2 * PAUSED_AT);
    assert_eq!(server.stats().packets_dropped, 5);
    assert!(server.has_peer(id(2)));
}

#[test]
fn transport_that_does_not_pause_loses_a_connection_with_reliable_packets() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, Some(id(2)));
    peer.receive(0, 2 * PAUSED_AT + 5, TransferMode::Reliable, Bytes::new());
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    let ended = [(connection(0), DisconnectReason::QueueFull, CloseMode::Immediate)];
    assert_eq!(server.peer().disconnected, ended);
    assert_eq!(signals(&mut server), [PeerConnected(id(2)), PeerDisconnected(id(2))]);
    assert_eq!(server.available_packet_count(), 2 * PAUSED_AT, "queued packets can be read");
}

#[test]
fn short_connections_do_not_exceed_the_queue_limit() {
    let mut peer = ScriptedPeer::server();
    for slot in 0..100 {
        peer.connect(slot, Some(id(2)));
        peer.receive(slot, 1_000, TransferMode::Reliable, Bytes::new());
        peer.drop_connection(slot);
    }
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    assert_eq!(server.available_packet_count(), 2 * PAUSED_AT);
}

#[test]
fn forced_disconnect_frees_queue_capacity() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, Some(id(2)));
    peer.receive(0, PAUSED_AT, TransferMode::Reliable, Bytes::new());
    peer.connect(1, Some(id(3)));
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    server.disconnect_peer(id(2), true).unwrap();
    assert_eq!(server.peer().held.last(), Some(&(connection(1), false)));
}

#[test]
fn oldest_signals_are_dropped() {
    let mut peer = ScriptedPeer::server();
    for slot in 0..3_000 {
        peer.connect(slot, Some(id(2)));
        peer.drop_connection(slot);
    }
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    assert_eq!(server.stats().signals_dropped, 6_000 - 4_096);
    assert_eq!(signals(&mut server).len(), 4_096);
    assert_eq!(server.peers().len(), 0);
}
