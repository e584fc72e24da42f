use mp::{Node, rpc_methods};

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc]
    fn say(&mut self, text: &str) {
        let _ = text;
    }

    #[rpc]
    fn shown(text: &[u8]);
}

fn main() {}
