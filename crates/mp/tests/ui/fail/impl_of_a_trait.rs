use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Drop for Score {
    fn drop(&mut self) {}
}

fn main() {}
