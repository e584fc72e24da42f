//! Ids, signals and peers; the client with index 0 leaves first.

use std::collections::BTreeSet;

use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut ctl = Ctl::new(world)?;
    report.check("my id", world.me(), PeerId::SERVER);
    report.check("peers at the start", world.peers(), vec![]);
    ctl.gather(world)?;
    let leaving = ctl.ids[0];
    report.check_that("ids are greater than 1", ctl.ids.iter().all(|id| id.get() > 1));
    let unique: BTreeSet<_> = ctl.ids.iter().collect();
    report.check("different ids", unique.len(), ctl.ids.len());
    let mut connected: Vec<_> = ctl.ids.iter().map(|id| format!("peer_connected({id})")).collect();
    connected.sort();
    let mut signals = world.signals();
    signals.sort();
    report.check("the signals", signals, connected);

    ctl.notes(world, "listed")?;
    world.may_leave(&[leaving]);
    ctl.go_for(world, leaving, "leave")?;
    world.until("the leaving of client 0", |world| world.signals().len() > ctl.ids.len())?;
    report.check(
        "the last signal",
        world.signals().pop(),
        Some(format!("peer_disconnected({leaving})")),
    );
    let mut staying = ctl.ids[1..].to_vec();
    staying.sort_unstable();
    report.check("the peers left", world.peers(), staying);
    ctl.go_with(world, "left", &leaving.get().into())?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let ctl = ClientCtl::enter(world)?;
    let others = ctl.others(world);
    report.check("other clients", others.len(), world.options.peers() - 1);
    report.check_that("ids are greater than 1", ctl.ids.iter().all(|id| id.get() > 1));
    let unique: BTreeSet<_> = ctl.ids.iter().collect();
    report.check("different ids", unique.len(), ctl.ids.len());
    ctl.settle(world)?;
    let mut signals = world.signals();
    let mut met = signals.split_off(2);
    let expected = ["connected_to_server", "peer_connected(1)"].map(str::to_owned);
    report.check("the first signals", signals, expected.into());
    met.sort();
    let mut connected: Vec<_> = others.iter().map(|id| format!("peer_connected({id})")).collect();
    connected.sort();
    report.check("the other signals", met, connected);

    let leaving = ctl.ids[0];
    world.may_leave(&[leaving]);
    ctl.note(world, "listed")?;
    if leaving == world.me() {
        return ctl.go(world, "leave").map(drop);
    }
    let left = format!("peer_disconnected({leaving})");
    world.until(&left, |world| world.has_seen(&left))?;
    report.check(
        "the id of the client that has left",
        ctl.go(world, "left")?.to::<i32>()?,
        leaving.get(),
    );
    report.check("signals in all", world.signals().len(), 2 + others.len() + 1);
    report.check_that("client 0 is not a peer", !world.peers().contains(&leaving));
    ctl.close(world)
}
