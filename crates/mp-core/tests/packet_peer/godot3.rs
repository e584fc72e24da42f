//! Godot 3.2's signals, defaults and waiting poll.

use std::time::Duration;

use mp_core::godot3::PeerSignal::{
    ConnectionFailed, ConnectionSucceeded, PeerConnected, PeerDisconnected, ServerDisconnected,
};
use mp_core::godot3::{NetworkedMultiplayerPeer, POLL_WAIT_MAX, PeerSignal};
use mp_core::testing::ScriptedPeer;
use mp_core::{
    ConnectionStatus, Instant, MemoryMultiplayerPeer, MultiplayerPeer, PacketPeerError, PeerId,
    TransferMode,
};

use crate::net::{NOW, id};

type Peer = NetworkedMultiplayerPeer<MemoryMultiplayerPeer>;

/// A server and a client, 2, that is on its way.
fn pair() -> (Peer, Peer) {
    let (server, client) = mp_core::memory::pair(id(2));
    let new = NetworkedMultiplayerPeer::with_enet_defaults;
    (new(server), new(client))
}

fn settle([server, client]: [&mut Peer; 2]) {
    for _ in 0..3 {
        server.poll(NOW);
        client.poll(NOW);
    }
}

fn signals<P: MultiplayerPeer>(peer: &mut NetworkedMultiplayerPeer<P>) -> Vec<PeerSignal> {
    std::iter::from_fn(|| peer.next_signal()).collect()
}

#[test]
fn the_defaults_are_those_of_the_class_reference() {
    let server = NetworkedMultiplayerPeer::new(MemoryMultiplayerPeer::server());
    assert_eq!(server.transfer_mode(), TransferMode::Unreliable);
    assert!(server.is_refusing_new_connections());
}

#[test]
fn the_defaults_of_enet_are_others() {
    let server = NetworkedMultiplayerPeer::with_enet_defaults(MemoryMultiplayerPeer::server());
    assert_eq!(server.transfer_mode(), TransferMode::Reliable);
    assert!(!server.is_refusing_new_connections());
}

#[test]
fn a_server_with_the_documented_defaults_refuses_until_it_is_told() {
    let mut server = NetworkedMultiplayerPeer::new(MemoryMultiplayerPeer::server());
    let mut client = NetworkedMultiplayerPeer::new(server.peer().address().connect(id(2)));
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [ConnectionFailed]);
    server.set_refuse_new_connections(false);
    let mut client = NetworkedMultiplayerPeer::new(server.peer().address().connect(id(3)));
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [PeerConnected(PeerId::SERVER), ConnectionSucceeded]);
}

#[test]
fn a_client_hears_of_its_server_and_then_of_its_success() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [PeerConnected(PeerId::SERVER), ConnectionSucceeded]);
    assert_eq!(signals(&mut server), [PeerConnected(id(2))]);
}

#[test]
fn a_failure_is_signalled_once() {
    let (mut server, mut client) = pair();
    server.close();
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [ConnectionFailed]);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), []);
}

#[test]
fn a_lost_server_is_one_signal() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    signals(&mut client);
    server.close_connection();
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [ServerDisconnected]);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn a_session_that_was_short_is_told_whole() {
    let mut peer = ScriptedPeer::new(id(2));
    peer.status = ConnectionStatus::Connecting;
    peer.connect(0, Some(PeerId::SERVER));
    peer.drop_connection(0);
    let mut client = NetworkedMultiplayerPeer::new(peer);
    client.peer_mut().status = ConnectionStatus::Disconnected;
    client.poll(NOW);
    let expected = [PeerConnected(PeerId::SERVER), ConnectionSucceeded, ServerDisconnected];
    assert_eq!(signals(&mut client), expected);
}

#[test]
fn a_client_that_gives_up_hears_nothing() {
    let (_server, mut client) = pair();
    client.close();
    client.poll(NOW);
    assert_eq!(signals(&mut client), []);
}

