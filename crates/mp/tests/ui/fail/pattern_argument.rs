use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(&mut self, (x, y): (i64, i64)) {
        let _ = (x, y);
    }
}

fn main() {}
