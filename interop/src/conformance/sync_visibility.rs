//! Visibility of spawned and static nodes.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::variant::Vector2;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use super::scenes::{Public, Ready, Stats, Unit, UnitState, add_world};
use crate::spawns::Spawns;
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    add_nodes(world)?;
    let ctl = Ctl::open(world)?;
    let (id0, id1) = (ctl.ids[0], ctl.ids[1]);

    put(world, &Unit::secret(), "V1", 1)?;
    sync(world, "Vault/Items/V1/Sync")?.set_visibility_for(id0, true);
    ctl.notes_of(world, "saw_v1", &[id0])?;
    poke(world, "V1", "only 0")?;

    let v1 = world.at::<Unit>("Vault/Items/V1")?;
    *v1.hp = 2;
    v1.position = Vector2::new(5.0, 5.0);
    let v1_sync = sync(world, "Vault/Items/V1/Sync")?;
    v1_sync.set_visibility_for(id0, false);
    v1_sync.set_visibility_for(id1, true);
    ctl.notes(world, "swapped")?;
    poke(world, "V1", "only 1")?;

    let hidden_from = Rc::new(Cell::new(Some(id0)));
    let hidden = Rc::clone(&hidden_from);
    put(world, &Unit::scene(), "V2", 3)?;
    let v2_sync = sync(world, "Vault/Items/V2/Sync")?;
    v2_sync.set_visibility_update_mode(VisibilityUpdateMode::None);
    v2_sync.add_visibility_filter(move |_, peer| peer.is_some() && peer != hidden.get());
    ctl.notes_of(world, "saw_v2", &[id1])?;
    hidden_from.set(Some(id1));
    world.pause(Duration::from_millis(200))?;
    ctl.go_for(world, id0, "not_yet")?;
    ctl.notes_of(world, "not_yet", &[id0])?;
    sync(world, "Vault/Items/V2/Sync")?.update_visibility(None);
    ctl.notes(world, "swapped_v2")?;

    let v2_sync = sync(world, "Vault/Items/V2/Sync")?;
    v2_sync.set_visibility_update_mode(VisibilityUpdateMode::Idle);
    hidden_from.set(None);
    ctl.notes(world, "both_v2")?;

    world.at::<Stats>("World/Stats")?.a = 1;
    sync(world, "World/Stats/Sync")?.set_visibility_for(id0, true);
    ctl.notes_of(world, "static_a", &[id0])?;
    let stats_sync = sync(world, "World/Stats/Sync")?;
    stats_sync.set_visibility_for(id1, true);
    stats_sync.set_visibility_for(id0, false);
    world.at::<Stats>("World/Stats")?.a = 2;
    ctl.notes_of(world, "static_b", &[id1])?;
    ctl.go(world, "check")?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_nodes(world)?;
    let (spawns, ready) = (Spawns::default(), Ready::default());
    let (log, states, signals) = (spawns.clone(), Rc::clone(&ready), report.clone());
    world.on_signal(move |scene, signal| {
        log.note(&signals, scene, signal);
        Unit::note_ready(&states, scene, signal);
    });
    let ready_state = |name: &str| ready.borrow().get(name).cloned();
    let state = |hp, x, y| -> Option<UnitState> { Some((hp, String::new(), Vector2::new(x, y))) };
    let ctl = ClientCtl::enter(world)?;

    world.until("V1", |world| world.has("Vault/Items/V1"))?;
    let pokes = Rc::clone(&world.at::<Unit>("Vault/Items/V1")?.pokes);
    if world.options.index == 0 {
        report.check("V1 at first", ready_state("V1"), state(1, 0.0, 0.0));
        ctl.note(world, "saw_v1")?;
        world.until("V1 to hide", |_| spawns.all() == ["+V1", "-V1"])?;
        report.check("pokes of V1", pokes.take(), vec![(PeerId::SERVER, "only 0".to_owned())]);
        ctl.note(world, "swapped")?;
        ctl.go(world, "not_yet")?;
        report.check("before the update", spawns.all(), ["+V1", "-V1"].map(str::to_owned).into());
        ctl.note(world, "not_yet")?;
        world.until("V2", |_| spawns.all() == ["+V1", "-V1", "+V2"])?;
        report.check("V2 at first", ready_state("V2"), state(3, 0.0, 0.0));
        ctl.note(world, "swapped_v2")?;
        ctl.note(world, "both_v2")?;
        world.until("a = 1", |world| world.at::<Stats>("World/Stats").is_ok_and(|s| s.a == 1))?;
        ctl.note(world, "static_a")?;
        ctl.go(world, "check")?;
        report.check("a, hidden", world.at::<Stats>("World/Stats")?.a, 1);
        let all = ["+V1", "-V1", "+V2"].map(str::to_owned);
        report.check("spawns and despawns", spawns.all(), all.into());
    } else {
        report.check("V1 at first", ready_state("V1"), state(2, 5.0, 5.0));
        ctl.note(world, "swapped")?;
        world.until("V2", |world| world.has("Vault/Items/V2"))?;
        ctl.note(world, "saw_v2")?;
        world.until("V2 to hide", |_| spawns.all() == ["+V1", "+V2", "-V2"])?;
        ctl.note(world, "swapped_v2")?;
        world.until("V2 again", |_| spawns.all() == ["+V1", "+V2", "-V2", "+V2"])?;
        ctl.note(world, "both_v2")?;
        world.until("a = 2", |world| world.at::<Stats>("World/Stats").is_ok_and(|s| s.a == 2))?;
        ctl.note(world, "static_b")?;
        ctl.go(world, "check")?;
        report.check("pokes of V1", pokes.take(), vec![(PeerId::SERVER, "only 1".to_owned())]);
    }
    ctl.close(world)
}

fn add_nodes(world: &mut World) -> ScenarioResult {
    add_world(world, &Public { mover: false, stats: false }, Stats::default())?;
    world.add("Vault", Group)?;
    world.add("Vault/Items", Group)?;
    let spawner = MultiplayerSpawner::new("../Items");
    world
        .add("Vault/ItemSpawner", spawner.with_scene(&Unit::secret()).with_scene(&Unit::scene()))?;
    Ok(())
}

fn put(world: &mut World, scene: &PackedScene, name: &str, hp: i64) -> ScenarioResult {
    world.add_instance("Vault/Items", scene.instantiate().named(name))?;
    *world.at::<Unit>(&format!("Vault/Items/{name}"))?.hp = hp;
    Ok(())
}

fn sync<'w>(world: &'w mut World, path: &str) -> ScenarioResult<&'w mut MultiplayerSynchronizer> {
    world.at(path)
}

fn poke(world: &mut World, name: &str, text: &str) -> ScenarioResult {
    let unit = world.scene().find(&format!("Main/Vault/Items/{name}"))?;
    world.rpc(unit, "poke", (text,))
}
