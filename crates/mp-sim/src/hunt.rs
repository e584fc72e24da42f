//! Runs many seeds on several threads, each seed in a world of its own.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use mp_core::host::SystemClock;

use crate::run::{Outcome, SimulationOptions, simulate};

/// Seeds to simulate, and how.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// Seeds.
    pub seeds: Range<u64>,
    /// Options of each world.
    pub options: SimulationOptions,
    /// Number of threads.
    pub jobs: usize,
    /// Wall clock time after which no more seeds are started. `None`: no limit.
    pub time_limit: Option<Duration>,
    /// True to continue after a failure.
    pub continue_after_failure: bool,
}

/// Statistics of a hunt, complete or in progress.
#[derive(Clone, Debug, Default)]
pub struct HuntStats {
    /// Seeds simulated.
    pub done: u64,
    /// Failed seeds with their outcomes; sorted by seed at the end.
    pub failures: Vec<(u64, Outcome)>,
    /// Wall clock time.
    pub took: Duration,
    /// Virtual time of all worlds.
    pub simulated: Duration,
    /// Datagrams sent.
    pub datagrams: u64,
    /// Messages accepted for sending.
    pub messages: u64,
    /// Faults injected.
    pub faults: u64,
    /// Times that an endpoint paused receiving for its branch.
    pub pauses: u64,
}

impl Hunt {
    /// Simulates the seeds. Calls `progress` about once per second.
    pub fn run(&self, mut progress: impl FnMut(&HuntStats)) -> HuntStats {
        let clock = SystemClock::new();
        let (next, stops) = (AtomicU64::new(self.seeds.start), AtomicBool::new(false));
        let start = clock.now();
        let mut stats = HuntStats::default();
        thread::scope(|scope| {
            let (sender, receiver) = sync_channel(64);
            for _ in 0..self.jobs.max(1) {
                let (sender, next, stops) = (sender.clone(), &next, &stops);
                scope.spawn(move || {
                    while !stops.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end {
                            return;
                        }
                        let outcome = simulate(seed, &self.options);
                        if sender.send((seed, outcome)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut last_report = start;
            loop {
                match receiver.recv_timeout(PROGRESS_INTERVAL) {
                    Ok((seed, outcome)) => {
                        let has_failed = stats.count(seed, outcome);
                        if has_failed && !self.continue_after_failure {
                            stops.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let now = clock.now();
                stats.took = now - start;
                if self.time_limit.is_some_and(|limit| stats.took >= limit) {
                    stops.store(true, Ordering::Relaxed);
                }
                if now - last_report >= PROGRESS_INTERVAL {
                    last_report = now;
                    progress(&stats);
                }
            }
        });
        stats.took = clock.now() - start;
        stats.failures.sort_by_key(|&(seed, _)| seed);
        stats
    }
}

impl HuntStats {
    /// Adds an outcome. Returns true if it is a failure.
    fn count(&mut self, seed: u64, outcome: Outcome) -> bool {
        self.done += 1;
        self.simulated += outcome.lasted;
        self.datagrams += outcome.network.sent;
        self.messages += outcome.counters.sent;
        self.faults += outcome.counters.faults;
        self.pauses += outcome.counters.pauses;
        let has_failed = outcome.violation.is_some();
        if has_failed {
            self.failures.push((seed, outcome));
        }
        has_failed
    }
}

const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
