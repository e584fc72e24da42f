//! Simulation of one seed, from the start of its world to the final checks.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mp_core::Instant;
use mp_core::bug::{self, OnBug};

use crate::checker::Violation;
use crate::net::NetworkStats;
use crate::trace::Detail;
use crate::world::{Counters, World};
use crate::{cluster, moves, rooms};

/// Options of a simulation.
#[derive(Clone, Copy, Debug)]
pub struct SimulationOptions {
    /// Concurrent clients, 1 to 200. Default: 8.
    pub clients: usize,
    /// Duration of the active phase. Default: 60 s.
    pub active_time: Duration,
    /// Amount of trace output. Default: none.
    pub detail: Detail,
}

impl Default for SimulationOptions {
    /// Returns eight clients, one minute, no trace.
    fn default() -> Self {
        Self { clients: 8, active_time: Duration::from_secs(60), detail: Detail::Nothing }
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
    let run = || run_and_check(&mut world, seed, options.active_time);
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

fn run_and_check(world: &mut World, seed: u64, active_time: Duration) -> Result<(), Violation> {
    let end = Instant::ZERO + active_time;
    while world.now() < end {
        world.run_until((world.now() + INSPECTION_INTERVAL).min(end))?;
        world.check(|checker, world| checker.inspect(world))?;
    }
    world.settle()?;
    world.check(|checker, world| checker.check_settled(world))?;
    match seed % SERVERS_INTERVAL {
        0 => {
            rooms::simulate(seed, SERVERS_TIME)?;
        }
        1 => {
            cluster::simulate(seed, NODES_TIME)?;
        }
        2 => {
            moves::simulate(seed, SERVERS_TIME)?;
        }
        _ => {}
    }
    Ok(())
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

/// Seeds of which one has a world of rooms, too, another one a world of moves, and another one a
/// world of nodes.
const SERVERS_INTERVAL: u64 = 4;
/// Duration of the active phase of a world of rooms or moves.
const SERVERS_TIME: Duration = Duration::from_secs(20);
/// Duration of the active phase of a world of nodes.
const NODES_TIME: Duration = Duration::from_secs(10);
const INSPECTION_INTERVAL: Duration = Duration::from_millis(250);
