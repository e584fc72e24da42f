//! A client leaves and comes back with a new id; then the server closes.

use std::time::Duration;

use super::desk::Desk;
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    let mut desk = Desk::open(world)?;
    desk.everyone(world, "settled")?;

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
    desk.everyone(world, "settled again")?;

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
    world.close();
    report.check("the peers left", world.peers(), vec![]);
    Ok(())
}
