//! Unreliable calls: no duplicates, unreliable-ordered ones in order, enough received.

use std::collections::BTreeSet;
use std::time::Duration;

use mp_scene::prelude::*;
use serde_json::json;

use super::ctl::{ClientCtl, Ctl};
use crate::report::Report;
use crate::world::{FRAME, ScenarioResult, World};

const COUNT: usize = 200;
const PER_FRAME: usize = 10;
const PAD: usize = 300;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let pipe = world.add("Pipe", Pipe { report: world.report.clone(), ..Pipe::default() })?;
    let ctl = Ctl::open(world)?;
    let client = ctl.ids[0];

    ctl.notes(world, "sent")?;
    check_enough(world, pipe)?;
    send(world, pipe, client)?;
    ctl.go(world, "sent")?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let pipe = world.add("Pipe", Pipe { report: world.report.clone(), ..Pipe::default() })?;
    let ctl = ClientCtl::enter(world)?;
    send(world, pipe, PeerId::SERVER)?;
    ctl.note(world, "sent")?;
    ctl.go(world, "sent")?;
    check_enough(world, pipe)?;
    ctl.close(world)
}

/// Checks the number of received calls after a delay; each call was checked on arrival.
fn check_enough(world: &mut World, pipe: NodeRef<Pipe>) -> ScenarioResult {
    let report = world.report.clone();
    world.pause(Duration::from_millis(300))?;
    let Pipe { plain, ordered, .. } = world.get(pipe);
    let received = [plain.len(), ordered.len()];
    let line =
        json!({ "event": "arrived", "unreliable": received[0], "unreliable_ordered": received[1] });
    report.say(&line);
    for count in received {
        report.check_that(&format!("{count} of {COUNT} are enough"), count * 10 >= COUNT);
    }
    Ok(())
}

fn send(world: &mut World, pipe: NodeRef<Pipe>, to: PeerId) -> ScenarioResult {
    for n in 0..COUNT {
        for method in ["u", "o"] {
            world.rpc_id(to, pipe, method, (n as i64, vec![0u8; PAD]))?;
        }
        if n % PER_FRAME == PER_FRAME - 1 {
            world.pause(FRAME)?;
        }
    }
    Ok(())
}

#[derive(Default)]
pub(super) struct Pipe {
    report: Report,
    plain: BTreeSet<usize>,
    ordered: Vec<usize>,
}

impl Node for Pipe {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("o", any_peer.unreliable_ordered(), |pipe: &mut Self, _cx, (n, pad)| {
                pipe.check(n, pad);
                let grows = pipe.ordered.last().is_none_or(|&last| n > last);
                pipe.report.check_that(&format!("o({n}) is newer than those before"), grows);
                pipe.ordered.push(n);
            })
            .method("u", any_peer.unreliable(), |pipe: &mut Self, _cx, (n, pad)| {
                pipe.check(n, pad);
                let is_new = pipe.plain.insert(n);
                pipe.report.check_that(&format!("u({n}) was received once"), is_new);
            })
    }
}

impl Pipe {
    fn check(&self, n: usize, pad: Vec<u8>) {
        self.report.check_that(&format!("{n} is less than {COUNT}"), n < COUNT);
        self.report.check("the padding", pad, vec![0; PAD]);
    }
}
