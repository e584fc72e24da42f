//! The server closes while the clients are connected.

use mp_core::{ConnectionStatus, PeerId};

use super::ctl::{ClientCtl, Ctl};
use crate::world::{FRAME, ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "ready")?;
    ctl.go(world, "last words")?;
    world.pause(10 * FRAME)?;
    report.check("signals so far", world.signals().len(), ctl.ids.len());
    world.leave();
    report.check("status after closing", world.status(), ConnectionStatus::Disconnected);
    report.check("peers after closing", world.peers(), vec![]);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let ctl = ClientCtl::enter(world)?;
    ctl.settle(world)?;
    let (so_far, others) = (world.signals().len(), ctl.others(world));
    ctl.note(world, "ready")?;
    ctl.go(world, "last words")?;
    report.check("signals before the last words", world.signals().len(), so_far);
    world.may_leave(&others);
    world.may_leave(&[PeerId::SERVER]);
    world.until("server_disconnected", |world| world.has_seen("server_disconnected"))?;
    let mut signals = world.signals().split_off(so_far);
    // The server may report the other clients' disconnects first.
    signals.retain(|signal| others.iter().all(|id| *signal != format!("peer_disconnected({id})")));
    let expected = ["peer_disconnected(1)", "server_disconnected"].map(str::to_owned);
    report.check("the last signals", signals, expected.into());
    report.check("the last signal", world.signals().pop(), Some("server_disconnected".to_owned()));
    report.check("peers", world.peers(), vec![]);
    Ok(())
}
