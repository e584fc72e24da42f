//! Buds: nodes below plants, with a synchronizer that does not restrict who receives it. A bud must reach
//! nobody who does not see its plant.

use std::time::Duration;

use mp_scene::Scene;
use mp_scene::prelude::*;

use super::model::Model;
use super::replicas::{SPROUTS, paths, sync};

/// A node below a plant.
#[derive(Default)]
pub struct Bud {
    /// Its size, which only the server changes.
    pub size: i64,
    /// Counts up, and is sent all the time.
    age: i64,
    /// How often the server has touched it.
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

/// A bud with its synchronizer, for a plant to have below it.
pub(super) fn bud() -> Instance {
    let config = ReplicationConfig::new().on_change(".:size").always(".:age");
    let sync = MultiplayerSynchronizer::new(config);
    Instance::new(BUD, Bud::default()).child(Instance::new("Sync", sync))
}

/// Lets the bud of the plant at `path` grow to `size`, and calls it on everybody who is to know of it.
pub(super) fn tend(scene: &mut Scene, path: &str, size: i64) {
    let Ok(node) = scene.node::<Bud>(&format!("{path}/{BUD}")) else { return };
    if let Ok(bud) = scene.get_mut(node) {
        bud.size = size;
        bud.age += 1;
    }
    let _ = scene.rpc(node, TOUCH, ());
}

/// Lets every bud grow, calls all of them, and sends each all the time from now on.
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

/// The name of buds.
pub const BUD: &str = "Bud";
const TOUCH: &str = "touch";
