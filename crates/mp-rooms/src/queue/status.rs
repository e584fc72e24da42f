//! [`QueueStatus`]: the state of a player in a queue.

use mp_core::Instant;

use super::refusal::QueueEnd;

/// The state of a player in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QueueStatus {
    /// Players of its party have not entered yet.
    Gathering {
        /// Players that have entered.
        present: usize,
        /// Players of the party.
        size: usize,
    },
    /// Its party waits for a group.
    Waiting {
        /// Time at which the party was opened.
        since: Instant,
    },
    /// A group was found, and must be confirmed.
    Confirming {
        /// Time until which all players must confirm.
        deadline: Instant,
        /// True if this player has confirmed.
        is_confirmed: bool,
        /// Players of the group that have not confirmed.
        missing: usize,
    },
    /// All players of its group have confirmed. The room follows.
    Formed,
    /// Its party has left the queue.
    Ended(QueueEnd),
}
