//! [`CircuitBreaker`]: stops requests to a service that fails.

use std::time::Duration;

use mp_core::Instant;

/// Counts the failures in a row of a service. After too many of them, requests are refused for a
/// pause; then one at a time is tried, until one succeeds.
#[derive(Debug)]
pub(super) struct CircuitBreaker {
    /// Failures in a row that open the breaker.
    failures_max: u32,
    pause: Duration,
    failures: u32,
    /// End of the pause.
    open_until: Instant,
}

/// The state of a [`CircuitBreaker`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BreakerState {
    /// The service works: requests are sent.
    Closed,
    /// The service fails: requests are refused.
    Open,
    /// The service is tried by one request at a time.
    HalfOpen,
}

impl CircuitBreaker {
    pub(super) fn new(failures_max: u32, pause: Duration) -> Self {
        Self { failures_max: failures_max.max(1), pause, failures: 0, open_until: Instant::ZERO }
    }

    pub(super) fn state(&self, now: Instant) -> BreakerState {
        if self.failures < self.failures_max {
            BreakerState::Closed
        } else if now < self.open_until {
            BreakerState::Open
        } else {
            BreakerState::HalfOpen
        }
    }

    /// Records that the service has answered.
    pub(super) fn succeed(&mut self) {
        self.failures = 0;
    }

    /// Records a failure. Late failures during a pause do not extend it.
    pub(super) fn fail(&mut self, now: Instant) {
        let was_open = self.state(now) == BreakerState::Open;
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.failures_max && !was_open {
            self.open_until = now + self.pause;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(10);

    #[test]
    fn failures_in_a_row_open_the_breaker_for_the_pause() {
        let (mut breaker, now) = (CircuitBreaker::new(3, PAUSE), Instant::from_millis(7));
        breaker.fail(now);
        breaker.fail(now);
        breaker.succeed();
        breaker.fail(now);
        breaker.fail(now);
        assert_eq!(breaker.state(now), BreakerState::Closed, "not three in a row");
        breaker.fail(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        breaker.fail(now + Duration::from_secs(9));
        assert_eq!(breaker.state(Instant::from_micros(10_006_999)), BreakerState::Open);
        assert_eq!(breaker.state(now + PAUSE), BreakerState::HalfOpen, "a late failure");
    }

    #[test]
    fn trial_closes_the_breaker_or_opens_it_again() {
        let (mut breaker, mut now) = (CircuitBreaker::new(1, PAUSE), Instant::ZERO);
        breaker.fail(now);
        now += PAUSE;
        breaker.fail(now);
        assert_eq!(breaker.state(now), BreakerState::Open);
        now += PAUSE;
        assert_eq!(breaker.state(now), BreakerState::HalfOpen);
        breaker.succeed();
        assert_eq!(breaker.state(now), BreakerState::Closed);
    }
}
