//! Visibility of nodes and synchronizers.

use std::cell::Cell;
use std::rc::Rc;

use mp_scene::RpcError;
use mp_scene::prelude::*;
use mp_scene::replication::VisibilityUpdateMode;

use crate::game::*;

/// Adds a unit on the server that no peer sees.
fn hidden(lan: &mut mp_scene::testing::Lan, name: &str) -> NodeRef<Unit> {
    let node = add_unit(lan, name, 1);
    sync_of(lan, SERVER, &format!("Units/{name}/Sync")).set_public_visibility(false);
    node
}

#[test]
fn node_is_visible_to_listed_peers() {
    let (mut lan, ids) = lan(2);
    hidden(&mut lan, "V");
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], true);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some() && unit_at(&mut lan, ids[1], "V").is_none());
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], false);
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[1], true);
    unit_at(&mut lan, SERVER, "V").unwrap().hp = 2;
    lan.settle();
    assert_eq!((hp_at(&mut lan, ids[0], "V"), hp_at(&mut lan, ids[1], "V")), (None, Some(2)));
}

#[test]
fn visibility_set_before_the_peer_joins_applies_when_it_joins() {
    let (mut lan, ids) = lan(1);
    hidden(&mut lan, "V");
    let late = PeerId::new(3).unwrap();
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(late, true);
    lan.settle();
    assert_eq!(lan.join(game()).unwrap(), late);
    lan.settle();
    assert!(unit_at(&mut lan, late, "V").is_some() && unit_at(&mut lan, ids[0], "V").is_none());
}

#[test]
fn filters_run_at_every_tick_by_default() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "V", 1);
    let open = Rc::new(Cell::new(false));
    let gate = Rc::clone(&open);
    sync_of(&mut lan, SERVER, "Units/V/Sync").add_visibility_filter(move |_, _| gate.get());
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    open.set(true);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some());

    let sync = sync_of(&mut lan, SERVER, "Units/V/Sync");
    sync.set_visibility_update_mode(VisibilityUpdateMode::None);
    open.set(false);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some(), "the filter must not run at ticks");
    sync_of(&mut lan, SERVER, "Units/V/Sync").update_visibility(None);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
}

#[test]
fn a_filter_reads_the_nodes_of_the_tree() {
    let (mut lan, ids) = lan(1);
    let other = add_unit(&mut lan, "Other", 1);
    let own = add_unit(&mut lan, "V", 1);
    sync_of(&mut lan, SERVER, "Units/V/Sync").add_visibility_filter(move |tree, _| {
        let by_path = tree.node::<Unit>("Units/Other").and_then(|unit| tree.get(unit));
        // The node of the synchronizer itself can be read, too.
        tree.get(own).is_ok() && by_path.is_ok_and(|unit| unit.hp > 5)
    });
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    lan.scene(SERVER).get_mut(other).unwrap().hp = 6;
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some());
    lan.scene(SERVER).remove(other).unwrap();
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
}

#[test]
fn a_filter_can_be_removed() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "V", 1);
    let filter = sync_of(&mut lan, SERVER, "Units/V/Sync").add_visibility_filter(|_, _| false);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    let sync = sync_of(&mut lan, SERVER, "Units/V/Sync");
    assert!(sync.remove_visibility_filter(filter) && !sync.remove_visibility_filter(filter));
    sync.update_visibility(None);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some());
}

#[test]
fn calls_are_sent_only_to_peers_that_see_the_node() {
    let (mut lan, ids) = lan(2);
    let node = hidden(&mut lan, "V");
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], true);
    lan.settle();
    lan.scene(SERVER).rpc(node, "poke", ()).unwrap();
    let blind = lan.scene(SERVER).rpc_id(ids[1], node, "poke", ());
    assert_eq!(blind, Err(RpcError::NotVisible(ids[1])));
    lan.settle();
    assert_eq!(unit_at(&mut lan, ids[0], "V").unwrap().poked, [1]);
    assert_eq!(lan.scene(ids[1]).stats().refused_calls, 0);
}

