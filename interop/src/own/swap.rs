//! A gun is dropped, and another one takes its place: the unit's synchronizer follows the path.

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::units::{Gun, Unit};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    add_unit(world)?;
    world.at::<Gun>(IN_HAND)?.set(30, 3);
    let desk = Desk::open(world)?;

    desk.wait_for_all(world, "armed")?;
    world.recorder().expect_failures();
    drop_gun(world)?;
    desk.next(world, "armed")?;

    desk.wait_for_all(world, "dropped")?;
    for property in ["Hand/Gun:aim", "Hand/Gun:ammo"] {
        world.until(&format!("a failure of {property}"), |world| {
            world.recorder().failures().iter().any(|failure| failure.contains(property))
        })?;
    }
    let unit = world.at::<Unit>("Swap/Unit")?;
    (unit.health, *unit.armour) = (9, 8);
    desk.next(world, "dropped")?;

    desk.wait_for_all(world, "rearmed")?;
    world.add(IN_HAND, Gun::default())?;
    world.at::<Gun>(IN_HAND)?.set(40, 4);
    world.at::<Gun>(DROPPED)?.set(70, 7);
    desk.next(world, "rearmed")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_unit(world)?;
    let desk = ClientDesk::enter(world)?;

    world.until("the gun", |world| state(world, IN_HAND) == Some([30, 3]))?;
    desk.step(world, "armed")?;
    drop_gun(world)?;
    desk.step(world, "dropped")?;
    world.until("the unit without a gun", |world| {
        let unit = world.at::<Unit>("Swap/Unit");
        unit.is_ok_and(|unit| (unit.health, *unit.armour) == (9, 8))
    })?;
    world.add(IN_HAND, Gun::default())?;
    desk.step(world, "rearmed")?;
    world.until("the other gun", |world| state(world, IN_HAND) == Some([40, 4]))?;
    report.check("the gun on the ground", state(world, DROPPED), Some([30, 3]));
    desk.close(world)
}

const IN_HAND: &str = "Swap/Unit/Hand/Gun";
const DROPPED: &str = "Swap/Gun";

fn add_unit(world: &mut World) -> ScenarioResult {
    world.add("Swap", Group)?;
    world.add("Swap/Unit", Unit::default())?;
    world.add("Swap/Unit/Hand", Group)?;
    world.add(IN_HAND, Gun::default())?;
    let config = ReplicationConfig::new()
        .on_change("Hand/Gun:ammo")
        .on_change(".:health")
        .on_change(".:armour");
    world.add("Swap/Unit/Sync", MultiplayerSynchronizer::new(config))?;
    let aim = ReplicationConfig::new().always("Hand/Gun:aim");
    world.add("Swap/Unit/AimSync", MultiplayerSynchronizer::new(aim))?;
    Ok(())
}

fn drop_gun(world: &mut World) -> ScenarioResult {
    let gun = world.scene().find(&format!("Main/{IN_HAND}"))?;
    let ground = world.scene().find("Main/Swap")?;
    Ok(world.scene().tree_mut().reparent(gun, ground)?)
}

fn state(world: &mut World, gun: &str) -> Option<[i64; 2]> {
    world.at::<Gun>(gun).ok().map(|gun| gun.state())
}
