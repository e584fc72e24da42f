use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc(remote)]
    fn add(&mut self, points: i64) {
        let _ = points;
    }
}

fn main() {}
