use mp::prelude::*;

#[derive(Node)]
struct Score;

#[rpc_methods(gd = "tests/ui/godot/broken.gd")]
impl Score {}

#[derive(Node)]
struct Absent;

#[rpc_methods(gd = "tests/ui/godot/absent.gd")]
impl Absent {}

#[derive(Node)]
struct Circle;

#[rpc_methods(gd = "tests/ui/godot/circle.gd")]
impl Circle {}

#[derive(Node)]
struct Other;

#[rpc_methods(script = "tests/ui/godot/score.gd")]
impl Other {}

fn main() {}
