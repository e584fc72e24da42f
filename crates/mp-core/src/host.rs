//! The system clock and the operating system's randomness, for programs only. Protocol code takes
//! time and seeds as arguments.

use crate::{Instant, UnixSeconds};

/// A monotonic clock of the operating system.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(std::time::Instant);

impl SystemClock {
    /// Returns a clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }

    /// Returns the time since the clock was created, plus one second. The second keeps every
    /// instant apart from the epoch: ENet reserves time 0 for "never".
    pub fn now(&self) -> Instant {
        let micros = u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(micros.saturating_add(1_000_000))
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

/// Returns the time of the wall clock, which may be set at any time; 0 before 1970.
#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
pub fn unix_now() -> UnixSeconds {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs())
}

/// Returns a seed from the operating system's random number generator.
///
/// # Errors
///
/// If the operating system has no randomness available. This does not happen after boot on
/// supported platforms.
pub fn os_seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    Ok(seed)
}
