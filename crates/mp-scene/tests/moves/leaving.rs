//! Nodes and authority that a peer leaves in its old branch.

use mp_scene::prelude::*;
use mp_scene::{IdBlocks, PeerAuthority};

use crate::world::*;

/// Returns the authority over the unit `Mine` of the lobby after the peer 2 has moved.
fn authority_after(hooks: impl FnOnce(BranchBuilder) -> BranchBuilder) -> Option<PeerId> {
    let ids = IdBlocks::new();
    let mut world = World::of([hooks(game().moves(&ids)), game().moves(&ids)]);
    let mover = world.join();
    let mine = world.add_unit(LOBBY, "Mine", 1);
    world.scene(LOBBY).tree_mut().set_multiplayer_authority(mine, mover, true).unwrap();
    world.settle();
    world.move_peer(mover, LOBBY, ARENA);
    world.settle();
    world.scene(LOBBY).tree().multiplayer_authority(mine)
}

#[test]
fn authority_of_a_moved_peer_returns_to_the_server() {
    assert_eq!(authority_after(|lobby| lobby), Some(SERVER));
}

#[test]
fn authority_is_kept_if_a_hook_says_so() {
    let hooks = |lobby: BranchBuilder| {
        let keep = lobby.on_peer_moving(|_, _| PeerAuthority::Keep);
        keep.on_peer_moving(|_, _| PeerAuthority::Return)
    };
    assert_eq!(authority_after(hooks), PeerId::new(2));
}

#[test]
fn hooks_for_disconnected_peers_run_before_authority_returns() {
    let hooks = |lobby: BranchBuilder| {
        lobby.on_peer_disconnected(|scene, peer| {
            let mine = scene.find("Units/Mine").unwrap();
            assert_eq!(scene.tree().multiplayer_authority(mine), Some(peer));
        })
    };
    assert_eq!(authority_after(hooks), Some(SERVER));
}

#[test]
fn call_of_the_moving_hook_reaches_the_peer() {
    let ids = IdBlocks::new();
    let lobby = game().moves(&ids).on_peer_moving(|scene, peer| {
        let shared = scene.find("Shared").unwrap();
        scene.rpc_id(peer, shared, "poke", (3,)).unwrap();
        PeerAuthority::default()
    });
    let mut world = World::of([lobby, game().moves(&ids)]);
    let mover = world.join();
    world.move_peer(mover, LOBBY, ARENA);
    world.settle();
    assert_eq!(unit_in(world.client(mover), "Shared").called, [3]);
}

#[test]
fn nodes_that_a_moved_peer_had_spawned_are_removed() {
    let mut world = World::new();
    let (mover, stayer) = (world.join(), world.join());
    let give = |scene: &mut Scene| {
        let spawner = scene.find("OwnSpawner").unwrap();
        scene.tree_mut().set_multiplayer_authority(spawner, mover, false).unwrap();
    };
    give(world.scene(LOBBY));
    give(world.client(mover));
    give(world.client(stayer));
    add_unit(world.client(mover), "Own", "Mine", 1);
    world.settle();
    assert!(world.scene(LOBBY).find("Own/Mine").is_ok());
    assert!(world.client(stayer).find("Own/Mine").is_ok());
    world.move_peer(mover, LOBBY, ARENA);
    world.settle();
    assert!(world.scene(LOBBY).find("Own/Mine").is_err());
    assert!(world.client(stayer).find("Own/Mine").is_err());
}

#[test]
fn paused_peer_receives_its_queue_before_it_moves() {
    let mut world = World::new();
    let mover = world.join();
    world.scene(LOBBY).multiplayer_mut().pause_peer(mover);
    let shared = world.scene(LOBBY).find("Shared").unwrap();
    world.scene(LOBBY).rpc_id(mover, shared, "poke", (3,)).unwrap();
    world.settle();
    assert_eq!(unit_in(world.client(mover), "Shared").called, [] as [i64; 0]);
    world.move_peer(mover, LOBBY, ARENA);
    world.settle();
    assert_eq!(unit_in(world.client(mover), "Shared").called, [3]);
    assert!(!world.scene(ARENA).multiplayer().is_paused(mover));
}
