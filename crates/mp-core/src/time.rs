//! Time as a value. Protocol code never reads a clock: its caller passes `now`.

use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Seconds since 1970-01-01 UTC: times of the wall clock, which outlive the process.
pub type UnixSeconds = u64;

/// Monotonic time in microseconds since an epoch that the host chooses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Instant(u64);

impl Instant {
    /// The epoch.
    pub const ZERO: Self = Self(0);

    /// Returns the instant `micros` microseconds after the epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the instant `millis` milliseconds after the epoch. Saturates at `u64::MAX`
    /// microseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// Returns the microseconds since the epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Returns the whole milliseconds since the epoch.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000
    }

    /// Returns the seconds since the epoch.
    pub const fn as_secs_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Returns the time since `earlier`, or zero when `earlier` is later than `self`.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    /// Returns the instant `duration` later. Saturates at `u64::MAX` microseconds.
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Self> for Instant {
    type Output = Duration;

    fn sub(self, earlier: Self) -> Duration {
        self.saturating_since(earlier)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_and_sums_saturate() {
        let last = Instant::from_micros(u64::MAX);
        assert_eq!(Instant::from_millis(u64::MAX), last);
        assert_eq!(Instant::from_millis(1) + Duration::MAX, last);
        assert_eq!(Instant::ZERO - last, Duration::ZERO);
    }

    #[test]
    fn an_instant_converts_to_seconds() {
        assert_eq!(Instant::from_millis(1_500).as_secs_f64(), 1.5);
    }
}
