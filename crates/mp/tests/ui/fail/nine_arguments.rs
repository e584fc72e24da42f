use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(a: i64, b: i64, c: i64, d: i64, e: i64, f: i64, g: i64, h: i64, i: i64);
}

fn main() {}
