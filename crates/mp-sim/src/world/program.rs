//! [`Program`]: a running program, as checkers see it.

use std::time::Duration;

use mp_core::PeerId;
use mp_scene::Branch;

use crate::journal::RunId;
use crate::net::SlotId;

/// Running program, as checkers see it.
pub struct Program<'a> {
    /// Run.
    pub run: RunId,
    /// Slot.
    pub slot: SlotId,
    /// Peer id.
    pub id: PeerId,
    /// Branch.
    pub branch: &'a mut Branch,
    /// Statistics of its process.
    pub stats: ProcessStats,
}

/// Statistics of a process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProcessStats {
    /// True after the program asked to close.
    pub is_leaving: bool,
    /// Messages in the fullest mailbox.
    pub mail: usize,
    /// Connections of all endpoints.
    pub connections: usize,
    /// Packets in the longest queue for an endpoint.
    pub queued_packets: usize,
    /// Bytes queued or unacknowledged of the connection with the most.
    pub queued_bytes: u64,
    /// Time since the branch last read its mailbox or delivered a message, at its last turn.
    pub idle: Duration,
    /// True if the peers reported by the branch's events differed from its connected peers at the
    /// end of its last turn.
    pub events_disagree: bool,
}
