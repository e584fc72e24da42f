//! Announcements of nodes.

use mp_scene::Tree;
use mp_scene::prelude::*;
use mp_scene::replication::SpawnError;

use crate::game::*;

#[test]
fn values_set_before_the_hook_returns_are_part_of_the_announcement() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "U1", 77);
    lan.step();
    lan.step();
    assert_eq!(hp_at(&mut lan, ids[0], "U1"), Some(77));
    let received = signals(&mut lan, ids[0]);
    assert!(received.iter().any(|signal| matches!(signal, Signal::Spawned { .. })), "{received:?}");
}

#[test]
fn call_of_an_added_node_follows_its_announcement() {
    let (mut lan, ids) = lan(1);
    let node = add_unit(&mut lan, "U1", 1);
    lan.scene(SERVER).rpc(node, "poke", ()).unwrap();
    lan.step();
    lan.step();
    assert_eq!(unit_at(&mut lan, ids[0], "U1").unwrap().poked, [1]);
}

#[test]
fn node_added_and_removed_in_one_hook_is_not_announced() {
    let (mut lan, ids) = lan(1);
    let node = add_unit(&mut lan, "U1", 1);
    lan.scene(SERVER).remove(node).unwrap();
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "U1"), None);
    assert_eq!(lan.scene(ids[0]).stats().refused_announcements, 0);
    assert!(!signals(&mut lan, ids[0]).iter().any(|s| matches!(s, Signal::Despawned { .. })));
}

#[test]
fn node_can_be_replaced_in_one_hook() {
    let (mut lan, ids) = lan(1);
    let node = add_unit(&mut lan, "U1", 1);
    lan.settle();
    lan.scene(SERVER).remove(node).unwrap();
    add_unit(&mut lan, "U1", 2);
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "U1"), Some(2));
}

#[test]
fn late_joiner_receives_parents_before_children() {
    let (mut lan, _) = lan(0);
    let scene = lan.scene(SERVER);
    scene.add_instance("Units", crate_scene().instantiate()).unwrap();
    for name in ["U1", "U2"] {
        scene.add_instance("Units/Crate/Inside", unit().instantiate().named(name)).unwrap();
    }
    lan.settle();
    let late = lan.join(game()).unwrap();
    lan.settle();
    for name in ["U1", "U2"] {
        assert_eq!(hp_at(&mut lan, late, &format!("Crate/Inside/{name}")), Some(0));
    }
    assert_eq!(lan.scene(late).stats().refused_announcements, 0);
}

#[test]
fn reparented_node_is_announced_if_a_spawner_has_its_new_parent() {
    let (mut lan, ids) = lan(1);
    let scene = lan.scene(SERVER);
    scene.add_instance("Units", crate_scene().instantiate()).unwrap();
    let node = add_unit(&mut lan, "U1", 5);
    lan.settle();
    let scene = lan.scene(SERVER);
    let inside = scene.find("Units/Crate/Inside").unwrap();
    scene.tree_mut().reparent(node, inside).unwrap();
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "U1"), None);
    assert_eq!(hp_at(&mut lan, ids[0], "Crate/Inside/U1"), Some(5));
    lan.scene(SERVER).get_mut(node).unwrap().hp = 6;
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "Crate/Inside/U1"), Some(6));
}

#[test]
fn spawner_creates_nodes_from_data_up_to_its_limit() {
    let (mut lan, ids) = lan(1);
    let scene = lan.scene(SERVER);
    let spawner = scene.find("Spawner").unwrap();
    let settings: NodeRef<MultiplayerSpawner> = NodeRef::new(spawner);
    scene.get_mut(settings).unwrap().set_spawn_limit(2);
    let first = scene.spawn(spawner, 10).unwrap();
    scene.spawn(spawner, 20).unwrap();
    assert_eq!(scene.spawn(spawner, 30).unwrap_err(), SpawnError::Limit(2));
    assert_eq!(scene.tree().name(first), Some("Made"));
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "Made"), Some(10));
    assert_eq!(hp_at(&mut lan, ids[0], "Made2"), Some(20));

    lan.scene(SERVER).remove(first).unwrap();
    assert!(lan.scene(SERVER).spawn(spawner, 40).is_ok(), "removing a node must free capacity");
}

