//! Nodes with the names that Godot generates for unnamed nodes.
#![allow(missing_docs, reason = "a test")]

use mp_scene::prelude::*;
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;
const UNNAMED: &str = "@Node2D@17";
const BELOW: &str = "@Node2D@17/Gun";

/// A node that records its calls.
#[derive(Default)]
struct Gun {
    aim: i64,
    shots: Vec<i64>,
}

impl Node for Gun {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("fire", RpcConfig::any_peer(), |gun: &mut Self, _, (n,): (i64,)| {
            gun.shots.push(n);
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("aim", |gun: &mut Self| &mut gun.aim)
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add(UNNAMED, Gun::default())?;
        scene.add(BELOW, Gun::default())?;
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:aim"));
        scene.add(&format!("{UNNAMED}/Sync"), sync)
    })
}

/// Returns a connected server and client.
fn pair() -> (Lan, PeerId) {
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    (lan, client)
}

fn gun<'l>(lan: &'l mut Lan, peer: PeerId, path: &str) -> &'l mut Gun {
    let gun = lan.scene(peer).node::<Gun>(path).unwrap();
    lan.scene(peer).get_mut(gun).unwrap()
}

#[test]
fn a_node_with_a_generated_name_is_called_by_path_and_then_by_id() {
    let (mut lan, client) = pair();
    for n in [1, 2] {
        for (caller, path) in [(SERVER, UNNAMED), (client, UNNAMED), (SERVER, BELOW)] {
            let gun = lan.scene(caller).find(path).unwrap();
            lan.scene(caller).rpc(gun, "fire", (n,)).unwrap();
        }
        lan.settle();
    }
    assert_eq!(gun(&mut lan, client, UNNAMED).shots, [1, 2]);
    assert_eq!(gun(&mut lan, SERVER, UNNAMED).shots, [1, 2]);
    assert_eq!(gun(&mut lan, client, BELOW).shots, [1, 2]);
    assert!(gun(&mut lan, SERVER, BELOW).shots.is_empty());
}

#[test]
fn a_node_with_a_generated_name_is_synchronized() {
    let (mut lan, client) = pair();
    gun(&mut lan, SERVER, UNNAMED).aim = 30;
    lan.settle();
    assert_eq!(gun(&mut lan, client, UNNAMED).aim, 30);
}
