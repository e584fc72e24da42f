//! Announcements of clients to each other through the server.

use mp_scene::Keep;
use mp_scene::prelude::*;

use super::world::{KEEP, World, add_unit, keeping, peer, unit_in, units_in};

/// A world in which a unit of the scene is under the authority of each of two clients, which send
/// its property to each other.
fn world_of_two() -> (World, PeerId, PeerId) {
    let mut world = World::new(keeping(Keep::for_(KEEP)));
    let (ann, bob) = (world.join_with(2, game()), world.join_with(3, game()));
    (world, ann, bob)
}

/// Returns the game of a client: the units "of2" and "of3" belong to the peers 2 and 3.
fn game() -> BranchBuilder {
    super::world::game().setup(|scene| {
        for owner in [2, 3] {
            let config = ReplicationConfig::new().always(".:hp");
            let sync = MultiplayerSynchronizer::new(config);
            let name = format!("of{owner}");
            let unit = Instance::new(&name, super::world::Unit::default())
                .child(Instance::new("Sync", sync));
            let unit = scene.add_instance(".", unit)?;
            scene.tree_mut().set_multiplayer_authority(unit, peer(owner), true)?;
        }
        Ok(())
    })
}

#[test]
fn properties_and_calls_between_clients_go_on_and_others_notice_nothing() {
    let (mut world, ann, bob) = world_of_two();
    for round in 1..4 {
        unit_in(world.client(ann), "of2").hp = round;
        unit_in(world.client(bob), "of3").hp = 10 * round;
        world.settle();
        assert_eq!(unit_in(world.client(bob), "of2").hp, round, "before cut {round}");
        assert_eq!(unit_in(world.client(ann), "of3").hp, 10 * round, "before cut {round}");
        for (from, to) in [(ann, bob), (bob, ann)] {
            let shared = world.client(from).find("Shared").unwrap();
            for _ in 0..2 {
                world.client(from).rpc_id(to, shared, "poke", (round,)).unwrap();
                world.settle();
            }
            let called = std::mem::take(&mut unit_in(world.client(to), "Shared").called);
            assert_eq!(called, [round; 2], "{from} to {to}");
        }
        world.signals_at(bob);
        world.cut(ann);
        world.settle();
        world.resume_with(ann, 2, game());
        assert_eq!(world.signals_at(bob), []);
    }
    let refused = world.client(bob).stats();
    assert_eq!((refused.refused_announcements, refused.refused_calls), (0, 0));
    assert_eq!(world.client(ann).stats().refused_calls, 0);
}

#[test]
fn path_that_was_announced_while_the_peer_was_kept_is_known_to_it() {
    let (mut world, ann, bob) = world_of_two();
    world.cut(ann);
    let shared = world.client(bob).find("Shared").unwrap();
    world.client(bob).rpc_id(ann, shared, "poke", (1,)).unwrap();
    world.settle();
    assert!(world.stats().kept_drops > 0);
    world.resume_with(ann, 2, game());
    for _ in 0..2 {
        world.client(bob).rpc_id(ann, shared, "poke", (2,)).unwrap();
        world.settle();
    }
    assert_eq!(unit_in(world.client(ann), "Shared").called, [2, 2]);
}

#[test]
fn clients_that_have_spawned_nodes_on_the_peer_are_announced_to_it_anew() {
    let (mut world, ann, bob) = world_of_two();
    for client in [ann, bob] {
        let spawner = world.client(client).find("OwnSpawner").unwrap();
        world.client(client).tree_mut().set_multiplayer_authority(spawner, bob, false).unwrap();
    }
    add_unit(world.client(bob), "Own", "bobs", 0);
    world.settle();
    assert_eq!(units_in(world.client(ann), "Own"), [("bobs".to_owned(), 0)]);
    world.signals_at(bob);
    world.cut(ann);
    world.settle();
    assert_eq!(world.signals_at(bob), []);
    let own = |scene: &mut Scene| {
        let spawner = scene.find("OwnSpawner").unwrap();
        scene.tree_mut().set_multiplayer_authority(spawner, peer(3), false).unwrap();
    };
    world.resume_with(
        ann,
        2,
        game().setup(move |scene| {
            own(scene);
            Ok(())
        }),
    );
    let signals = world.signals_at(bob);
    assert_eq!(signals, [Signal::PeerDisconnected(ann), Signal::PeerConnected(ann)]);
    assert_eq!(units_in(world.client(ann), "Own"), [("bobs".to_owned(), 0)]);
}
