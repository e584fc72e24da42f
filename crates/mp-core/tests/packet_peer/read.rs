//! Reading: the next packet and its properties.

use bytes::Bytes;
use mp_core::{Channel, PacketPeerError, TransferMode};

use crate::net::{Net, id, packets};

#[test]
fn packet_properties_describe_the_next_packet() {
    let mut net = Net::with_clients(2);
    net.clients[0].set_transfer_mode(TransferMode::Unreliable);
    net.clients[0].put_packet("first").unwrap();
    net.settle();
    net.clients[1].set_transfer_channel(Channel(3));
    net.clients[1].put_packet("second").unwrap();
    net.settle();

    let server = &mut net.server;
    let next = |server: &mp_core::PacketPeer<_>| {
        (server.packet_peer(), server.packet_mode(), server.packet_channel())
    };
    assert_eq!(server.available_packet_count(), 2);
    assert_eq!(next(server), (Some(id(2)), Some(TransferMode::Unreliable), Some(Channel(0))));
    assert_eq!(server.next_packet().unwrap(), "first");
    assert_eq!(next(server), (Some(id(3)), Some(TransferMode::Reliable), Some(Channel(3))));
    assert_eq!(server.next_packet().unwrap(), "second");
    assert_eq!(next(server), (None, None, None));
}

#[test]
fn packet_error_is_kept_until_the_next_success() {
    let mut net = Net::with_clients(1);
    assert_eq!(net.server.packet_error(), None);
    let error = net.server.next_packet().unwrap_err();
    assert_eq!((error, error.godot_code()), (PacketPeerError::NoPacket, 2));
    assert_eq!(net.server.packet_error(), Some(PacketPeerError::NoPacket));
    net.clients[0].put_packet("x").unwrap();
    net.settle();
    net.server.next_packet().unwrap();
    assert_eq!(net.server.packet_error(), None);
}

#[test]
fn packets_of_a_disconnected_peer_can_be_read() {
    let mut net = Net::with_clients(1);
    net.server.put_packet("last packet").unwrap();
    net.server.disconnect_peer_with(id(2), mp_core::CloseMode::Drain).unwrap();
    net.clients[0].put_packet("crossing").unwrap();
    net.settle();
    assert!(!net.clients[0].has_peer(mp_core::PeerId::SERVER));
    assert_eq!(packets(&mut net.clients[0]), [(1, Bytes::from("last packet"))]);
}

#[test]
fn closing_drops_unread_packets() {
    let mut net = Net::with_clients(1);
    net.clients[0].put_packet("x").unwrap();
    net.settle();
    assert_eq!(net.server.available_packet_count(), 1);
    net.server.close();
    assert_eq!(net.server.available_packet_count(), 0);
    assert_eq!(net.server.stats().packets_discarded, 1);
}
