//! How a world comes to rest: nothing goes wrong any more, programs fall silent, and all must agree on who is there.

use std::time::Duration;

use mp_core::Instant;

use super::World;
use crate::checker::{Violation, quiet};
use crate::net::SERVER_PLACE;
use crate::trace::Detail;

impl World {
    /// Ends the storm, and waits until the world has come to rest.
    ///
    /// # Errors
    ///
    /// When it does not, or when it is not quiet then.
    pub fn come_to_rest(&mut self) -> Result<(), Violation> {
        self.heal();
        let deadline = self.now() + REST_TIME_MAX;
        let mut calm = 0;
        while calm < CALM_SECONDS {
            self.run_until(self.now() + Duration::from_secs(1))?;
            let disturbance = quiet::disturbance(self);
            calm = if disturbance.is_none() { calm + 1 } else { 0 };
            if let Some(what) = disturbance
                && self.now() >= deadline
            {
                let after = REST_TIME_MAX.as_secs();
                let what = format!("{what}, {after} s after everything was mended");
                return Err(Violation { at: self.now(), name: "rest", what });
            }
        }
        self.is_to_be_quiet = true;
        self.run_until(self.now() + QUIET_TIME)?;
        self.is_to_be_quiet = false;
        // Links that stand may still be silent: a ping that was lost again and again comes again after seconds.
        match quiet::disagreement(self) {
            Some(what) => Err(Violation { at: self.now(), name: "rest", what }),
            None => Ok(()),
        }
    }

    fn heal(&mut self) {
        self.trace.line(Detail::Story, format_args!("heal   everything is mended"));
        self.is_stormy = false;
        for client in 1..self.places.len() {
            let path = self.network.path(client);
            path.up.heal();
            path.down.heal();
        }
        for workload in &mut self.workloads {
            let server = self.places[SERVER_PLACE].process.as_mut();
            workload.settle(server.map(|process| &mut process.branch));
        }
        for place in 0..self.places.len() {
            self.network.jam(place, false);
            self.stall(place, None, Instant::ZERO);
            let here = &mut self.places[place];
            here.jammed_until = Instant::ZERO;
            let Some(process) = &here.process else { continue };
            let actors: Vec<_> = process.actors().collect();
            for actor in actors {
                self.wake(place, actor);
            }
        }
    }
}

/// How long a world may take to come to rest: a link whose other side is gone is given up after 31.5 s, or later when its round trip
/// was long; whoever was told so last joins anew, and may have to wait for another such link.
const REST_TIME_MAX: Duration = Duration::from_secs(180);
/// For how many seconds in a row nothing may stir before it counts as rest.
const CALM_SECONDS: u32 = 3;
/// How long nothing but pings may be sent then.
const QUIET_TIME: Duration = Duration::from_secs(4);
