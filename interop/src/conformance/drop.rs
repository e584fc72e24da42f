//! A client vanishes without a goodbye; the server notices by itself, and the client joins again.

use std::time::Duration;

use mp_transport_enet::proto::Patience;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{Played, World};

/// When the server gives a silent client up: sooner than by default, as Godot's server of this scenario does.
const PATIENCE: Patience =
    Patience { limit: 8, minimum: Duration::from_secs(1), maximum: Duration::from_secs(3) };
/// For noticing the loss.
const LOSS: Duration = Duration::from_secs(45);
/// How long the client stays away.
const AWAY: Duration = Duration::from_millis(500);

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    world.patience = PATIENCE;
    let mut ctl = Ctl::open(world)?;
    let lost = ctl.ids[0];
    // It may be back before its loss is noticed.
    ctl.forget_hello(world, 0);
    world.may_leave(&[lost]);
    ctl.go_for(world, lost, "vanish")?;
    let signal = format!("peer_disconnected({lost})");
    world.until_within(LOSS, &signal, |world| world.has_seen(&signal))?;
    report.check_that("the lost client is no peer", !world.peers().contains(&lost));
    ctl.gather(world)?;
    report.check_that("the client has a new id", ctl.ids[0] != lost);
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> Played {
    let report = world.report.clone();
    let mut ctl = ClientCtl::enter(world)?;
    let lost = world.me();
    ctl.go(world, "vanish")?;
    world.vanish();
    report.check("peers after vanishing", world.peers(), vec![]);
    world.pause(AWAY)?;
    world.may_leave(&[lost]); // it may still be a peer of its successor
    ctl.join(world)?;
    report.check_that("my id is a new one", world.me() != lost);
    ctl.close(world)
}
