//! Reliable messages arrive once and in order, without a gap. At rest, everything that was accepted between two who know each other
//! has arrived.

use super::Checker;
use super::ledger::Shared;
use crate::census::Census;
use crate::journal::{Fact, What};
use crate::world::World;

/// See [the module](self).
#[derive(Debug)]
pub struct Reliable {
    ledger: Shared,
}

impl Reliable {
    /// A checker that keeps `ledger`.
    pub(super) fn new(ledger: Shared) -> Self {
        Self { ledger }
    }
}

impl Checker for Reliable {
    fn name(&self) -> &'static str {
        "reliable"
    }

    fn observe(&mut self, fact: &Fact, census: &Census) -> Result<(), String> {
        let mut ledger = self.ledger.borrow_mut();
        match &fact.what {
            What::Says(message) if message.lane.mode.is_reliable() => ledger.owe(message, census),
            What::Hears { message, .. } if message.lane.mode.is_reliable() => {
                ledger.hear(fact.run, message)?;
            }
            What::Ended(_) => ledger.forget(fact.run),
            _ => {}
        }
        Ok(())
    }

    fn at_rest(&mut self, world: &mut World) -> Result<(), String> {
        let ledger = self.ledger.borrow();
        for (to, from) in ledger.pairs() {
            if world.census().are_acquainted(to, from)
                && let Some(missing) = ledger.missing(from, to)
            {
                return Err(format!("nothing is on its way any more, but {missing}"));
            }
        }
        Ok(())
    }
}
