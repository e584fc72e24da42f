//! The server refuses new connections for 4 seconds, while client 1 tries to rejoin.

use std::time::Duration;

use mp_scene::prelude::*;
use mp_transport_enet::proto::TimeoutConfig;

use super::ctl::{ClientCtl, Ctl, LONG};
use crate::world::{REJOIN, ScenarioError, ScenarioResult, World};

/// Time for which the server refuses connections.
const CLOSED: Duration = Duration::from_secs(4);
/// Delay between leaving and the first attempt of client 1.
const AWAY: Duration = Duration::from_millis(700);
/// Time to wait for an answer to `hello`.
const ANSWER: Duration = Duration::from_millis(1500);
/// Timeout for the silent server; Godot's server is silent while it refuses.
const TIMEOUT: TimeoutConfig =
    TimeoutConfig { limit: 8, minimum: Duration::from_secs(1), maximum: Duration::from_secs(2) };

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut ctl = Ctl::open(world)?;
    let (staying, leaving) = (ctl.ids[0], ctl.ids[1]);
    world.may_leave(&[leaving]);
    ctl.go_for(world, leaving, "go away")?;
    let left = format!("peer_disconnected({leaving})");
    world.until("client 1 to leave", |world| world.has_seen(&left))?;
    ctl.forget_hello(world, 1);

    world.scene().multiplayer_mut().set_refuse_new_connections(true);
    let so_far = world.signals().len();
    ctl.go_for(world, staying, "refusing")?;
    world.pause(CLOSED)?;
    report.check_that("the transport refuses", world.is_refusing_new_connections());
    report.check("signals while refusing", world.signals().split_off(so_far), vec![]);
    report.check_that("no hello while refusing", !ctl.hello(world).contains_key(&1));
    report.check("peers while refusing", world.peers(), vec![staying]);

    world.scene().multiplayer_mut().set_refuse_new_connections(false);
    ctl.gather(world)?;
    report.check("the id of client 0", ctl.ids[0], staying);
    report.check_that("client 1 has a new id", ctl.ids[1] != leaving);
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut ctl = ClientCtl::enter(world)?;
    let (me, server) = (world.me(), PeerId::SERVER);
    let leaving = ctl.ids[1];
    world.may_leave(&[leaving]);
    if world.options.index == 0 {
        ctl.go(world, "refusing")?;
        return ctl.close(world);
    }
    ctl.go(world, "go away")?;
    world.leave();
    ctl.forget(world);
    world.pause(AWAY)?;

    world.timeout = TIMEOUT;
    world.may_leave(&[server]);
    let expected = if world.try_join()? {
        // The transport may be connected, but the call must have no effect.
        ctl.hello(world)?;
        world.until_within(LONG, "server_disconnected", |world| {
            world.has_seen("server_disconnected")
        })?;
        let last = ["peer_disconnected(1)", "server_disconnected"];
        ["connected_to_server", "peer_connected(1)"].into_iter().chain(last).collect()
    } else {
        vec!["connection_failed"]
    };
    let expected: Vec<_> = expected.into_iter().map(str::to_owned).collect();
    report.check("signals of the refused", world.signals(), expected);
    report.check_that("no start while refused", !ctl.has_go(world, "start"));

    come_back(world, &ctl)?;
    ctl.wait_to_start(world)?;
    report.check_that("my id is a new one", world.me() != me);
    ctl.close(world)
}

/// Joins and calls `hello` repeatedly until the server answers.
fn come_back(world: &mut World, ctl: &ClientCtl) -> ScenarioResult {
    let limit = world.now() + LONG;
    while world.now() < limit {
        if world.try_join()? {
            ctl.hello(world)?;
            let deadline = world.now() + ANSWER;
            world.until("an answer", |world| {
                let is_over = world.has_seen("server_disconnected") || world.now() >= deadline;
                is_over || ctl.has_go(world, "start")
            })?;
            if ctl.has_go(world, "start") {
                return Ok(());
            }
        }
        world.leave();
        world.pause(REJOIN)?;
    }
    Err(ScenarioError("could not rejoin".into()))
}
