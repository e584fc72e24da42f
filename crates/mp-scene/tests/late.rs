//! Packets for a node that has left the tree when they are received.
#![allow(missing_docs, reason = "a test")]

use mp_scene::limits::{DEFERRED_TIME, DEPARTED_TIME};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;

#[derive(Default)]
struct Player {
    hits: Vec<i64>,
}

impl Node for Player {
    fn rpc_table() -> RpcTable<Self> {
        let unreliable = RpcConfig::any_peer().unreliable().channel(1);
        RpcTable::new()
            .method("graze", unreliable, |player: &mut Self, _, (n,): (i64,)| player.hits.push(n))
            .method("hit", RpcConfig::any_peer(), |player: &mut Self, _, (n,): (i64,)| {
                player.hits.push(n);
            })
    }
}

fn player() -> PackedScene {
    PackedScene::new("res://player.tscn", || Instance::new("Player", Player::default()))
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(100).setup(|scene| {
        scene.add("Players", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Players").with_scene(&player()))
    })
}

/// Returns a server and a client that have player 3.
fn pair() -> (Lan, PeerId) {
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    spawn(&mut lan);
    lan.settle();
    (lan, client)
}

fn spawn(lan: &mut Lan) {
    lan.scene(SERVER).add_instance("Players", player().instantiate().named("3")).unwrap();
}

fn die(lan: &mut Lan) {
    let node = lan.scene(SERVER).find("Players/3").unwrap();
    lan.scene(SERVER).remove(node).unwrap();
}

fn call(lan: &mut Lan, client: PeerId, method: &str, n: i64) {
    let node = lan.scene(client).find("Players/3").unwrap();
    lan.scene(client).rpc_id(SERVER, node, method, (n,)).unwrap();
}

fn wait(lan: &mut Lan, time: std::time::Duration) {
    for _ in 0..time.as_millis() / Lan::STEP.as_millis() {
        lan.step();
    }
}

fn hits(lan: &mut Lan, side: PeerId) -> Vec<i64> {
    let scene = lan.scene(side);
    let node = scene.node::<Player>("Players/3").unwrap();
    scene.get(node).unwrap().hits.clone()
}

#[test]
fn call_in_flight_when_its_target_is_removed_does_not_reach_the_respawned_node() {
    for known in [false, true] {
        let (mut lan, client) = pair();
        if known {
            call(&mut lan, client, "hit", 0);
            lan.settle();
        }
        call(&mut lan, client, "hit", 1);
        die(&mut lan);
        wait(&mut lan, DEFERRED_TIME / 2);
        spawn(&mut lan);
        lan.settle();
        assert_eq!(hits(&mut lan, SERVER), [0; 0], "sent by path id: {known}");
        assert_eq!(lan.scene(SERVER).stats().refused_calls, 1);

        call(&mut lan, client, "hit", 2);
        lan.settle();
        assert_eq!(hits(&mut lan, SERVER), [2], "the respawned node must be callable");
    }
}

/// Returns a player with a gun, which is the target of the calls.
fn armed() -> PackedScene {
    PackedScene::new("res://player.tscn", || {
        Instance::new("Player", Player::default()).child(Instance::new("Gun", Player::default()))
    })
}

#[test]
fn late_call_by_path_id_does_not_reach_the_replacement_node() {
    for path in ["Players/3", "Players/3/Gun"] {
        let game = || {
            Branch::builder("/root/Game").tick_rate(100).setup(|scene| {
                scene.add("Players", Group)?;
                let spawner = MultiplayerSpawner::new("../Players").with_scene(&armed());
                scene.add("Spawner", spawner)
            })
        };
        let mut lan = Lan::new(game()).unwrap();
        let ids = [lan.join(game()).unwrap(), lan.join(game()).unwrap()];
        lan.settle();
        let spawn = |lan: &mut Lan| {
            let player = armed().instantiate().named("3");
            lan.scene(SERVER).add_instance("Players", player).unwrap();
        };
        let hits = |lan: &mut Lan, side: PeerId| {
            let node = lan.scene(side).node::<Player>(path).unwrap();
            lan.scene(side).get(node).unwrap().hits.clone()
        };
        let call = |lan: &mut Lan, n: i64| {
            let node = lan.scene(ids[0]).find(path).unwrap();
            lan.scene(ids[0]).rpc(node, "hit", (n,)).unwrap();
        };
        spawn(&mut lan);
        lan.settle();
        call(&mut lan, 0);
        lan.settle();

        call(&mut lan, 1);
        die(&mut lan);
        spawn(&mut lan);
        lan.settle();
        for side in [SERVER, ids[1]] {
            assert_eq!(hits(&mut lan, side), [0; 0], "{path} at {side}");
            assert_eq!(lan.scene(side).stats().refused_calls, 1, "{path} at {side}");
        }
        call(&mut lan, 2);
        lan.settle();
        for side in [SERVER, ids[1]] {
            assert_eq!(hits(&mut lan, side), [2], "{path} at {side}");
        }
    }
}

#[test]
fn an_unreliable_call_that_is_overtaken_by_the_removal_of_its_node_is_lost() {
    let (mut lan, client) = pair();
    let node = lan.scene(SERVER).find("Players/3").unwrap();
    lan.scene(SERVER).rpc_id(client, node, "graze", (1,)).unwrap();
    // The removal overtakes the call: the client's program removes the node before it polls.
    let gone = lan.scene(client).find("Players/3").unwrap();
    lan.step_peer(SERVER);
    lan.scene(client).remove(gone).unwrap();
    die(&mut lan);
    wait(&mut lan, DEFERRED_TIME / 2);
    spawn(&mut lan);
    lan.settle();
    assert_eq!(hits(&mut lan, client), [0; 0]);
}

#[test]
fn call_of_a_renamed_node_does_not_reach_the_next_node_of_its_old_name() {
    let (mut lan, client) = pair();
    call(&mut lan, client, "hit", 1);
    let node = lan.scene(SERVER).find("Players/3").unwrap();
    lan.scene(SERVER).tree_mut().rename(node, "4").unwrap();
    lan.settle();
    spawn(&mut lan);
    lan.settle();
    assert_eq!(hits(&mut lan, SERVER), [0; 0]);
}

#[test]
fn deferred_call_does_not_reach_the_second_node_of_its_path() {
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    lan.scene(client).add("Players/3", Player::default()).unwrap();
    call(&mut lan, client, "hit", 1);
    lan.settle();
    // The node is added and removed before the branch has applied its addition.
    spawn(&mut lan);
    die(&mut lan);
    lan.settle();
    spawn(&mut lan);
    lan.settle();
    assert_eq!(hits(&mut lan, SERVER), [0; 0]);
}

#[test]
fn calls_are_deferred_for_a_node_that_left_before_the_session_or_long_ago() {
    let (mut lan, _) = pair();
    die(&mut lan);
    lan.settle();
    let late = lan.join(game()).unwrap();
    lan.settle();
    for (n, pause) in [(1, DEFERRED_TIME / 2), (2, DEFERRED_TIME / 2)] {
        lan.scene(late).add("Players/3", Player::default()).unwrap();
        call(&mut lan, late, "hit", n);
        lan.settle();
        let node = lan.scene(late).find("Players/3").unwrap();
        lan.scene(late).remove(node).unwrap();
        wait(&mut lan, pause);
        lan.scene(SERVER).add("Players/3", Player::default()).unwrap();
        assert_eq!(hits(&mut lan, SERVER), [0; 0]);
        lan.settle();
        assert_eq!(hits(&mut lan, SERVER), [n], "the call must be deferred");
        die(&mut lan);
        wait(&mut lan, DEPARTED_TIME);
    }
}
