//! An mp-server whose rooms have nodes, for its live page: movers, a log that players call, and
//! names as a hostile player might choose them. The options are those of mp-server.
//!
//!     cargo run -p mp-server --example game_room -- --dev

use std::process::ExitCode;

use mp_core::variant::Vector2;
use mp_scene::prelude::*;
use mp_scene::tree::NodeRef;
use mp_scene::{Branch, BuildError};
use mp_server::{RoomContext, ServerBuilder};

fn main() -> ExitCode {
    ServerBuilder::new().room_type("game", game).default_type("game").run(std::env::args_os())
}

/// A node that moves in circles and loses health.
#[derive(Default)]
struct Mover {
    position: Replicated<Vector2>,
    health: Replicated<i64>,
    name_tag: String,
}

impl Node for Mover {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("position", |mover: &mut Self| &mut mover.position)
            .property("health", |mover: &mut Self| &mut mover.health)
            .property("name_tag", |mover: &mut Self| &mut mover.name_tag)
    }
}

/// A node that players call, and that calls them back.
#[derive(Default)]
struct Log;

impl Node for Log {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("note", RpcConfig::any_peer(), |_: &mut Self, cx, (text,): (String,)| {
                // The player may have left.
                let _ = cx.reply("noted", (text,));
            })
            .method("noted", RpcConfig::authority(), |_: &mut Self, _, (_,): (String,)| {})
    }
}

fn game(_: &RoomContext) -> Result<Branch, BuildError> {
    let mut step = 0_i64;
    Branch::builder("/root/Game")
        .tick_rate(20)
        .setup(|scene| {
            scene.add("Log", Log)?;
            scene.add(HOSTILE, Group)?;
            scene.add("Movers", Group)?;
            scene.add("Spawner", MultiplayerSpawner::new("../Movers").with_scene(&mover()))?;
            for number in 1..=MOVERS {
                let name = format!("Mover{number}");
                scene.add_instance("Movers", mover().instantiate().named(&name))?;
            }
            Ok(())
        })
        .on_process(move |scene, _| {
            step += 1;
            for number in 1..=MOVERS {
                move_one(scene, number, step);
            }
        })
        .build()
}

fn move_one(scene: &mut Scene, number: i64, step: i64) {
    let Ok(node) = scene.node::<Mover>(&format!("Movers/Mover{number}")) else { return };
    let node: NodeRef<Mover> = node;
    let Ok(mover) = scene.get_mut(node) else { return };
    let angle = step as f32 / 20.0 + number as f32;
    *mover.position = Vector2 { x: 100.0 * angle.cos(), y: 100.0 * angle.sin() };
    if (step + number) % 20 == 0 {
        *mover.health = 100 - step % 100;
    }
    HOSTILE.clone_into(&mut mover.name_tag);
}

fn mover() -> PackedScene {
    PackedScene::new("res://mover.tscn", || {
        let config =
            ReplicationConfig::new().spawn(".:name_tag").always(".:position").on_change(".:health");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Mover", Mover::default()).child(Instance::new("Sync", sync))
    })
}

/// A text that would run if it became markup, and may be the name of a node.
const HOSTILE: &str = "<img src=x onerror=hacked=1>";
const MOVERS: i64 = 8;
