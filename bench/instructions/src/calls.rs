//! Calls of a server's method by a client in memory.

use std::cell::Cell;
use std::rc::Rc;

use mp::core::variant::Vector3;
use mp::prelude::*;
use mp::scene::BuildError;
use mp::scene::testing::Lan;

use crate::{Counts, counted};

/// Counts received calls.
struct Game(Rc<Cell<u32>>);

impl Node for Game {
    fn rpc_table() -> RpcTable<Self> {
        let config = RpcConfig::any_peer().unreliable();
        RpcTable::new().method(
            "hit",
            config,
            |game: &mut Self, _, (_, _, tag): (i64, Vector3, String)| {
                game.0.set(game.0.get() + u32::from(tag == "jump"));
            },
        )
    }
}

/// Calls a method with an int, a Vector3 and a String `operations` times, [`CALLS`] per step.
pub(crate) fn run(operations: u32) -> Result<Counts, BuildError> {
    let received = Rc::new(Cell::new(0));
    let game = |calls: &Rc<Cell<u32>>| {
        let calls = Rc::clone(calls);
        Branch::builder("/root").setup(move |scene| {
            scene.add("Game", Game(calls))?;
            Ok(())
        })
    };
    let mut lan = Lan::new(game(&received))?;
    let client = lan.join(game(&Rc::default()))?;
    lan.settle();
    let node = lan.scene(client).node::<Game>("Game").expect("it was added");
    let position = Vector3 { x: 1.5, y: 0.0, z: -3.0 };
    let counts = counted(operations, |operation| {
        let args = (i64::from(operation), position, "jump");
        let called = lan.scene(client).rpc_id(PeerId::SERVER, node, "hit", args);
        called.expect("the client is connected");
        if operation % CALLS == CALLS - 1 {
            lan.step();
        }
        0
    });
    lan.settle();
    assert_eq!(received.get(), operations, "every call is received");
    Ok(counts)
}

const CALLS: u32 = 30;
