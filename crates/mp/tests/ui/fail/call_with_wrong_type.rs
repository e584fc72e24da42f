use mp::prelude::*;
use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(points: i64);
}

fn call(score: NodeRef<Score>, scene: &mut Scene) {
    let _ = score.rpcs().add("3").call(scene);
}

fn main() {}
