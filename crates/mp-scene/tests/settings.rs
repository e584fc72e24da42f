//! Peers whose settings differ, or change during a session.
#![allow(missing_docs, reason = "a test")]

use mp_core::{Channel, MultiplayerPeer, Target, TransferMode};
use mp_scene::limits::MALFORMED_PACKETS_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;

fn game(relay: bool) -> BranchBuilder {
    Branch::builder("/root/Game").server_relay(relay)
}

#[test]
fn a_client_that_relays_stays_on_a_server_that_does_not() {
    let mut lan = Lan::new(game(false)).unwrap();
    let client = lan.join(game(true)).unwrap();
    lan.settle();
    let packets = MALFORMED_PACKETS_MAX + 10;
    for _ in 0..packets {
        let scene = lan.scene(client);
        scene.send_bytes(b"x", Target::All, TransferMode::Reliable, Channel(0)).unwrap();
        lan.step();
    }
    lan.settle();
    assert_eq!(lan.scene(client).peers(), [SERVER]);
    let stats = lan.scene(SERVER).stats();
    assert_eq!((stats.stray_packets, stats.malformed_packets), (packets, 0));
}

#[test]
fn a_client_without_the_relay_stays_on_a_server_that_announces_peers() {
    let mut lan = Lan::new(game(true)).unwrap();
    let client = lan.join(game(false)).unwrap();
    lan.settle();
    let other = lan.join(game(true)).unwrap();
    lan.settle();
    lan.peer(other).close();
    lan.settle();
    assert_eq!(lan.scene(client).peers(), [SERVER]);
    let stats = lan.scene(client).stats();
    assert_eq!((stats.stray_packets, stats.malformed_packets), (2, 0));
}

/// Returns a server with or without the relay, and clients with it.
fn room(relay: bool, clients: usize) -> (Lan, Vec<PeerId>) {
    let mut lan = Lan::new(game(relay)).unwrap();
    let clients = (0..clients).map(|_| lan.join(game(true)).unwrap()).collect();
    lan.settle();
    (lan, clients)
}

#[test]
fn the_relay_is_switched_off_in_a_session() {
    let (mut lan, clients) = room(true, 3);
    lan.scene(SERVER).multiplayer_mut().set_server_relay(false);
    let late = lan.join(game(true)).unwrap();
    lan.settle();
    lan.peer(clients[1]).close();
    lan.settle();
    for client in [clients[0], clients[2]] {
        let others = [SERVER, clients[0], clients[2]].into_iter().filter(|&other| other != client);
        assert_eq!(lan.scene(client).peers(), others.collect::<Vec<_>>(), "at {client}");
    }
    assert_eq!(lan.scene(late).peers(), [SERVER]);
    assert_eq!(lan.scene(late).stats().packets_received, 0, "no peer was announced to it");
}

#[test]
fn the_relay_is_switched_on_in_a_session() {
    let (mut lan, early) = room(false, 2);
    lan.scene(SERVER).multiplayer_mut().set_server_relay(true);
    let late = lan.join(game(true)).unwrap();
    lan.settle();
    assert_eq!(lan.scene(early[0]).peers(), [SERVER, late]);
    assert_eq!(lan.scene(late).peers(), [SERVER, early[0], early[1]]);
    let before = lan.scene(early[0]).stats().packets_received;
    lan.peer(early[1]).close();
    lan.settle();
    assert_eq!(lan.scene(late).peers(), [SERVER, early[0]]);
    let after = lan.scene(early[0]).stats().packets_received;
    assert_eq!(after, before, "no departure is reported of a peer that was not announced");
    lan.peer(late).close();
    lan.settle();
    assert_eq!(lan.scene(early[0]).peers(), [SERVER]);
}

#[test]
fn a_client_that_switches_the_relay_off_removes_peers_that_leave() {
    let (mut lan, clients) = room(true, 2);
    lan.scene(clients[0]).multiplayer_mut().set_server_relay(false);
    lan.peer(clients[1]).close();
    lan.settle();
    assert_eq!(lan.scene(clients[0]).peers(), [SERVER]);
    assert_eq!(lan.scene(clients[0]).stats().stray_packets, 0);
}
