//! Path ids: how long they are valid, and which node they name.
#![allow(missing_docs, reason = "a test")]

use mp_scene::GodotQuirks;
use mp_scene::limits::{PATH_CACHE_BYTES_MAX, PATH_REPEAT};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;

/// A node that records its calls.
#[derive(Default)]
struct Thing {
    hits: Vec<i64>,
}

impl Node for Thing {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("hit", RpcConfig::any_peer(), |thing: &mut Self, _, (n,): (i64,)| {
            thing.hits.push(n);
        })
    }
}

fn thing() -> PackedScene {
    PackedScene::new("res://thing.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new());
        Instance::new("Thing", Thing::default()).child(Instance::new("Sync", sync))
    })
}

/// `Things` with a spawner, and the things `A` and `B`, which are part of the scene.
fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("A", Thing::default())?;
        scene.add("B", Thing::default())?;
        scene.add("Things", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Things").with_scene(&thing()))
    })
}

/// Returns a connected server and client.
fn pair() -> (Lan, PeerId) {
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    (lan, client)
}

fn hits(lan: &mut Lan, peer: PeerId, path: &str) -> Vec<i64> {
    let scene = lan.scene(peer);
    let thing = scene.node::<Thing>(path).unwrap();
    scene.get(thing).unwrap().hits.clone()
}

/// Calls the server's node at `path` on all other peers.
fn hit(lan: &mut Lan, path: &str, n: i64) {
    let thing = lan.scene(SERVER).find(path).unwrap();
    lan.scene(SERVER).rpc(thing, "hit", (n,)).unwrap();
    lan.settle();
}

#[test]
fn path_ids_of_removed_nodes_are_evicted_for_new_ones() {
    let (mut lan, client) = pair();
    let name = "x".repeat(64 * 1024);
    for round in 0..=PATH_CACHE_BYTES_MAX / name.len() {
        let path = format!("{round}{name}");
        for side in [SERVER, client] {
            lan.scene(side).add(&path, Thing::default()).unwrap();
        }
        hit(&mut lan, &path, 1);
        assert_eq!(hits(&mut lan, client, &path), [1]);
        hit(&mut lan, &path, 2);
        for side in [SERVER, client] {
            let node = lan.scene(side).find(&path).unwrap();
            lan.scene(side).remove(node).unwrap();
        }
    }
    lan.scene(SERVER).add_instance("Things", thing().instantiate()).unwrap();
    lan.settle();
    assert!(lan.scene(client).find("Things/Thing").is_ok());
    assert_eq!(lan.scene(client).stats().refused_announcements, 0);
}

#[test]
fn node_that_is_shown_again_keeps_its_path_id() {
    let (mut lan, client) = pair();
    lan.scene(SERVER).add_instance("Things", thing().instantiate()).unwrap();
    lan.settle();
    for n in 0..3 {
        hit(&mut lan, "Things/Thing", n);
        assert_eq!(hits(&mut lan, client, "Things/Thing"), [n]);
        for shown in [false, true] {
            let scene = lan.scene(SERVER);
            let sync = scene.node::<MultiplayerSynchronizer>("Things/Thing/Sync").unwrap();
            scene.get_mut(sync).unwrap().set_public_visibility(shown);
            lan.settle();
        }
    }
}

#[test]
fn node_moved_by_its_receiver_keeps_its_path_id() {
    let (mut lan, client) = pair();
    hit(&mut lan, "A", 1);
    hit(&mut lan, "A", 2);
    let scene = lan.scene(client);
    let (a, b) = (scene.find("A").unwrap(), scene.find("B").unwrap());
    scene.tree_mut().reparent(a, b).unwrap();
    hit(&mut lan, "A", 3);
    assert_eq!(hits(&mut lan, client, "B/A"), [1, 2, 3]);
}

/// Renames `A` to `X` and `B` to `Y` on the server, and the other way round on the client.
fn exchange_names(lan: &mut Lan, client: PeerId) {
    for (peer, a, b) in [(SERVER, "X", "Y"), (client, "Y", "X")] {
        let scene = lan.scene(peer);
        let nodes = [scene.find("A").unwrap(), scene.find("B").unwrap()];
        scene.tree_mut().rename(nodes[0], a).unwrap();
        scene.tree_mut().rename(nodes[1], b).unwrap();
    }
    lan.settle();
}

