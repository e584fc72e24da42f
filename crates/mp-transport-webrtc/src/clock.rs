//! Conversion between mp's time and that of str0m.

use std::time;

use mp_core::Instant;

/// Conversion between [`Instant`] and the standard library's. str0m only compares and adds the
/// times that it is given, so virtual time works as well.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    /// str0m's time at [`Instant::ZERO`].
    zero: time::Instant,
}

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the origin of str0m's time")]
    pub(crate) fn new() -> Self {
        Self { zero: time::Instant::now() }
    }

    pub(crate) fn to_std(self, now: Instant) -> time::Instant {
        let offset = now.saturating_since(Instant::ZERO);
        self.zero.checked_add(offset).unwrap_or(self.zero)
    }

    /// Returns the time of a timer, rounded up so that the timer is due then.
    pub(crate) fn to_instant(self, at: time::Instant) -> Instant {
        let offset = at.saturating_duration_since(self.zero);
        let micros = offset.as_nanos().div_ceil(1_000);
        Instant::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}
