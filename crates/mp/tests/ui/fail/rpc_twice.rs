use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc(any_peer)]
    #[rpc(reliable)]
    fn add(points: i64);
}

fn main() {}
