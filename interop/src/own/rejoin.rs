//! A client leaves and rejoins with a new id; then the server closes.

use std::time::Duration;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut desk = Desk::open(world)?;
    desk.wait_for_all(world, "settled")?;

    let (staying, leaving) = (desk.ids[0], desk.ids[1]);
    world.may_leave(&[leaving]);
    desk.reset(world, 0);
    desk.next_for(world, leaving, "leave")?;
    let left = format!("peer_disconnected({leaving})");
    world.until("the leaving of client 1", |world| world.has_seen(&left))?;
    desk.gather(world)?;
    let (stayed, returned) = (desk.ids[0], desk.ids[1]);
    report.check("the id of client 0", stayed, staying);
    report.check_that("client 1 has a new id", returned != leaving);
    desk.wait_for_all(world, "settled again")?;

    let mut signals = world.signals();
    let afterwards = signals.split_off(2);
    signals.sort();
    let mut connected = [staying, leaving].map(|id| format!("peer_connected({id})"));
    connected.sort();
    report.check("the signals", signals, connected.into());
    let expected = vec![left, format!("peer_connected({returned})")];
    report.check("the signals afterwards", afterwards, expected);

    desk.next(world, "closing")?;
    world.pause(Duration::from_millis(300))?;
    world.leave();
    report.check("the peers left", world.peers(), vec![]);
    Ok(())
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let mut desk = ClientDesk::enter(world)?;
    desk.settle(world)?;
    let (me, other) = (world.me(), desk.other(world));
    if world.options.index == 1 {
        desk.done(world, "settled")?;
        desk.wait_for_next(world, "leave")?;
        world.leave();
        desk.join(world)?;
        report.check_that("my id is a new one", world.me() != me);
        report.check("the id of client 0", desk.other(world), other);
    } else {
        desk.reset_begin(world);
        world.may_leave(&[other]);
        desk.done(world, "settled")?;
        desk.wait_to_begin(world)?;
        world.until("the return of client 1", |world| world.signals().len() >= 5)?;
        let expected = [
            format!("peer_connected({other})"),
            format!("peer_disconnected({other})"),
            format!("peer_connected({})", desk.other(world)),
        ];
        report.check("the signals", world.signals().split_off(2), expected.into());
    }
    desk.settle(world)?;

    let (so_far, other) = (world.signals().len(), desk.other(world));
    desk.done(world, "settled again")?;
    desk.wait_for_next(world, "closing")?;
    world.may_leave(&[PeerId::SERVER, other]);
    world.until("server_disconnected", |world| world.has_seen("server_disconnected"))?;
    let mut last = world.signals().split_off(so_far);
    // The server may report the other client's disconnect first.
    last.retain(|signal| *signal != format!("peer_disconnected({other})"));
    let expected = ["peer_disconnected(1)", "server_disconnected"].map(str::to_owned);
    report.check("the last signals", last, expected.into());
    report.check("the peers left", world.peers(), vec![]);
    Ok(())
}
