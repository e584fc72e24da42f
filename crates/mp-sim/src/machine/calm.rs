//! [`Calm`]: when a world has settled for good.

use std::time::Duration;

use mp_core::Instant;

/// The end of a world, which is over when it has been settled for [`TIME`](Self::TIME).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Calm {
    /// Time by which the world must have settled.
    end: Instant,
    /// Time since which the world has been settled; `None` if it is not.
    since: Option<Instant>,
}

impl Calm {
    /// Time between two checks.
    pub(crate) const INTERVAL: Duration = Duration::from_millis(250);
    /// Time for which a world must stay settled: packets that were resent have arrived, and a next
    /// host has taken over.
    const TIME: Duration = Duration::from_secs(3);

    /// Begins the end of a world that settles within `settling`.
    pub(crate) fn within(now: Instant, settling: Duration) -> Self {
        Self { end: now + settling, since: None }
    }

    /// Handles the result of a check. Returns whether the world is over.
    ///
    /// # Errors
    ///
    /// Returns the last result if the world should have settled.
    pub(crate) fn is_over(
        &mut self,
        now: Instant,
        settled: Result<(), String>,
    ) -> Result<bool, String> {
        match settled {
            Ok(()) => {
                let since = *self.since.get_or_insert(now);
                Ok(now - since >= Self::TIME)
            }
            Err(what) if now >= self.end => Err(what),
            Err(_) => {
                self.since = None;
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_is_over_when_it_stays_settled_and_fails_when_it_does_not_in_time() {
        let mut calm = Calm::within(Instant::ZERO, Duration::from_secs(10));
        let mut is_over = |at, settled: Result<(), &str>| {
            calm.is_over(Instant::from_millis(at), settled.map_err(str::to_owned))
        };
        assert_eq!(is_over(1_000, Ok(())), Ok(false));
        assert_eq!(is_over(3_900, Err("not yet")), Ok(false));
        assert_eq!(is_over(4_000, Ok(())), Ok(false));
        assert_eq!(is_over(6_999, Ok(())), Ok(false));
        assert_eq!(is_over(7_000, Ok(())), Ok(true));
        assert_eq!(is_over(10_000, Err("too late")), Err("too late".to_owned()));
    }
}
