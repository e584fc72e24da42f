use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(points: i64);
}

#[rpc_methods]
impl Score {
    #[rpc]
    fn sub(points: i64);
}

fn main() {}
