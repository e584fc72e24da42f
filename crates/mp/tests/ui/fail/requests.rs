use mp::prelude::*;

#[derive(Node)]
struct Shop;

struct Mine;

#[rpc_methods]
impl Shop {
    #[request(any_peer)]
    fn price(&mut self, item: String) {
        let _ = item;
    }

    #[request(call_local)]
    fn stock(&mut self) -> i64 {
        0
    }

    #[request]
    fn owner(&mut self) -> Mine {
        Mine
    }

    #[request]
    fn name() -> String;

    #[rpc]
    fn name_answer();
}

fn main() {}
