//! Joining and leaving: signals and peers on each side.

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut desk = Desk::open(world)?;
    report.check("my id", world.me(), PeerId::SERVER);
    let (leaving, staying) = (desk.ids[0], desk.ids[1]);
    report.check_that("both ids are greater than 1", desk.ids.iter().all(|id| id.get() > 1));
    report.check_that("the ids differ", leaving != staying);
    let mut connected =
        desk.ids.iter().map(|id| format!("peer_connected({id})")).collect::<Vec<_>>();
    connected.sort();
    let mut signals = world.signals();
    signals.sort();
    report.check("the signals", signals, connected);

    desk.wait_for_all(world, "met")?;
    world.may_leave(&[leaving]);
    desk.next_for(world, leaving, "leave")?;
    world.until("the leaving of client 0", |world| world.signals().len() == 3)?;
    report.check(
        "the last signal",
        world.signals().pop(),
        Some(format!("peer_disconnected({leaving})")),
    );
    report.check("the peers left", world.peers(), vec![staying]);

    desk.ids = vec![staying];
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let desk = ClientDesk::enter(world)?;
    desk.settle(world)?;
    let met = format!("peer_connected({})", desk.other(world));
    let expected = ["connected_to_server", "peer_connected(1)", &met].map(str::to_owned);
    report.check("the signals", world.signals(), expected.into());

    let leaving = desk.ids[0];
    if leaving == world.me() {
        desk.done(world, "met")?;
        return desk.wait_for_next(world, "leave");
    }
    world.may_leave(&[leaving]);
    desk.done(world, "met")?;
    world.until("the leaving of client 0", |world| world.signals().len() == 4)?;
    let left = format!("peer_disconnected({leaving})");
    report.check("the last signal", world.signals().pop(), Some(left));
    report.check("the peers left", world.peers(), vec![PeerId::SERVER]);
    desk.close(world)
}
