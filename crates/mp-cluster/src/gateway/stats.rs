//! [`GatewayStats`]: counters of a gateway.

use mp_core::ReasonCounts;

use crate::FrameRefusal;

/// Counters of one gateway, since its link was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayStats {
    /// Frames sent, with those without content.
    pub frames_sent: u64,
    /// Bytes of these frames.
    pub bytes_sent: u64,
    /// Batches sent.
    pub batches_sent: u64,
    /// Events of the endpoint, or packets and commands of the branch, that were passed on.
    pub items_sent: u64,
    /// Frames received and accepted.
    pub frames_received: u64,
    /// Events, or packets and commands, received.
    pub items_received: u64,
    /// Batches that the bus has lost. Their unreliable packets are lost; connections whose reliable
    /// packets were in them are closed.
    pub lost_batches: u64,
    /// Parts of packets whose beginning was lost.
    pub lost_parts: u64,
    /// Connections that were closed because reliable data was lost.
    pub broken_connections: u64,
    /// Connections that were refused because the link has too many.
    pub refused_connections: u64,
    /// Items for or of connections that have ended.
    pub late_items: u64,
    /// Times that a room has lost its node, and its connections were held.
    pub holds: u64,
    /// Times that the next node of a room has accepted its connections.
    pub reopened: u64,
    /// Batches that were sent to a room's node, or queued for it, and that it has not confirmed
    /// before the room lost it. What they contained is lost.
    pub unconfirmed_batches: u64,
    /// Unreliable packets that were dropped while a room had no node.
    pub held_drops: u64,
    /// Connections that the next node of a room does not know, because they are newer than its
    /// snapshot.
    pub unknown_connections: u64,
    /// Frames of this link that were refused.
    pub refused_frames: ReasonCounts<FrameRefusal>,
}

impl GatewayStats {
    /// Adds the counters of another gateway.
    pub fn add(&mut self, other: &Self) {
        self.frames_sent += other.frames_sent;
        self.bytes_sent += other.bytes_sent;
        self.batches_sent += other.batches_sent;
        self.items_sent += other.items_sent;
        self.frames_received += other.frames_received;
        self.items_received += other.items_received;
        self.lost_batches += other.lost_batches;
        self.lost_parts += other.lost_parts;
        self.broken_connections += other.broken_connections;
        self.refused_connections += other.refused_connections;
        self.late_items += other.late_items;
        self.holds += other.holds;
        self.reopened += other.reopened;
        self.unconfirmed_batches += other.unconfirmed_batches;
        self.held_drops += other.held_drops;
        self.unknown_connections += other.unknown_connections;
        self.refused_frames.add_all(&other.refused_frames);
    }
}
