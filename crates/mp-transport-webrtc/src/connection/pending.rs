//! Received packets that are not reported yet.

use std::collections::VecDeque;

use mp_core::Packet;
use mp_core::limits::QUEUED_PACKET_OVERHEAD;

use crate::limits::{RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX};

/// The packets of a connection that is paused, or whose channels are not all open.
///
/// The limits are [`RECEIVE_QUEUE_PACKETS_MAX`], [`RECEIVE_QUEUE_BYTES_MAX`], and the limit of all
/// connections. They may be exceeded by the megabyte that SCTP announces. If the queue [is
/// full](Self::is_full), the connection drops datagrams, which the remote peer retransmits.
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

    /// Returns whether the limit is reached: no more datagrams with data may be handled.
    pub(super) fn is_full(&self) -> bool {
        self.packets.len() >= RECEIVE_QUEUE_PACKETS_MAX || self.bytes >= RECEIVE_QUEUE_BYTES_MAX
    }

    /// Returns the memory of the packets in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.bytes + self.packets.len() * QUEUED_PACKET_OVERHEAD
    }

    /// Removes and returns all packets.
    pub(super) fn take(&mut self) -> impl Iterator<Item = Packet> {
        self.bytes = 0;
        self.packets.drain(..)
    }
}