#[test]
fn visibility_changed_is_emitted_if_signals_are_enabled() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "V", 1);
    lan.settle();
    signals(&mut lan, SERVER);
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], true);
    lan.settle();
    let signals_of_server = signals(&mut lan, SERVER);
    let changed = |signal: &Signal| matches!(signal, Signal::VisibilityChanged { peer: Some(peer), .. } if *peer == ids[0]);
    assert!(signals_of_server.iter().any(changed), "{signals_of_server:?}");
}

#[test]
fn properties_are_sent_only_to_peers_that_have_the_node() {
    let (mut lan, ids) = lan(1);
    let spawner = lan.scene(SERVER).find("Spawner").unwrap();
    let node = add_unit(&mut lan, "U", 1);
    lan.settle();
    lan.scene(SERVER).remove(spawner).unwrap();
    lan.scene(SERVER).get_mut(node).unwrap().hp = 2;
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "U").is_none());
    let late = lan.join(game()).unwrap();
    lan.settle();
    for peer in [ids[0], late] {
        let stats = lan.scene(peer).stats();
        assert_eq!((stats.refused_elements, stats.refused_calls), (0, 0), "at {peer}");
        lan.settle();
    }
}

#[test]
fn synchronizer_keeps_its_position_when_its_authority_returns() {
    let scene_of = || {
        PackedScene::new("res://two.tscn", || {
            let sync =
                |path| MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(path));
            Instance::new("Two", Unit::default())
                .child(Instance::new("First", sync(".:hp")))
                .child(Instance::new("Second", sync(".:position")))
        })
    };
    let build = move || {
        game().setup(move |scene| {
            scene.add("Twos", Group)?;
            let spawner = MultiplayerSpawner::new("../Twos").with_scene(&scene_of());
            scene.add("TwoSpawner", spawner)
        })
    };
    let mut lan = mp_scene::testing::Lan::new(build()).unwrap();
    let two = scene_of().instantiate();
    let node: NodeRef<Unit> = NodeRef::new(lan.scene(SERVER).add_instance("Twos", two).unwrap());
    let scene = lan.scene(SERVER);
    *scene.get_mut(node).unwrap() = Unit { hp: 7, position: (1.0, 2.0).into(), ..Unit::default() };
    let first = scene.find("Twos/Two/First").unwrap();
    for owner in [9, 1] {
        let owner = PeerId::new(owner).unwrap();
        scene.tree_mut().set_multiplayer_authority(first, owner, false).unwrap();
        scene.flush_changes();
    }
    let late = lan.join(build()).unwrap();
    // The state is checked before the first DELTA can correct errors of the SPAWN.
    for _ in 0..3 {
        lan.step();
    }
    let scene = lan.scene(late);
    let there: NodeRef<Unit> = NodeRef::new(scene.find("Twos/Two").unwrap());
    let unit = scene.get(there).unwrap();
    assert_eq!((unit.hp, unit.position), (7, (1.0, 2.0).into()));
}

#[test]
fn synchronizer_that_returns_is_sent_by_one_id_to_all_peers() {
    let (mut lan, ids) = lan(1);
    let node = add_unit(&mut lan, "U", 1);
    lan.settle();
    let sync = lan.scene(SERVER).find("Units/U/Sync").unwrap();
    for owner in [ids[0], SERVER] {
        let scene = lan.scene(SERVER);
        scene.tree_mut().set_multiplayer_authority(sync, owner, false).unwrap();
        scene.flush_changes();
    }
    // The late peer is sent a SPAWN with a net id before the other could confirm the path.
    let late = lan.join(game()).unwrap();
    lan.scene(SERVER).get_mut(node).unwrap().hp = 5;
    lan.settle();
    assert_eq!((hp_at(&mut lan, ids[0], "U"), hp_at(&mut lan, late, "U")), (Some(5), Some(5)));
    assert_eq!(lan.scene(ids[0]).stats().refused_elements, 0);
}
