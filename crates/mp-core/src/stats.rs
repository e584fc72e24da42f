//! Figures that actors keep as plain integers and hand out as snapshots.

use std::time::Duration;

/// Figures of one link since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionStats {
    /// Mean round-trip time, where the transport measures one.
    pub round_trip_time: Option<Duration>,
    /// Packets handed to the network.
    pub packets_sent: u64,
    /// Bytes of those packets.
    pub bytes_sent: u64,
    /// Packets delivered to the branch.
    pub packets_received: u64,
    /// Bytes of those packets.
    pub bytes_received: u64,
    /// Unreliable packets dropped on the way out: no room, or throttled.
    pub send_drops: u64,
    /// Packets dropped on the way in: the receiver was held, or they made no sense.
    pub receive_drops: u64,
    /// Reliable packets sent again because no acknowledgement came.
    pub retransmissions: u64,
    /// Bytes accepted but not yet handed to the network or not yet acknowledged.
    pub queued_bytes: u64,
}
