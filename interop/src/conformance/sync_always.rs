//! A moving node with a replication interval.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::Instant;
use mp_core::variant::Vector2;
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use super::scenes::{Mover, Public, Stats, add_world};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    add_world(world, &PUBLIC, Stats::default())?;
    let mover = world.scene().node::<Mover>(MOVER)?;
    world.on_frame(move |scene| {
        if let Ok(mover) = scene.get_mut(mover) {
            mover.tick += 1;
            mover.position = position_at(mover.tick);
        }
    });
    let ctl = Ctl::open(world)?;
    ctl.notes(world, "enough")?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_world(world, &PUBLIC, Stats::default())?;
    let mover = world.scene().node::<Mover>(MOVER)?;
    let samples = Rc::new(RefCell::new(Vec::<(Instant, i64, Vector2)>::new()));
    let sink = Rc::clone(&samples);
    world.on_signal(move |scene, signal| {
        if let (Signal::Synchronized(_), Ok(mover)) = (signal, scene.get(mover)) {
            sink.borrow_mut().push((scene.now(), mover.tick, mover.position));
        }
    });
    let ctl = ClientCtl::enter(world)?;
    samples.borrow_mut().clear();
    world.until("20 samples", |_| samples.borrow().len() >= WANTED)?;

    let samples = samples.take();
    for pair in samples.windows(2) {
        report.check_that(
            &format!("tick {} follows {}", pair[1].1, pair[0].1),
            pair[1].1 > pair[0].1,
        );
    }
    for (_, tick, position) in &samples {
        report.check(&format!("the position at tick {tick}"), *position, position_at(*tick));
    }
    let took = samples[samples.len() - 1].0 - samples[0].0;
    let average = took.as_secs_f64() * 1000.0 / (samples.len() - 1) as f64;
    let is_about_50 = average > 35.0 && average < 250.0;
    report.check_that(&format!("the distance of {average:.1} ms is about 50"), is_about_50);
    ctl.note(world, "enough")?;
    ctl.close(world)
}

fn position_at(tick: i64) -> Vector2 {
    Vector2::new(2.0 * tick as f32, 3.0 * tick as f32)
}

const MOVER: &str = "Main/World/Mover";
const PUBLIC: Public = Public { mover: true, stats: true };
const WANTED: usize = 20;
