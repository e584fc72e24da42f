use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(points: i64);

    #[rpc(rename = "add")]
    fn plus(points: i64);
}

fn main() {}
