//! Peers whose settings differ: what one side refuses is no misbehaviour of the other.
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
