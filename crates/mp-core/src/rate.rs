//! Rates, and the token bucket that enforces them. Exact: no division, no floating point.

use std::time::Duration;

use crate::Instant;

/// A maximum rate: tokens per second, and the number that may be used at once.
///
/// ```
/// use mp_core::Rate;
///
/// let rate = Rate::per_second(60);
/// assert_eq!(rate.burst(), 120);
/// assert_eq!(rate.with_burst(10).burst(), 10);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    per_second: u64,
    burst: u64,
}

impl Rate {
    /// Maximum of both values: 2⁴⁰, about 10¹².
    pub const MAX: u64 = 1 << 40;

    /// Returns a rate of `tokens` per second, at least 1 and at most [`MAX`](Self::MAX), with a
    /// burst of two seconds.
    pub const fn per_second(tokens: u64) -> Self {
        Self { per_second: clamp(tokens), burst: clamp(clamp(tokens) * 2) }
    }

    /// Sets the number of tokens that may be used at once: at least 1 and at most
    /// [`MAX`](Self::MAX).
    #[must_use]
    pub const fn with_burst(self, tokens: u64) -> Self {
        Self { burst: clamp(tokens), ..self }
    }

    /// Returns the tokens per second.
    pub const fn tokens_per_second(self) -> u64 {
        self.per_second
    }

    /// Returns the number of tokens that may be used at once.
    pub const fn burst(self) -> u64 {
        self.burst
    }
}

const fn clamp(tokens: u64) -> u64 {
    if tokens == 0 {
        1
    } else if tokens > Rate::MAX {
        Rate::MAX
    } else {
        tokens
    }
}

/// The state of a [`Rate`]. Default: a full bucket, whatever the rate is.
///
/// The rate is an argument, so that it may change while the bucket is used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenBucket {
    /// Millionths of tokens that were used and are not refilled. More than the burst: a debt.
    used: u64,
    /// Time of the last refill.
    at: Instant,
}

/// Microseconds per second, and millionths per token. Each microsecond refills as many millionths
/// as there are tokens per second.
const MILLION: u64 = 1_000_000;

impl TokenBucket {
    /// Returns whether `tokens` are left, or the bucket is full. A packet larger than the burst
    /// therefore passes, too, and the debt delays the next one.
    pub fn allows(&mut self, now: Instant, rate: Rate, tokens: u64) -> bool {
        self.refill(now, rate);
        let tokens = tokens.min(rate.burst);
        self.used <= (rate.burst - tokens) * MILLION
    }

    /// Uses tokens, even if there are too few: the bucket is in debt then.
    pub fn charge(&mut self, now: Instant, rate: Rate, tokens: u64) {
        self.refill(now, rate);
        self.used = self.used.saturating_add(tokens.saturating_mul(MILLION));
    }

    /// Uses tokens if they are left, and returns whether they were.
    pub fn take(&mut self, now: Instant, rate: Rate, tokens: u64) -> bool {
        let is_allowed = self.allows(now, rate, tokens);
        if is_allowed {
            self.charge(now, rate, tokens);
        }
        is_allowed
    }

    /// Returns the time at which the debt is repaid, or `now` if there is none.
    pub fn repaid_at(&mut self, now: Instant, rate: Rate) -> Instant {
        self.refill(now, rate);
        let debt = self.used.saturating_sub(rate.burst * MILLION);
        now + Duration::from_micros(debt.div_ceil(rate.per_second))
    }

    fn refill(&mut self, now: Instant, rate: Rate) {
        // Endpoints on several threads may share a bucket, so `now` may be earlier than `at`.
        let elapsed = now.as_micros().saturating_sub(self.at.as_micros());
        self.used = self.used.saturating_sub(elapsed.saturating_mul(rate.per_second));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: u64) -> Instant {
        Instant::from_micros(5_000_000 + micros)
    }

    #[test]
    fn burst_is_allowed_at_once_and_then_one_token_per_interval() {
        let (rate, mut bucket) = (Rate::per_second(4).with_burst(3), TokenBucket::default());
        let allowed = (0..6).filter(|_| bucket.take(at(0), rate, 1)).count();
        assert_eq!(allowed, 3);
        assert!(!bucket.take(at(249_999), rate, 1));
        assert!(bucket.take(at(250_000), rate, 1) && !bucket.take(at(250_000), rate, 1));
    }

    #[test]
    fn rate_is_exact_over_a_day_of_uneven_steps() {
        // 7 does not divide a million: a bucket that rounds would drift.
        let (rate, mut bucket) = (Rate::per_second(7).with_burst(1), TokenBucket::default());
        let day = 86_400 * MILLION;
        let taken = (0..day).step_by(10_007).filter(|&it| bucket.take(at(it), rate, 1)).count();
        let step_error = 7 * 86_400 * 10_007 / 142_857;
        assert!(taken as u64 <= 7 * 86_400 + 1, "{taken}");
        assert!(taken as u64 >= 7 * 86_400 - step_error, "{taken}");

        bucket = TokenBucket::default();
        for second in 0..86_400 {
            bucket.charge(at(second * MILLION), rate, 7);
        }
        assert_eq!(bucket.repaid_at(at(86_399 * MILLION), rate), at(86_399 * MILLION + 857_143));
    }

    #[test]
    fn debt_is_repaid_at_the_rate() {
        let (rate, mut bucket) = (Rate::per_second(1_000), TokenBucket::default());
        assert!(bucket.take(at(0), rate, 10_000), "a full bucket allows more than the burst");
        assert!(!bucket.allows(at(1_000_000), rate, 1));
        assert_eq!(bucket.repaid_at(at(1_000_000), rate), at(8_000_000));
        assert!(!bucket.allows(at(8_000_000), rate, 1) && bucket.allows(at(8_001_000), rate, 1));
    }

    #[test]
    fn largest_values_do_not_overflow() {
        let (rate, mut bucket) = (Rate::per_second(u64::MAX), TokenBucket::default());
        assert_eq!((rate.tokens_per_second(), rate.burst()), (Rate::MAX, Rate::MAX));
        bucket.charge(at(0), rate, u64::MAX);
        assert!(!bucket.allows(at(0), rate, 1));
        assert!(bucket.allows(Instant::from_micros(u64::MAX), rate, 1));
        assert_eq!(Rate::per_second(0).tokens_per_second(), 1);
    }

    #[test]
    fn earlier_time_refills_nothing() {
        let (rate, mut bucket) = (Rate::per_second(1).with_burst(1), TokenBucket::default());
        assert!(bucket.take(at(500_000), rate, 1));
        assert!(!bucket.take(at(0), rate, 1) && !bucket.take(at(1_499_999), rate, 1));
        assert!(bucket.take(at(1_500_000), rate, 1));
    }
}
