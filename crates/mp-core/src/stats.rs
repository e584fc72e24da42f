//! Statistics that actors keep as plain integers and return as snapshots.

use std::time::Duration;

/// Statistics of one connection since it was established.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Mean round-trip time; `None` when the transport does not measure it.
    pub round_trip_time: Option<Duration>,
    /// Packets sent to the network.
    pub packets_sent: u64,
    /// Bytes of the sent packets.
    pub bytes_sent: u64,
    /// Packets delivered to the branch.
    pub packets_received: u64,
    /// Bytes of the received packets.
    pub bytes_received: u64,
    /// Unreliable packets dropped before they were sent: queue full, or throttled.
    pub send_drops: u64,
    /// Received packets that were dropped: the connection was paused, or the packet was malformed.
    pub receive_drops: u64,
    /// Reliable packets that were retransmitted.
    pub retransmissions: u64,
    /// Bytes that were accepted and are not sent yet, or not acknowledged yet.
    pub queued_bytes: u64,
}
