//! Sending: target, mode and channel, and packets that cannot be sent.

use bytes::Bytes;
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    Channel, ErrorChain, OfflineMultiplayerPeer, PacketPeer, PacketPeerError, PeerId, SendError,
    Target, TransferMode, memory,
};

use crate::net::{NOW, Net, id, packets};

/// Sends a packet to `target` and returns the ids of the clients that received it.
fn reached(net: &mut Net, target: Target) -> Vec<i32> {
    net.server.set_target_peer(target);
    net.server.put_packet("x").expect("the target is connected");
    net.settle();
    let clients = net.clients.iter_mut();
    clients.filter_map(|peer| (!packets(peer).is_empty()).then(|| peer.unique_id().get())).collect()
}

#[test]
fn server_sends_to_all_one_or_all_but_one() {
    let mut net = Net::with_clients(3);
    assert_eq!(reached(&mut net, Target::All), [2, 3, 4]);
    assert_eq!(reached(&mut net, id(3).into()), [3]);
    assert_eq!(reached(&mut net, Target::AllExcept(id(3))), [2, 4]);
}

#[test]
fn target_mode_and_channel_persist() {
    let mut net = Net::with_clients(2);
    net.server.set_target_peer(id(2));
    net.server.set_transfer_mode(TransferMode::UnreliableOrdered);
    net.server.set_transfer_channel(Channel(7));
    for _ in 0..2 {
        net.server.put_packet("x").unwrap();
    }
    net.settle();
    let client = &mut net.clients[0];
    for _ in 0..2 {
        assert_eq!(client.packet_mode(), Some(TransferMode::UnreliableOrdered));
        assert_eq!(client.packet_channel(), Some(Channel(7)));
        client.next_packet().unwrap();
    }
    assert_eq!(net.clients[1].available_packet_count(), 0);
    assert_eq!(net.server.target_peer(), id(2).into());
}

#[test]
fn client_sends_to_its_server_whatever_the_target() {
    let mut net = Net::with_clients(2);
    for target in [Target::All, Target::SERVER, Target::AllExcept(PeerId::SERVER)] {
        net.clients[0].set_target_peer(target);
        net.clients[0].put_packet("x").unwrap();
    }
    net.settle();
    assert_eq!(packets(&mut net.server).len(), 3);
    assert_eq!(net.clients[1].available_packet_count(), 0);
}

#[test]
fn mesh_member_excludes_its_target() {
    let mut mesh = ScriptedPeer::new(id(5));
    mesh.relays = false;
    mesh.connect(0, Some(PeerId::SERVER));
    mesh.connect(1, Some(id(6)));
    let mut mesh = PacketPeer::new(mesh);
    mesh.poll(NOW);
    mesh.set_target_peer(Target::AllExcept(PeerId::SERVER));
    mesh.put_packet("x").unwrap();
    assert_eq!(mesh.peer().sent[0].to.as_slice(), [connection(1)]);
}

#[test]
fn unknown_target_is_an_error_even_if_excluded() {
    let mut net = Net::with_clients(1);
    for target in [Target::Peer(id(77)), Target::AllExcept(id(77))] {
        for peer in [&mut net.server, &mut net.clients[0]] {
            peer.set_target_peer(target);
            let error = peer.put_packet("x").unwrap_err();
            assert_eq!(error, PacketPeerError::UnknownPeer(id(77)));
            assert_eq!(error.godot_code(), 31);
        }
    }
}

#[test]
fn put_packet_fails_before_and_after_a_session() {
    let (server, client) = memory::pair(id(2));
    let (mut server, mut client) = (PacketPeer::new(server), PacketPeer::new(client));
    let error = client.put_packet("x").unwrap_err();
    assert_eq!((error, error.godot_code()), (PacketPeerError::NotConnected, 3));
    server.poll(NOW);
    client.poll(NOW);
    client.put_packet("x").unwrap();
    client.close();
    assert_eq!(client.put_packet("x"), Err(PacketPeerError::NotConnected));
}

#[test]
fn empty_packet_is_accepted_and_not_sent() {
    let mut net = Net::with_clients(1);
    net.server.put_packet(Bytes::new()).unwrap();
    net.settle();
    assert_eq!(net.clients[0].available_packet_count(), 0);
    net.server.close();
    assert_eq!(net.server.put_packet(Bytes::new()), Ok(()), "also without a session");
}

#[test]
fn packet_rejected_by_the_transport_is_an_error() {
    let mut net = Net::with_clients(1);
    let max = net.server.max_packet_size();
    let error = net.server.put_packet(vec![0; max + 1]).unwrap_err();
    assert_eq!(error, PacketPeerError::Rejected(SendError::TooLarge { len: max + 1, max }));
    assert_eq!(error.godot_code(), 6);

    let mut peer = ScriptedPeer::server();
    peer.send_error = Some(SendError::Channel { channel: 9, last: 3 });
    let error = PacketPeer::new(peer).put_packet("x").unwrap_err();
    assert_eq!(error.godot_code(), 31);
    let chain = ErrorChain::new(&error).to_string();
    assert!(chain.contains("channel 9"), "{chain}");
}

#[test]
fn not_connected_error_of_the_transport_is_mapped() {
    let mut peer = ScriptedPeer::server();
    peer.send_error = Some(SendError::NotConnected);
    assert_eq!(PacketPeer::new(peer).put_packet("x"), Err(PacketPeerError::NotConnected));
}

#[test]
fn flush_sends_without_receiving() {
    let mut net = Net::with_clients(1);
    net.clients[0].put_packet("from the client").unwrap();
    net.clients[0].flush(NOW);
    net.server.put_packet("from the server").unwrap();
    net.server.flush(NOW);
    assert_eq!(net.server.available_packet_count(), 0, "only poll receives packets");
    net.clients[0].poll(NOW);
    assert_eq!(packets(&mut net.clients[0]), [(1, Bytes::from("from the server"))]);
}

#[test]
fn offline_peer_sends_to_no_one() {
    let mut offline = PacketPeer::new(OfflineMultiplayerPeer);
    assert_eq!(offline.put_packet("x"), Ok(()));
    offline.close();
    assert_eq!(offline.put_packet("x"), Ok(()), "as in Godot");
    assert_eq!(offline.next_packet(), Err(PacketPeerError::NoPacket));
    offline.set_target_peer(id(77));
    assert_eq!(offline.put_packet("x"), Err(PacketPeerError::UnknownPeer(id(77))));
}
