use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc(anypeer)]
    fn add(points: i64);

    #[rpc(master)]
    fn sub(points: i64);
}

fn main() {}
