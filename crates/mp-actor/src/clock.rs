//! The clock of the actors: tokio's, which tests can pause.

use std::sync::OnceLock;

use mp_core::Instant;

/// A clock that returns the time since the first one of the process was created plus one second, so
/// that no instant is the epoch. Actors may therefore share limits, such as the rate of a branch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(tokio::time::Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "a test may have paused tokio's clock")]
    pub(crate) fn new() -> Self {
        static FIRST: OnceLock<std::time::Instant> = OnceLock::new();
        let first = FIRST.get_or_init(std::time::Instant::now);
        Self(tokio::time::Instant::from_std(*first))
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
