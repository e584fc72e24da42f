//! [`TurnMeter`]: the durations of turns, and the times at which statistics are published.

use mp_core::{DurationHistogram, Instant};

use crate::limits::STATS_INTERVAL;

/// Measures the turns of an actor, and schedules when it publishes its statistics.
#[derive(Debug, Default)]
pub(super) struct TurnMeter {
    turns: DurationHistogram,
    /// Time of the first input since the last turn.
    input_at: Option<Instant>,
    published: Option<Instant>,
    /// True if there was a turn since statistics were published.
    is_pending: bool,
}

impl TurnMeter {
    /// Records that the actor handles input, which belongs to the next turn.
    pub(super) fn begin_input(&mut self, now: Instant) {
        self.input_at.get_or_insert(now);
    }

    /// Records a turn with its input. Returns whether statistics are to be published.
    pub(super) fn end_turn(&mut self, began: Instant, ended: Instant) -> bool {
        let began = self.input_at.take().unwrap_or(began);
        self.turns.record(ended - began);
        let is_due = self.published.is_none_or(|published| ended >= published + STATS_INTERVAL);
        self.is_pending = !is_due;
        if is_due {
            self.published = Some(ended);
        }
        is_due
    }

    /// Returns the time by which a turn has to follow, so that statistics are published.
    pub(super) fn due(&self) -> Option<Instant> {
        self.published.filter(|_| self.is_pending).map(|published| published + STATS_INTERVAL)
    }

    /// Returns the durations of turns since the last call.
    pub(super) fn take(&mut self) -> DurationHistogram {
        std::mem::take(&mut self.turns)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Ends a turn at `millis` that began 2 ms before.
    fn turn(meter: &mut TurnMeter, millis: u64) -> bool {
        let ended = Instant::from_millis(millis);
        meter.end_turn(Instant::from_millis(millis - 2), ended)
    }

    #[test]
    fn statistics_are_published_once_a_second_and_after_the_last_turn() {
        let mut meter = TurnMeter::default();
        assert_eq!(meter.due(), None);
        let published = [1_000, 1_500, 1_999, 2_000, 2_001].map(|at| turn(&mut meter, at));
        assert_eq!(published, [true, false, false, true, false]);
        assert_eq!(meter.due(), Some(Instant::from_millis(3_000)));
        assert!(turn(&mut meter, 3_000));
        assert_eq!(meter.due(), None, "an idle actor has no timer");
    }

    #[test]
    fn a_turn_begins_with_its_first_input() {
        let mut meter = TurnMeter::default();
        meter.begin_input(Instant::from_millis(10));
        meter.begin_input(Instant::from_millis(15));
        turn(&mut meter, 20);
        assert_eq!(meter.take().sum(), Duration::from_millis(10));
        turn(&mut meter, 30);
        assert_eq!(meter.take().sum(), Duration::from_millis(2));
    }
}
