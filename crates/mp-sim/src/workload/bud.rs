//! Buds: nodes below plants, with a synchronizer of their own without visibility restrictions. A
//! bud must only be sent to peers that see its plant.

use std::time::Duration;

use mp_scene::Scene;
use mp_scene::prelude::*;

use super::model::Model;
use super::replicas::{SPROUTS, paths, sync};

/// Child node of a plant or sprout.
#[derive(Default)]
pub struct Bud {
    /// Size; only the server changes it.
    pub size: i64,
    /// Incremented by the server; replicated in mode `always`.
    age: i64,
    /// Number of `touch` calls received.
    touches: i64,
}

impl Node for Bud {
    fn rpc_table() -> RpcTable<Self> {
        let touch = |bud: &mut Self, _: &mut RpcContext<'_>, (): ()| bud.touches += 1;
        RpcTable::new().method(TOUCH, RpcConfig::authority(), touch)
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("size", |bud: &mut Self| &mut bud.size)
            .property("age", |bud: &mut Self| &mut bud.age)
    }
}

/// Creates a bud with its synchronizer.
pub(super) fn bud() -> Instance {
    let config = ReplicationConfig::new().on_change(".:size").always(".:age");
    let sync = MultiplayerSynchronizer::new(config);
    Instance::new(BUD, Bud::default()).child(Instance::new("Sync", sync))
}

/// Sets the size of the bud of the plant at `path`, and calls `touch` on every peer that has it.
pub(super) fn tend(scene: &mut Scene, path: &str, size: i64) {
    let Ok(node) = scene.node::<Bud>(&format!("{path}/{BUD}")) else { return };
    if let Ok(bud) = scene.get_mut(node) {
        bud.size = size;
        bud.age += 1;
    }
    let _ = scene.rpc(node, TOUCH, ());
}

/// Grows and calls every bud. From then on buds are replicated every tick.
pub fn tend_all(scene: &mut Scene, model: &mut Model) {
    for (name, plant) in &mut model.plants {
        plant.bud += 1;
        for path in paths(name, plant) {
            let is_sprout = path.contains(SPROUTS);
            tend(scene, &path, if is_sprout { 0 } else { plant.bud });
            if let Some(sync) = sync(scene, &format!("{path}/{BUD}/Sync")) {
                sync.set_replication_interval(Duration::ZERO);
            }
        }
    }
}

/// Node name of buds.
pub const BUD: &str = "Bud";
const TOUCH: &str = "touch";
