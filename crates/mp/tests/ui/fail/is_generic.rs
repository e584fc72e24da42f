use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn add<T>(&mut self, value: T) {
        let _ = value;
    }

    #[rpc]
    fn sub(value: impl Into<i64>);
}

fn main() {}
