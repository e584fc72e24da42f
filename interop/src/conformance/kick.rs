//! The server disconnects client 0 while client 1 stays.

use mp_core::ConnectionStatus;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let ctl = Ctl::open(world)?;
    let (kicked, staying) = (ctl.ids[0], ctl.ids[1]);
    ctl.notes(world, "ready")?;
    world.scene().multiplayer_mut().disconnect_peer(kicked);
    report.check("peers at once", world.peers(), vec![staying]);
    ctl.notes_of(world, "saw", &[staying])?;
    report.check("peers", world.peers(), vec![staying]);
    ctl.close(world)?;
    let unwanted = format!("peer_disconnected({kicked})");
    report.check_that(
        "no peer_disconnected for a peer that the server has disconnected",
        !world.has_seen(&unwanted),
    );
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let ctl = ClientCtl::enter(world)?;
    let kicked = ctl.ids[0];
    ctl.settle(world)?;
    let so_far = world.signals().len();
    if kicked == world.me() {
        world.may_leave(&[PeerId::SERVER]);
        ctl.note(world, "ready")?;
        world.until("server_disconnected", |world| world.has_seen("server_disconnected"))?;
        let expected = ["peer_disconnected(1)", "server_disconnected"].map(str::to_owned);
        report.check("the last signals", world.signals().split_off(so_far), expected.into());
        report.check("peers", world.peers(), vec![]);
        report.check("status", world.status(), ConnectionStatus::Disconnected);
        return Ok(());
    }
    world.may_leave(&[kicked]);
    ctl.note(world, "ready")?;
    let left = format!("peer_disconnected({kicked})");
    world.until(&left, |world| world.signals().len() > so_far)?;
    report.check("the last signals", world.signals().split_off(so_far), vec![left]);
    report.check("peers", world.peers(), vec![PeerId::SERVER]);
    ctl.note(world, "saw")?;
    ctl.close(world)
}
