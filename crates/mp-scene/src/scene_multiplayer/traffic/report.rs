//! [`TrafficReport`]: a copy of the accounts of a branch.

use crate::{PacketKind, PacketStats};

/// Packets and bytes in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficCount {
    /// Packets, once per receiver.
    pub packets: u64,
    /// Their bytes, once per receiver.
    pub bytes: u64,
}

impl TrafficCount {
    /// Returns the traffic of packets with `bytes` bytes in sum.
    pub(in super::super) fn of(packets: usize, bytes: usize) -> Self {
        Self { packets: packets as u64, bytes: bytes as u64 }
    }

    /// Returns the traffic of packets with `bytes` bytes each.
    pub(in super::super) fn each(packets: usize, bytes: usize) -> Self {
        Self::of(packets, packets * bytes)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// Traffic of a method, of a node, or of a property.
///
/// | kind | member | bytes |
/// |---|---|---|
/// | call | method | the whole packet |
/// | SYNC, DELTA, SPAWN | property | its encoded value |
/// | SYNC, DELTA | empty | heads of the synchronizer's elements |
/// | SPAWN | empty | the packet without the values |
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficRow {
    /// Kind of the packets.
    pub kind: PacketKind,
    /// True if the branch forwards the packets between clients. The methods are then numbers, nodes
    /// whose announcement was not seen have the name of their id, and elements of SYNC and DELTA
    /// are not divided into properties. Bytes are those of the content of the RELAY.
    pub is_relayed: bool,
    /// Path of the node, at most 256 bytes. A peer may have chosen it.
    pub node: String,
    /// Method or property, at most 256 bytes; empty for the rest of the node's packets.
    pub member: String,
    /// Traffic from peers.
    pub received: TrafficCount,
    /// Traffic to peers.
    pub sent: TrafficCount,
}

/// Traffic of a branch since its first [viewer](crate::SceneMultiplayer::view_traffic).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrafficReport {
    /// All packets by kind, those included that no row counts.
    pub packets: PacketStats,
    /// At most [`TRAFFIC_ROWS_MAX`](crate::limits::TRAFFIC_ROWS_MAX) rows, in the order of their
    /// first packet.
    pub rows: Vec<TrafficRow>,
    /// Received traffic for which there was no row left.
    pub other_received: TrafficCount,
    /// Sent traffic for which there was no row left.
    pub other_sent: TrafficCount,
}
