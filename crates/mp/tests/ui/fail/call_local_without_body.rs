use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc(call_local)]
    fn add(points: i64);
}

fn main() {}
