//! Peers that are kept, and resume under the same id.

use std::time::Duration;

use mp_core::limits as core_limits;
use mp_scene::limits::KEPT_CALLS_MAX;
use mp_scene::prelude::*;
use mp_scene::{BranchEvent, Keep, PeerDrop};

use super::world::{KEEP, Log, SERVER, World, add_unit, game, keeping, logged, peer, unit_in};

fn world() -> World {
    World::new(keeping(Keep::for_(KEEP)))
}

#[test]
fn kept_peer_resumes_with_its_id_and_the_whole_state_and_others_notice_nothing() {
    let log = Log::default();
    let mut world = World::new(logged(keeping(Keep::for_(KEEP)), &log));
    let (ann, bob) = (world.join(2), world.join(3));
    let unit = world.add_unit("a", 5);
    world.settle();
    world.signals_at(bob);
    world.cut(ann);
    assert!(world.scene().multiplayer().is_kept(ann));
    assert_eq!(world.scene().peers(), [ann, bob]);
    world.scene().get_mut(unit).unwrap().hp = 9;
    world.add_unit("b", 7);
    world.run(KEEP / 2);
    assert_eq!(world.client(bob).peers(), [SERVER, ann]);

    let again = world.resume(ann, 2);
    assert_eq!(again, ann);
    assert_eq!(world.units_at(ann), [("a".to_owned(), 9), ("b".to_owned(), 7)]);
    assert_eq!(world.units_at(bob), world.units_at(ann));
    assert_eq!(world.client(ann).peers(), [SERVER, bob]);
    assert_eq!(world.signals_at(bob), []);
    let expected = ["connected 2", "connected 3", "dropped 2", "resumed 2 by 2"];
    assert_eq!(*log.borrow(), expected);
    let stats = world.stats();
    assert_eq!((stats.kept_peers, stats.resumed_peers, stats.expired_keeps), (1, 1, 0));

    // The session goes on: changes and calls in both directions.
    world.scene().get_mut(unit).unwrap().hp = 11;
    let node = world.client(ann).find("Units/a").unwrap();
    world.client(ann).rpc_id(SERVER, node, "poke", (3,)).unwrap();
    let node = world.scene().find("Units/a").unwrap();
    world.scene().rpc_id(ann, node, "poke", (4,)).unwrap();
    world.settle();
    assert_eq!(world.units_at(ann)[0].1, 11);
    assert_eq!(unit_in(world.scene(), "Units/a").called, [3]);
    assert_eq!(unit_in(world.client(ann), "Units/a").called, [4]);
}

#[test]
fn kept_peer_leaves_when_its_time_is_over() {
    let log = Log::default();
    let mut world = World::new(logged(keeping(Keep::for_(KEEP)), &log));
    let (ann, bob) = (world.join(2), world.join(3));
    world.cut(ann);
    world.run(KEEP - Duration::from_millis(500));
    assert!(world.scene().multiplayer().has_peer(ann));
    world.signals_at(bob);
    world.run(Duration::from_secs(1));
    assert!(!world.scene().multiplayer().has_peer(ann));
    assert_eq!(world.signals_at(bob), [Signal::PeerDisconnected(ann)]);
    assert_eq!(log.borrow()[2..], ["dropped 2", "disconnected 2"]);
    assert_eq!(world.stats().expired_keeps, 1);

    let late = world.resume(ann, 2);
    assert!(world.disconnected(late), "it resumed an expired session");
    assert_eq!(world.scene().peers(), [bob]);
}

#[test]
fn peer_leaves_at_once_unless_a_hook_keeps_it() {
    let builders: [fn() -> BranchBuilder; 2] =
        [game, || game().on_peer_dropped(|_, _, _| PeerDrop::Leave)];
    for builder in builders {
        let mut world = World::new(builder());
        let (ann, bob) = (world.join(2), world.join(3));
        world.signals_at(bob);
        world.cut(ann);
        assert_eq!(world.signals_at(bob), [Signal::PeerDisconnected(ann)]);
        assert_eq!((world.scene().peers(), world.stats().kept_peers), (vec![bob], 0));
    }
}

