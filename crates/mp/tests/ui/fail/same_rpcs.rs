//! Two types whose RPCs differ.

use mp::prelude::*;

#[derive(Default, Node)]
struct Player;

#[rpc_methods]
impl Player {
    #[rpc(any_peer, unreliable_ordered, rate = "20/s")]
    fn steer(&mut self, _x: f64, _tags: Vec<String>) {}

    #[request(any_peer)]
    fn price(&mut self, item: String) -> i64 {
        item.len() as i64
    }
}

#[derive(Default, Node)]
struct OtherMode;

#[rpc_methods]
impl OtherMode {
    #[rpc(any_peer)]
    fn steer(x: f64, tags: Vec<String>);

    #[request(any_peer)]
    fn price(item: String) -> i64;
}

#[derive(Default, Node)]
struct NoRequest;

#[rpc_methods]
impl NoRequest {
    #[rpc(any_peer, unreliable_ordered)]
    fn steer(x: f64, tags: Vec<String>);
}

#[derive(Default, Node)]
struct OneArgument;

#[rpc_methods]
impl OneArgument {
    #[rpc(any_peer, unreliable_ordered)]
    fn steer(x: f64);

    #[rpc(stub)]
    fn price();
}

mp::same_rpcs!(Player, OtherMode);
mp::same_rpcs!(NoRequest, Player);
mp::same_rpcs!(Player, OneArgument);

fn main() {}
