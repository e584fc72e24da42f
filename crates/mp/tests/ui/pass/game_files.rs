//! Nodes that equal those of the game's files.

use mp::prelude::*;

#[derive(Default, Node)]
struct Score;

#[rpc_methods(gd = "tests/ui/godot/score.gd")]
impl Score {
    #[rpc(any_peer)]
    fn add(&mut self, points: i64, reason: Option<String>) {
        let _ = (points, reason);
    }

    #[rpc(stub)]
    fn reset();

    #[rpc(unreliable_ordered, channel = 2)]
    fn shown(total: i64, tags: Vec<String>);
}

#[derive(Default, Node)]
#[node(tscn = "tests/ui/godot/player.tscn")]
struct Player {
    #[replicate(spawn, rename = "name_tag")]
    name: String,
    #[replicate(spawn, on_change)]
    health: Replicated<i64>,
    #[replicate(no_spawn, always)]
    aim: f64,
}

#[derive(Node)]
#[node(tscn = "tests/ui/godot/two_synchronizers.tscn", synchronizer = "Input")]
struct Input {
    #[node(synchronizer)]
    sync: MultiplayerSynchronizer,
    #[replicate(no_spawn, always)]
    direction: f64,
}

fn main() {
    let sync = MultiplayerSynchronizer::new(Input::replication_config()).with_root_path(".");
    let _ = (Score, Player::default(), Input { sync, direction: 0.0 });
    let config = ReplicationConfig::new()
        .spawn(".:name_tag")
        .on_change(".:health")
        .always_without_spawn(".:aim");
    assert_eq!(Player::replication_config(), config);
}
