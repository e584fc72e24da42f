//! Connections on which only one peer authenticates. They are closed when the first packet shows
//! it, which does not count as malformed.

use mp_core::{DisconnectReason, StateMachine, ToEndpoint};
use mp_scene::GodotQuirks;
use mp_scene::limits::MALFORMED_PACKETS_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use super::model::{Did, Input, State, TIMEOUT_MS, peer};
use super::sides::{Side, at};

const SERVER: PeerId = PeerId::SERVER;

fn side(id: i32, other: i32, authenticates: bool) -> Side {
    let mut side = Side::new(id, authenticates);
    side.take(at(0), &Input::Opened);
    side.take(at(0), &Input::Connected(other, 7));
    side
}

/// Packets of a peer that has admitted the local peer: `send_bytes`, an announcement, a path, a
/// call.
const OF_ADMITTED: [&[u8]; 4] = [
    b"\x03hello",
    &[7, 1, 9, 0, 0, 0],
    b"\x01d41d8cd98f00b204e9800998ecf8427e\0\x01\0\0\0A\0",
    &[0xa0, 6, 0, 0, 0x80, 0, b'A', 0],
];

/// Packets of a peer that authenticates: data, a completion.
const OF_AUTHENTICATING: [&[u8]; 2] = [b"\x07\0password", &[7, 0]];

#[test]
fn authenticating_peer_disconnects_a_peer_that_does_not_authenticate() {
    for (own, other) in [(1, 2), (2, 1)] {
        for bytes in OF_ADMITTED {
            let mut side = side(own, other, true);
            let did = side.take(at(1), &Input::Packet(other, 7, bytes.to_vec()));
            let signals = vec![Signal::PeerAuthenticationFailed(peer(other))];
            assert_eq!(
                did,
                Did { signals, ended: vec![(other, 7)], ..Did::default() },
                "{bytes:?}"
            );
            let State { authenticating, malformed, stray, .. } = side.state(at(1));
            assert_eq!((authenticating, malformed, stray), (vec![], 0, 1));
        }
    }
}

#[test]
fn peer_without_authentication_disconnects_an_authenticating_peer() {
    for (own, other) in [(1, 2), (2, 1)] {
        for bytes in OF_AUTHENTICATING {
            let mut side = side(own, other, false);
            let did = side.take(at(1), &Input::Packet(other, 7, bytes.to_vec()));
            let signals = vec![Signal::PeerDisconnected(peer(other))];
            assert_eq!(
                did,
                Did { signals, ended: vec![(other, 7)], ..Did::default() },
                "{bytes:?}"
            );
            let State { peers, malformed, stray, .. } = side.state(at(1));
            assert_eq!((peers, malformed, stray), (vec![], 0, 1));
        }
    }
}

#[test]
fn one_sided_authentication_is_the_disconnect_reason() {
    for (authenticates, bytes) in [(true, OF_ADMITTED[0]), (false, OF_AUTHENTICATING[0])] {
        let mut side = side(2, 1, authenticates);
        side.hand_over(at(1), &Input::Packet(1, 7, bytes.to_vec()));
        let mut reasons = Vec::new();
        side.branch.deliver(&mut |_, message| {
            if let ToEndpoint::Disconnect { reason, .. } = message {
                reasons.push(reason);
            }
            Ok(())
        });
        assert_eq!(reasons, [DisconnectReason::OneSidedAuthentication]);
    }
}

#[test]
fn silent_peer_stays_pending_until_the_timeout() {
    for (own, other) in [(1, 2), (2, 1)] {
        let mut side = side(own, other, true);
        side.idle(0, TIMEOUT_MS);
        let did = side.take(at(TIMEOUT_MS), &Input::Turn);
        assert_eq!(did.signals, [Signal::PeerAuthenticationFailed(peer(other))]);
    }
}

#[test]
fn one_sided_authentication_quirk_drops_packets_without_counting_them_as_malformed() {
    for (own, other) in [(1, 2), (2, 1)] {
        for (authenticates, packets) in [(true, &OF_ADMITTED[..]), (false, &OF_AUTHENTICATING)] {
            let mut side = side(own, other, authenticates);
            let quirks = GodotQuirks { one_sided_authentication: true, ..GodotQuirks::default() };
            side.branch.scene().multiplayer_mut().set_quirks(quirks);
            for _ in 0..MALFORMED_PACKETS_MAX {
                for bytes in packets {
                    let did = side.take(at(1), &Input::Packet(other, 7, bytes.to_vec()));
                    assert_eq!(did, Did::default());
                }
            }
            let State { malformed, stray, .. } = side.state(at(1));
            assert_eq!((malformed, stray), (0, MALFORMED_PACKETS_MAX * packets.len() as u64));
        }
    }
}

/// Returns the signals of a server and a client.
fn signals_of(server: BranchBuilder, client: BranchBuilder) -> [Vec<Signal>; 2] {
    let mut lan = Lan::new(server).unwrap();
    let client = lan.join(client).unwrap();
    lan.settle();
    [SERVER, client].map(|id| std::iter::from_fn(|| lan.branch(id).next_signal()).collect())
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game")
}

fn authenticating() -> BranchBuilder {
    game().on_peer_auth(|_, _, _| ())
}

/// A peer that authenticates and sends AUTH to each new peer.
fn eager() -> BranchBuilder {
    authenticating().on_signal(|scene, signal| {
        if let Signal::PeerAuthenticating(peer) = *signal {
            scene.multiplayer_mut().send_auth(peer, b"who are you?").unwrap();
        }
    })
}

/// A peer that sends bytes to each admitted peer.
fn greeting() -> BranchBuilder {
    game().on_peer_connected(|scene, peer| {
        scene.send_bytes(b"hello", peer, TransferMode::Reliable, Channel(0)).unwrap();
    })
}

#[test]
fn both_peers_are_notified_of_a_client_that_does_not_authenticate() {
    for (server, client) in [(eager(), game()), (authenticating(), greeting())] {
        let [at_server, at_client] = signals_of(server, client);
        let two = peer(2);
        let expected = [Signal::PeerAuthenticating(two), Signal::PeerAuthenticationFailed(two)];
        assert_eq!(at_server, expected);
        let lost = [Signal::PeerDisconnected(SERVER), Signal::ServerDisconnected];
        let joined = [Signal::ConnectedToServer, Signal::PeerConnected(SERVER)];
        assert_eq!(at_client, [joined, lost].concat());
    }
}

#[test]
fn both_peers_are_notified_of_a_server_that_does_not_authenticate() {
    for (server, client) in [(greeting(), authenticating()), (game(), eager())] {
        let [at_server, at_client] = signals_of(server, client);
        let two = peer(2);
        assert_eq!(at_server, [Signal::PeerConnected(two), Signal::PeerDisconnected(two)]);
        let expected = [
            Signal::PeerAuthenticating(SERVER),
            Signal::PeerAuthenticationFailed(SERVER),
            Signal::ConnectionFailed,
        ];
        assert_eq!(at_client, expected);
    }
}
