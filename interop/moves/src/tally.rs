//! The room type `tally`: nodes that change for some seconds once there are two players, one of
//! whom loses its connection meanwhile. The room calls the players at each change, and queues three
//! calls for a player without a connection.

use std::time::Duration;

use mp_scene::prelude::*;
use mp_scene::{BuildError, Keep};
use mp_server::RoomContext;

use crate::nodes::Unit;
use crate::room::{add_unit, sync_of_hp, unit};

/// Returns a room with a node of a scene and one of a spawn function, whose `hp` changes, and one
/// that is added at each change, of which the last three stay.
pub(crate) fn room(_: &RoomContext) -> Result<Branch, BuildError> {
    let mut ticks = 0;
    Branch::builder("/root")
        .tick_rate(60)
        .setup(|scene| {
            scene.add("Main", Caller)?;
            scene.add("Main/Units", Group)?;
            let spawner = MultiplayerSpawner::new("../Units")
                .with_scene(&unit())
                .with_spawn_function(|data| {
                    let unit = Unit { hp: data.clone().to().ok()? };
                    Some(Instance::new("Made", unit).child(Instance::new("Sync", sync_of_hp())))
                });
            let spawner = scene.add("Main/Spawner", spawner)?;
            add_unit(scene, "Main/Units", "Tally", 0)?;
            scene.spawn(spawner, 100)?;
            Ok(())
        })
        .on_peer_dropped(|_, _, _| Keep::for_(KEEP).queue_calls(QUEUED_CALLS).into())
        .on_process(move |scene, _| {
            if scene.peers().len() > 1 && ticks < CHANGES * TICKS {
                ticks += 1;
                if ticks % TICKS == 0 {
                    change(scene, ticks / TICKS);
                }
            }
        })
        .build()
}

/// The root of the room's scene, through which the room calls the players.
struct Caller;

impl Node for Caller {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("count", RpcConfig::authority(), |_: &mut Self, _, _: (i64,)| {})
    }
}

/// Makes the change `number`, and calls all players.
fn change(scene: &mut Scene, number: i64) {
    let caller = scene.find("Main").expect("the root of the scene");
    for player in scene.peers() {
        // A call beyond the bound of a player without a connection is dropped.
        let _ = scene.rpc_id(player, caller, "count", (number,));
    }
    for (name, hp) in [("Tally", number), ("Made", 100 + number)] {
        let node = scene.node::<Unit>(&format!("Main/Units/{name}")).expect("a node of the room");
        scene.get_mut(node).expect("a node of the room").hp = hp;
    }
    add_unit(scene, "Main/Units", &format!("Unit{number}"), number).expect("a free name");
    if let Ok(old) = scene.find(&format!("Main/Units/Unit{}", number - 3)) {
        scene.queue_free(old).expect("a node of the tree");
    }
}

/// Time for which the room keeps players: that of the setting `resume`.
const KEEP: Duration = Duration::from_secs(60);
/// Number of calls that are queued for a player without a connection.
const QUEUED_CALLS: usize = 3;
/// Number of changes: the last ones are made while a player has no connection.
const CHANGES: i64 = 30;
/// Ticks from one change to the next.
const TICKS: i64 = 15;
