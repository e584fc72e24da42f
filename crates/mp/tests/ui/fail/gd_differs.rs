use mp::prelude::*;

#[derive(Node)]
struct Score;

#[rpc_methods(gd = "tests/ui/godot/score.gd")]
impl Score {
    #[rpc]
    fn add(&mut self, points: i64) {
        let _ = points;
    }

    #[rpc(any_peer, call_local)]
    fn reset(&mut self) {}

    #[rpc(unreliable_ordered)]
    fn shown(total: i64);

    #[rpc]
    fn hit(&mut self) {}
}

fn main() {}
