//! 2000 reliable calls at once on channel 0, and 500 on channel 2, in both directions.

use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

const COUNT: i64 = 2000;
/// Calls on channel 0 per call on channel 2.
const PER_COUNT2: i64 = 4;
const COUNT2: i64 = COUNT / PER_COUNT2;

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let pipe = world.add("Pipe", Pipe::default())?;
    let ctl = Ctl::open(world)?;
    let client = ctl.ids[0];
    world.until("the client's calls", |world| world.get(pipe).has_all())?;
    check(world, pipe);
    send(world, pipe, client)?;
    ctl.close(world)?;
    check(world, pipe);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let pipe = world.add("Pipe", Pipe::default())?;
    let ctl = ClientCtl::enter(world)?;
    send(world, pipe, PeerId::SERVER)?;
    world.until("the server's calls", |world| world.get(pipe).has_all())?;
    check(world, pipe);
    ctl.close(world)?;
    check(world, pipe);
    Ok(())
}

fn send(world: &mut World, pipe: NodeRef<Pipe>, to: PeerId) -> ScenarioResult {
    for n in 0..COUNT {
        world.rpc_id(to, pipe, "count", (n, format!("item {n}")))?;
        if n % PER_COUNT2 == 0 {
            world.rpc_id(to, pipe, "count2", (n / PER_COUNT2,))?;
        }
    }
    Ok(())
}

fn check(world: &mut World, pipe: NodeRef<Pipe>) {
    let report = world.report.clone();
    let Pipe { zero, two } = world.get(pipe).clone();
    let expected = (0..COUNT).map(|n| (n, format!("item {n}")));
    let wrong = zero.iter().zip(expected).find(|(got, expected)| **got != *expected);
    report.check("a call on channel 0 out of order", wrong, None);
    report.check("calls on channel 0", zero.len(), COUNT as usize);
    report.check("channel 2", two, (0..COUNT2).collect());
}

#[derive(Clone, Default)]
pub(super) struct Pipe {
    zero: Vec<(i64, String)>,
    two: Vec<i64>,
}

impl Pipe {
    fn has_all(&self) -> bool {
        self.zero.len() >= COUNT as usize && self.two.len() >= COUNT2 as usize
    }
}

impl Node for Pipe {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        RpcTable::new()
            .method("count", any_peer, |pipe: &mut Self, _cx, count| pipe.zero.push(count))
            .method("count2", any_peer.channel(2), |pipe: &mut Self, _cx, (n,)| pipe.two.push(n))
    }
}
