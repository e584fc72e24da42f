//! Who takes part: ids, signals, goodbyes.

use mp_core::PeerSignal::{PeerConnected, PeerDisconnected};
use mp_core::testing::{ScriptedPeer, connection};
use mp_core::{
    ConnectionStatus, DisconnectReason, Farewell, PacketPeer, PacketPeerError, PeerId, Rng,
    TransferMode,
};

use crate::net::{NOW, Net, id, packets, signals};

#[test]
fn both_sides_hear_who_has_come() {
    let mut net = Net::with_clients(2);
    assert_eq!(signals(&mut net.server), [PeerConnected(id(2)), PeerConnected(id(3))]);
    assert_eq!(net.server.peers().collect::<Vec<_>>(), [id(2), id(3)]);
    for client in &mut net.clients {
        assert_eq!(signals(client), [PeerConnected(PeerId::SERVER)], "and of nobody else");
        assert_eq!(client.connection_status(), ConnectionStatus::Connected);
    }
    assert_eq!(net.server.unique_id(), PeerId::SERVER);
    assert_eq!(net.clients[1].unique_id(), id(3));
}

#[test]
fn an_id_in_use_is_turned_away() {
    let mut net = Net::with_clients(1);
    net.join(id(2));
    net.settle();
    assert_eq!(signals(&mut net.server), [PeerConnected(id(2))]);
    assert_eq!(net.server.stats().turned_away, 1);
    assert_eq!(net.clients[1].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(net.clients[0].connection_status(), ConnectionStatus::Connected);
}

#[test]
fn a_link_that_claims_no_id_or_the_servers_is_turned_away() {
    let mut peer = ScriptedPeer::server();
    peer.connect(0, None);
    peer.connect(1, Some(PeerId::SERVER));
    peer.receive(1, 1, TransferMode::Reliable, "x".into());
    peer.drop_connection(1);
    let mut server = PacketPeer::new(peer);
    server.poll(NOW);
    let told = (DisconnectReason::InvalidId, Farewell::Polite);
    let expected = [(connection(0), told.0, told.1), (connection(1), told.0, told.1)];
    assert_eq!(server.peer().disconnected, expected);
    assert_eq!(signals(&mut server), []);
    assert_eq!(server.available_packet_count(), 0);
}

#[test]
fn a_client_whose_transport_names_nobody_is_with_its_server() {
    let mut peer = ScriptedPeer::new(id(9));
    peer.connect(0, None);
    let mut client = PacketPeer::new(peer);
    client.poll(NOW);
    assert_eq!(signals(&mut client), [PeerConnected(PeerId::SERVER)]);
}

#[test]
fn a_goodbye_is_signalled_on_both_sides() {
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
fn force_is_silent_here_and_heard_there() {
    let mut net = Net::with_clients(1);
    signals(&mut net.server);
    net.clients[0].put_packet("unread").unwrap();
    net.settle();
    net.server.disconnect_peer(id(2), true).unwrap();
    assert!(!net.server.has_peer(id(2)));
    assert_eq!(net.server.available_packet_count(), 0, "its packets are withdrawn");
    assert_eq!(net.server.stats().packets_withdrawn, 1);
    net.settle();
    assert_eq!(signals(&mut net.server), []);
    assert_eq!(signals(&mut net.clients[0]).last(), Some(&PeerDisconnected(PeerId::SERVER)));
}

#[test]
fn force_takes_back_a_signal_that_nobody_took() {
    let mut net = Net::with_clients(2);
    net.server.disconnect_peer(id(2), true).unwrap();
    assert_eq!(signals(&mut net.server), [PeerConnected(id(3))]);
}

#[test]
fn a_client_that_forces_its_server_away_has_no_session() {
    let mut net = Net::with_clients(1);
    net.clients[0].disconnect_peer(PeerId::SERVER, true).unwrap();
    assert_eq!(net.clients[0].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(net.clients[0].put_packet("x"), Err(PacketPeerError::NotConnected));
}

#[test]
fn to_disconnect_an_unknown_peer_is_an_error() {
    let mut net = Net::with_clients(1);
    for force in [false, true] {
        let error = net.server.disconnect_peer(id(9), force).unwrap_err();
        assert_eq!(error, PacketPeerError::UnknownPeer(id(9)));
    }
    assert!(net.server.has_peer(id(2)));
}

#[test]
fn closing_is_silent_here_and_heard_there() {
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
fn a_client_that_is_refused_sees_it_in_its_status_alone() {
    let mut net = Net::with_clients(1);
    net.server.set_refuse_new_connections(true);
    assert!(net.server.is_refusing_new_connections());
    net.join(id(3));
    assert_eq!(net.clients[1].connection_status(), ConnectionStatus::Connecting);
    net.settle();
    assert_eq!(net.clients[1].connection_status(), ConnectionStatus::Disconnected);
    assert_eq!(signals(&mut net.clients[1]), []);
    assert_eq!(net.server.peers().collect::<Vec<_>>(), [id(2)], "those that are here stay");
}

#[test]
fn an_id_is_free_again_when_its_peer_has_left() {
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

    // What the first left behind is not taken for the second's.
    net.clients[1].put_packet("from the second").unwrap();
    net.settle();
    net.server.disconnect_peer(id(2), true).unwrap();
    assert_eq!(packets(&mut net.server), [(2, "from the first".into())]);
}

#[test]
fn a_generated_id_is_nobodys() {
    let seed = 5;
    let taken = PeerId::generate(&mut Rng::from_number(seed));
    let mut net = Net::with_clients(0);
    net.join(taken);
    net.settle();
    assert!(net.server.has_peer(taken));
    let fresh = net.server.generate_unique_id(&mut Rng::from_number(seed));
    assert!(fresh != taken && fresh.get() > 1, "seed {seed}: {fresh}");
}
