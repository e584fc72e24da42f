//! Sequence numbers of the packets sent on a channel.

use super::window::SendWindows;

/// The sending half of a channel.
#[derive(Debug, Default)]
pub(crate) struct SendSequences {
    /// Sequence number of the last reliable command queued.
    reliable: u16,
    /// Sequence number of the last unreliable packet queued since then.
    unreliable: u16,
    /// The reliable commands in flight.
    windows: SendWindows,
}

impl SendSequences {
    /// Returns whether an unreliable packet can be numbered before the next reliable one.
    pub(crate) const fn has_unreliable(&self) -> bool {
        self.unreliable < u16::MAX
    }

    /// Numbers a reliable packet of `pieces` commands. Returns the sequence number of the first.
    pub(crate) const fn next_reliable(&mut self, pieces: u16) -> u16 {
        let first = self.reliable.wrapping_add(1);
        self.reliable = self.reliable.wrapping_add(pieces);
        self.unreliable = 0;
        first
    }

    /// Numbers an unreliable packet, if [`has_unreliable`](Self::has_unreliable). Returns the
    /// reliable sequence number that it follows, and its own.
    pub(crate) const fn next_unreliable(&mut self) -> (u16, u16) {
        self.unreliable += 1;
        (self.reliable, self.unreliable)
    }

    /// Returns whether the reliable command `sequence` may be sent for the first time.
    pub(crate) fn admits(&self, sequence: u16) -> bool {
        self.windows.admits(sequence)
    }

    /// Records that the reliable command `sequence` was sent for the first time.
    pub(crate) fn sent(&mut self, sequence: u16) {
        self.windows.sent(sequence);
    }

    /// Records that the reliable command `sequence` was acknowledged.
    pub(crate) fn acknowledged(&mut self, sequence: u16) {
        self.windows.acknowledged(sequence);
    }
}
