//! Statistics of an endpoint.

#[cfg(doc)]
use super::ReceiveLimits;
use crate::{DisconnectReason, ReasonCounts};

/// Statistics of an endpoint since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EndpointStats {
    /// Current connections, including undecided and lingering ones.
    pub connections: usize,
    /// Current connections that are not assigned to a branch yet.
    pub undecided: usize,
    /// Current connections that were disconnected and linger for their last packet.
    pub lingering: usize,
    /// Connections assigned to a branch, without those that moved to another one.
    pub assigned_connections: u64,
    /// Assigned connections that have ended, by reason.
    pub ended_connections: ReasonCounts<DisconnectReason>,
    /// Connections rejected by the router, or because their branch did not accept connections.
    pub rejected_connections: u64,
    /// Moves rejected because the other branch did not accept the connection.
    pub rejected_moves: u64,
    /// Batches accepted by branches.
    pub batches: u64,
    /// Number of times that a full branch queue paused the branch's connections.
    pub pauses: u64,
    /// Packets dropped because the transport does not pause connections.
    pub dropped_packets: u64,
    /// Packets that the transport did not accept.
    pub rejected_packets: u64,
    /// Packets and disconnects of branches to connections that they do not have, for example one
    /// that has moved to another branch. Packets count once per connection.
    pub foreign_sends: u64,
    /// Unreliable packets dropped because of [`ReceiveLimits`].
    pub rate_drops: u64,
    /// Number of times that receiving on a connection was paused because of [`ReceiveLimits`].
    pub rate_pauses: u64,
    /// Connections closed because of [`ReceiveLimits::disconnect_after`].
    pub rate_disconnects: u64,
}

impl EndpointStats {
    /// Adds the statistics of `other`, which is another endpoint.
    pub fn add_all(&mut self, other: &Self) {
        self.connections += other.connections;
        self.undecided += other.undecided;
        self.lingering += other.lingering;
        self.assigned_connections += other.assigned_connections;
        self.ended_connections.add_all(&other.ended_connections);
        self.rejected_connections += other.rejected_connections;
        self.rejected_moves += other.rejected_moves;
        self.batches += other.batches;
        self.pauses += other.pauses;
        self.dropped_packets += other.dropped_packets;
        self.rejected_packets += other.rejected_packets;
        self.foreign_sends += other.foreign_sends;
        self.rate_drops += other.rate_drops;
        self.rate_pauses += other.rate_pauses;
        self.rate_disconnects += other.rate_disconnects;
    }
}
