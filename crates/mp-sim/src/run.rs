//! Simulation of one seed, from the start of its world to the final checks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mp_core::Instant;
use mp_core::bug::{self, OnBug};

use crate::checker::Violation;
use crate::net::NetworkStats;
use crate::trace::Detail;
use crate::world::{Counters, World};
use crate::{cluster, hosted, moves, resumes, rooms};

/// Options of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct SimulationOptions {
    /// Concurrent clients, 1 to 200. Default: 8.
    pub clients: usize,
    /// Duration of the active phase. Default: 60 s.
    pub active_time: Duration,
    /// Amount of trace output. Default: none.
    pub detail: Detail,
    /// The only part of each seed to simulate. Default: all parts that the seed has.
    pub only: Option<Part>,
}

/// A part of a seed: a world of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The world that every seed has.
    Main,
    /// [`rooms`].
    Rooms,
    /// [`moves`].
    Moves,
    /// [`cluster`].
    Cluster,
    /// [`hosted`].
    Hosted,
    /// [`resumes`].
    Resumes,
}

impl Default for SimulationOptions {
    /// Returns eight clients, one minute, no trace, all parts.
    fn default() -> Self {
        let (detail, only) = (Detail::Nothing, None);
        Self { clients: 8, active_time: Duration::from_secs(60), detail, only }
    }
}

/// Result of a simulation.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// First violation, if any.
    pub violation: Option<Violation>,
    /// Hash of everything that happened. Equal hashes mean identical worlds.
    pub hash: u64,
    /// Virtual duration, including the time to settle.
    pub lasted: Duration,
    /// Event counters.
    pub counters: Counters,
    /// Network counters.
    pub network: NetworkStats,
    /// Description of the plan.
    pub plan: String,
}

/// Simulates the world of `seed`. A panic counts as a violation, and so does an impossible state,
/// in release builds, too.
pub fn simulate(seed: u64, options: &SimulationOptions) -> Outcome {
    let mut world = World::new(seed, options.clients, options.active_time, options.detail);
    let run = || run_parts(&mut world, seed, options);
    let checked = catch_unwind(AssertUnwindSafe(|| bug::with_policy(OnBug::Panic, run)));
    let violation = match checked {
        Ok(result) => result.err(),
        Err(panic) => {
            let what = panic_message(&*panic).to_owned();
            Some(Violation { at: world.now(), name: "panic", what })
        }
    };
    if let Some(violation) = &violation {
        world.trace().line(Detail::Story, format_args!("FAILED {violation}"));
    }
    Outcome {
        violation,
        hash: world.trace().hash(),
        lasted: world.now() - Instant::ZERO,
        counters: world.counters,
        network: world.network_stats(),
        plan: world.plan().to_string(),
    }
}

fn run_parts(world: &mut World, seed: u64, options: &SimulationOptions) -> Result<(), Violation> {
    let additional = match seed % PARTS_INTERVAL {
        0 => Some(Part::Rooms),
        1 => Some(Part::Cluster),
        2 => Some(Part::Moves),
        4 => Some(Part::Hosted),
        6 => Some(Part::Resumes),
        _ => None,
    };
    let parts = match options.only {
        Some(only) => [Some(only), None],
        None => [Some(Part::Main), additional],
    };
    parts.into_iter().flatten().try_for_each(|part| match part {
        Part::Main => run_main(world, options.active_time),
        Part::Rooms => rooms::simulate(seed, PART_TIME).map(|_| ()),
        Part::Moves => moves::simulate(seed, PART_TIME).map(|_| ()),
        Part::Cluster => cluster::simulate(seed, NODES_TIME).map(|_| ()),
        Part::Hosted => hosted::simulate(seed, PART_TIME).map(|_| ()),
        Part::Resumes => resumes::simulate(seed, PART_TIME).map(|_| ()),
    })
}

fn run_main(world: &mut World, active_time: Duration) -> Result<(), Violation> {
    let end = Instant::ZERO + active_time;
    while world.now() < end {
        world.run_until((world.now() + INSPECTION_INTERVAL).min(end))?;
        world.check(|checker, world| checker.inspect(world))?;
    }
    world.settle()?;
    world.check(|checker, world| checker.check_settled(world))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&str>() {
        message
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else {
        "panic without a message"
    }
}

/// Seeds of which one has a world of rooms, too, another one a world of moves, and so on.
const PARTS_INTERVAL: u64 = 8;
/// Duration of the active phase of an additional world.
const PART_TIME: Duration = Duration::from_secs(20);
/// Duration of the active phase of a world of nodes.
const NODES_TIME: Duration = Duration::from_secs(10);
const INSPECTION_INTERVAL: Duration = Duration::from_millis(250);