#[test]
fn visibility_and_authority_stay() {
    let mut world = world();
    let (ann, bob) = (world.join(2), world.join(3));
    let hidden = world.add_unit("hidden", 1);
    let path = world.scene().find("Units/hidden/Sync").unwrap();
    let sync = NodeRef::<MultiplayerSynchronizer>::new(path);
    world.scene().get_mut(sync).unwrap().set_public_visibility(false);
    world.scene().get_mut(sync).unwrap().set_visibility_for(ann, true);
    let shared = world.scene().find("Shared").unwrap();
    world.scene().tree_mut().set_multiplayer_authority(shared, ann, false).unwrap();
    world.settle();
    world.cut(ann);
    world.settle();
    assert_eq!(world.scene().tree().multiplayer_authority(shared), Some(ann));
    world.resume(ann, 2);
    assert_eq!(world.scene().tree().multiplayer_authority(shared), Some(ann));
    assert_eq!(world.units_at(ann), [("hidden".to_owned(), 1)]);
    assert_eq!(world.units_at(bob), []);
    world.scene().get_mut(hidden).unwrap().hp = 2;
    world.settle();
    assert_eq!(world.units_at(ann)[0].1, 2);
}

#[test]
fn calls_and_packets_to_a_kept_peer_are_dropped_and_counted() {
    let mut world = world();
    let ann = world.join(2);
    world.cut(ann);
    let shared = world.scene().find("Shared").unwrap();
    world.scene().rpc_id(ann, shared, "poke", (1,)).unwrap();
    world.scene().rpc(shared, "nudge", (2,)).unwrap();
    let (mode, channel) = (TransferMode::Reliable, Channel(0));
    world.scene().send_bytes(b"bytes", ann, mode, channel).unwrap();
    assert_eq!(world.stats().kept_drops, 3);
    world.resume(ann, 2);
    assert_eq!(unit_in(world.client(ann), "Shared").called, [0; 0]);
}

#[test]
fn queued_calls_follow_the_nodes_and_keep_their_order_and_bound() {
    let mut world = World::new(keeping(Keep::for_(KEEP).queue_calls(3)));
    let ann = world.join(2);
    let gone = world.add_unit("gone", 0);
    world.cut(ann);
    let unit = world.add_unit("new", 6);
    for number in [1, 2] {
        world.scene().rpc_id(ann, unit, "poke", (number,)).unwrap();
    }
    world.scene().rpc_id(ann, unit, "nudge", (3,)).unwrap(); // unreliable
    world.scene().rpc_id(ann, gone, "poke", (4,)).unwrap();
    world.scene().rpc_id(ann, unit, "poke", (5,)).unwrap(); // the fourth
    world.scene().queue_free(gone).unwrap();
    world.settle();
    assert_eq!((world.stats().kept_drops, world.stats().queued_calls), (2, 3));
    world.resume(ann, 2);
    assert_eq!(unit_in(world.client(ann), "Units/new").called, [1, 2]);
    assert_eq!(world.stats().kept_drops, 3, "the node of a call has left");
    assert_eq!(Keep::for_(KEEP).queue_calls(usize::MAX).queued_calls(), KEPT_CALLS_MAX);
}

#[test]
fn queued_calls_of_all_kept_peers_have_a_limit_of_bytes() {
    let mut world = World::new(keeping(Keep::for_(KEEP).queue_calls(1_000)));
    let ann = world.join(2);
    world.cut(ann);
    let shared = world.scene().find("Shared").unwrap();
    let text = "x".repeat(core_limits::PACKET_BYTES_MAX / 64);
    let sent = mp_scene::limits::KEPT_BYTES_MAX / text.len() + 10;
    for _ in 0..sent {
        world.scene().rpc_id(ann, shared, "poke", (text.clone(),)).unwrap();
    }
    let dropped = world.stats().kept_drops;
    assert!((10..20).contains(&dropped), "{dropped} of {sent}");
}

