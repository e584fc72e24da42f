//! [`OverloadMonitor`]: detects that a thread does not keep up, by the lateness of its timers.

use std::time::Duration;

use mp_core::Instant;

/// Detects that a thread does not keep up, without I/O. It is overloaded when all measurements of
/// [`OVERLOAD_AFTER`] exceeded the limit, and no longer when all of [`RECOVERED_AFTER`] were below
/// half of it. Single late turns, and short recoveries, change nothing.
#[derive(Clone, Copy, Debug)]
pub struct OverloadMonitor {
    max_lateness: Duration,
    /// Time since which all measurements call for a change of the state.
    since: Option<Instant>,
    is_overloaded: bool,
}

/// Time above the limit after which a thread is overloaded.
pub const OVERLOAD_AFTER: Duration = Duration::from_millis(500);

/// Time below half of the limit after which a thread has recovered. It is longer, so that the
/// players who join meanwhile do not overload the thread again at once.
pub const RECOVERED_AFTER: Duration = Duration::from_secs(2);

impl OverloadMonitor {
    /// Returns a monitor of a thread whose timers may be late by `max_lateness`.
    pub fn new(max_lateness: Duration) -> Self {
        Self { max_lateness, since: None, is_overloaded: false }
    }

    /// Records that a timer was late by `lateness`. Returns whether the thread is overloaded.
    pub fn record(&mut self, now: Instant, lateness: Duration) -> bool {
        let (is_beyond, after) = match self.is_overloaded {
            false => (lateness > self.max_lateness, OVERLOAD_AFTER),
            true => (lateness < self.max_lateness / 2, RECOVERED_AFTER),
        };
        if !is_beyond {
            self.since = None;
        } else if now - *self.since.get_or_insert(now) >= after {
            self.since = None;
            self.is_overloaded = !self.is_overloaded;
        }
        self.is_overloaded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: Duration = Duration::from_millis(50);

    /// Records `lateness` every 100 ms for `millis`, and returns the time of each change.
    fn record(
        monitor: &mut OverloadMonitor,
        now: &mut Instant,
        millis: u64,
        lateness: impl Fn(u64) -> u64,
    ) -> Vec<(u64, bool)> {
        let (start, mut changes) = (*now, Vec::new());
        for step in 0..millis / 100 {
            let before = monitor.is_overloaded;
            let after = monitor.record(*now, Duration::from_millis(lateness(step)));
            if before != after {
                changes.push(((*now - start).as_millis() as u64, after));
            }
            *now += Duration::from_millis(100);
        }
        changes
    }

    #[test]
    fn thread_is_overloaded_while_it_is_late_and_recovers_with_hysteresis() {
        let (mut monitor, mut now) = (OverloadMonitor::new(MAX), Instant::from_millis(1));
        assert_eq!(record(&mut monitor, &mut now, 5_000, |_| 50), []);
        assert_eq!(record(&mut monitor, &mut now, 5_000, |_| 51), [(500, true)]);
        assert_eq!(record(&mut monitor, &mut now, 5_000, |_| 30), [], "not half of the limit");
        assert_eq!(record(&mut monitor, &mut now, 5_000, |_| 10), [(2_000, false)]);
    }

    #[test]
    fn single_late_turns_and_short_recoveries_change_nothing() {
        let (mut monitor, mut now) = (OverloadMonitor::new(MAX), Instant::from_millis(1));
        let single =
            record(&mut monitor, &mut now, 20_000, |step| if step % 5 == 0 { 0 } else { 900 });
        assert_eq!(single, []);
        monitor.record(now, Duration::ZERO);
        assert_eq!(record(&mut monitor, &mut now, 600, |_| 900), [(500, true)]);
        let short =
            record(&mut monitor, &mut now, 20_000, |step| if step % 10 == 0 { 60 } else { 0 });
        assert_eq!(short, []);
    }
}
