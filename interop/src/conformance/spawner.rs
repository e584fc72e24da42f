//! Announcements of spawners: to connected peers, to late ones, and of removals.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::variant::{Dictionary, Vector2};
use mp_scene::SpawnError;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use super::scenes::{Ready, Unit};
use crate::spawns::Spawns;
use crate::world::{ScenarioError, ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_arena(world, &CustomData::default())?;
    unit(world, "U1", 77, "one", Vector2::new(10.0, 20.0))?;
    crate_(world, "Units", "K1")?;
    bomb(world, "BombSpawner", "B1", Vector2::new(3.0, 4.0), 9)?;
    let mut ctl = Ctl::open(world)?;
    let client = ctl.ids[0];

    ctl.notes(world, "initial")?;
    unit(world, "U2", 5, "two", Vector2::new(-1.0, -2.0))?;
    bomb(world, "BombSpawner", "B2", Vector2::new(7.0, 8.0), 1)?;
    ctl.notes(world, "live")?;
    let u2 = world.at::<Unit>("Arena/Units/U2")?;
    *u2.hp = 6;
    u2.label = "never sent".into();
    u2.position = Vector2::new(100.0, 200.0);
    ctl.notes(world, "changed")?;
    let u2 = world.scene().node::<Unit>("Main/Arena/Units/U2")?;
    world.rpc(u2, "poke", ("hello unit",))?;
    ctl.notes(world, "poked")?;
    report.check("pokes of U2", world.get(u2).pokes.take(), vec![(client, "hello server".into())]);
    world.remove("Arena/Units/U1")?;
    world.remove("Arena/Bombs/B1")?;
    ctl.notes(world, "despawned")?;

    for name in ["L1", "L2", "L3"] {
        crate_(world, "Few", name)?;
    }
    for (name, fuse) in [("M1", 1), ("M2", 2)] {
        bomb(world, "LimitSpawner", name, Vector2::new(fuse as f32, 0.0), fuse)?;
    }
    let third = spawn(world, "LimitSpawner", "M3", Vector2::new(3.0, 0.0), 3)?;
    report.check("a third spawn", third, Err(SpawnError::Limit(2)));
    ctl.go(world, "limit")?;
    ctl.notes(world, "limit")?;
    world.remove("Arena/Few/L3")?;
    world.remove("Arena/Few/L1")?;
    world.remove("Arena/Limited/M1")?;
    bomb(world, "LimitSpawner", "M4", Vector2::new(4.0, 0.0), 4)?;
    ctl.notes(world, "limit_again")?;
    world.remove("Arena/Units/K1")?;
    ctl.notes(world, "removed")?;
    crate_(world, "Units", "K1")?;
    ctl.notes(world, "added_again")?;

    world.may_leave(&[client]);
    ctl.go(world, "rejoin")?;
    let left = format!("peer_disconnected({client})");
    world.until("the client to leave", |world| world.has_seen(&left))?;
    ctl.forget_hello(world, 0);
    ctl.gather(world)?;
    ctl.notes(world, "late")?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    let (spawns, ready, data) = (Spawns::default(), Ready::default(), CustomData::default());
    add_arena(world, &data)?;
    let (log, states, signals) = (spawns.clone(), Rc::clone(&ready), report.clone());
    world.on_signal(move |scene, signal| {
        log.note(&signals, scene, signal);
        Unit::note_ready(&states, scene, signal);
    });
    let ready_state = |name: &str| ready.borrow().get(name).cloned();
    let mut ctl = ClientCtl::enter(world)?;

    world.until("the first three", |_| spawns.count() >= 3)?;
    report.check("the first three", sorted(spawns.all()), strings(["+B1", "+K1", "+U1"]));
    let expected = Some((77, "one".to_owned(), Vector2::new(10.0, 20.0)));
    report.check("U1 at first", ready_state("U1"), expected);
    let k1 = world.at::<Crate>("Arena/Units/K1")?.position;
    report.check("K1 without replicated properties", k1, Vector2::default());
    let b1 = bomb_data("B1", Vector2::new(3.0, 4.0), 9);
    report.check("custom data", data.borrow().clone(), vec![b1]);
    ctl.note(world, "initial")?;

    world.until("U2 and B2", |_| spawns.count() >= 5)?;
    report.check("spawns after the first three", spawns.since(3), strings(["+U2", "+B2"]));
    let expected = Some((5, "two".to_owned(), Vector2::new(-1.0, -2.0)));
    report.check("U2 at first", ready_state("U2"), expected);
    ctl.note(world, "live")?;
    let u2 = world.scene().node::<Unit>("Main/Arena/Units/U2")?;
    world.until("hp and position of U2", |world| {
        let u2 = world.get(u2);
        *u2.hp == 6 && u2.position == Vector2::new(100.0, 200.0)
    })?;
    report.check("label of U2, never sent again", world.get(u2).label.as_str(), "two");
    ctl.note(world, "changed")?;
    world.until("a poke", |world| !world.get(u2).pokes.borrow().is_empty())?;
    let pokes = vec![(PeerId::SERVER, "hello unit".to_owned())];
    report.check("pokes of U2", world.get(u2).pokes.take(), pokes);
    world.rpc_id(PeerId::SERVER, u2, "poke", ("hello server",))?;
    ctl.note(world, "poked")?;
    world.until("two despawns", |_| spawns.count() >= 7)?;
    report.check("despawns", spawns.since(5), strings(["-U1", "-B1"]));
    report.check("Units", world.children("Arena/Units"), strings(["K1", "U2"]));
    report.check("Bombs", world.children("Arena/Bombs"), strings(["B2"]));
    ctl.note(world, "despawned")?;

    ctl.go(world, "limit")?;
    report.check("Few", world.children("Arena/Few"), strings(["L1", "L2", "L3"]));
    report.check("Limited", world.children("Arena/Limited"), strings(["M1", "M2"]));
    ctl.note(world, "limit")?;
    world.until("M4", |world| world.has("Arena/Limited/M4"))?;
    report.check("Few", world.children("Arena/Few"), strings(["L2"]));
    report.check("Limited", world.children("Arena/Limited"), strings(["M2", "M4"]));
    ctl.note(world, "limit_again")?;
    world.until("K1 to go", |_| spawns.all().contains(&"-K1".to_owned()))?;
    report.check_that("K1 is gone", !world.has("Arena/Units/K1"));
    ctl.note(world, "removed")?;
    world.until("K1 again", |world| world.has("Arena/Units/K1"))?;
    ctl.note(world, "added_again")?;

    ctl.go(world, "rejoin")?;
    world.leave();
    for parent in ["Units", "Bombs", "Few", "Limited"] {
        let left = world.children(&format!("Arena/{parent}"));
        report.check(&format!("{parent} after leaving"), left, vec![]);
    }
    let before = spawns.count();
    data.borrow_mut().clear();
    ctl.join(world)?;
    world.until("six nodes", |_| spawns.count() >= before + 6)?;
    let six = strings(["+B2", "+K1", "+L2", "+M2", "+M4", "+U2"]);
    report.check("spawns for a late peer", sorted(spawns.since(before)), six);
    let expected = Some((6, "never sent".to_owned(), Vector2::new(100.0, 200.0)));
    report.check("U2 for a late peer", ready_state("U2"), expected);
    let bombs = [("B2", 7.0, 8.0, 1), ("M2", 2.0, 0.0, 2), ("M4", 4.0, 0.0, 4)];
    let bombs = bombs.map(|(name, x, y, fuse)| bomb_data(name, Vector2::new(x, y), fuse));
    for bomb in &bombs {
        report.check_that(&format!("{bomb:?} was received"), data.borrow().contains(bomb));
    }
    report.check("custom data in all", data.borrow().len(), bombs.len());
    ctl.note(world, "late")?;
    ctl.close(world)
}

