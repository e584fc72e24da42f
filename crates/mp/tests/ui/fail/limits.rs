use mp::prelude::*;

#[derive(Node)]
struct Score;

#[rpc_methods]
impl Score {
    #[rpc(rate = "often")]
    fn add(&mut self) {}

    #[rpc(rate = "0/s")]
    fn sub(&mut self) {}

    #[rpc(max_bytes = -1)]
    fn mul(&mut self) {}

    #[rpc(rate = "20/s")]
    fn shown();
}

fn main() {}
