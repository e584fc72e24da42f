//! Many seeds on several threads, each a world of its own.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use mp_core::host::SystemClock;

use crate::run::{Options, Outcome, simulate};

/// Which seeds to try, and how.
#[derive(Clone, Debug)]
pub struct Hunt {
    /// The seeds.
    pub seeds: Range<u64>,
    /// The worlds.
    pub options: Options,
    /// Threads.
    pub jobs: usize,
    /// When to stop though seeds are left.
    pub time_limit: Option<Duration>,
    /// Whether to go on after a failure.
    pub goes_on: bool,
}

/// How a hunt went, or how far it is.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Seeds that were tried.
    pub done: u64,
    /// Those that failed, lowest first.
    pub failures: Vec<(u64, Outcome)>,
    /// How long it took.
    pub took: Duration,
    /// Time that passed in the worlds.
    pub simulated: Duration,
    /// Datagrams that were sent in them.
    pub datagrams: u64,
    /// Messages that were accepted in them.
    pub messages: u64,
    /// Faults that struck in them.
    pub faults: u64,
    /// Times that links were held in them.
    pub holds: u64,
}

impl Hunt {
    /// Tries the seeds; `progress` is called about once a second.
    pub fn run(&self, mut progress: impl FnMut(&Tally)) -> Tally {
        let clock = SystemClock::new();
        let (next, stops) = (AtomicU64::new(self.seeds.start), AtomicBool::new(false));
        let start = clock.now();
        let mut tally = Tally::default();
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
            let mut told = start;
            loop {
                match receiver.recv_timeout(PROGRESS_INTERVAL) {
                    Ok((seed, outcome)) => {
                        let has_failed = tally.count(seed, outcome);
                        if has_failed && !self.goes_on {
                            stops.store(true, Ordering::Relaxed);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) => {}
                    Err(RecvTimeoutError::Disconnected) => break,
                }
                let now = clock.now();
                tally.took = now - start;
                if self.time_limit.is_some_and(|limit| tally.took >= limit) {
                    stops.store(true, Ordering::Relaxed);
                }
                if now - told >= PROGRESS_INTERVAL {
                    told = now;
                    progress(&tally);
                }
            }
        });
        tally.took = clock.now() - start;
        tally.failures.sort_by_key(|&(seed, _)| seed);
        tally
    }
}

impl Tally {
    /// Takes an outcome in; whether it is a failure.
    fn count(&mut self, seed: u64, outcome: Outcome) -> bool {
        self.done += 1;
        self.simulated += outcome.lasted;
        self.datagrams += outcome.network.sent;
        self.messages += outcome.counts.said;
        self.faults += outcome.counts.faults;
        self.holds += outcome.counts.holds;
        let has_failed = outcome.violation.is_some();
        if has_failed {
            self.failures.push((seed, outcome));
        }
        has_failed
    }
}

const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
