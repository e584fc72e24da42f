//! Signals, defaults and blocking poll of Godot 3.2.

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

/// Returns a server and the client 2, which is connecting.
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
fn defaults_match_the_class_reference() {
    let server = NetworkedMultiplayerPeer::new(MemoryMultiplayerPeer::server());
    assert_eq!(server.transfer_mode(), TransferMode::Unreliable);
    assert!(server.is_refusing_new_connections());
}

#[test]
fn enet_defaults_differ() {
    let server = NetworkedMultiplayerPeer::with_enet_defaults(MemoryMultiplayerPeer::server());
    assert_eq!(server.transfer_mode(), TransferMode::Reliable);
    assert!(!server.is_refusing_new_connections());
}

#[test]
fn server_with_documented_defaults_refuses_connections_until_changed() {
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
fn client_signals_its_server_and_then_success() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [PeerConnected(PeerId::SERVER), ConnectionSucceeded]);
    assert_eq!(signals(&mut server), [PeerConnected(id(2))]);
}

#[test]
fn connection_failure_is_signaled_once() {
    let (mut server, mut client) = pair();
    server.close();
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [ConnectionFailed]);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), []);
}

#[test]
fn lost_server_is_signaled_once() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    signals(&mut client);
    server.close_connection();
    settle([&mut server, &mut client]);
    assert_eq!(signals(&mut client), [ServerDisconnected]);
    assert_eq!(client.connection_status(), ConnectionStatus::Disconnected);
}

#[test]
fn short_session_emits_all_signals() {
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
fn closed_client_emits_no_signal() {
    let (_server, mut client) = pair();
    client.close();
    client.poll(NOW);
    assert_eq!(signals(&mut client), []);
}

#[test]
fn server_signals_the_clients_that_it_disconnects() {
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
        assert_eq!(
            client.available_packet_count(),
            usize::from(!now),
            "a graceful disconnect delivers the packet first"
        );
    }
}

#[test]
fn client_cannot_disconnect_its_server() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let error = client.disconnect_peer(PeerId::SERVER, true);
    assert_eq!(error, Err(PacketPeerError::UnknownPeer(PeerId::SERVER)));
    assert_eq!(client.connection_status(), ConnectionStatus::Connected);
}

#[test]
fn blocking_poll_times_out_after_a_second() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let mut now = NOW;
    let received = server.poll_blocking(now, |_, at_most| {
        now += at_most;
        now
    });
    assert!(!received);
    assert_eq!(now - NOW, POLL_WAIT_MAX);
}

#[test]
fn blocking_poll_returns_when_a_packet_is_received() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let mut now = NOW;
    let received = server.poll_blocking(now, |_, _| {
        now += Duration::from_millis(40);
        if now - NOW == Duration::from_millis(120) {
            client.put_packet("x").unwrap();
            client.flush(now);
        }
        now
    });
    assert!(received);
    assert_eq!(now - NOW, Duration::from_millis(120));
    assert_eq!(server.available_packet_count(), 1);
}

#[test]
fn blocking_poll_returns_when_connecting_fails() {
    let (mut server, mut client) = pair();
    let received = client.poll_blocking(NOW, |_, at_most| {
        server.close();
        server.flush(NOW);
        NOW + at_most.min(Duration::from_millis(7))
    });
    assert!(received);
    assert_eq!(signals(&mut client), [ConnectionFailed]);
}

#[test]
fn blocking_poll_sends_put_packets_before_it_waits() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    client.put_packet("ask").unwrap();
    let mut now = NOW;
    let received = client.poll_blocking(now, |_, _| {
        server.poll(now);
        server.put_packet("answer").unwrap();
        server.flush(now);
        now += Duration::from_millis(1);
        now
    });
    assert!(received);
    assert_eq!(server.available_packet_count(), 1);
    assert_eq!(client.available_packet_count(), 1);
}

#[test]
fn blocking_poll_polls_at_the_interval_of_the_transport() {
    // The transport's interval is 5 ms. One that is always due is polled once per millisecond.
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
fn blocking_poll_returns_if_the_clock_does_not_advance() {
    let (mut server, mut client) = pair();
    settle([&mut server, &mut client]);
    let mut waits = 0;
    let received = server.poll_blocking(NOW, |_, _| {
        waits += 1;
        NOW
    });
    assert_eq!((received, waits), (false, 1));
}

#[test]
fn blocking_poll_returns_immediately_without_a_session() {
    let mut server = NetworkedMultiplayerPeer::new(MemoryMultiplayerPeer::server());
    server.close();
    let received =
        server.poll_blocking(NOW, |_, _| panic!("poll_blocking waited without a session"));
    assert!(!received);
}
