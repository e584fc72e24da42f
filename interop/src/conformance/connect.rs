//! Ids, signals and peers; the client with index 0 leaves first.

use std::collections::BTreeSet;

use mp_scene::prelude::*;

use super::ctl::Ctl;
use crate::world::{Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    report.check("my id", world.scene().unique_id(), PeerId::SERVER);
    report.check("peers at the start", world.scene().peers(), vec![]);
    let ctl = Ctl::open(world)?;
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
        "who has left",
        world.signals().pop(),
        Some(format!("peer_disconnected({leaving})")),
    );
    let mut staying = ctl.ids[1..].to_vec();
    staying.sort_unstable();
    report.check("the peers left", world.peers(), staying);
    ctl.go_with(world, "left", &leaving.get().into())?;
    ctl.close(world)
}
