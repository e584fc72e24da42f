use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc(any_peer, authority)]
    fn add(points: i64);

    #[rpc(reliable, unreliable)]
    fn sub(points: i64);

    #[rpc(channel = 300)]
    fn mul(points: i64);
}

fn main() {}
