//! Packets of a connection whose receiver takes none for a while.

use std::collections::VecDeque;

use mp_core::Packet;

use crate::limits::{RECEIVE_QUEUE_BYTES_MAX, RECEIVE_QUEUE_PACKETS_MAX};

/// Reliable packets that wait, within [`RECEIVE_QUEUE_PACKETS_MAX`] and [`RECEIVE_QUEUE_BYTES_MAX`]
/// and the megabyte that SCTP may have announced beyond them.
#[derive(Debug, Default)]
pub(super) struct PausedPackets {
    packets: VecDeque<Packet>,
    bytes: usize,
}

impl PausedPackets {
    /// Keeps a reliable packet. Returns false when it is unreliable: it is dropped.
    pub(super) fn push(&mut self, packet: Packet) -> bool {
        if !packet.mode.is_reliable() {
            return false;
        }
        self.bytes += packet.payload.len();
        self.packets.push_back(packet);
        true
    }

    /// Whether datagrams must be left to the remote peer, which repeats them.
    pub(super) fn is_full(&self) -> bool {
        self.packets.len() >= RECEIVE_QUEUE_PACKETS_MAX || self.bytes >= RECEIVE_QUEUE_BYTES_MAX
    }

    pub(super) fn into_packets(self) -> VecDeque<Packet> {
        self.packets
    }
}
