//! Nodes below others that can be hidden and moved.

use std::time::Duration;

use mp_scene::limits::{DEFERRED_TIME, LEVEL_TIME};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use crate::game::*;

/// A ship that can be hidden, with its own spawner, which enters the tree last.
fn ship() -> PackedScene {
    PackedScene::new("res://ship.tscn", || {
        hideable("Ship")
            .child(Instance::new("Deck", Group))
            .child(Instance::new("Spawner", deck_spawner().with_scene(&boat())))
    })
}

/// A ship for the deck of another. Its spawner enters before the nodes that it announces.
fn boat() -> PackedScene {
    PackedScene::new("res://boat.tscn", || {
        hideable("Boat")
            .child(Instance::new("Spawner", deck_spawner()))
            .child(Instance::new("Deck", Group))
    })
}

fn hideable(name: &str) -> Instance {
    let sync = MultiplayerSynchronizer::new(ReplicationConfig::new());
    Instance::new(name, Group).child(Instance::new("Sync", sync))
}

fn deck_spawner() -> MultiplayerSpawner {
    MultiplayerSpawner::new("../Deck").with_scene(&unit())
}

/// The game with two seas for ships.
fn seas() -> BranchBuilder {
    game().setup(|scene| {
        for sea in ["East", "West"] {
            scene.add(sea, Group)?;
            let spawner = MultiplayerSpawner::new(&format!("../{sea}")).with_scene(&ship());
            scene.add(&format!("{sea}Spawner"), spawner)?;
        }
        Ok(())
    })
}

/// A spawner of ships with a method that builds one, hidden, with a unit on its deck.
struct Shipyard(MultiplayerSpawner);

impl Node for Shipyard {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("build", RpcConfig::any_peer(), |_: &mut Self, cx, ()| {
            cx.add_instance("Dock", ship().instantiate()).unwrap();
            let sync = NodeRef::<MultiplayerSynchronizer>::new(cx.find("Dock/Ship/Sync").unwrap());
            cx.get_mut(sync).unwrap().set_public_visibility(false);
            cx.flush_changes();
            cx.add_instance("Dock/Ship/Deck", unit().instantiate()).unwrap();
            cx.flush_changes();
        })
    }

    fn as_spawner(&mut self) -> Option<&mut MultiplayerSpawner> {
        Some(&mut self.0)
    }
}

/// Returns a connected server and client.
fn seafarers() -> (Lan, PeerId) {
    let mut lan = Lan::new(seas()).unwrap();
    let client = lan.join(seas()).unwrap();
    lan.settle();
    (lan, client)
}

/// Adds an instance of `scene` on the server.
fn add(lan: &mut Lan, parent: &str, scene: &PackedScene) {
    lan.scene(SERVER).add_instance(parent, scene.instantiate()).unwrap();
}

/// Moves the ship to the west on the server.
fn sail_west(lan: &mut Lan) {
    let scene = lan.scene(SERVER);
    let (ship, west) = (scene.find("East/Ship").unwrap(), scene.find("West").unwrap());
    scene.tree_mut().reparent(ship, west).unwrap();
}

fn show(lan: &mut Lan, path: &str, shown: bool) {
    sync_of(lan, SERVER, path).set_public_visibility(shown);
}

fn hp_of(lan: &mut Lan, peer: PeerId, path: &str) -> Option<i64> {
    unit_of(lan, peer, path).map(|unit| unit.hp)
}

fn unit_of<'l>(lan: &'l mut Lan, peer: PeerId, path: &str) -> Option<&'l mut Unit> {
    let scene = lan.scene(peer);
    let node = scene.find(path).ok()?;
    Some(scene.get_mut(NodeRef::new(node)).expect("a unit"))
}

/// Advances time until all deferred calls have timed out.
fn wait_for_timeouts(lan: &mut Lan) {
    wait(lan, 2 * DEFERRED_TIME);
}

fn wait(lan: &mut Lan, time: Duration) {
    for _ in 0..=time.div_duration_f64(Lan::STEP) as u32 {
        lan.step();
    }
}

#[test]
fn nodes_below_a_hidden_node_are_announced_and_despawned_with_it() {
    let (mut lan, client) = seafarers();
    add(&mut lan, "East", &ship());
    add(&mut lan, "East/Ship/Deck", &unit());
    for shown in [true, false, true] {
        show(&mut lan, "East/Ship/Sync", shown);
        lan.settle();
        assert_eq!(lan.scene(client).find("East/Ship/Deck/Unit").is_ok(), shown);
    }
    show(&mut lan, "East/Ship/Sync", false);
    lan.settle();
    lan.scene(SERVER).add_instance("East/Ship/Deck", unit().instantiate().named("New")).unwrap();
    lan.settle();
    assert_eq!(
        lan.scene(client).stats().refused_announcements,
        0,
        "nothing of a hidden node may be sent"
    );
    show(&mut lan, "East/Ship/Sync", true);
    lan.settle();
    assert!(lan.scene(client).find("East/Ship/Deck/New").is_ok());
}

