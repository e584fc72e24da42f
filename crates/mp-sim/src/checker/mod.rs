//! What must be true of every world, whatever goes wrong in it. Checkers know the facts of the journal and, now and then, look at the
//! programs; they know nothing of how the simulator works.
//!
//! | checker | holds that |
//! |---|---|
//! | [`reliable`] | reliable messages arrive once, in order and without a gap; at rest, all of them have |
//! | [`ordered`] | unreliable-ordered messages never go backwards; nothing comes twice |
//! | [`pairing`] | each `connected` has its `disconnected`, of links and of peers, and what is between lies between |
//! | [`trust`] | nobody hears what nobody said, from somebody else, or what was for others; who may not, does not |
//! | [`farewell`] | who leaves in peace has delivered all it had accepted |
//! | [`bounds`] | queues stay within their bounds |
//! | [`standing`] | where nothing goes wrong and queues are not small, nobody gives up somebody who is there |
//! | [`levels`] | at rest every client has all units of the server's level, whenever it made its own |
//! | [`hands`] | at rest a node at a replicated path has the values of the server's node at this path |
//! | [`mirror`] | at rest everybody has exactly the replicated nodes that they are meant to see, as they are meant to be |
//! | [`quiet`] | once everything is mended all agree on who is there, and there is no traffic but pings |

pub mod bounds;
pub mod farewell;
pub mod hands;
pub mod host;
mod ledger;
pub mod levels;
pub mod mirror;
pub mod ordered;
pub mod pairing;
pub mod quiet;
pub mod reliable;
pub mod standing;
pub mod trust;

use std::fmt;

use mp_core::Instant;

use crate::census::Census;
use crate::journal::Fact;
use crate::plan::Plan;
use crate::workload::SharedModel;
use crate::world::World;

/// Something that must be true of every world.
pub trait Checker {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// Takes in a fact, which the census knows already.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn observe(&mut self, _fact: &Fact, _census: &Census) -> Result<(), String> {
        Ok(())
    }

    /// Looks at the programs, several times a second.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn inspect(&mut self, _world: &mut World) -> Result<(), String> {
        Ok(())
    }

    /// Looks at a world that has come to rest: everybody is there, and nothing is on its way.
    ///
    /// # Errors
    ///
    /// What is wrong.
    fn at_rest(&mut self, _world: &mut World) -> Result<(), String> {
        Ok(())
    }
}

/// What is wrong with a world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// When it was noticed.
    pub at: Instant,
    /// By which checker.
    pub name: &'static str,
    /// What it says.
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

/// The checkers of a planned world.
pub(crate) fn all(plan: &Plan, model: &SharedModel) -> Vec<Box<dyn Checker>> {
    let ledger = ledger::Shared::default();
    let mut all: Vec<Box<dyn Checker>> = vec![
        Box::new(reliable::Reliable::new(ledger.clone())),
        Box::new(ordered::Ordered::default()),
        Box::new(pairing::Pairing::default()),
        Box::new(trust::Trust::new(plan.authenticates)),
        Box::new(farewell::Farewells::new(ledger)),
        Box::new(bounds::Bounds::new(plan.mailbox)),
        Box::new(host::Host),
    ];
    // A receiver with room for a few packets refuses the same one again and again, until its sender believes that nobody is there.
    if plan.is_calm && !plan.has_small_queues {
        all.push(Box::new(standing::Standing::default()));
    }
    if plan.has_levels {
        all.push(Box::new(levels::Levels));
    }
    if plan.has_hands {
        all.push(Box::new(hands::Hands));
    }
    if plan.replicates {
        all.push(Box::new(mirror::Mirror::new(model.clone())));
    }
    all
}
