//! Received packets that cannot be reported yet.

use std::collections::VecDeque;

use mp_core::Packet;
use mp_core::limits::QUEUED_PACKET_OVERHEAD;

use crate::limits::{RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX};

/// Packets of a connection whose channels are not all open, or whose receiver takes none.
///
/// The bounds are [`RECEIVE_QUEUE_PACKETS_MAX`] and [`RECEIVE_QUEUE_BYTES_MAX`], the sum of all
/// connections, and the megabyte that SCTP announces: when the queue [is full](Self::is_full) the connection drops datagrams,
/// which the remote peer repeats.
#[derive(Debug, Default)]
pub(super) struct PendingPackets {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl PendingPackets {
    pub(super) fn push(&mut self, packet: Packet) {
        self.bytes += packet.payload.len();
        self.packets.push_back(packet);
    }

    /// Returns whether no more datagrams with data may be handled.
    pub(super) fn is_full(&self) -> bool {
        self.packets.len() >= RECEIVE_QUEUE_PACKETS_MAX || self.bytes >= RECEIVE_QUEUE_BYTES_MAX
    }

    /// Memory that the packets take.
    pub(super) fn held_bytes(&self) -> usize {
        self.bytes + self.packets.len() * QUEUED_PACKET_OVERHEAD
    }

    /// Takes all packets.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Packet> {
        self.bytes = 0;
        self.packets.drain(..)
    }
}
