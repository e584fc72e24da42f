//! A client that creates its level seconds after joining: earlier announcements and state for the
//! level must not be lost.

use std::time::Duration;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::units::{Gun, Unit};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    world.add("Level", Group)?;
    add_level(world)?;
    world.at::<Gun>(CANNON)?.aim = 5;
    for index in 0..3 {
        add_tank(world, index)?;
    }
    let desk = Desk::open(world)?;
    fire(world, 1)?;

    desk.wait_for_all(world, "loaded")?;
    add_tank(world, 3)?;
    fire(world, 2)?;
    desk.next(world, "loaded")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    world.add("Level", Group)?;
    let desk = ClientDesk::enter(world)?;

    world.pause(LOADING)?;
    add_level(world)?;
    world.until("the aim of the cannon", |world| {
        world.at::<Gun>(CANNON).is_ok_and(|cannon| cannon.aim == 5)
    })?;
    world.until("the tanks", |world| (0..3).all(|index| has_tank(world, index)))?;
    desk.step(world, "loaded")?;
    world.until("the last tank", |world| has_tank(world, 3))?;
    report.check("shots of the cannon", world.at::<Gun>(CANNON)?.shots.clone(), vec![2]);
    let stats = world.scene().stats();
    report.check("malformed packets", stats.malformed_packets, 0);
    desk.close(world)
}

const CANNON: &str = "Level/Field/Cannon";

/// Longer than calls are deferred for a missing node.
const LOADING: Duration = Duration::from_millis(4_500);

fn add_level(world: &mut World) -> ScenarioResult {
    let spawner = MultiplayerSpawner::new("../Units").with_scene(&Unit::tank());
    let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:aim"));
    let cannon = Instance::new("Cannon", Gun::default()).child(Instance::new("Sync", sync));
    let field = Instance::new("Field", Group)
        .child(Instance::new("Units", Group))
        .child(Instance::new("Spawner", spawner))
        .child(cannon);
    world.add_instance("Level", field)?;
    Ok(())
}

fn add_tank(world: &mut World, index: i64) -> ScenarioResult {
    let tank = Unit::tank().instantiate().named(&format!("T{index}"));
    world.add_instance("Level/Field/Units", tank)?;
    world.at::<Unit>(&format!("Level/Field/Units/T{index}"))?.health = 10 + index;
    Ok(())
}

fn has_tank(world: &mut World, index: i64) -> bool {
    let tank = world.at::<Unit>(&format!("Level/Field/Units/T{index}"));
    tank.is_ok_and(|tank| tank.health == 10 + index)
}

fn fire(world: &mut World, n: i64) -> ScenarioResult {
    let cannon = world.scene().find(&format!("Main/{CANNON}"))?;
    world.rpc(cannon, "fire", (n,))
}
