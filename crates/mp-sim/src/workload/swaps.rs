//! A synchronizer that reads a node by path, and nodes that replace each other at this path.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::Rng;
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene};

use super::replicas::sync;
use super::{Act, Workload};
use crate::journal::Recorder;
use crate::rng_ext::RngExt;

/// Workload that swaps nodes.
#[derive(Debug, Default)]
pub struct Swaps {
    /// Last value; each new value differs.
    last: Rc<Cell<i64>>,
    /// True once periodic replication has stopped.
    is_stopped: bool,
}

/// Parent of the hand. Its `stance` is replicated by the same synchronizer as the tool.
#[derive(Default)]
pub struct Worker {
    /// Number that only the server changes.
    pub stance: i64,
}

/// Tool, in the hand or laid aside.
#[derive(Clone, Default)]
pub struct Tool {
    /// `Replicated` field: marks itself as changed.
    pub sharpness: Replicated<i64>,
    /// Plain field in mode `on_change`.
    pub wear: i64,
    /// Plain field in mode `always`.
    pub heat: i64,
    /// The three values when the tool was laid aside.
    pub laid_aside: Option<[i64; 3]>,
}

impl Tool {
    /// Returns the replicated properties.
    pub fn values(&self) -> [i64; 3] {
        [*self.sharpness, self.wear, self.heat]
    }
}

impl Swaps {
    fn next(&self) -> i64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    /// Changes tools at random, and the stance.
    fn work(&self, scene: &mut Scene, rng: &mut Rng) {
        for path in TOOLS {
            if rng.chance(500)
                && let Some(tool) = tool(scene, path)
            {
                if rng.chance(500) {
                    *tool.sharpness = self.next();
                } else {
                    tool.wear = self.next();
                }
                tool.heat = self.next();
            }
        }
        let stance = self.next();
        if let Ok(node) = scene.node::<Worker>(WORKER)
            && let Ok(worker) = scene.get_mut(node)
        {
            worker.stance = stance;
        }
    }
}

impl Workload for Swaps {
    fn configure(&mut self, builder: BranchBuilder, _ear: &Recorder) -> BranchBuilder {
        // Periodic replication would keep the world from settling.
        let interval = if self.is_stopped { NEVER } else { Duration::ZERO };
        builder.tick_rate(TICKS_PER_SECOND).setup(move |scene| {
            scene.add(WORKER, Worker::default())?;
            for place in PLACES {
                scene.add(place, Group)?;
            }
            scene.add(TOOLS[0], Tool::default())?;
            scene.add(TOOLS[1], Tool { laid_aside: Some([0; 3]), ..Tool::default() })?;
            let config = ReplicationConfig::new()
                .on_change("Hand/Tool:sharpness")
                .on_change("Hand/Tool:wear")
                .always("Hand/Tool:heat")
                .on_change(".:stance");
            let sync = MultiplayerSynchronizer::new(config).with_replication_interval(interval);
            scene.add(SYNC, sync)
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        let scene = act.branch.scene();
        if act.rng.chance(500) {
            exchange(scene, act.rng);
        }
        if act.recorder.is_server() {
            if act.rng.chance(200) {
                lay_aside(scene);
            }
            self.work(scene, act.rng);
        }
    }

    fn stop(&mut self, server: Option<&mut Branch>) {
        self.is_stopped = true;
        let Some(branch) = server else { return };
        let scene = branch.scene();
        if scene.find(TOOLS[0]).is_err() {
            take_up(scene, 1);
        }
        // Tools are not swapped any more, so the last values must reach all peers.
        let values = [self.next(), self.next(), self.next()];
        if let Some(tool) = tool(scene, TOOLS[0]) {
            *tool.sharpness = values[0];
            (tool.wear, tool.heat) = (values[1], values[2]);
        }
        if let Ok(node) = scene.node::<Worker>(WORKER)
            && let Ok(worker) = scene.get_mut(node)
        {
            worker.stance = values[0];
        }
        if let Some(sync) = sync(scene, SYNC) {
            sync.set_replication_interval(NEVER);
        }
    }
}

/// Swaps the tool in the hand with one laid aside, or replaces it by a new one.
fn exchange(scene: &mut Scene, rng: &mut Rng) {
    if rng.chance(200) {
        if let Ok(node) = scene.find(TOOLS[0]) {
            let _ = scene.remove(node);
        }
        let _ = scene.add(TOOLS[0], Tool::default());
        return;
    }
    let Some(from) = [1, 2].into_iter().find(|&place| scene.find(TOOLS[place]).is_ok()) else {
        return;
    };
    move_tool(scene, 0, 3 - from);
    take_up(scene, from);
}

/// Lays the tool in the hand aside, if a side is free.
fn lay_aside(scene: &mut Scene) {
    let free = [1, 2].into_iter().find(|&place| scene.find(TOOLS[place]).is_err());
    if let Some(free) = free {
        move_tool(scene, 0, free);
    }
}

/// Moves the tool from `preferred`, or else the opposite side, into the hand. Without one, adds a
/// new tool.
fn take_up(scene: &mut Scene, preferred: usize) {
    for from in [preferred, 3 - preferred] {
        move_tool(scene, from, 0);
    }
    if scene.find(TOOLS[0]).is_err() {
        let _ = scene.add(TOOLS[0], Tool::default());
    }
}

fn move_tool(scene: &mut Scene, from: usize, to: usize) {
    let (Ok(node), Ok(place)) = (scene.find(TOOLS[from]), scene.find(PLACES[to])) else { return };
    if scene.tree_mut().reparent(node, place).is_ok()
        && let Some(tool) = tool(scene, TOOLS[to])
    {
        tool.laid_aside = (to != 0).then(|| tool.values());
    }
}

impl Node for Worker {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("stance", |worker: &mut Self| &mut worker.stance)
    }
}

impl Node for Tool {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("sharpness", |tool: &mut Self| &mut tool.sharpness)
            .property("wear", |tool: &mut Self| &mut tool.wear)
            .property("heat", |tool: &mut Self| &mut tool.heat)
    }
}

fn tool<'s>(scene: &'s mut Scene, path: &str) -> Option<&'s mut Tool> {
    let node = scene.node(path).ok()?;
    scene.get_mut(node).ok()
}

/// Path of the worker.
pub const WORKER: &str = "Worker";
/// Paths of tools; the first is the hand.
pub const TOOLS: [&str; 3] = ["Worker/Hand/Tool", "Worker/Left/Tool", "Worker/Right/Tool"];
const PLACES: [&str; 3] = ["Worker/Hand", "Worker/Left", "Worker/Right"];
const SYNC: &str = "Worker/Sync";
const TICKS_PER_SECOND: u32 = 10;
/// Longer than any world.
const NEVER: Duration = Duration::from_secs(1_000_000);