#[test]
fn spawn_errors_name_the_cause() {
    let (mut lan, ids) = lan(1);
    let scene = lan.scene(ids[0]);
    let spawner = scene.find("Spawner").unwrap();
    assert_eq!(scene.spawn(spawner, 1).unwrap_err(), SpawnError::NotAuthority(SERVER));
    let scene = lan.scene(SERVER);
    let units = scene.find("Units").unwrap();
    assert_eq!(scene.spawn(units, 1).unwrap_err(), SpawnError::NoSpawner);
    assert_eq!(scene.spawn(spawner, "text").unwrap_err(), SpawnError::Declined);
    let named = |_: &Variant| Some(Instance::new("@Node@2", Group));
    let named = MultiplayerSpawner::new("../Units").with_spawn_function(named);
    let named = scene.add("Named", named).unwrap();
    assert_eq!(scene.spawn(named, 1).unwrap_err(), SpawnError::Name("@Node@2".into()));
    assert!(scene.find("Units/@Node@2").is_err(), "the rejected node must not be added");
    let lonely = scene.add("Lonely", MultiplayerSpawner::new("../Nowhere")).unwrap();
    let error = scene.spawn(lonely, 1).unwrap_err();
    assert_eq!(error, SpawnError::NoParent("../Nowhere".into()));
}

#[test]
fn spawner_finds_a_spawn_parent_that_is_added_later() {
    let (mut lan, ids) = lan(1);
    for peer in [SERVER, ids[0]] {
        let scene = lan.scene(peer);
        scene.add("Early", MultiplayerSpawner::new("../Late").with_scene(&unit())).unwrap();
        scene.flush_changes();
        scene.add("Late", Group).unwrap();
    }
    lan.scene(SERVER).add_instance("Late", unit().instantiate()).unwrap();
    lan.settle();
    assert!(lan.scene(ids[0]).find("Late/Unit").is_ok());
}

#[test]
fn net_ids_are_not_reused_within_a_session() {
    let (mut lan, ids) = lan(1);
    for round in 0..50 {
        let node = add_unit(&mut lan, "U", round);
        lan.step();
        lan.step();
        assert_eq!(hp_at(&mut lan, ids[0], "U"), Some(round));
        lan.scene(SERVER).remove(node).unwrap();
    }
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "U"), None);
    assert_eq!(lan.scene(ids[0]).stats().refused_announcements, 0);
}

#[test]
fn nodes_of_a_peer_that_leaves_are_removed_without_errors() {
    let (mut lan, ids) = lan(2);
    let owner = ids[0];
    for peer in [SERVER, ids[0], ids[1]] {
        let scene = lan.scene(peer);
        let spawner = scene.find("Spawner").unwrap();
        scene.tree_mut().set_multiplayer_authority(spawner, owner, false).unwrap();
    }
    let scene = lan.scene(owner);
    scene.add_instance("Units", unit().instantiate().named("Mine")).unwrap();
    lan.settle();
    assert!(
        unit_at(&mut lan, SERVER, "Mine").is_some() && unit_at(&mut lan, ids[1], "Mine").is_some()
    );

    lan.scene(SERVER).multiplayer_mut().disconnect_peer(owner);
    lan.settle();
    for peer in [SERVER, ids[1]] {
        assert!(unit_at(&mut lan, peer, "Mine").is_none());
        let stats = lan.scene(peer).stats();
        assert_eq!((stats.malformed_packets, stats.refused_announcements), (0, 0), "{stats:?}");
    }
}

#[test]
fn node_can_change_the_authority_of_its_children_when_it_enters() {
    struct Owned;
    impl Node for Owned {
        fn enter_tree(&mut self, tree: &mut Tree, node: NodeId) {
            let owner = tree.name(node).and_then(|name| PeerId::new(name.parse().ok()?));
            let input = tree.children(node).next();
            if let (Some(owner), Some(input)) = (owner, input) {
                tree.set_multiplayer_authority(input, owner, true).unwrap();
            }
        }
    }
    let owned = PackedScene::new("res://owned.tscn", || {
        let config = ReplicationConfig::new().on_change("../Unit:hp");
        let sync = MultiplayerSynchronizer::new(config).with_root_path(".");
        Instance::new("Owned", Owned)
            .child(Instance::new("Input", sync))
            .child(Instance::new("Unit", Unit::default()))
    });
    let (mut lan, ids) = lan(2);
    for peer in [SERVER, ids[0], ids[1]] {
        let scene = lan.scene(peer);
        scene.add("Owned", Group).unwrap();
        scene.add("OwnedSpawner", MultiplayerSpawner::new("../Owned").with_scene(&owned)).unwrap();
    }
    let name = ids[0].to_string();
    lan.scene(SERVER).add_instance("Owned", owned.instantiate().named(&name)).unwrap();
    lan.settle();
    let path = format!("Owned/{name}/Unit");
    let scene = lan.scene(ids[0]);
    let node: NodeRef<Unit> = NodeRef::new(scene.find(&path).unwrap());
    scene.get_mut(node).unwrap().hp = 9;
    lan.settle();
    for peer in [SERVER, ids[1]] {
        let scene = lan.scene(peer);
        let node: NodeRef<Unit> = NodeRef::new(scene.find(&path).unwrap());
        assert_eq!(scene.get(node).unwrap().hp, 9, "at {peer}");
    }
}
