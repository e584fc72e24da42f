use mp::prelude::*;
use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(points: i64);
}

#[deny(unused_must_use)]
fn call(score: NodeRef<Score>) {
    score.rpcs().add(3);
}

fn main() {}