/// Data that the spawn function has received.
type CustomData = Rc<RefCell<Vec<Dictionary>>>;

/// Adds `arena.tscn`.
fn add_arena(world: &mut World, data: &CustomData) -> ScenarioResult {
    world.add("Arena", Group)?;
    let units =
        MultiplayerSpawner::new("../Units").with_scene(&Unit::scene()).with_scene(&Crate::scene());
    let bombs = MultiplayerSpawner::new("../Bombs").with_spawn_function(Bomb::from_data(data));
    let few = MultiplayerSpawner::new("../Few").with_scene(&Crate::scene()).with_spawn_limit(2);
    let limited = MultiplayerSpawner::new("../Limited").with_spawn_function(Bomb::from_data(data));
    for (parent, name, spawner) in [
        ("Units", "UnitSpawner", units),
        ("Bombs", "BombSpawner", bombs),
        ("Few", "FewSpawner", few),
        ("Limited", "LimitSpawner", limited.with_spawn_limit(2)),
    ] {
        world.add(&format!("Arena/{parent}"), Group)?;
        world.add(&format!("Arena/{name}"), spawner)?;
    }
    Ok(())
}

fn unit(world: &mut World, name: &str, hp: i64, label: &str, position: Vector2) -> ScenarioResult {
    world.add_instance("Arena/Units", Unit::scene().instantiate().named(name))?;
    let unit = world.at::<Unit>(&format!("Arena/Units/{name}"))?;
    *unit.hp = hp;
    unit.label = label.into();
    unit.position = position;
    Ok(())
}

