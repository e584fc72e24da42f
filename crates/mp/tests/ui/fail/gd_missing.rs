use mp::prelude::*;

#[derive(Node)]
struct Score;

#[rpc_methods(gd = "tests/ui/godot/score.gd")]
impl Score {}

fn main() {}
