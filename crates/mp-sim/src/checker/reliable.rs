//! Checks that reliable messages are received once, in order and without a gap, and that in a
//! settled world all messages between connected programs have been received.

use super::Checker;
use super::deliveries::SharedDeliveries;
use crate::journal::{Fact, FactKind};
use crate::programs::Programs;
use crate::world::World;

/// Checker of reliable messages.
#[derive(Debug)]
pub struct ReliableChecker {
    deliveries: SharedDeliveries,
}

impl ReliableChecker {
    /// Creates a checker that updates `deliveries`.
    pub(super) fn new(deliveries: SharedDeliveries) -> Self {
        Self { deliveries }
    }
}

impl Checker for ReliableChecker {
    fn name(&self) -> &'static str {
        "reliable"
    }

    fn observe(&mut self, fact: &Fact, programs: &Programs) -> Result<(), String> {
        let mut deliveries = self.deliveries.borrow_mut();
        match &fact.kind {
            FactKind::Sent(message) if message.stream.mode.is_reliable() => {
                deliveries.record_sent(message, programs)
            }
            FactKind::Received { message, .. } if message.stream.mode.is_reliable() => {
                deliveries.record_received(fact.run, message)?;
            }
            FactKind::Ended(_) => deliveries.remove_receiver(fact.run),
            _ => {}
        }
        Ok(())
    }

    fn check_settled(&mut self, world: &mut World) -> Result<(), String> {
        let deliveries = self.deliveries.borrow();
        for (to, from) in deliveries.pairs() {
            if world.programs().know_each_other(to, from)
                && let Some(missing) = deliveries.missing(from, to)
            {
                return Err(format!("nothing is in flight, but {missing}"));
            }
        }
        Ok(())
    }
}
