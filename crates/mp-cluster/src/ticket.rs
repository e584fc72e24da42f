//! [`Redemption`]: tickets that are valid on every node.

use std::time::Duration;

use bytes::Bytes;
use mp_rooms::{RoomName, TicketHash};

use crate::directory::{Entry, EntryKey, Operation, OperationOutcome};

/// Returns the operation that makes a ticket valid on every node for `lifetime`, once. Only its
/// hash is stored. The outcome is [`OperationOutcome::Written`].
pub fn offer_ticket(hash: TicketHash, room: &RoomName, lifetime: Duration) -> Operation {
    let value = Bytes::copy_from_slice(room.as_str().as_bytes());
    Operation::Put { key: EntryKey::Ticket(hash), value, expected: None, lifetime: Some(lifetime) }
}

/// A ticket that is being used up. Of several nodes to which a player shows it, one accepts it.
#[derive(Clone, Debug)]
pub struct Redemption {
    key: EntryKey,
    /// The room, once the ticket was read.
    room: Option<RoomName>,
}

/// The next step of a [`Redemption`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "a ticket is valid or not")]
pub enum RedemptionStep {
    /// The operation to carry out, whose outcome is passed to [`Redemption::handle_outcome`].
    Apply(Operation),
    /// The ticket was valid, for this room.
    Accepted(RoomName),
    /// The ticket does not exist, has expired, or was used.
    Refused,
}

impl Redemption {
    /// Returns the redemption of a ticket, and its first step.
    pub fn new(hash: TicketHash) -> (Self, RedemptionStep) {
        let key = EntryKey::Ticket(hash);
        let step = RedemptionStep::Apply(Operation::Get(key.clone()));
        (Self { key, room: None }, step)
    }

    /// Returns the next step after the outcome of an operation. An operation without an outcome
    /// must not be repeated: the ticket may have been used up by it, so it is refused.
    pub fn handle_outcome(&mut self, outcome: OperationOutcome) -> RedemptionStep {
        match (outcome, self.room.take()) {
            (OperationOutcome::Entry(Some(Entry { value, revision })), None) => {
                let name = str::from_utf8(&value).ok().and_then(|name| RoomName::new(name).ok());
                let Some(name) = name else { return RedemptionStep::Refused };
                self.room = Some(name);
                let key = self.key.clone();
                RedemptionStep::Apply(Operation::Remove { key, expected: revision })
            }
            (OperationOutcome::Removed, Some(room)) => RedemptionStep::Accepted(room),
            _ => RedemptionStep::Refused,
        }
    }
}
