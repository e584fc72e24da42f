//! What only programs may touch: the clock and the operating system's randomness. Protocol code takes their values as
//! arguments.

use crate::Instant;

/// The clock of a program: time since it was made.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock(std::time::Instant);

impl SystemClock {
    /// A clock that starts now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the clock")]
    pub fn new() -> Self {
        Self(std::time::Instant::now())
    }

    /// Time since the clock was made, plus one second so that no instant of a run is the epoch itself (ENet reserves
    /// time 0 for "never").
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

/// A seed that nobody can guess.
///
/// # Errors
///
/// When the operating system has no randomness to give, which no supported platform does after it has booted.
pub fn os_seed() -> std::io::Result<[u8; 32]> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(std::io::Error::other)?;
    Ok(seed)
}
