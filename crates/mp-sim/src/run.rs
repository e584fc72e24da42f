//! A seed, from its world's beginning to its judgement.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mp_core::Instant;

use crate::checker::Violation;
use crate::net::NetworkStats;
use crate::trace::Detail;
use crate::world::{Counts, World};

/// What to simulate.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Clients that play at a time, 1 to 200.
    pub clients: usize,
    /// How long programs play and things go wrong, before everything is mended.
    pub storm: Duration,
    /// How much is printed.
    pub detail: Detail,
}

impl Default for Options {
    /// Eight clients, a minute, nothing printed.
    fn default() -> Self {
        Self { clients: 8, storm: Duration::from_secs(60), detail: Detail::Nothing }
    }
}

/// What became of a world.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What was wrong with it, if anything was.
    pub violation: Option<Violation>,
    /// A number of everything that happened: two runs with the same one were the same.
    pub hash: u64,
    /// How long it lasted, the time to come to rest included.
    pub lasted: Duration,
    /// What happened how often.
    pub counts: Counts,
    /// What the network did.
    pub network: NetworkStats,
    /// What the seed decided.
    pub plan: String,
}

/// Simulates the world of `seed`. A panic within it is a violation.
pub fn simulate(seed: u64, options: &Options) -> Outcome {
    let mut world = World::new(seed, options.clients, options.storm, options.detail);
    let judged = catch_unwind(AssertUnwindSafe(|| judge(&mut world, options.storm)));
    let violation = match judged {
        Ok(result) => result.err(),
        Err(panic) => {
            let what = panic_message(&*panic).to_owned();
            Some(Violation { at: world.now(), name: "panic", what })
        }
    };
    if let Some(violation) = &violation {
        world.trace().line(Detail::Story, format_args!("wrong  {violation}"));
    }
    Outcome {
        violation,
        hash: world.trace().hash(),
        lasted: world.now() - Instant::ZERO,
        counts: world.counts,
        network: world.network_stats(),
        plan: world.plan().to_string(),
    }
}

fn judge(world: &mut World, storm: Duration) -> Result<(), Violation> {
    let end = Instant::ZERO + storm;
    while world.now() < end {
        world.run_until((world.now() + INSPECTION_INTERVAL).min(end))?;
        world.check(|checker, world| checker.inspect(world))?;
    }
    world.come_to_rest()?;
    world.check(|checker, world| checker.at_rest(world))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(message) = panic.downcast_ref::<&str>() {
        message
    } else if let Some(message) = panic.downcast_ref::<String>() {
        message
    } else {
        "a panic without a message"
    }
}

const INSPECTION_INTERVAL: Duration = Duration::from_millis(250);
