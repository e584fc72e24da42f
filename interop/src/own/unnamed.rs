//! A node without an explicit name, which Godot names `@Node@200`: calls of it and of a child, and
//! a synchronizer of its properties.

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::units::Gun;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_guns(world)?;
    let desk = Desk::open(world)?;

    desk.wait_for_all(world, "fired")?;
    report.check("shots at the server", shots(world)?, [vec![1], vec![2]]);
    for (gun, n) in [(UNNAMED, 3), (BELOW, 4)] {
        let gun = world.scene().find(&format!("Main/{gun}"))?;
        world.rpc(gun, "fire", (n,))?;
    }
    world.at::<Gun>(UNNAMED)?.aim = 30;
    desk.next(world, "fired")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_guns(world)?;
    let desk = ClientDesk::enter(world)?;

    for (gun, n) in [(UNNAMED, 1), (BELOW, 2)] {
        let gun = world.scene().find(&format!("Main/{gun}"))?;
        world.rpc_id(PeerId::SERVER, gun, "fire", (n,))?;
    }
    desk.step(world, "fired")?;
    report.check("shots", shots(world)?, [vec![3], vec![4]]);
    world.until("the aim", |world| world.at::<Gun>(UNNAMED).is_ok_and(|gun| gun.aim == 30))?;
    desk.close(world)
}

const UNNAMED: &str = "Unnamed/@Node@200";
const BELOW: &str = "Unnamed/@Node@200/Gun";

fn add_guns(world: &mut World) -> ScenarioResult {
    world.add("Unnamed", Group)?;
    world.add(UNNAMED, Gun::default())?;
    world.add(BELOW, Gun::default())?;
    let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:aim"));
    world.add(&format!("{UNNAMED}/Sync"), sync)?;
    Ok(())
}

fn shots(world: &mut World) -> ScenarioResult<[Vec<i64>; 2]> {
    Ok([world.at::<Gun>(UNNAMED)?.shots.clone(), world.at::<Gun>(BELOW)?.shots.clone()])
}
