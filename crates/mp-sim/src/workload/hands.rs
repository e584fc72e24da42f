//! A synchronizer that reads a node by its path, and nodes that take each other's place at that path.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use mp_core::Rng;
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene};

use super::replicas::sync;
use super::{Act, Workload};
use crate::dice::Dice;
use crate::journal::Ear;

/// See the head of this file.
#[derive(Debug, Default)]
pub struct Hands {
    /// The newest value, so that each is another one.
    last: Rc<Cell<i64>>,
    /// True once nothing is sent periodically any more.
    is_settled: bool,
}

/// The owner of the hand. Its stance is sent by the same synchronizer as the tool.
#[derive(Default)]
pub struct Worker {
    /// A number that only the server changes.
    pub stance: i64,
}

/// A tool in the hand, or on one of two sides.
#[derive(Clone, Default)]
pub struct Tool {
    /// A field that says by itself when it changes.
    pub sharpness: Replicated<i64>,
    /// A plain field, sent when it has changed.
    pub wear: i64,
    /// A plain field, sent all the time.
    pub heat: i64,
    /// The three values when it was laid aside.
    pub laid_aside: Option<[i64; 3]>,
}

impl Tool {
    /// Its replicated properties.
    pub fn values(&self) -> [i64; 3] {
        [*self.sharpness, self.wear, self.heat]
    }
}

impl Hands {
    fn next(&self) -> i64 {
        self.last.set(self.last.get() + 1);
        self.last.get()
    }

    /// Changes the tool in the hand, one that lies aside, or both, and the stance.
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

impl Workload for Hands {
    fn equip(&mut self, builder: BranchBuilder, _ear: &Ear) -> BranchBuilder {
        // What is sent all the time would keep the world from coming to rest.
        let interval = if self.is_settled { NEVER } else { Duration::ZERO };
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
            let sync = MultiplayerSynchronizer::new(config).replication_interval(interval);
            scene.add(SYNC, sync).map(drop)
        })
    }

    fn act(&mut self, act: &mut Act<'_>) {
        let scene = act.branch.scene();
        if act.rng.chance(500) {
            exchange(scene, act.rng);
        }
        if act.ear.is_server() {
            if act.rng.chance(200) {
                lay_aside(scene);
            }
            self.work(scene, act.rng);
        }
    }

    fn settle(&mut self, server: Option<&mut Branch>) {
        self.is_settled = true;
        let Some(branch) = server else { return };
        let scene = branch.scene();
        if scene.find(TOOLS[0]).is_err() {
            take_up(scene, 1);
        }
        // Everybody's tools stay where they are from here on, so that all have what they are told now.
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

/// Puts the tool that lies aside, or a new one, into the hand, and that in the hand aside.
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

/// Empties the hand, if there is room aside.
fn lay_aside(scene: &mut Scene) {
    let free = [1, 2].into_iter().find(|&place| scene.find(TOOLS[place]).is_err());
    if let Some(free) = free {
        move_tool(scene, 0, free);
    }
}

/// Takes the tool that lies at `preferred`, or on the other side, into the hand, or else a new one.
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

/// The owner of the hand.
pub const WORKER: &str = "Worker";
/// Where tools are: the hand first.
pub const TOOLS: [&str; 3] = ["Worker/Hand/Tool", "Worker/Left/Tool", "Worker/Right/Tool"];
const PLACES: [&str; 3] = ["Worker/Hand", "Worker/Left", "Worker/Right"];
const SYNC: &str = "Worker/Sync";
const TICKS_PER_SECOND: u32 = 10;
/// Longer than any world lasts.
const NEVER: Duration = Duration::from_secs(1_000_000);
