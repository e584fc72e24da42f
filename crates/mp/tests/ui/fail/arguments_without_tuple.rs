use mp::prelude::*;

struct Chat;

impl Node for Chat {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("say", RpcConfig::any_peer(), |_, _cx, _text: String| {})
    }
}

fn call(chat: NodeId, scene: &mut Scene) {
    let _ = scene.rpc(chat, "say", ("hello"));
    let _ = scene.rpc(chat, "say", "hello");
    let _ = scene.rpc(chat, "say", vec!["hello"]);
}

fn main() {}
