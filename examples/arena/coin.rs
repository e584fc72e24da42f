//! Coins: `godot/coin.tscn`.

use mp::prelude::*;

/// A coin, which stays where the server has placed it.
#[derive(Default, Node)]
#[node(tscn = "arena/godot/coin.tscn")]
pub(crate) struct Coin {
    #[replicate(spawn)]
    pub(crate) position: Vector2,
}

impl Coin {
    pub(crate) fn scene() -> PackedScene {
        PackedScene::new("res://coin.tscn", || {
            let sync = MultiplayerSynchronizer::new(Self::replication_config());
            Instance::new("Coin", Self::default()).child(Instance::new("Sync", sync))
        })
    }
}
