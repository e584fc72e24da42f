//! Results of a run: a line per second, a table, JSON, and a page with plots.

mod html;
mod json;
mod table;

use std::sync::Arc;
use std::time::Duration;

use crate::scenario::Scenario;
use crate::stats::{Counter, Stats, Timing};

/// The result of a run, or its state after some seconds.
#[derive(Clone, Debug)]
pub struct RunReport {
    pub(crate) scenario: Arc<Scenario>,
    pub(crate) threads: usize,
    /// Duration of the run.
    pub(crate) elapsed: Duration,
    /// Counters and times of the whole run.
    pub(crate) stats: Stats,
    /// The seconds of the run.
    pub(crate) seconds: Vec<Second>,
}

/// One second of a run.
#[derive(Clone, Debug)]
pub(crate) struct Second {
    pub(crate) stats: Stats,
    /// Its actual duration, which is longer on a busy machine.
    pub(crate) duration: Duration,
    /// CPU time of the busiest thread divided by the elapsed time.
    pub(crate) cpu: f64,
    /// Players in the session at its end.
    pub(crate) players: u64,
}

/// A threshold, and the result that it limits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Check {
    /// Name in the scenario.
    pub name: &'static str,
    /// Limit.
    pub limit: String,
    /// Result.
    pub result: String,
    /// True if the result does not exceed the limit.
    pub is_met: bool,
}

impl Second {
    pub(crate) fn new(stats: Stats, duration: Duration, cpu: f64) -> Self {
        Self { stats, duration, cpu, players: 0 }
    }

    /// Returns a count per second.
    pub(crate) fn rate(&self, counter: Counter) -> f64 {
        self.stats.get(counter) as f64 / self.duration.as_secs_f64().max(1e-3)
    }
}

impl RunReport {
    pub(crate) fn new(scenario: Arc<Scenario>, threads: usize) -> Self {
        let (elapsed, stats) = (Duration::ZERO, Stats::default());
        Self { scenario, threads, elapsed, stats, seconds: Vec::new() }
    }

    /// Adds a second. The rest of a run belongs to the second before, since the rates of such a
    /// short time say nothing.
    pub(crate) fn add(&mut self, mut second: Second) {
        self.elapsed += second.duration;
        self.stats.merge(&second.stats);
        second.players = self.stats.players();
        if let Some(last) = self.seconds.last_mut()
            && second.duration < REST_MAX
        {
            last.stats.merge(&second.stats);
            last.duration += second.duration;
            last.cpu = last.cpu.max(second.cpu);
            last.players = second.players;
        } else if self.seconds.len() < SECONDS_MAX {
            self.seconds.push(second);
        }
    }

    /// Returns the counters and times of all players.
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Returns the results that the scenario limits.
    pub fn checks(&self) -> Vec<Check> {
        let limits = &self.scenario.thresholds;
        let mut checks = Vec::new();
        for (name, limit, timing) in [
            ("join_p99", limits.join_p99, Timing::Join),
            ("rtt_p99", limits.rtt_p99, Timing::RoundTrip),
        ] {
            let Some(limit) = limit else { continue };
            let result = self.stats.quantile(&timing, 0.99);
            checks.push(Check {
                name,
                limit: table::time(limit),
                result: result.map_or_else(|| "not measured".to_owned(), table::time),
                is_met: result.is_some_and(|result| result <= limit),
            });
        }
        for (name, limit, counter) in [
            ("lost_reliable", limits.lost_reliable, Counter::LostReliable),
            ("failed_joins", limits.failed_joins, Counter::FailedJoins),
            ("disconnects", limits.disconnects, Counter::Disconnects),
            ("unmet_expectations", limits.unmet_expectations, Counter::UnmetExpectations),
        ] {
            let Some(limit) = limit else { continue };
            let result = self.stats.get(counter);
            let is_met = result <= limit;
            let (limit, result) = (limit.to_string(), result.to_string());
            checks.push(Check { name, limit, result, is_met });
        }
        checks
    }

    /// Returns the largest share of a core that a thread with bots has used in a second.
    pub fn busiest_cpu(&self) -> f64 {
        self.seconds.iter().fold(0.0, |most, second| most.max(second.cpu))
    }

    /// Returns the seconds in which a thread with bots was too busy for exact results.
    pub fn busy_seconds(&self) -> usize {
        self.seconds.iter().filter(|second| second.cpu > BUSY).count()
    }

    /// Returns the state after the last second in one line.
    pub fn progress(&self) -> String {
        table::progress(self)
    }

    /// Returns the results as a table.
    pub fn table(&self) -> String {
        table::table(self)
    }

    /// Returns the results as JSON. Times are in seconds.
    pub fn json(&self) -> String {
        json::json(self)
    }

    /// Returns the results as a page with plots, which needs no other files.
    pub fn html(&self) -> String {
        html::html(self)
    }
}

/// Share of a core above which bots themselves delay packets.
pub(crate) const BUSY: f64 = 0.8;
/// Duration below which the end of a run is no second of its own.
const REST_MAX: Duration = Duration::from_millis(500);
/// Maximum number of seconds that are kept: a day.
const SECONDS_MAX: usize = 24 * 3_600;
/// Quantiles in reports, with their names.
pub(crate) const QUANTILES: [(f64, &str); 5] =
    [(0.5, "p50"), (0.9, "p90"), (0.99, "p99"), (0.999, "p99.9"), (1.0, "max")];
