//! A clock that stops while the process does not run.

use std::time::Duration;

use crate::Instant;

/// The time during which the process ran: the clock of a state machine that times out remote peers.
///
/// A stopped process, a suspended laptop or a long turn must not time out peers: the packets that
/// they sent in that time could not be received. If a turn is more than
/// [`STALL_MIN`](Self::STALL_MIN) late, the delay is not counted, and all timers continue where
/// they were. Only a late turn is detected, so the state machine must request turns often enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct RunningClock {
    /// Program time of the last turn; `None` before the first.
    last: Option<Instant>,
    /// Sum of all stalls in microseconds.
    stalled: u64,
    stalls: u64,
}

impl RunningClock {
    /// Delay from which a turn counts as a stall: shorter than any peer timeout, longer than a
    /// game's longest frame.
    pub const STALL_MIN: Duration = Duration::from_secs(1);

    /// Creates a clock that continues another one, of which `last` was the program time of the last
    /// turn, and `stalled` the sum of all stalls.
    pub fn continuing(last: Option<Instant>, stalled: Duration) -> Self {
        let until = last.unwrap_or(Instant::ZERO) - Instant::ZERO;
        let stalled = stalled.min(until).as_micros() as u64;
        Self { last, stalled, stalls: 0 }
    }

    /// Returns the program time of the last turn; `None` before the first.
    pub const fn last(&self) -> Option<Instant> {
        self.last
    }

    /// Returns the sum of all stalls.
    pub const fn stalled(&self) -> Duration {
        Duration::from_micros(self.stalled)
    }

    /// Advances the clock to the program time `now` and returns the machine time. `due` returns the
    /// machine time for which the state machine had requested this turn.
    pub fn advance(&mut self, now: Instant, due: impl FnOnce() -> Option<Instant>) -> Instant {
        let stall = self.stall(now, due);
        if stall > 0 {
            let late = Duration::from_micros(stall);
            tracing::debug!(?late, "turn was late; timers continue where they were");
            self.stalled += stall;
            self.stalls += 1;
        }
        self.last = self.last.max(Some(now));
        self.now()
    }

    /// Returns the machine time that [`advance`](Self::advance) would return, without advancing the
    /// clock.
    pub fn peek(&self, now: Instant, due: impl FnOnce() -> Option<Instant>) -> Instant {
        let stalled = self.stalled + self.stall(now, due);
        Self { last: self.last.max(Some(now)), stalled, stalls: self.stalls }.now()
    }

    /// Returns the delay in microseconds of a turn at the program time `now`; 0 if it does not
    /// count as a stall.
    fn stall(&self, now: Instant, due: impl FnOnce() -> Option<Instant>) -> u64 {
        let last = self.last.unwrap_or(now);
        // The fast path is one comparison: this runs for each input.
        if now <= last + Self::STALL_MIN {
            return 0;
        }
        let Some(due) = due() else { return 0 };
        let due = self.to_program(due).max(last);
        if now <= due + Self::STALL_MIN { 0 } else { now.as_micros() - due.as_micros() }
    }

    /// Returns the machine time of the last turn; [`Instant::ZERO`] before the first.
    pub fn now(&self) -> Instant {
        let last = self.last.unwrap_or(Instant::ZERO);
        Instant::from_micros(last.as_micros().saturating_sub(self.stalled))
    }

    /// Converts a machine time to program time.
    pub fn to_program(&self, at: Instant) -> Instant {
        Instant::from_micros(at.as_micros().saturating_add(self.stalled))
    }

    /// Returns the number of stalls.
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
    fn delay_of_a_late_turn_is_not_counted() {
        let mut clock = RunningClock::default();
        assert_eq!(clock.advance(at(5_000), || None), at(5_000));
        assert_eq!(clock.advance(at(65_300), || Some(at(5_300))), at(5_300));
        assert_eq!(clock.to_program(at(5_500)), at(65_500));
        assert_eq!(clock.advance(at(65_400), || Some(at(5_500))), at(5_400));
        assert_eq!(clock.stalls(), 1);
    }

    #[test]
    fn turn_on_time_or_slightly_late_is_counted() {
        let mut clock = RunningClock::default();
        clock.advance(at(0), || None);
        assert_eq!(clock.advance(at(60_000), || Some(at(60_000))), at(60_000));
        assert_eq!(clock.advance(at(61_900), || Some(at(61_000))), at(61_900));
        assert_eq!(clock.advance(at(500_000), || None), at(500_000), "nothing was due");
        assert_eq!(clock.stalls(), 0);
    }

    #[test]
    fn clock_does_not_go_back() {
        let mut clock = RunningClock::default();
        clock.advance(at(5_000), || None);
        assert_eq!(clock.peek(at(1), || Some(at(5_000))), at(5_000));
        assert_eq!(clock.advance(at(1), || Some(at(5_000))), at(5_000));
    }

    #[test]
    fn peek_returns_the_time_without_advancing_the_clock() {
        let mut clock = RunningClock::default();
        clock.advance(at(5_000), || None);
        assert_eq!(clock.peek(at(65_300), || Some(at(5_300))), at(5_300));
        assert_eq!(clock.peek(at(5_900), || None), at(5_900));
        assert_eq!((clock.now(), clock.stalls()), (at(5_000), 0));
    }
}
