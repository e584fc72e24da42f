//! The clock of the actors: tokio's, which tests can pause.

use mp_core::Instant;

/// A clock that returns the time since it was created plus one second, so that no instant is the
/// epoch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(tokio::time::Instant);

impl Clock {
    pub(crate) fn new() -> Self {
        Self(tokio::time::Instant::now())
    }

    pub(crate) fn now(&self) -> Instant {
        let micros = u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX);
        Instant::from_micros(micros.saturating_add(HEAD_START_MICROS))
    }

    /// Returns `instant` as a time of tokio's clock.
    pub(crate) fn deadline(&self, instant: Instant) -> tokio::time::Instant {
        let since = instant - Instant::from_micros(HEAD_START_MICROS);
        self.0 + since.min(FAR_FUTURE)
    }
}

const HEAD_START_MICROS: u64 = 1_000_000;
/// Maximum time until a deadline: tokio's clock can represent it.
const FAR_FUTURE: std::time::Duration = std::time::Duration::from_secs(86_400 * 365);
