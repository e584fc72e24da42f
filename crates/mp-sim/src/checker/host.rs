//! Checks the branch hosts: a branch reads its mailbox or delivers although an endpoint hangs, and
//! its events report exactly the connected peers.

use std::time::Duration;

use mp_host::limits::STALL_TIMEOUT;

use super::Checker;
use crate::world::World;

/// Checker of branch hosts.
#[derive(Debug, Default)]
pub struct HostChecker;

impl Checker for HostChecker {
    fn name(&self) -> &'static str {
        "host"
    }

    fn inspect(&mut self, world: &mut World) -> Result<(), String> {
        world.each_program(|program| {
            let (run, stats) = (program.run, program.stats);
            if stats.idle > STALL_TIMEOUT + MARGIN {
                let idle = stats.idle;
                return Err(format!(
                    "{run} has neither read its mailbox nor delivered for {idle:?}"
                ));
            }
            if stats.events_disagree {
                return Err(format!("the events of {run} do not match its connected peers"));
            }
            Ok(())
        })
    }
}

/// Tolerance for late turns.
const MARGIN: Duration = Duration::from_millis(100);