#[test]
fn nodes_that_the_client_had_spawned_are_replaced_by_those_of_its_new_session() {
    let mut world = world();
    let (ann, bob) = (world.join(2), world.join(3));
    let own_spawner = |scene: &mut Scene| {
        let spawner = scene.find("OwnSpawner").unwrap();
        scene.tree_mut().set_multiplayer_authority(spawner, peer(2), false).unwrap();
    };
    own_spawner(world.scene());
    own_spawner(world.client(bob));
    own_spawner(world.client(ann));
    add_unit(world.client(ann), "Own", "mine", 0);
    world.settle();
    world.cut(ann);
    world.settle();
    let own = |scene: &mut Scene| super::world::units_in(scene, "Own");
    assert_eq!(own(world.scene()), [("mine".to_owned(), 0)]);
    assert_eq!(own(world.client(bob)), own(world.scene()));
    world.resume(ann, 2);
    assert_eq!((own(world.scene()), own(world.client(bob))), (vec![], vec![]));
    own_spawner(world.client(ann));
    add_unit(world.client(ann), "Own", "again", 0);
    world.settle();
    assert_eq!(own(world.scene()), [("again".to_owned(), 0)]);
    assert_eq!(own(world.client(bob)), own(world.scene()));
}

#[test]
fn open_connection_is_closed_when_its_session_is_resumed() {
    let log = Log::default();
    let mut world = World::new(logged(keeping(Keep::for_(KEEP)), &log));
    let (ann, bob) = (world.join(2), world.join(3));
    world.add_unit("a", 5);
    world.settle();
    world.signals_at(bob);
    world.hang(ann);
    world.resume(ann, 2);
    assert_eq!(world.units_at(ann), [("a".to_owned(), 5)]);
    assert_eq!(world.signals_at(bob), []);
    world.run(KEEP * 2);
    assert_eq!(world.scene().peers(), [ann, bob]);
    assert_eq!(log.borrow()[2..], ["resumed 2 by 2"]);
}

#[test]
fn peer_that_the_program_disconnects_is_not_kept() {
    let mut world = world();
    let (ann, bob) = (world.join(2), world.join(3));
    world.scene().multiplayer_mut().disconnect_peer(ann);
    world.settle();
    assert_eq!(world.scene().peers(), [bob]);
    world.cut(bob);
    assert_eq!(world.scene().peers(), [bob]);
    world.scene().multiplayer_mut().disconnect_peer(bob);
    world.settle();
    assert_eq!(world.scene().peers(), []);
    let mut gone = Vec::new();
    while let Some(event) = world.server.next_event() {
        if let BranchEvent::PeerGone(peer) = event {
            gone.push(peer);
        }
    }
    assert_eq!(gone, [ann, bob]);
}

#[test]
fn new_connection_with_the_id_of_a_kept_peer_is_rejected() {
    let mut world = world();
    let ann = world.join(2);
    world.cut(ann);
    let other = world.join(2);
    assert!(world.disconnected(other));
    assert!(world.scene().multiplayer().is_kept(ann));
    assert_eq!(world.stats().duplicate_ids, 1);
}

#[test]
fn peers_that_join_meanwhile_know_the_kept_peer_and_it_knows_them_when_it_resumes() {
    let mut world = world();
    let (ann, bob) = (world.join(2), world.join(3));
    world.cut(ann);
    let cleo = world.join(4);
    assert_eq!(world.client(cleo).peers(), [SERVER, ann, bob]);
    world.cut(bob);
    world.run(KEEP / 2);
    world.resume(ann, 2);
    let mut known = world.client(ann).peers();
    known.sort();
    assert_eq!(known, [SERVER, bob, cleo], "bob is kept, too");
    assert_eq!(world.signals_at(cleo).len(), 3);
}

#[test]
fn closing_branch_keeps_no_peer() {
    let log = Log::default();
    let mut world = World::new(logged(keeping(Keep::for_(KEEP)), &log));
    let (ann, _bob) = (world.join(2), world.join(3));
    world.cut(ann);
    world.server.close(mp_core::DisconnectReason::Closed, mp_core::CloseMode::Graceful);
    world.settle();
    let mut left: Vec<_> = log.borrow()[3..].to_vec();
    left.sort();
    assert_eq!(left, ["disconnected 2", "disconnected 3"]);
}
