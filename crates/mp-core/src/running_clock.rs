//! A clock that stands still while the process does not run.

use std::time::Duration;

use crate::Instant;

/// Time in which the process ran: the clock of a state machine that times out remote peers.
///
/// A process that was stopped, a suspended laptop or a turn that lasts long must not time out
/// peers: what they sent could not be received in that time. So the time by which a turn is more
/// than [`STALL_MIN`](Self::STALL_MIN) late is not counted, and all timers go on where they were. A
/// machine notices only what makes a turn late, and asks for turns accordingly.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunningClock {
    /// The program's time of the last turn; `None` before the first.
    last: Option<Instant>,
    /// Sum of all stalls.
    stalled: Duration,
    stalls: u64,
}

impl RunningClock {
    /// A turn that is later than this is a stall: less than any timeout of a peer, more than a
    /// game's longest frame.
    pub const STALL_MIN: Duration = Duration::from_secs(1);

    /// Notes that it is `now` for the program, when the machine had asked for a turn at `due` of
    /// its own time. Returns the machine's time.
    pub fn advance(&mut self, now: Instant, due: impl FnOnce() -> Option<Instant>) -> Instant {
        let last = *self.last.get_or_insert(now);
        let now = now.max(last);
        // Rarely more than a comparison: this runs for each input.
        if now - last > Self::STALL_MIN
            && let Some(due) = due()
        {
            let late = now - self.to_program(due).max(last).min(now);
            if late > Self::STALL_MIN {
                tracing::debug!(?late, "a turn was late, timers go on where they were");
                self.stalled += late;
                self.stalls += 1;
            }
        }
        self.last = Some(now);
        self.now()
    }

    /// The machine's time of the last turn; [`Instant::ZERO`] before the first.
    pub fn now(&self) -> Instant {
        let last = self.last.unwrap_or(Instant::ZERO);
        Instant::ZERO + (last - Instant::ZERO).saturating_sub(self.stalled)
    }

    /// The program's time of a time of the machine.
    pub fn to_program(&self, at: Instant) -> Instant {
        at + self.stalled
    }

    /// Turns that were so late.
    pub const fn stalls(&self) -> u64 {
        self.stalls
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(millis: u64) -> Instant {
        Instant::from_millis(millis)
    }

    #[test]
    fn time_by_which_a_turn_is_late_does_not_count() {
        let mut clock = RunningClock::default();
        assert_eq!(clock.advance(at(5_000), || None), at(5_000));
        assert_eq!(clock.advance(at(65_300), || Some(at(5_300))), at(5_300));
        assert_eq!(clock.to_program(at(5_500)), at(65_500));
        assert_eq!(clock.advance(at(65_400), || Some(at(5_500))), at(5_400));
        assert_eq!(clock.stalls(), 1);
    }

    #[test]
    fn a_turn_that_is_on_time_or_a_little_late_counts() {
        let mut clock = RunningClock::default();
        clock.advance(at(0), || None);
        assert_eq!(clock.advance(at(60_000), || Some(at(60_000))), at(60_000));
        assert_eq!(clock.advance(at(61_900), || Some(at(61_000))), at(61_900));
        assert_eq!(clock.advance(at(500_000), || None), at(500_000), "nothing was due");
        assert_eq!(clock.stalls(), 0);
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut clock = RunningClock::default();
        clock.advance(at(5_000), || None);
        assert_eq!(clock.advance(at(1), || Some(at(5_000))), at(5_000));
    }
}
