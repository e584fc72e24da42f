//! Peers: ids, signals, disconnects.

use mp_core::PeerSignal::{PeerConnected, PeerDisconnected};
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    CloseMode, ConnectionStatus, DisconnectReason, PacketPeer, PacketPeerError, PeerId, Rng,
    TransferMode,
};

use crate::net::{NOW, Net, id, packets, signals};

#[test]
fn connections_are_signaled_on_both_peers() {
    let mut net = Net::with_clients(2);
    assert_eq!(signals(&mut net.server), [PeerConnected(id(2)), PeerConnected(id(3))]);
    assert_eq!(net.server.peers().collect::<Vec<_>>(), [id(2), id(3)]);
    for client in &mut net.clients {
        assert_eq!(signals(client), [PeerConnected(PeerId::SERVER)], "no other peer");
        assert_eq!(client.connection_status(), ConnectionStatus::Connected);
    }
    assert_eq!(net.server.unique_id(), PeerId::SERVER);
    assert_eq!(net.clients[1].unique_id(), id(3));
}

#[test]
fn connection_with_an_id_in_use_is_rejected() {
    let mut net = Net::with_clients(1);
    net.join(id(2));
    net.settle();
    assert_eq!(signals(&mut net.server), [PeerConnected(id(2))]);
    assert_eq!(net.server.stats().rejected_connections, 1);
    assert_eq!(net.clients[1].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(net.clients[0].connection_status(), ConnectionStatus::Connected);
}

#[test]
fn connection_without_id_or_with_the_servers_is_rejected() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, None);
    peer.connect(1, Some(PeerId::SERVER));
    peer.receive(1, 1, TransferMode::Reliable, "x".into());
    peer.drop_connection(1);
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    let rejected = (DisconnectReason::InvalidId, CloseMode::Graceful);
    let expected =
        [(connection(0), rejected.0, rejected.1), (connection(1), rejected.0, rejected.1)];
    assert_eq!(server.peer().disconnected, expected);
    assert_eq!(signals(&mut server), []);
    assert_eq!(server.available_packet_count(), 0);
}

#[test]
fn client_connection_without_id_is_the_server() {
    let mut peer = ScriptedPeer::new(id(9));
    peer.connect(0, None);
    let mut client = PacketPeer::new(peer);
    client.poll(NOW);
    assert_eq!(signals(&mut client), [PeerConnected(PeerId::SERVER)]);
}

#[test]
fn graceful_disconnect_is_signaled_on_both_peers() {
    let mut net = Net::with_clients(1);
    net.settle();
    net.server.disconnect_peer(id(2), false).unwrap();
    net.settle();
    assert_eq!(signals(&mut net.server), [PeerConnected(id(2)), PeerDisconnected(id(2))]);
    let at_client = [PeerConnected(PeerId::SERVER), PeerDisconnected(PeerId::SERVER)];
    assert_eq!(signals(&mut net.clients[0]), at_client);
    assert_eq!(net.clients[0].connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn forced_disconnect_is_signaled_on_the_remote_peer_only() {
    let mut net = Net::with_clients(1);
    signals(&mut net.server);
    net.clients[0].put_packet("unread").unwrap();
    net.settle();
    net.server.disconnect_peer(id(2), true).unwrap();
    assert!(!net.server.has_peer(id(2)));
    assert_eq!(net.server.available_packet_count(), 0, "its unread packets are dropped");
    assert_eq!(net.server.stats().packets_discarded, 1);
    net.settle();
    assert_eq!(signals(&mut net.server), []);
    assert_eq!(signals(&mut net.clients[0]).last(), Some(&PeerDisconnected(PeerId::SERVER)));
}

#[test]
fn forced_disconnect_drops_an_unread_signal() {
    let mut net = Net::with_clients(2);
    net.server.disconnect_peer(id(2), true).unwrap();
    assert_eq!(signals(&mut net.server), [PeerConnected(id(3))]);
}

#[test]
fn client_that_forcibly_disconnects_its_server_has_no_session() {
    let mut net = Net::with_clients(1);
    net.clients[0].disconnect_peer(PeerId::SERVER, true).unwrap();
    assert_eq!(net.clients[0].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(net.clients[0].put_packet("x"), Err(PacketPeerError::NotConnected));
}

#[test]
fn disconnecting_an_unknown_peer_is_an_error() {
    let mut net = Net::with_clients(1);
    for force in [false, true] {
        let error = net.server.disconnect_peer(id(9), force).unwrap_err();
        assert_eq!(error, PacketPeerError::UnknownPeer(id(9)));
    }
    assert!(net.server.has_peer(id(2)));
}

#[test]
fn close_is_signaled_on_the_remote_peers_only() {
    let mut net = Net::with_clients(2);
    signals(&mut net.server);
    net.server.close();
    net.settle();
    assert_eq!(signals(&mut net.server), []);
    assert_eq!(net.server.peers().len(), 0);
    assert_eq!(net.server.connection_status(), ConnectionStatus::Disconnected);
    for client in &mut net.clients {
        assert_eq!(signals(client).last(), Some(&PeerDisconnected(PeerId::SERVER)));
    }
    let stats = net.server.stats();
    assert_eq!((stats.connected, stats.disconnected), (2, 2));
}

#[test]
fn refused_client_changes_only_its_status() {
    let mut net = Net::with_clients(1);
    net.server.set_refuse_new_connections(true);
    assert!(net.server.is_refusing_new_connections());
    net.join(id(3));
    assert_eq!(net.clients[1].connection_status(), ConnectionStatus::Connecting);
    net.settle();
    assert_eq!(net.clients[1].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(signals(&mut net.clients[1]), []);
    assert_eq!(net.server.peers().collect::<Vec<_>>(), [id(2)], "existing connections stay");
}

#[test]
fn id_can_be_reused_after_its_peer_disconnected() {
    let mut net = Net::with_clients(1);
    net.clients[0].put_packet("from the first").unwrap();
    net.clients[0].flush(NOW);
    net.settle();
    net.clients[0].close();
    net.settle();
    net.join(id(2));
    net.settle();
    let expected = [PeerConnected(id(2)), PeerDisconnected(id(2)), PeerConnected(id(2))];
    assert_eq!(signals(&mut net.server), expected);

    // The queued packet of the first connection does not belong to the second one.
    net.clients[1].put_packet("from the second").unwrap();
    net.settle();
    net.server.disconnect_peer(id(2), true).unwrap();
    assert_eq!(packets(&mut net.server), [(2, "from the first".into())]);
}

#[test]
fn generated_id_is_not_in_use() {
    let seed = 5;
    let used = PeerId::generate(&mut Rng::seed_from_u64(seed));
    let mut net = Net::with_clients(0);
    net.join(used);
    net.settle();
    assert!(net.server.has_peer(used));
    let fresh = net.server.generate_unique_id(&mut Rng::seed_from_u64(seed));
    assert!(fresh != used && fresh.get() > 1, "seed {seed}: {fresh}");
}
