use mp::prelude::*;

#[derive(Node)]
#[node(tscn = "tests/ui/godot/player.tscn")]
struct Swapped {
    #[replicate(spawn, on_change)]
    health: i64,
    #[replicate(spawn)]
    name_tag: String,
    #[replicate(no_spawn, always)]
    aim: f64,
}

#[derive(Node)]
#[node(tscn = "tests/ui/godot/player.tscn")]
struct Modes {
    #[replicate(spawn)]
    name_tag: String,
    #[replicate(always)]
    health: i64,
    #[replicate(always)]
    aim: f64,
}

#[derive(Node)]
#[node(tscn = "tests/ui/godot/two_synchronizers.tscn")]
struct Ambiguous {
    #[replicate(always)]
    direction: f64,
}

#[derive(Node)]
#[node(tscn = "tests/ui/godot/two_synchronizers.tscn", synchronizer = "Inputs")]
struct Absent {
    #[replicate(always)]
    direction: f64,
}

#[derive(Node)]
#[node(tscn = "tests/ui/godot/score.gd")]
struct NoScene {
    #[replicate(always)]
    direction: f64,
}

fn main() {}
