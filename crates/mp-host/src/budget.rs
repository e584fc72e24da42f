//! The input that a machine takes before its turn.

use crate::limits::{MESSAGE_WORK, WORK_PER_TURN};

/// The work that a machine was given since its last turn, in packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TurnBudget {
    work: usize,
}

impl TurnBudget {
    /// Counts a message with `packets`.
    pub(crate) fn spend(&mut self, packets: usize) {
        self.work = self.work.saturating_add(packets.max(MESSAGE_WORK));
    }

    /// Starts over: a turn begins.
    pub(crate) fn renew(&mut self) {
        self.work = 0;
    }

    /// Returns whether anything was counted.
    pub(crate) fn is_touched(self) -> bool {
        self.work > 0
    }

    /// Returns whether the turn comes before more input.
    pub(crate) fn is_spent(self) -> bool {
        self.work >= WORK_PER_TURN
    }
}
