//! A spawned unit whose gun has a synchronizer of its own, which precedes both of the unit.

use std::cell::RefCell;
use std::rc::Rc;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::units::{Gun, Unit};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    add_units(world)?;
    world.add_instance("Tank/Units", Unit::tank().instantiate())?;
    change(world, 7, 2, 300)?;
    let desk = Desk::open(world)?;

    desk.wait_for_all(world, "spawned")?;
    change(world, 8, 3, 400)?;
    desk.next(world, "spawned")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_units(world)?;
    let first = Rc::new(RefCell::new(None));
    let sink = Rc::clone(&first);
    world.on_signal(move |scene, signal| {
        if let Signal::Spawned { .. } = signal {
            *sink.borrow_mut() = state(scene);
        }
    });
    let desk = ClientDesk::enter(world)?;

    world.until("the tank", |_| first.borrow().is_some())?;
    report.check("the tank at first", first.take(), Some([7, 2, 0]));
    world.until("its aim", |world| state(world.scene()) == Some([7, 2, 300]))?;
    desk.step(world, "spawned")?;
    world.until("the changes", |world| state(world.scene()) == Some([8, 3, 400]))?;
    desk.close(world)
}

const TANK: &str = "Tank/Units/Tank";
const GUN: &str = "Tank/Units/Tank/Gun";

fn add_units(world: &mut World) -> ScenarioResult {
    world.add("Tank", Group)?;
    world.add("Tank/Units", Group)?;
    world.add("Tank/Spawner", MultiplayerSpawner::new("../Units").with_scene(&Unit::tank()))?;
    Ok(())
}

fn change(world: &mut World, health: i64, armour: i64, aim: i64) -> ScenarioResult {
    let tank = world.at::<Unit>(TANK)?;
    (tank.health, *tank.armour) = (health, armour);
    world.at::<Gun>(GUN)?.aim = aim;
    Ok(())
}

/// Returns health and armour of the tank, and the aim of its gun.
fn state(scene: &Scene) -> Option<[i64; 3]> {
    let tank = scene.get(scene.node::<Unit>(&format!("Main/{TANK}")).ok()?).ok()?;
    let gun = scene.get(scene.node::<Gun>(&format!("Main/{GUN}")).ok()?).ok()?;
    Some([tank.health, *tank.armour, gun.aim])
}
