//! Properties in mode `on_change`, with a delta interval of 0.1 s.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::variant::Array;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use super::scenes::{Public, Stats, add_world};
use crate::world::{FRAME, ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let stats = Stats { a: 1, b: "one".into(), c: Array::from([1, 2]), n: 10 };
    add_world(world, &PUBLIC, stats)?;
    let stats = world.scene().node::<Stats>(STATS)?;
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "initial")?;
    world.get(stats).a = 2;
    ctl.notes(world, "a2")?;
    world.get(stats).b = "x".into();
    world.get(stats).c.push(3)?;
    ctl.notes(world, "bc")?;
    world.get(stats).n = 11;
    for a in 3..=50 {
        world.get(stats).a = a;
        world.pause(FRAME)?;
    }
    ctl.notes(world, "a50")?;
    world.get(stats).a = 51;
    world.get(stats).a = 50;
    world.pause(Duration::from_millis(300))?;
    ctl.go(world, "quiet_check")?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_world(world, &PUBLIC, Stats::default())?;
    let stats = world.scene().node::<Stats>(STATS)?;
    let deltas = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&deltas);
    world.on_signal(move |scene, signal| {
        if let (Signal::DeltaSynchronized(_), Ok(stats)) = (signal, scene.get(stats)) {
            sink.borrow_mut().push(stats.a);
        }
    });
    let ctl = ClientCtl::enter(world)?;
    world.until("the first values", |world| {
        let stats = world.get(stats);
        stats.a == 1 && stats.b == "one"
    })?;
    report.check("c", world.get(stats).c.clone(), Array::from([1, 2]));
    report.check("n, which static nodes do not replicate", world.get(stats).n, 0);
    world.get(stats).b = "local".into();
    ctl.note(world, "initial")?;
    world.until("a = 2", |world| world.get(stats).a == 2)?;
    report.check("b, which has not changed", world.get(stats).b.as_str(), "local");
    ctl.note(world, "a2")?;
    world.until("b and c", |world| {
        let stats = world.get(stats);
        stats.b == "x" && stats.c == Array::from([1, 2, 3])
    })?;
    deltas.borrow_mut().clear();
    ctl.note(world, "bc")?;
    world.until("a = 50", |world| world.get(stats).a == 50)?;
    let received = deltas.borrow().clone();
    report.check_that(
        &format!("{received:?} grows"),
        received.windows(2).all(|pair| pair[0] < pair[1]),
    );
    report.check_that(&format!("{} deltas are less than 40", received.len()), received.len() < 40);
    ctl.note(world, "a50")?;
    ctl.go(world, "quiet_check")?;
    report.check("deltas without a change", deltas.borrow().len(), received.len());
    report.check("n in the end", world.get(stats).n, 0);
    ctl.close(world)
}

const STATS: &str = "Main/World/Stats";
const PUBLIC: Public = Public { mover: false, stats: true };
