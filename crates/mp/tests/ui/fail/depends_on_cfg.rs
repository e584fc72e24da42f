use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[cfg(debug_assertions)]
    #[rpc]
    fn add(points: i64);
}

fn main() {}
