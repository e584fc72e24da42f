//! A soldier that is hidden from one client. Calls and synchronizers of the gun below it must not
//! be sent to this client until the soldier is visible again.

use std::time::Duration;

use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use super::units::{Gun, Unit};
use crate::spawns::Spawns;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    add_units(world)?;
    let desk = Desk::open(world)?;
    world.add_instance("Hidden/Units", Unit::soldier().instantiate())?;
    world.at::<Unit>(SOLDIER)?.health = 7;
    world.at::<Gun>(GUN)?.set(1, 1);
    for &id in &desk.ids {
        world.at::<MultiplayerSynchronizer>(SYNC)?.set_visibility_for(id, true);
    }

    desk.wait_for_all(world, "seen")?;
    world.at::<MultiplayerSynchronizer>(SYNC)?.set_visibility_for(desk.ids[1], false);
    desk.next(world, "seen")?;

    desk.wait_for_all(world, "hidden")?;
    for n in 2..12 {
        world.at::<Gun>(GUN)?.set(n, n);
        fire(world, n)?;
        world.pause(Duration::from_millis(50))?;
    }
    desk.next(world, "hidden")?;

    desk.wait_for_all(world, "fought")?;
    world.at::<Unit>(SOLDIER)?.health = 8;
    world.at::<MultiplayerSynchronizer>(SYNC)?.set_visibility_for(desk.ids[1], true);
    desk.next(world, "fought")?;
    desk.wait_for_all(world, "shown")?;
    fire(world, 12)?;
    desk.next(world, "shown")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_units(world)?;
    let spawns = Spawns::default();
    let (seen, lines) = (spawns.clone(), report.clone());
    world.on_signal(move |scene, signal| seen.note(&lines, scene, signal));
    let desk = ClientDesk::enter(world)?;
    let is_hidden_from_it = world.options.index == 1;

    world.until("the soldier", |world| {
        world.at::<Gun>(GUN).is_ok_and(|gun| gun.state() == [1, 1])
    })?;
    desk.step(world, "seen")?;
    if is_hidden_from_it {
        world.until("the despawn of the soldier", |_| spawns.count() == 2)?;
    }
    desk.step(world, "hidden")?;
    if !is_hidden_from_it {
        world.until("the aim of its gun", |world| {
            world.at::<Gun>(GUN).is_ok_and(|gun| gun.state() == [11, 11])
        })?;
        report.check("its shots", world.at::<Gun>(GUN)?.shots.clone(), (2..12).collect());
    }
    desk.step(world, "fought")?;
    world.until("the soldier to respawn", |world| {
        world.at::<Unit>(SOLDIER).is_ok_and(|soldier| soldier.health == 8)
    })?;
    world
        .until("the aim of its gun", |world| world.at::<Gun>(GUN).is_ok_and(|gun| gun.aim == 11))?;
    desk.step(world, "shown")?;
    world.until("the last shot", |world| {
        world.at::<Gun>(GUN).is_ok_and(|gun| gun.shots.contains(&12))
    })?;
    let first = if is_hidden_from_it { 12 } else { 2 };
    report.check("all shots", world.at::<Gun>(GUN)?.shots.clone(), (first..13).collect());
    let stats = world.scene().stats();
    report.check("malformed packets", stats.malformed_packets, 0);
    desk.close(world)
}

const SOLDIER: &str = "Hidden/Units/Soldier";
const SYNC: &str = "Hidden/Units/Soldier/Sync";
const GUN: &str = "Hidden/Units/Soldier/Gun";

fn add_units(world: &mut World) -> ScenarioResult {
    world.add("Hidden", Group)?;
    world.add("Hidden/Units", Group)?;
    world
        .add("Hidden/Spawner", MultiplayerSpawner::new("../Units").with_scene(&Unit::soldier()))?;
    Ok(())
}

fn fire(world: &mut World, n: i64) -> ScenarioResult {
    let gun = world.scene().find(&format!("Main/{GUN}"))?;
    world.rpc(gun, "fire", (n,))
}
