use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(points: i64) {
        let _ = points;
    }

    #[rpc]
    fn sub(self, points: i64) {
        let _ = points;
    }

    #[rpc]
    fn shown(&mut self, points: i64);
}

fn main() {}
