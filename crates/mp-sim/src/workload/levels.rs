//! Clients that create the server's level seconds after they have joined, when its units are
//! already announced.

use std::cell::Cell;
use std::rc::Rc;

use mp_core::Rng;
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene, SetupError, TreeError};

use super::{Act, Workload};
use crate::journal::Recorder;
use crate::rng_ext::RngExt;

/// Workload with late levels.
#[derive(Debug, Default)]
pub struct Levels {
    /// True when clients create their levels at once.
    is_stopped: Rc<Cell<bool>>,
}

/// Unit of the level, or the level itself. Only the server changes the value.
#[derive(Default)]
pub struct Unit {
    /// Replicated value.
    pub value: i64,
}

impl Workload for Levels {
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder {
        let mut rng = Rng::seed_from_u64(u64::from(recorder.run.0));
        let builder = builder.tick_rate(TICKS_PER_SECOND);
        if recorder.is_server() {
            return builder.setup(move |scene| {
                make_level(scene)?;
                for _ in 0..rng.pick(&[3, 30, 120]).copied().unwrap_or(3) {
                    add_unit(scene)?;
                }
                Ok(())
            });
        }
        let is_stopped = self.is_stopped.clone();
        let mut ticks_left = if rng.chance(300) { 0 } else { rng.below(TICKS_MAX) };
        builder.on_process(move |scene, _| {
            if scene.peers().is_empty() || scene.find(LEVEL).is_ok() {
                return;
            }
            if ticks_left > 0 && !is_stopped.get() {
                ticks_left -= 1;
                return;
            }
            let made = make_level(scene);
            debug_assert!(made.is_ok(), "{made:?}");
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        if !act.recorder.is_server() {
            return;
        }
        let (scene, rng) = (act.branch.scene(), &mut *act.rng);
        for _ in 0..rng.between(1, 10) {
            let units = units(scene);
            let unit = rng.pick(&units).map(|name| format!("{UNITS}/{name}"));
            match (rng.below(10), unit) {
                (0..2, Some(unit)) => {
                    if let Ok(node) = scene.find(&unit) {
                        let _ = scene.remove(node);
                    }
                }
                (2..5, _) if units.len() < UNITS_MAX => drop(add_unit(scene)),
                (5..9, Some(unit)) => change(scene, &unit),
                _ => change(scene, LEVEL),
            }
        }
    }

    fn stop(&mut self, _server: Option<&mut Branch>) {
        self.is_stopped.set(true);
    }
}

impl Node for Unit {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("value", |unit: &mut Self| &mut unit.value)
    }
}

/// Returns the level's value and the values of its units by name, or `None` without a level.
pub fn level(scene: &mut Scene) -> Option<(i64, Vec<(String, i64)>)> {
    let own = value(scene, LEVEL)?;
    let mut units: Vec<_> = units(scene)
        .into_iter()
        .filter_map(|name| Some((name.clone(), value(scene, &format!("{UNITS}/{name}"))?)))
        .collect();
    units.sort();
    Some((own, units))
}

fn make_level(scene: &mut Scene) -> Result<(), SetupError> {
    scene.add(LEVEL, Unit::default())?;
    scene.add(UNITS, Group)?;
    scene.add("Level/Spawner", MultiplayerSpawner::new("../Units").with_scene(&unit()))?;
    scene.add("Level/Sync", synchronizer())?;
    Ok(())
}

/// Adds a unit with the first free name.
fn add_unit(scene: &mut Scene) -> Result<NodeId, TreeError> {
    let free = (0..).map(|number| format!("u{number}"));
    let mut free = free.filter(|name| scene.find(&format!("{UNITS}/{name}")).is_err());
    let name = free.next().unwrap_or_default();
    drop(free);
    scene.add_instance(UNITS, unit().instantiate().named(&name))
}

fn change(scene: &mut Scene, path: &str) {
    if let Ok(node) = scene.node::<Unit>(path)
        && let Ok(unit) = scene.get_mut(node)
    {
        unit.value += 1;
    }
}

fn value(scene: &mut Scene, path: &str) -> Option<i64> {
    Some(scene.get(scene.node::<Unit>(path).ok()?).ok()?.value)
}

fn units(scene: &Scene) -> Vec<String> {
    let Ok(node) = scene.find(UNITS) else { return Vec::new() };
    let tree = scene.tree();
    tree.children(node).filter_map(|child| Some(tree.name(child)?.to_owned())).collect()
}

fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", synchronizer()))
    })
}

fn synchronizer() -> MultiplayerSynchronizer {
    MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:value"))
}

const LEVEL: &str = "Level";
const UNITS: &str = "Level/Units";
const UNITS_MAX: usize = 150;
const TICKS_PER_SECOND: u32 = 10;
/// Maximum number of ticks until a client creates its level.
const TICKS_MAX: u64 = 120;
