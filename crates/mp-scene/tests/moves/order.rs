//! The order of the messages that a moved client receives, and what it has afterwards.

use mp_scene::{MoveError, SceneMessage};

use crate::world::*;

/// Returns short descriptions of messages.
fn summary(messages: &[SceneMessage]) -> Vec<String> {
    let describe = |message: &SceneMessage| match message {
        SceneMessage::SimplifyPath { path, .. } => format!("path {path}"),
        SceneMessage::Spawn(spawn) => format!("spawn {}", spawn.name),
        SceneMessage::Despawn(_) => "despawn".to_owned(),
        SceneMessage::AddPeer(peer) => format!("add {peer}"),
        SceneMessage::DelPeer(peer) => format!("del {peer}"),
        other => format!("{other:?}"),
    };
    let is_state =
        |it: &&SceneMessage| matches!(it, SceneMessage::Sync { .. } | SceneMessage::Delta(_));
    messages.iter().filter(|it| !is_state(it)).map(describe).collect()
}

#[test]
fn client_loses_the_old_branch_before_it_receives_anything_of_the_new_one() {
    let mut world = World::new();
    let (mut mover, mut stayer) = (world.connect_raw(7), world.connect_raw(8));
    let mut other = world.connect_raw(9);
    world.move_peer(peer(9), LOBBY, ARENA);
    world.settle_with(&mut other);
    other.confirm();
    world.add_unit(LOBBY, "Old", 1);
    world.add_unit(ARENA, "New", 2);
    world.settle_with(&mut mover);
    world.settle_with(&mut stayer);
    world.settle_with(&mut other);
    mover.log.clear();
    stayer.log.clear();
    other.log.clear();

    world.move_peer(peer(7), LOBBY, ARENA);
    world.settle_with(&mut mover);
    world.settle_with(&mut stayer);
    world.settle_with(&mut other);
    let moved =
        ["despawn", "del 8", "path .", "add 9", "path Spawner", "spawn New", "path Shared/Sync"];
    assert_eq!(summary(&mover.log), moved);
    assert_eq!(summary(&stayer.log), ["del 7"]);
    assert_eq!(summary(&other.log), ["add 7"]);
    assert_eq!(world.scene(LOBBY).peers(), [peer(8)]);
    assert_eq!(world.scene(ARENA).peers(), [peer(9), peer(7)]);
}

#[test]
fn client_that_moves_to_and_fro_has_what_its_branch_has() {
    let mut world = World::new();
    let (mover, stayer) = (world.join(), world.join());
    world.add_unit(LOBBY, "Old", 1);
    world.add_unit(ARENA, "New", 2);
    let shared = unit_in(world.scene(LOBBY), "Shared");
    shared.hp = 10;
    unit_in(world.scene(ARENA), "Shared").hp = 20;
    world.settle();
    for round in 0..10 {
        for (from, to, units, hp) in
            [(LOBBY, ARENA, ("New", 2), 20), (ARENA, LOBBY, ("Old", 1), 10)]
        {
            world.move_peer(mover, from, to);
            world.settle();
            assert_eq!(world.units_at(mover), [(units.0.to_owned(), units.1)]);
            // The number of the step goes on, so the client accepts the state of the new branch.
            assert_eq!(unit_in(world.client(mover), "Shared").hp, hp, "round {round}");
            assert_eq!(world.units_at(stayer), [("Old".to_owned(), 1)]);

            // Calls work in both directions, also by path ids of the last visit.
            let path = format!("Units/{}", units.0);
            let node = world.scene(to).find(&path).unwrap();
            world.scene(to).rpc_id(mover, node, "poke", (round,)).unwrap();
            let node = world.client(mover).find("Shared").unwrap();
            world.client(mover).rpc_id(SERVER, node, "poke", (round,)).unwrap();
            world.settle();
            assert_eq!(unit_in(world.client(mover), &path).called.last(), Some(&round));
            assert_eq!(unit_in(world.scene(to), "Shared").called.last(), Some(&round));
        }
    }
    let stats = world.scene(LOBBY).stats();
    assert_eq!((stats.malformed_packets, stats.refused_calls, stats.stray_packets), (0, 0, 0));
}

#[test]
fn no_path_id_is_announced_twice_to_a_client_that_returns() {
    let mut world = World::new();
    let mut client = world.connect_raw(7);
    for branch in [LOBBY, ARENA] {
        world.add_unit(branch, "Unit", 1);
    }
    world.settle_with(&mut client);
    for _ in 0..3 {
        for (from, to) in [(LOBBY, ARENA), (ARENA, LOBBY)] {
            client.confirm();
            world.move_peer(peer(7), from, to);
            world.settle_with(&mut client);
        }
    }
    let mut announced = client.announced();
    let count = announced.len();
    announced.sort();
    announced.dedup();
    assert_eq!(announced.len(), count);
    // The spawner and the synchronizer of both branches, and a fence for each move.
    assert_eq!(count, 2 * 2 + 6, "{announced:?}");
}

#[test]
fn moved_peer_is_not_authenticated_again() {
    let ids = mp_scene::IdBlocks::new();
    let arena = game().moves(&ids).on_peer_auth(|_, _, _| panic!("authenticated again"));
    let mut world = World::of([game().moves(&ids), arena]);
    let mover = world.join();
    world.move_peer(mover, LOBBY, ARENA);
    world.settle();
    assert_eq!(world.scene(ARENA).peers(), [mover]);
}

#[test]
fn visibility_that_the_hook_sets_is_settled_before_the_first_spawn() {
    let ids = mp_scene::IdBlocks::new();
    let arena = game().moves(&ids).on_peer_expected(|scene, peer| {
        let sync = scene.find("Units/Secret/Sync").unwrap();
        let sync = mp_scene::tree::NodeRef::<mp_scene::MultiplayerSynchronizer>::new(sync);
        let sync = scene.get_mut(sync).unwrap();
        sync.set_public_visibility(false);
        sync.set_visibility_for(peer, peer.get() == 8);
        true
    });
    let mut world = World::of([game().moves(&ids), arena]);
    world.add_unit(ARENA, "Secret", 1);
    let (mut other, mut client) = (world.connect_raw(7), world.connect_raw(8));
    for id in [7, 8] {
        world.move_peer(peer(id), LOBBY, ARENA);
    }
    world.settle_with(&mut other);
    world.settle_with(&mut client);
    let spawned = |log: &[SceneMessage]| summary(log).contains(&"spawn Secret".to_owned());
    assert_eq!((spawned(&other.log), spawned(&client.log)), (false, true));
    assert!(!summary(&other.log).contains(&"despawn".to_owned()), "it was never shown");
}

#[test]
fn branch_without_moves_counts_ids_from_1_and_moves_no_peer() {
    let ids = mp_scene::IdBlocks::new();
    let mut world = World::of([game(), game().moves(&ids)]);
    let mut client = world.connect_raw(7);
    world.add_unit(LOBBY, "Unit", 1);
    world.settle_with(&mut client);
    let Some(SceneMessage::Spawn(spawn)) =
        client.log.iter().find(|it| matches!(it, SceneMessage::Spawn(_)))
    else {
        panic!("{:?}", client.log)
    };
    assert_eq!((spawn.net_id, &spawn.synchronizers[..]), (1, &[2][..]));
    assert_eq!(world.branch(LOBBY).move_peer(peer(7), ARENA), Err(MoveError::NotEnabled));
    assert_eq!(world.branch(LOBBY).expect_peer(peer(9)), Err(MoveError::NotEnabled));
}
