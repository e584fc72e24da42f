//! [`Redemption`]: tickets that are valid on every node.

use std::time::Duration;

use mp_rooms::TicketHash;

use crate::directory::{Entry, EntryKey, Operation, OperationOutcome, TicketRecord};

/// Returns the operation that makes a ticket valid on every node for `lifetime`, once. Only its
/// hash is stored. The outcome is [`OperationOutcome::Written`].
pub fn offer_ticket(hash: TicketHash, record: &TicketRecord, lifetime: Duration) -> Operation {
    let (key, value) = (EntryKey::Ticket(hash), record.encode());
    Operation::Put { key, value, expected: None, lifetime: Some(lifetime) }
}

/// A ticket that is being used up. Of several nodes to which a player shows it, one accepts it.
#[derive(Clone, Debug)]
pub struct Redemption {
    key: EntryKey,
    /// The content of the ticket, once it was read.
    record: Option<TicketRecord>,
    attempts: u32,
}

/// The next step of a [`Redemption`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a ticket is valid or not")]
pub enum RedemptionStep {
    /// The operation to carry out, whose outcome is passed to [`Redemption::handle_outcome`].
    Apply(Operation),
    /// The ticket was valid, and has this content.
    Accepted(TicketRecord),
    /// The ticket does not exist, has expired, or was used.
    Refused,
}

impl Redemption {
    /// Returns the redemption of a ticket, and its first step.
    pub fn new(hash: TicketHash) -> (Self, RedemptionStep) {
        let key = EntryKey::Ticket(hash);
        let step = RedemptionStep::Apply(Operation::Get(key.clone()));
        (Self { key, record: None, attempts: 0 }, step)
    }

    /// Returns the next step after the outcome of an operation. An operation without an outcome
    /// must not be repeated: the ticket may have been used up by it, so it is refused.
    pub fn handle_outcome(&mut self, outcome: OperationOutcome) -> RedemptionStep {
        match (outcome, self.record.take()) {
            (OperationOutcome::Entry(Some(Entry { value, revision })), None) => {
                let record = TicketRecord::decode(&value);
                let Some(record) = record else { return RedemptionStep::Refused };
                self.record = Some(record);
                let key = self.key.clone();
                RedemptionStep::Apply(Operation::Remove { key, expected: revision })
            }
            (OperationOutcome::Removed, Some(record)) => RedemptionStep::Accepted(record),
            // It was used, or its lifetime was extended meanwhile.
            (OperationOutcome::Conflict, Some(_)) if self.attempts < ATTEMPTS_MAX => {
                self.attempts += 1;
                RedemptionStep::Apply(Operation::Get(self.key.clone()))
            }
            _ => RedemptionStep::Refused,
        }
    }
}

/// Times that a ticket is read again because it has changed.
const ATTEMPTS_MAX: u32 = 2;
