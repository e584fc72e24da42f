//! The amount of input that is handled before a turn.

use crate::limits::{MESSAGE_WORK, WORK_PER_TURN};

/// The input since the last turn, in packets.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TurnBudget {
    work: usize,
}

impl TurnBudget {
    /// Counts a message with `packets`.
    pub(crate) fn spend(&mut self, packets: usize) {
        self.work = self.work.saturating_add(packets.max(MESSAGE_WORK));
    }

    /// Resets the budget at the start of a turn.
    pub(crate) fn renew(&mut self) {
        self.work = 0;
    }

    /// Returns whether anything was counted.
    pub(crate) fn is_touched(self) -> bool {
        self.work > 0
    }

    /// Returns whether a turn has to run before more input is handled.
    pub(crate) fn is_spent(self) -> bool {
        self.work >= WORK_PER_TURN
    }
}
