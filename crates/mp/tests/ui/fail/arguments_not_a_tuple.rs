use mp::prelude::*;

struct Chat;

impl Node for Chat {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("say", RpcConfig::any_peer(), |_: &mut Self, cx, text: String| {
            let _ = cx.rpc_self("said", text);
        })
    }
}

fn say(scene: &mut Scene, chat: NodeRef<Chat>) {
    let _ = scene.rpc(chat, "say", "hello");
}

fn main() {}
