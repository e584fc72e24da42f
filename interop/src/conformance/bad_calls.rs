//! Calls that the receiver cannot execute are dropped; the connection stays open.

use mp_core::variant::Array;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let to_server = world.add("ToServer", Strict::default())?;
    let to_client = world.add("ToClient", Strict::default())?;
    let ghost = world.add("Ghost_server", Ghost)?;
    let ctl = Ctl::open(world)?;
    let client = ctl.ids[0];

    world.until("3 pings", |world| world.get(to_server).pings() >= 3)?;
    check_pings(world, to_server, client);
    // `few`, and `typed` twice. `boo` is deferred for a while before it is refused.
    let refused = world.scene().stats().refused_calls;
    report.check("refused calls", refused, 3);

    send(world, client, to_client, ghost)?;
    ctl.close(world)?;

    check_pings(world, to_server, client);
    report.check("calls of ToClient here", world.get(to_client).executed.len(), 0);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let (report, server) = (world.report.clone(), PeerId::SERVER);
    let to_server = world.add("ToServer", Strict::default())?;
    let to_client = world.add("ToClient", Strict::default())?;
    let ghost = world.add("Ghost_client", Ghost)?;
    let ctl = ClientCtl::enter(world)?;

    send(world, server, to_server, ghost)?;
    world.until("3 pings", |world| world.get(to_client).pings() >= 3)?;
    check_pings(world, to_client, server);
    // As on the server.
    let refused = world.scene().stats().refused_calls;
    report.check("refused calls", refused, 3);
    ctl.close(world)?;

    check_pings(world, to_client, server);
    report.check("calls of ToServer here", world.get(to_server).executed.len(), 0);
    Ok(())
}

/// Sends three pings with non-executable calls in between.
fn send(
    world: &mut World,
    to: PeerId,
    node: NodeRef<Strict>,
    ghost: NodeRef<Ghost>,
) -> ScenarioResult {
    world.rpc_id(to, node, "ping", (1,))?;
    world.rpc_id(to, ghost, "boo", ())?;
    world.rpc_id(to, node, "few", (7,))?;
    world.rpc_id(to, node, "ping", (2,))?;
    world.rpc_id(to, node, "typed", ("not a number",))?;
    world.rpc_id(to, node, "typed", (Array::from([1, 2, 3]),))?;
    world.rpc_id(to, ghost, "boo", ())?;
    world.rpc_id(to, node, "ping", (3,))
}

fn check_pings(world: &mut World, node: NodeRef<Strict>, caller: PeerId) {
    let report = world.report.clone();
    let executed = world.get(node).executed.clone();
    let expected = [1, 2, 3].map(|n| ("ping", n, caller));
    report.check("executed calls", executed, expected.into());
}

#[derive(Default)]
pub(super) struct Strict {
    executed: Vec<(&'static str, i64, PeerId)>,
}

impl Strict {
    fn pings(&self) -> usize {
        self.executed.iter().filter(|(method, ..)| *method == "ping").count()
    }
}

impl Node for Strict {
    fn rpc_table() -> RpcTable<Self> {
        let any_peer = RpcConfig::any_peer();
        let one = |method: &'static str| {
            move |strict: &mut Self, cx: &mut RpcContext<'_>, (n,): (i64,)| {
                strict.executed.push((method, n, cx.remote_sender()));
            }
        };
        RpcTable::new()
            .method("few", any_peer, |strict: &mut Self, cx, (a, _b): (i64, i64)| {
                strict.executed.push(("few", a, cx.remote_sender()));
            })
            .method("ping", any_peer, one("ping"))
            .method("typed", any_peer, one("typed"))
    }
}

pub(super) struct Ghost;

impl Node for Ghost {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().remote("boo", RpcConfig::any_peer())
    }
}
