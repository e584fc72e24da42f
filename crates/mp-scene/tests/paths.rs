//! Numbers of nodes: how long they are known, and which node they stand for.
#![allow(missing_docs, reason = "a test")]

use mp_scene::limits::PATH_CACHE_BYTES_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;

/// A node that notes its calls.
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
        scene.add("Spawner", MultiplayerSpawner::new("../Things").scene(&thing())).map(drop)
    })
}

/// A server and a client, who have met.
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

/// The server calls its node at `path` everywhere else.
fn hit(lan: &mut Lan, path: &str, n: i64) {
    let thing = lan.scene(SERVER).find(path).unwrap();
    lan.scene(SERVER).rpc(thing, "hit", (n,)).unwrap();
    lan.settle();
}

#[test]
fn numbers_of_nodes_that_have_left_make_room_for_new_ones() {
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
    assert_eq!(lan.scene(client).stats().refused_calls, 0);
}

#[test]
fn a_node_that_is_shown_again_is_called_by_the_number_that_it_had() {
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
fn a_node_that_only_its_receiver_has_moved_keeps_the_number_that_it_was_given() {
    let (mut lan, client) = pair();
    hit(&mut lan, "A", 1);
    hit(&mut lan, "A", 2);
    let scene = lan.scene(client);
    let (a, b) = (scene.find("A").unwrap(), scene.find("B").unwrap());
    scene.tree_mut().reparent(a, b).unwrap();
    hit(&mut lan, "A", 3);
    assert_eq!(hits(&mut lan, client, "B/A"), [1, 2, 3]);
}