#[test]
fn a_server_hears_of_those_that_it_disconnects() {
    for now in [false, true] {
        let (mut server, mut client) = pair();
        settle([&mut server, &mut client]);
        signals(&mut server);
        server.put_packet("goodbye").unwrap();
        server.flush(NOW);
        server.disconnect_peer(id(2), now).unwrap();
        let at_once = if now { vec![PeerDisconnected(id(2))] } else { vec![] };
        assert_eq!(signals(&mut server), at_once);
        settle([&mut server, &mut client]);
        let later = if now { vec![] } else { vec![PeerDisconnected(id(2))] };
        assert_eq!(signals(&mut server), later);
        assert_eq!(signals(&mut client).last(), Some(&ServerDisconnected));
        assert_eq!(client.available_packet_count(), usize::from(!now), "later means after that");
    }
}

#[test]
fn a_client_cannot_disconnect_its_server() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let error = client.disconnect_peer(PeerId::SERVER, true);
    assert_eq!(error, Err(PacketPeerError::UnknownPeer(PeerId::SERVER)));
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
}

#[test]
fn a_waiting_poll_waits_a_second_for_nothing() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let mut now = NOW;
    let came = server.poll_blocking(now, |_, at_most| {
        now += at_most;
        now
    });
    assert!(!came);
    assert_eq!(now - NOW, POLL_WAIT_MAX);
}

#[test]
fn a_waiting_poll_ends_with_the_first_thing_that_comes() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let mut now = NOW;
    let came = server.poll_blocking(now, |_, _| {
        now += Duration::from_millis(40);
        if now - NOW == Duration::from_millis(120) {
            client.put_packet("x").unwrap();
            client.flush(now);
        }
        now
    });
    assert!(came);
    assert_eq!(now - NOW, Duration::from_millis(120));
    assert_eq!(server.available_packet_count(), 1);
}

#[test]
fn a_waiting_poll_sees_a_failure_to_connect() {
    let (mut server, mut client) = pair();
    let came = client.poll_blocking(NOW, |_, at_most| {
        server.close();
        server.flush(NOW);
        NOW + at_most.min(Duration::from_millis(7))
    });
    assert!(came);
    assert_eq!(signals(&mut client), [ConnectionFailed]);
}

#[test]
fn a_waiting_poll_gives_what_was_put_away_before_it_waits() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    client.put_packet("ask").unwrap();
    let mut now = NOW;
    let came = client.poll_blocking(now, |_, _| {
        server.poll(now);
        server.put_packet("answer").unwrap();
        server.flush(now);
        now += Duration::from_millis(1);
        now
    });
    assert!(came);
    assert_eq!(server.available_packet_count(), 1);
    assert_eq!(client.available_packet_count(), 1);
}

#[test]
fn a_waiting_poll_turns_as_often_as_the_transport_wants() {
    // Its interval is 5 ms; one that is due all the time is given a millisecond.
    for (due, turns) in [(None, 200), (Some(Instant::ZERO), 1_000)] {
        let mut peer = ScriptedPeer::server();
        peer.timeout = due;
        let mut server = NetworkedMultiplayerPeer::new(peer);
        let (mut now, mut waits) = (NOW, 0);
        server.poll_blocking(now, |_, at_most| {
            waits += 1;
            now += at_most;
            now
        });
        assert_eq!((now - NOW, waits), (POLL_WAIT_MAX, turns));
    }
}

#[test]
fn a_waiting_poll_does_not_hang_on_a_clock_that_stands_still() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let mut waits = 0;
    let came = server.poll_blocking(NOW, |_, _| {
        waits += 1;
        NOW
    });
    assert_eq!((came, waits), (false, 1));
}

#[test]
fn without_a_session_there_is_nothing_to_wait_for() {
    let mut server = NetworkedMultiplayerPeer::new(MemoryMultiplayerPeer::server());
    server.close();
    let came = server.poll_blocking(NOW, |_, _| panic!("it waits"));
    assert!(!came);
}
