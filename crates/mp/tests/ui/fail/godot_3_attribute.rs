use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[remote]
    fn add(&mut self) {}
}

fn main() {}
