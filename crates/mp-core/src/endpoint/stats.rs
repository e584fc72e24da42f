//! Statistics of an endpoint.

#[cfg(doc)]
use super::ReceiveLimits;

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
    /// Connections rejected by the router, or because their branch did not accept connections.
    pub rejected_connections: u64,
    /// Moves rejected because the other branch did not accept connections.
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
