//! [`SeatStats`]: counters of a host seat.

/// Counters of a [`HostSeat`](crate::HostSeat), since the room was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeatStats {
    /// Clients that became the host.
    pub hosts: u64,
    /// Guests that became the host because the host had left. They count as hosts as well.
    pub promotions: u64,
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
    /// Hidden nodes whose net ids were forgotten for newer ones, beyond
    /// [`HIDDEN_NODES_MAX`](crate::limits::HIDDEN_NODES_MAX). One that is shown again gets new ids.
    pub forgotten_nodes: u64,
    /// Packets of a new host that were dropped because it had sent them as a guest.
    pub outdated_packets: u64,
    /// Nodes of an earlier host that a new host has announced again and that guests have kept. Each
    /// counts once per guest.
    pub kept_nodes: u64,
    /// Nodes of an earlier host that guests have lost because the new host did not announce them.
    /// Each counts once per guest.
    pub lost_nodes: u64,
    /// Guests that received their nodes from the room because there was no host.
    pub late_guests: u64,
    /// Guests that were rejected because there was no host and the nodes exceeded
    /// [`CACHE_BYTES_MAX`](crate::limits::CACHE_BYTES_MAX).
    pub rejected_guests: u64,
    /// Games that went on from a [`Snapshot`](mp_scene::Snapshot).
    pub restored_games: u64,
    /// Games whose state was kept because no guest could be the host.
    pub kept_games: u64,
    /// Nodes that late guests did not receive because they were hidden from others. Each counts
    /// once per guest.
    pub withheld_nodes: u64,
}

impl SeatStats {
    /// Returns how often one of the [limits](crate::limits) had an effect.
    pub(crate) fn limit_hits(&self) -> u64 {
        self.refused_announcements
            + self.discarded_paths
            + self.forgotten_nodes
            + self.rejected_guests
    }
}