#[test]
fn calls_of_a_renamed_node_reach_the_remote_node_of_its_new_name() {
    let (mut lan, client) = pair();
    hit(&mut lan, "A", 1);
    hit(&mut lan, "B", 1);
    exchange_names(&mut lan, client);
    hit(&mut lan, "X", 2);
    hit(&mut lan, "X", 3);
    assert_eq!(hits(&mut lan, client, "X"), [1, 2, 3]);
    assert_eq!(hits(&mut lan, client, "Y"), [1]);
}

#[test]
fn calls_of_a_node_below_a_renamed_one_use_its_new_path() {
    let (mut lan, client) = pair();
    for peer in [SERVER, client] {
        lan.scene(peer).add("A/Gun", Thing::default()).unwrap();
        lan.scene(peer).add("B/Gun", Thing::default()).unwrap();
    }
    hit(&mut lan, "A/Gun", 1);
    hit(&mut lan, "B/Gun", 1);
    exchange_names(&mut lan, client);
    hit(&mut lan, "X/Gun", 2);
    assert_eq!(hits(&mut lan, client, "X/Gun"), [1, 2]);
    assert_eq!(hits(&mut lan, client, "Y/Gun"), [1]);
}

#[test]
fn properties_of_a_renamed_node_are_set_on_the_remote_node_of_its_new_name() {
    #[derive(Default)]
    struct Lamp {
        light: i64,
        heat: i64,
    }
    impl Node for Lamp {
        fn property_table() -> PropertyTable<Self> {
            PropertyTable::new()
                .property("light", |lamp: &mut Self| &mut lamp.light)
                .property("heat", |lamp: &mut Self| &mut lamp.heat)
        }
    }
    let game = || {
        Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
            for name in ["A", "B"] {
                let config = ReplicationConfig::new().always(".:light").on_change(".:heat");
                scene.add(name, Lamp::default())?;
                scene.add(&format!("{name}/Sync"), MultiplayerSynchronizer::new(config))?;
            }
            Ok(())
        })
    };
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    exchange_names(&mut lan, client);
    let lamp = lan.scene(SERVER).node::<Lamp>("X").unwrap();
    *lan.scene(SERVER).get_mut(lamp).unwrap() = Lamp { light: 4, heat: 5 };
    lan.settle();
    let mut lit = |path: &str| {
        let lamp = lan.scene(client).node::<Lamp>(path).unwrap();
        let lamp = lan.scene(client).get(lamp).unwrap();
        (lamp.light, lamp.heat)
    };
    assert_eq!((lit("X"), lit("Y")), ((4, 5), (0, 0)));
}

#[test]
fn renamed_announced_node_keeps_its_path_id() {
    let (mut lan, client) = pair();
    lan.scene(SERVER).add_instance("Things", thing().instantiate()).unwrap();
    lan.settle();
    hit(&mut lan, "Things/Thing", 1);
    for (n, renamed, name, path) in
        [(2, "Things/Thing", "Other", "Things/Other"), (3, "Things", "Others", "Others/Other")]
    {
        let node = lan.scene(SERVER).find(renamed).unwrap();
        lan.scene(SERVER).tree_mut().rename(node, name).unwrap();
        hit(&mut lan, path, n);
    }
    assert_eq!(hits(&mut lan, client, "Things/Thing"), [1, 2, 3]);
}

#[test]
fn nodes_of_a_renamed_spawner_reach_a_peer_that_loads_the_level_later() {
    let mut lan = Lan::new(game()).unwrap();
    lan.scene(SERVER).add_instance("Things", thing().instantiate()).unwrap();
    // Like Godot, the client does not defer messages for absent nodes.
    let quirks = GodotQuirks { absent_nodes: true, ..GodotQuirks::default() };
    let client = lan.join(Branch::builder("/root/Game").quirks(quirks)).unwrap();
    lan.settle();
    let spawner = lan.scene(SERVER).find("Spawner").unwrap();
    lan.scene(SERVER).tree_mut().rename(spawner, "Maker").unwrap();
    lan.settle();

    let scene = lan.scene(client);
    scene.add("Things", Group).unwrap();
    scene.add("Maker", MultiplayerSpawner::new("../Things").with_scene(&thing())).unwrap();
    for _ in 0..2 * PATH_REPEAT.as_millis() / Lan::STEP.as_millis() {
        lan.step();
    }
    assert!(lan.scene(client).find("Things/Thing").is_ok());
}
