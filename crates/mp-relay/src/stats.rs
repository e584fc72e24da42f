//! [`SeatStats`]: counters of a host seat.

/// Counters of a [`HostSeat`](crate::HostSeat), since the room was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeatStats {
    /// Clients that became the host.
    pub hosts: u64,
    /// Packets of guests that were dropped because there was no host.
    pub unhosted_packets: u64,
    /// Relayed packets that were dropped because their target is not in the room.
    pub stray_packets: u64,
    /// Ids in packets that belong to no announced node: late packets of nodes that have left. The
    /// packet, or its part with the id, was dropped.
    pub unknown_ids: u64,
    /// Announcements of the host, and paths of guests without a host, beyond the
    /// [limits](crate::limits). They were dropped.
    pub refused_announcements: u64,
    /// Path ids of the host that newer ones replaced.
    pub discarded_paths: u64,
}