#[test]
fn nodes_below_a_node_moved_while_hidden_are_announced_when_it_is_shown() {
    let (mut lan, client) = seafarers();
    add(&mut lan, "East", &ship());
    add(&mut lan, "East/Ship/Deck", &unit());
    show(&mut lan, "East/Ship/Sync", false);
    lan.settle();
    sail_west(&mut lan);
    wait_for_timeouts(&mut lan);
    let stats = lan.scene(client).stats();
    assert_eq!(
        (stats.refused_announcements, stats.refused_elements),
        (0, 0),
        "nothing of a hidden node may be sent"
    );

    show(&mut lan, "West/Ship/Sync", true);
    lan.settle();
    unit_of(&mut lan, SERVER, "West/Ship/Deck/Unit").unwrap().hp = 7;
    lan.settle();
    assert_eq!(hp_of(&mut lan, client, "West/Ship/Deck/Unit"), Some(7));
}

#[test]
fn node_added_just_before_its_parent_is_moved_and_hidden_is_not_announced() {
    let (mut lan, client) = seafarers();
    add(&mut lan, "East", &ship());
    lan.settle();
    add(&mut lan, "East/Ship/Deck", &unit());
    sail_west(&mut lan);
    show(&mut lan, "West/Ship/Sync", false);
    // Announcements have a longer timeout than calls.
    wait(&mut lan, LEVEL_TIME + 2 * DEFERRED_TIME);
    let stats = lan.scene(client).stats();
    assert_eq!(
        (stats.refused_announcements, stats.refused_elements),
        (0, 0),
        "nothing of a hidden node may be sent"
    );

    show(&mut lan, "West/Ship/Sync", true);
    lan.settle();
    assert_eq!(hp_of(&mut lan, client, "West/Ship/Deck/Unit"), Some(0));
}

#[test]
fn nodes_below_a_hidden_node_stay_hidden_when_its_parent_is_moved() {
    let (mut lan, client) = seafarers();
    add(&mut lan, "East", &ship());
    add(&mut lan, "East/Ship/Deck", &boat());
    add(&mut lan, "East/Ship/Deck/Boat/Deck", &unit());
    show(&mut lan, "East/Ship/Deck/Boat/Sync", false);
    lan.settle();
    sail_west(&mut lan);
    wait_for_timeouts(&mut lan);
    let scene = lan.scene(client);
    assert!(scene.find("West/Ship").is_ok() && scene.find("West/Ship/Deck/Boat").is_err());
    let stats = scene.stats();
    assert_eq!(
        (stats.refused_announcements, stats.refused_elements),
        (0, 0),
        "nothing of a hidden node may be sent"
    );

    show(&mut lan, "West/Ship/Deck/Boat/Sync", true);
    lan.settle();
    assert!(lan.scene(client).find("West/Ship/Deck/Boat/Deck/Unit").is_ok());
}

#[test]
fn nodes_below_a_node_are_deferred_with_it_while_its_spawner_runs_a_method() {
    let docks = || {
        game().setup(|scene| {
            scene.add("Dock", Group)?;
            let spawner = MultiplayerSpawner::new("../Dock").with_scene(&ship());
            scene.add("Shipyard", Shipyard(spawner))
        })
    };
    let mut lan = Lan::new(docks()).unwrap();
    let client = lan.join(docks()).unwrap();
    lan.settle();
    let scene = lan.scene(client);
    let yard = scene.find("Shipyard").unwrap();
    scene.rpc_id(Target::Peer(SERVER), yard, "build", ()).unwrap();
    wait_for_timeouts(&mut lan);
    assert!(lan.scene(SERVER).find("Dock/Ship/Deck/Unit").is_ok());
    let stats = lan.scene(client).stats();
    assert_eq!(
        (stats.refused_announcements, stats.refused_elements),
        (0, 0),
        "nothing of a hidden node may be sent"
    );

    for shown in [true, false, true] {
        show(&mut lan, "Dock/Ship/Sync", shown);
        lan.settle();
        assert_eq!(lan.scene(client).find("Dock/Ship/Deck/Unit").is_ok(), shown);
    }
}
