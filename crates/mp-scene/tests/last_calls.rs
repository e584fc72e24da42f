//! Local calls of nodes that are removed before the calls can run.
#![allow(missing_docs, reason = "a test")]

use std::cell::RefCell;
use std::rc::Rc;

use mp_scene::prelude::*;
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;

type Log = Rc<RefCell<Vec<String>>>;

/// A node whose methods remove nodes after a last call.
struct Mob(Log);

impl Node for Mob {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method(
                "die",
                RpcConfig::any_peer().call_local(),
                |mob: &mut Self, cx, (n,): (i64,)| {
                    let line = format!("{} dies {n}", cx.unique_id());
                    mob.0.borrow_mut().push(line);
                    if n > 0 {
                        cx.rpc_self("die", (n - 1,)).unwrap();
                    }
                },
            )
            .method("hurt", RpcConfig::any_peer(), |_: &mut Self, cx, (n,): (i64,)| {
                let node = cx.node_id();
                cx.rpc(node, "die", (n,)).unwrap();
                cx.remove(node).unwrap();
            })
            .method("hurt_child", RpcConfig::any_peer(), |_: &mut Self, cx, ()| {
                let child = cx.find("Mob/Child").unwrap();
                let own = cx.unique_id();
                cx.rpc_id(own, child, "fell", ()).unwrap();
            })
            .method("fell", RpcConfig::any_peer().call_local(), |_: &mut Self, cx, ()| {
                let parent = cx.find("Mob").unwrap();
                cx.rpc(parent, "die", (0,)).unwrap();
                cx.remove(parent).unwrap();
            })
    }
}

/// Returns what was logged after the client called `method` of the server's mob.
fn lines(method: &str, args: impl IntoArgs) -> Vec<String> {
    let log = Log::default();
    let game = || {
        let log = log.clone();
        Branch::builder("/root/Game").setup(move |scene| {
            scene.add("Mob", Mob(log.clone()))?;
            scene.add("Mob/Child", Mob(log))
        })
    };
    let mut lan = Lan::new(game()).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    let mob = lan.scene(client).find("Mob").unwrap();
    lan.scene(client).rpc_id(SERVER, mob, method, args).unwrap();
    lan.settle();
    assert!(lan.scene(SERVER).find("Mob").is_err());
    log.borrow().clone()
}

#[test]
fn last_call_of_a_removed_node_is_also_made_locally() {
    let lines = lines("hurt", (0,));
    assert_eq!(lines, ["1 dies 0", "2 dies 0"]);
}

#[test]
fn last_calls_of_a_parent_removed_by_its_child_are_made() {
    let lines = lines("hurt_child", ());
    assert_eq!(lines, ["1 dies 0", "2 dies 0"]);
}
