//! Settles a world: ends all faults, stops the workloads, and waits until the world is quiet.

use std::time::Duration;

use mp_core::Instant;

use super::World;
use crate::checker::{Violation, quiet};
use crate::net::SERVER_SLOT;
use crate::trace::Detail;

impl World {
    /// Ends the active phase, and waits until the world has settled.
    ///
    /// # Errors
    ///
    /// Returns a violation if the world does not settle within 180 s, or is not quiet afterwards.
    pub fn settle(&mut self) -> Result<(), Violation> {
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
                let what = format!("{what}, {after} s after all faults ended");
                return Err(Violation { at: self.now(), name: "settle", what });
            }
        }
        self.expects_silence = true;
        self.run_until(self.now() + QUIET_TIME)?;
        self.expects_silence = false;
        // Open connections may be silent for a while: a ping that was lost several times is
        // retransmitted after seconds.
        match quiet::disagreement(self) {
            Some(what) => Err(Violation { at: self.now(), name: "settle", what }),
            None => Ok(()),
        }
    }

    fn heal(&mut self) {
        self.trace.line(Detail::Story, format_args!("heal   all faults end"));
        self.is_active = false;
        for client in 1..self.slots.len() {
            let path = self.network.path(client);
            path.up.heal();
            path.down.heal();
        }
        for workload in &mut self.workloads {
            let server = self.slots[SERVER_SLOT].process.as_mut();
            workload.stop(server.map(|process| &mut process.branch));
        }
        for slot in 0..self.slots.len() {
            self.network.block_sending(slot, false);
            self.stall(slot, None, Instant::ZERO);
            let slot_state = &mut self.slots[slot];
            slot_state.send_blocked_until = Instant::ZERO;
            let Some(process) = &slot_state.process else { continue };
            let actors: Vec<_> = process.actors().collect();
            for actor in actors {
                self.wake(slot, actor);
            }
        }
    }
}

/// Maximum time to settle. A connection to a dead peer times out after 31.5 s, or later with a long
/// round trip time. A program that notices this last reconnects, and may have to wait for another
/// timeout.
const REST_TIME_MAX: Duration = Duration::from_secs(180);
/// Quiet seconds in a row after which a world has settled.
const CALM_SECONDS: u32 = 3;
/// Time in which nothing but pings may be sent afterwards.
const QUIET_TIME: Duration = Duration::from_secs(4);
