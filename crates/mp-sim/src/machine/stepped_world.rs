//! [`SteppedWorld`]: a world with turns at fixed intervals.

use std::time::Duration;

use mp_core::Instant;

use super::Environment;
use crate::checker::Violation;
use crate::net::SERVER_SLOT;

/// A world of a server and clients with turns at fixed intervals. It is active, and then settles.
pub(crate) trait SteppedWorld {
    /// Number of clients. Their slots follow that of the server.
    const CLIENTS: usize;

    fn environment(&mut self) -> &mut Environment;

    /// Runs a turn of the server. While the world is active, programs act and faults occur.
    fn step_server(&mut self, is_active: bool) -> Result<(), Violation>;

    /// Runs a turn of the client of a slot, or starts one if there is none.
    fn step_client(&mut self, slot: usize, is_active: bool) -> Result<(), Violation>;

    /// Returns whether the machine of a slot has something to do though it has received nothing.
    /// Others have no turn while the world settles. Default: true.
    fn is_due(&self, _slot: usize) -> bool {
        true
    }

    /// Runs a turn of the server, then of the clients.
    fn step(&mut self, is_active: bool) -> Result<(), Violation> {
        self.environment().advance();
        let is_due = |world: &mut Self, slot| {
            is_active || world.environment().has_received(slot) || world.is_due(slot)
        };
        if is_due(self, SERVER_SLOT) {
            self.step_server(is_active)?;
        }
        for slot in (1..=Self::CLIENTS).map(|client| SERVER_SLOT + client) {
            if is_due(self, slot) {
                self.step_client(slot, is_active)?;
            }
        }
        Ok(())
    }

    /// Checks what holds in a settled world. The error is a violation.
    fn check_settled(&mut self) -> Result<(), String>;

    /// Runs for a time.
    fn run(&mut self, time: Duration, is_active: bool) -> Result<(), Violation> {
        let end = self.environment().now + time;
        while self.environment().now < end {
            self.step(is_active)?;
        }
        Ok(())
    }

    /// Runs until the world has been settled for [`CALM_TIME`]. Returns a violation with this name
    /// if the world has not settled after `settling`.
    fn run_until_settled(
        &mut self,
        name: &'static str,
        settling: Duration,
    ) -> Result<(), Violation> {
        let mut calm = Calm { end: self.environment().now + settling, since: None };
        loop {
            let settled = self.check_settled();
            let is_over = calm.is_over(self.environment().now, settled);
            if is_over.map_err(|what| self.environment().violation(name, what))? {
                return Ok(());
            }
            self.run(CHECK_INTERVAL, false)?;
        }
    }
}

/// Decides when a world has settled for good.
#[derive(Clone, Copy, Debug)]
struct Calm {
    /// Time by which the world must have settled.
    end: Instant,
    /// Time since which the world has been settled; `None` if it is not.
    since: Option<Instant>,
}

impl Calm {
    /// Handles the result of a check. Returns whether the world is over; the error is the last
    /// result if the world should have settled.
    fn is_over(&mut self, now: Instant, settled: Result<(), String>) -> Result<bool, String> {
        match settled {
            Ok(()) => Ok(now - *self.since.get_or_insert(now) >= CALM_TIME),
            Err(what) if now >= self.end => Err(what),
            Err(_) => {
                self.since = None;
                Ok(false)
            }
        }
    }
}

/// Time between two checks.
const CHECK_INTERVAL: Duration = Duration::from_millis(250);
/// Time for which a world must stay settled: packets that were sent again have arrived, and a next
/// host has taken over.
const CALM_TIME: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn world_is_over_when_it_stays_settled_and_fails_when_it_does_not_in_time() {
        let mut calm = Calm { end: Instant::from_millis(10_000), since: None };
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
