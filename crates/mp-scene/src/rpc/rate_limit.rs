//! Limits of the rate of calls: a token bucket, sans-IO.

use std::fmt;
use std::time::Duration;

use mp_core::Instant;

/// A maximum rate: a number of calls per period. As many calls may come at once; after that, each
/// is allowed one interval after the last.
///
/// ```
/// use std::time::Duration;
/// use mp_scene::rpc::RateLimit;
///
/// assert_eq!(RateLimit::per_second(20).to_string(), "20 in 1s");
/// assert_eq!(RateLimit::new(1, Duration::from_secs(60)).calls(), 1);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RateLimit {
    calls: u32,
    period: Duration,
}

impl RateLimit {
    /// Creates a limit of `calls` per `period`.
    ///
    /// # Panics
    ///
    /// If `calls` or `period` is zero, since no call would ever or always be allowed.
    pub const fn new(calls: u32, period: Duration) -> Self {
        assert!(calls > 0 && !period.is_zero(), "a rate of zero calls, or per zero time");
        Self { calls, period }
    }

    /// Creates a limit of `calls` per second.
    ///
    /// # Panics
    ///
    /// If `calls` is zero.
    pub const fn per_second(calls: u32) -> Self {
        Self::new(calls, Duration::from_secs(1))
    }

    /// Returns the number of calls per period.
    pub const fn calls(self) -> u32 {
        self.calls
    }

    /// Returns the period.
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {:?}", self.calls, self.period)
    }
}

/// The bucket of a limit: the time at which it will be full again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TokenBucket(Instant);

impl TokenBucket {
    /// Creates a full bucket.
    pub(crate) const fn new() -> Self {
        Self(Instant::ZERO)
    }

    /// Takes a token; returns false if there is none.
    pub(crate) fn take(&mut self, now: Instant, limit: RateLimit) -> bool {
        let full_at = self.0.max(now) + limit.period / limit.calls;
        if full_at.saturating_since(now) > limit.period {
            return false;
        }
        self.0 = full_at;
        true
    }

    /// Returns whether the bucket is full, so that a new one is the same.
    pub(crate) fn is_full(self, now: Instant) -> bool {
        self.0 <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_of_the_period_is_allowed_and_then_one_call_per_interval() {
        let limit = RateLimit::per_second(4);
        let (mut bucket, start) = (TokenBucket::new(), Instant::from_millis(10_000));
        let allowed = (0..6).filter(|_| bucket.take(start, limit)).count();
        assert_eq!(allowed, 4);
        let later = |millis| start + Duration::from_millis(millis);
        assert!(!bucket.take(later(249), limit));
        assert!(bucket.take(later(250), limit) && !bucket.take(later(250), limit));
        assert!(!bucket.is_full(later(1_249)) && bucket.is_full(later(1_250)));
        let allowed = (0..9).filter(|_| bucket.take(later(60_000), limit)).count();
        assert_eq!(allowed, 4);
    }
}
