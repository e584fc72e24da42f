//! Hosts keep their promises: a branch reads its mail, or delivers, although an endpoint hangs; and
//! who follows its events knows which peers are there.

use std::time::Duration;

use mp_host::limits::STALL_TIMEOUT;

use super::Checker;
use crate::world::World;

/// See [the module](self).
#[derive(Debug, Default)]
pub struct Host;

impl Checker for Host {
    fn name(&self) -> &'static str {
        "host"
    }

    fn inspect(&mut self, world: &mut World) -> Result<(), String> {
        world.each_program(|program| {
            let (run, figures) = (program.run, program.figures);
            if figures.idle > STALL_TIMEOUT + MARGIN {
                let idle = figures.idle;
                return Err(format!("{run} has neither read its mail nor delivered for {idle:?}"));
            }
            if figures.is_mistaken {
                return Err(format!("the events of {run} told of other peers than are there"));
            }
            Ok(())
        })
    }
}

/// Turns are late now and then.
const MARGIN: Duration = Duration::from_millis(100);
