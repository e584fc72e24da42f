//! The room type `game`: nodes from a scene, from data and nested, a node per player, and a node of
//! each player that no spawner announces.

use std::collections::BTreeMap;

use mp_scene::prelude::*;
use mp_scene::{BuildError, TreeError};
use mp_server::RoomContext;

use crate::nodes::{Main, Owned, Player, Unit};

/// Returns a room whose nodes have the `hp` 10 in the room `lobby`, else 20, and more.
pub(crate) fn room(context: &RoomContext) -> Result<Branch, BuildError> {
    let name = context.name().to_string();
    let hp = if name == "lobby" { 10 } else { 20 };
    let main_room = name.clone();
    let left_room = name.clone();
    let mut rounds = BTreeMap::<PeerId, i64>::new();
    Branch::builder("/root")
        .tick_rate(120)
        .setup(move |scene| {
            let main = Main { room: main_room, clock: 0, calls: BTreeMap::new() };
            scene.add("Main", main)?;
            scene.add("Main/Owned", Group)?;
            scene.add("Main/Units", Group)?;
            let spawner = MultiplayerSpawner::new("../Units")
                .with_scene(&unit())
                .with_scene(&crate_scene())
                .with_scene(&player())
                .with_spawn_function(|data| {
                    let unit = Unit { hp: data.clone().to().ok()? };
                    Some(Instance::new("Made", unit).child(Instance::new("Sync", sync_of_hp())))
                });
            let spawner = scene.add("Main/Spawner", spawner)?;
            let config = ReplicationConfig::new().always(".:clock");
            scene.add("Main/Sync", MultiplayerSynchronizer::new(config))?;
            add_unit(scene, "Main/Units", "Unit", hp)?;
            scene.spawn(spawner, hp + 1)?;
            scene.add_instance("Main/Units", crate_scene().instantiate().named("Crate"))?;
            add_unit(scene, "Main/Units/Crate/Inside", "Inner", hp + 2)?;
            Ok(())
        })
        .on_process(|scene, _| main(scene).clock += 1)
        .on_peer_connected(move |scene, peer| {
            add_nodes_of(scene, peer);
            let round = rounds.entry(peer).or_default();
            let node = scene.find("Main").expect("the root of the scene");
            scene.rpc_id(peer, node, "arrived", (name.as_str(), *round)).expect("a known method");
            *round += 1;
        })
        .on_peer_disconnected(move |scene, peer| report_and_remove(scene, peer, &left_room))
        .build()
}

/// Adds the node that the room announces, and the one that the player adds, too.
fn add_nodes_of(scene: &mut Scene, peer: PeerId) {
    let mut add = |parent: &str, instance: Instance, synchronizer: &str| {
        scene.add_instance(parent, instance.named(&peer.to_string())).expect("a free name");
        let path = format!("{parent}/{peer}/{synchronizer}");
        let synchronizer = scene.find(&path).expect("a node that was added");
        let tree = scene.tree_mut();
        tree.set_multiplayer_authority(synchronizer, peer, false).expect("a node of the tree");
    };
    add("Main/Units", player().instantiate(), "Input");
    let config = ReplicationConfig::new().always(".:beats").on_change(".:mood").on_change(".:team");
    let sync = Instance::new("Sync", MultiplayerSynchronizer::new(config));
    add("Main/Owned", Instance::new("Owned", Owned::default()).child(sync), "Sync");
}

/// Prints statistics of a player who has left, and removes its nodes.
fn report_and_remove(scene: &mut Scene, peer: PeerId, room: &str) {
    let calls = main(scene).calls.remove(&peer).unwrap_or_default();
    let of_player = scene.node::<Player>(&format!("Main/Units/{peer}"));
    let inputs = of_player.ok().and_then(|player| scene.get(player).ok()).map_or(0, |it| it.inputs);
    println!("left {room} {peer} calls={calls} inputs={inputs}");
    for parent in ["Main/Units", "Main/Owned"] {
        let node = scene.find(&format!("{parent}/{peer}")).expect("the node of a player");
        scene.queue_free(node).expect("a node of the tree");
    }
}

fn main(scene: &mut Scene) -> &mut Main {
    let main = scene.node::<Main>("Main").expect("the root of the scene");
    scene.get_mut(main).expect("the root of the scene")
}

pub(crate) fn add_unit(
    scene: &mut Scene,
    parent: &str,
    name: &str,
    hp: i64,
) -> Result<(), TreeError> {
    let mut instance = unit().instantiate().named(name);
    instance.get_mut::<Unit>(".")?.hp = hp;
    scene.add_instance(parent, instance).map(drop)
}

pub(crate) fn sync_of_hp() -> MultiplayerSynchronizer {
    MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"))
}

pub(crate) fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", sync_of_hp()))
    })
}

fn crate_scene() -> PackedScene {
    PackedScene::new("res://crate.tscn", || {
        let spawner = MultiplayerSpawner::new("../Inside").with_scene(&unit());
        Instance::new("Crate", Group)
            .child(Instance::new("Inside", Group))
            .child(Instance::new("Spawner", spawner))
    })
}

fn player() -> PackedScene {
    PackedScene::new("res://player.tscn", || {
        let config = ReplicationConfig::new().always_without_spawn(".:input");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Player", Player::default()).child(Instance::new("Input", sync))
    })
}
