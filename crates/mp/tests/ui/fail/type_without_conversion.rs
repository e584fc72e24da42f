use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

struct Mine;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(&mut self, points: i64, mine: Mine) {
        let _ = (points, mine);
    }

    #[rpc]
    fn shown(mine: Mine);
}

fn main() {}
