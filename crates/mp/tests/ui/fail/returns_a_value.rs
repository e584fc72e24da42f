use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn total(&mut self) -> i64 {
        0
    }
}

fn main() {}