fn crate_(world: &mut World, parent: &str, name: &str) -> ScenarioResult {
    world.add_instance(&format!("Arena/{parent}"), Crate::scene().instantiate().named(name))?;
    world.at::<Crate>(&format!("Arena/{parent}/{name}"))?.position = Vector2::new(50.0, 50.0);
    Ok(())
}

fn bomb(
    world: &mut World,
    spawner: &str,
    name: &str,
    position: Vector2,
    fuse: i64,
) -> ScenarioResult {
    spawn(world, spawner, name, position, fuse)?
        .map_err(|error| ScenarioError(error.to_string()))?;
    Ok(())
}

fn spawn(
    world: &mut World,
    spawner: &str,
    name: &str,
    position: Vector2,
    fuse: i64,
) -> ScenarioResult<Result<NodeId, SpawnError>> {
    let spawner = world.scene().find(&format!("Main/Arena/{spawner}"))?;
    Ok(world.scene().spawn(spawner, bomb_data(name, position, fuse)))
}

fn bomb_data(name: &str, position: Vector2, fuse: i64) -> Dictionary {
    let entries: [(&str, Variant); 3] =
        [("name", name.into()), ("pos", position.into()), ("fuse", fuse.into())];
    Dictionary::from(entries)
}

fn strings<const N: usize>(strings: [&str; N]) -> Vec<String> {
    strings.map(str::to_owned).into()
}

fn sorted(mut strings: Vec<String>) -> Vec<String> {
    strings.sort();
    strings
}

/// `crate.tscn`, without replicated properties.
#[derive(Default)]
struct Crate {
    position: Vector2,
}

impl Crate {
    fn scene() -> PackedScene {
        PackedScene::new("res://scenes/crate.tscn", || Instance::new("Crate", Self::default()))
    }
}

impl Node for Crate {}

/// `bomb.tscn`, spawned from data.
struct Bomb;

impl Bomb {
    fn from_data(all: &CustomData) -> impl Fn(&Variant) -> Option<Instance> + 'static {
        let all = Rc::clone(all);
        move |data| {
            let data = data.clone().to::<Dictionary>().ok()?;
            let name = data.get(&"name".into())?.clone().to::<String>().ok()?;
            all.borrow_mut().push(data);
            Some(Instance::new(&name, Self))
        }
    }
}

impl Node for Bomb {}
