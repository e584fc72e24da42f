use mp::prelude::*;
use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(&mut self, points: i64, cx: &mut RpcContext<'_>) {
        let _ = (points, cx);
    }
}

fn main() {}
