//! Peers that may not send to others through the server.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod vectors;

use bytes::Bytes;
use mp_core::TransferMode;
use mp_scene::Refusal;
use mp_scene::prelude::*;
use vectors::nodes::Event;
use vectors::world::{World, peer_id, unhex};

/// Returns a server with id 1 whose client 2 may not send to others, and clients 3 and 4.
fn world() -> World {
    let mut world = World::new(1..=4, true);
    world.scene(1).multiplayer_mut().set_relay_permission(|peer| peer != peer_id(2));
    for client in 2..=4 {
        world.link_at(1, client);
    }
    world.flush(1);
    world.take_sent();
    world.take_events();
    world
}

/// Passes a RELAY of a client to the server. Returns the packets that the server sends then.
fn relay(world: &mut World, from: i32, target: i32, inner: &str) -> Vec<(i32, String)> {
    let packet = [&[7, 3][..], &target.to_le_bytes(), &unhex(inner)].concat();
    world.receive(1, from, TransferMode::Reliable, Channel(0), Bytes::from(packet));
    world.flush(1);
    world.take_sent().into_iter().map(|sent| (sent.to, sent.hex)).collect()
}

#[test]
fn packets_of_a_peer_without_permission_reach_no_other_peer_and_are_counted() {
    let mut world = world();
    // Call, raw packet, SPAWN, DESPAWN and SYNC.
    for inner in ["800100", "03aa", "04aa", "05aa", "06aa"] {
        for target in [3, 0, -4] {
            assert_eq!(relay(&mut world, 2, target, inner), [], "{inner} to {target}");
        }
    }
    let multiplayer = world.scene(1).multiplayer_mut();
    assert_eq!(multiplayer.refusals().get(Refusal::MayNotRelay), 15);
    let stats = multiplayer.stats();
    assert_eq!((stats.refused_relays, stats.relayed_packets), (15, 0));
}

#[test]
fn peer_without_permission_receives_packets_and_confirms_paths() {
    let mut world = world();
    let to_2 = (2, "070303000000800100".to_owned());
    assert_eq!(relay(&mut world, 3, 2, "800100"), [to_2]);
    let confirmed = (3, "070302000000020101000000".to_owned());
    assert_eq!(relay(&mut world, 2, 3, "020101000000"), [confirmed]);
    assert_eq!(world.scene(1).multiplayer_mut().refusals().get(Refusal::MayNotRelay), 0);
}

#[test]
fn server_receives_packets_for_all_from_a_peer_without_permission() {
    let mut world = world();
    assert_eq!(relay(&mut world, 2, 0, "03aa"), []);
    let received = world.take_events();
    assert!(matches!(&received[..], [Event::Bytes { from: 2, .. }]), "{received:?}");
}
