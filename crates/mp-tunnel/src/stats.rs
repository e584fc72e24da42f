//! [`TunnelStats`]: counters of one end of a link.

/// Counters of a room or of the program beside a game, since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TunnelStats {
    /// Links that began a session.
    pub sessions: u64,
    /// Links that resumed a session.
    pub resumed: u64,
    /// Packets sent over the link.
    pub packets_sent: u64,
    /// Payload bytes of these packets.
    pub bytes_sent: u64,
    /// Packets received over the link.
    pub packets_received: u64,
    /// Payload bytes of these packets.
    pub bytes_received: u64,
    /// Unreliable packets that were dropped: the link was interrupted, the packet exceeded
    /// [`PART_BYTES_MAX`](crate::limits::PART_BYTES_MAX), or a later ordered one had overtaken it.
    pub dropped_packets: u64,
    /// Packets of or for guests that have left.
    pub late_packets: u64,
    /// Guests that were disconnected because more reliable packets waited than the link delivers,
    /// or one was too large.
    pub overloaded_guests: u64,
    /// Guests that were refused because there was no host.
    pub unhosted_guests: u64,
    /// Connections that were refused as hosts.
    pub refused_hosts: u64,
    /// Links that were closed because a frame was malformed.
    pub malformed_frames: u64,
}
