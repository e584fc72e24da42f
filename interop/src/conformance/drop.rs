//! A client vanishes without disconnecting; the server times it out, and the client rejoins.

use std::time::Duration;

use mp_transport_enet::proto::TimeoutConfig;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

/// Timeout of the server for silent clients; shorter than the default, as in Godot's server of this
/// scenario.
const TIMEOUT: TimeoutConfig =
    TimeoutConfig { limit: 8, minimum: Duration::from_secs(1), maximum: Duration::from_secs(3) };
/// Time until the client rejoins.
const AWAY: Duration = Duration::from_millis(500);

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    world.timeout = TIMEOUT;
    let mut ctl = Ctl::open(world)?;
    let lost = ctl.ids[0];
    // The client may rejoin before its loss is noticed.
    ctl.forget_hello(world, 0);
    world.may_leave(&[lost]);
    ctl.go_for(world, lost, "vanish")?;
    let signal = format!("peer_disconnected({lost})");
    world.until(&signal, |world| world.has_seen(&signal))?;
    report.check_that("the lost client is not a peer", !world.peers().contains(&lost));
    ctl.gather(world)?;
    report.check_that("the client has a new id", ctl.ids[0] != lost);
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut ctl = ClientCtl::enter(world)?;
    let lost = world.me();
    ctl.go(world, "vanish")?;
    world.vanish();
    report.check("peers after vanishing", world.peers(), vec![]);
    world.pause(AWAY)?;
    world.may_leave(&[lost]); // it may still be connected when its successor joins
    ctl.join(world)?;
    report.check_that("my id is a new one", world.me() != lost);
    ctl.close(world)
}
