//! Calls in flight when their target is removed must not run on its successor of the same name.

use std::time::Duration;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::units::{Gun, Unit};
use crate::spawns::Spawns;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_units(world)?;
    add_tanks(world, 1)?;
    let desk = Desk::open(world)?;

    desk.wait_for_all(world, "aimed")?;
    report.check("shots before", shots(world)?, [vec![1], vec![]]);
    desk.next(world, "aimed")?;
    desk.wait_for_all(world, "shooting")?;
    world.pause(Duration::from_millis(300))?;
    for tank in TANKS {
        world.remove(&format!("Respawn/Units/{tank}"))?;
    }
    desk.wait_for_all(world, "shot")?;
    add_tanks(world, 2)?;
    desk.next(world, "shot")?;
    desk.wait_for_all(world, "shot again")?;
    report.check("shots after", shots(world)?, [vec![3], vec![3]]);
    desk.next(world, "shot again")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    add_units(world)?;
    let spawns = Spawns::default();
    let (seen, lines) = (spawns.clone(), world.report.clone());
    world.on_signal(move |scene, signal| seen.note(&lines, scene, signal));
    let desk = ClientDesk::enter(world)?;

    world.until("the tanks", |world| has_tanks(world, 1))?;
    fire(world, "A", 1)?;
    desk.step(world, "aimed")?;
    desk.done(world, "shooting")?;
    world.pause(Duration::from_millis(30))?;
    // The server removes the tanks meanwhile; this client does not notice while it sleeps.
    std::thread::sleep(Duration::from_millis(600));
    for tank in TANKS {
        fire(world, tank, 2)?;
    }
    world.until("the despawn of the tanks", |_| spawns.count() == 4)?;
    desk.step(world, "shot")?;
    world.until("the tanks to respawn", |world| has_tanks(world, 2))?;
    for tank in TANKS {
        fire(world, tank, 3)?;
    }
    desk.step(world, "shot again")?;
    desk.close(world)
}

const TANKS: [&str; 2] = ["A", "B"];

fn add_units(world: &mut World) -> ScenarioResult {
    world.add("Respawn", Group)?;
    world.add("Respawn/Units", Group)?;
    world.add("Respawn/Spawner", MultiplayerSpawner::new("../Units").with_scene(&Unit::tank()))?;
    Ok(())
}

fn add_tanks(world: &mut World, health: i64) -> ScenarioResult {
    for tank in TANKS {
        world.add_instance("Respawn/Units", Unit::tank().instantiate().named(tank))?;
        world.at::<Unit>(&format!("Respawn/Units/{tank}"))?.health = health;
    }
    Ok(())
}

fn has_tanks(world: &mut World, health: i64) -> bool {
    TANKS.iter().all(|tank| {
        let tank = world.at::<Unit>(&format!("Respawn/Units/{tank}"));
        tank.is_ok_and(|tank| tank.health == health)
    })
}

fn fire(world: &mut World, tank: &str, n: i64) -> ScenarioResult {
    let gun = world.scene().find(&format!("Main/Respawn/Units/{tank}/Gun"))?;
    world.rpc_id(PeerId::SERVER, gun, "fire", (n,))
}

fn shots(world: &mut World) -> ScenarioResult<[Vec<i64>; 2]> {
    let mut shots = [Vec::new(), Vec::new()];
    for (shots, tank) in shots.iter_mut().zip(TANKS) {
        *shots = world.at::<Gun>(&format!("Respawn/Units/{tank}/Gun"))?.shots.clone();
    }
    Ok(shots)
}
