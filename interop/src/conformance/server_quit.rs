//! The server closes while the clients are connected.

use mp_core::ConnectionStatus;

use super::ctl::Ctl;
use crate::world::{FRAME, Played, World};

pub(super) fn serve(world: &mut World) -> Played {
    let report = world.report.clone();
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "ready")?;
    ctl.go(world, "last words")?;
    world.pause(10 * FRAME)?;
    report.check("signals so far", world.signals().len(), ctl.ids.len());
    world.close();
    report.check(
        "status after closing",
        world.scene().multiplayer().connection_status(),
        ConnectionStatus::Disconnected,
    );
    report.check("peers after closing", world.peers(), vec![]);
    Ok(())
}
