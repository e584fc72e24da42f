//! The same client joins three times; each session starts without state of the previous ones.

use std::collections::BTreeSet;

use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::report::Report;
use crate::world::{ScenarioResult, World};

const ROUNDS: usize = 3;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let echo = world.add("Echo", Echo { report: world.report.clone(), ..Echo::default() })?;
    let mut ctl = Ctl::new(world)?;
    let mut used = BTreeSet::new();
    for round in 1..=ROUNDS {
        ctl.forget_hello(world, 0);
        ctl.gather(world)?;
        let id = ctl.ids[0];
        report.check_that(&format!("the id {id} is new"), used.insert(id));
        if round < ROUNDS {
            world.may_leave(&[id]);
            let left = format!("peer_disconnected({id})");
            world.until("the client to leave", |world| world.has_seen(&left))?;
            check_asked(world, echo, id);
        }
    }
    let id = ctl.ids[0];
    ctl.close(world)?;
    check_asked(world, echo, id);
    report.check("signals in all", world.signals().len(), 2 * ROUNDS);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let echo = world.add("Echo", Echo { report: world.report.clone(), ..Echo::default() })?;
    let mut ctl = ClientCtl::new(world)?;
    let mut used = BTreeSet::new();
    for round in 1..=ROUNDS {
        ctl.join(world)?;
        let id = world.me();
        report.check_that(&format!("the id {id} is new"), used.insert(id));
        let expected = ["connected_to_server", "peer_connected(1)"].map(str::to_owned);
        report.check("the signals", world.signals(), expected.into());
        for n in 0..10 {
            world.rpc_id(PeerId::SERVER, echo, "ask", (n,))?;
        }
        world.until("10 answers", |world| world.get(echo).answers.len() >= 10)?;
        let answers = std::mem::take(&mut world.get(echo).answers);
        report.check("the answers", answers, (0..10).map(|n| (PeerId::SERVER, n * n)).collect());
        if round < ROUNDS {
            world.leave();
            report.check("peers after leaving", world.peers(), vec![]);
        }
    }
    ctl.close(world)?;
    report.check("answers in the end", world.get(echo).answers.len(), 0);
    Ok(())
}

/// Checks that the round's questions came from its id, in order, and that no peer is left.
fn check_asked(world: &mut World, echo: NodeRef<Echo>, id: PeerId) {
    let report = world.report.clone();
    let requests = std::mem::take(&mut world.get(echo).requests);
    report.check("the questions", requests, (0..10).map(|n| (id, n)).collect());
    report.check("peers after leaving", world.peers(), vec![]);
}

#[derive(Default)]
pub(super) struct Echo {
    report: Report,
    requests: Vec<(PeerId, i64)>,
    answers: Vec<(PeerId, i64)>,
}

impl Node for Echo {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("answer", RpcConfig::authority(), |echo: &mut Self, cx, (n,): (i64,)| {
                echo.answers.push((cx.remote_sender(), n));
            })
            .method("ask", RpcConfig::any_peer(), |echo: &mut Self, cx, (n,): (i64,)| {
                let sender = cx.remote_sender();
                echo.requests.push((sender, n));
                if let Err(error) = cx.reply("answer", (n * n,)) {
                    echo.report.fail(format!("answer to {n}: {error}"));
                }
            })
    }
}
