use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

impl Score {
    const N: usize = 3;
}

#[rpc_methods]
impl Score {
    #[rpc]
    fn add(&mut self, other: Vec<Self>) {
        let _ = (other, Self::N);
    }
}

fn main() {}
