//! Invariants of every world. Checkers read the facts of the journal and inspect programs. They do
//! not depend on how the simulator works.
//!
//! | checker | invariant |
//! |---|---|
//! | [`reliable`] | reliable messages are received once, in order and without a gap; in a settled world all of them |
//! | [`ordered`] | unreliable-ordered messages never go backwards; unreliable messages are not duplicated |
//! | [`pairing`] | each `connected` is followed by one `disconnected`, of connections and of peers |
//! | [`trust`] | senders and contents are authentic; unauthorized calls and joins are rejected |
//! | [`graceful_close`] | a program that closes gracefully has delivered all accepted messages |
//! | [`bounds`] | queues keep their bounds |
//! | [`host`] | a hanging endpoint does not block its branch; events report the connected peers |
//! | [`timeouts`] | without faults and small queues, no connection to a running program times out |
//! | [`levels`] | in a settled world every client has all units of the server's level |
//! | [`swaps`] | in a settled world a replicated path has the values of the server's node |
//! | [`mirror`] | in a settled world each peer has exactly the replicated nodes visible to it |
//! | [`quiet`] | in a settled world all agree on the connected peers, and only pings are sent |

pub mod bounds;
mod deliveries;
pub mod graceful_close;
pub mod host;
pub mod levels;
pub mod mirror;
pub mod ordered;
pub mod pairing;
pub mod quiet;
pub mod reliable;
pub mod swaps;
pub mod timeouts;
pub mod trust;

use std::fmt;

use mp_core::Instant;

use crate::journal::Fact;
use crate::plan::Plan;
use crate::programs::Programs;
use crate::workload::SharedModel;
use crate::world::World;

/// An invariant of every world.
pub trait Checker {
    /// Name in reports.
    fn name(&self) -> &'static str;

    /// Handles a fact. `programs` already includes its effect.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    fn observe(&mut self, _fact: &Fact, _programs: &Programs) -> Result<(), String> {
        Ok(())
    }

    /// Inspects the programs, every 250 ms of virtual time.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    fn inspect(&mut self, _world: &mut World) -> Result<(), String> {
        Ok(())
    }

    /// Checks a settled world: all programs run, and nothing is in flight.
    ///
    /// # Errors
    ///
    /// Returns a description of the violation.
    fn check_settled(&mut self, _world: &mut World) -> Result<(), String> {
        Ok(())
    }
}

/// A violated invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Virtual time of detection.
    pub at: Instant,
    /// Name of the checker.
    pub name: &'static str,
    /// Description.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.at.as_micros();
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        write!(f, "{} at {seconds}.{rest:06} s: {}", self.name, self.what)
    }
}

impl std::error::Error for Violation {}

/// Creates the checkers of a world.
pub(crate) fn all(plan: &Plan, model: &SharedModel) -> Vec<Box<dyn Checker>> {
    let deliveries = deliveries::SharedDeliveries::default();
    let mut all: Vec<Box<dyn Checker>> = vec![
        Box::new(reliable::ReliableChecker::new(deliveries.clone())),
        Box::new(ordered::OrderedChecker::default()),
        Box::new(pairing::PairingChecker::default()),
        Box::new(trust::TrustChecker::new(plan.authenticates)),
        Box::new(graceful_close::GracefulCloseChecker::new(deliveries)),
        Box::new(bounds::BoundsChecker::new(plan.mailbox)),
        Box::new(host::HostChecker),
    ];
    // With small queues a receiver may drop the same packet again and again, until its sender times
    // out.
    if plan.is_calm && !plan.has_small_queues {
        all.push(Box::new(timeouts::TimeoutChecker::default()));
    }
    if plan.has_levels {
        all.push(Box::new(levels::LevelsChecker));
    }
    if plan.has_swaps {
        all.push(Box::new(swaps::SwapsChecker));
    }
    if plan.replicates {
        all.push(Box::new(mirror::MirrorChecker::new(model.clone())));
    }
    all
}
