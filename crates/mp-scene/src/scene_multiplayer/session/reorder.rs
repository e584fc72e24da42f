//! Packets that overtook, on another channel, the announcement of their sender or its completion of
//! the authentication.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::limits::QUEUED_PACKET_OVERHEAD;
use mp_core::{Instant, Packet, PeerId};

use crate::limits::{REORDER_BYTES_MAX, REORDER_PACKETS_MAX, REORDER_TIME};

/// Packets that are deferred until their sender is admitted, in the order of reception.
///
/// Limits: [`REORDER_PACKETS_MAX`] and [`REORDER_BYTES_MAX`]. A packet is dropped after
/// [`REORDER_TIME`], since its sender must have left.
#[derive(Debug, Default)]
pub(super) struct ReorderBuffer {
    packets: VecDeque<BufferedPacket>,
    bytes: usize,
}

#[derive(Debug)]
struct BufferedPacket {
    sender: PeerId,
    packet: Packet,
    until: Instant,
}

impl ReorderBuffer {
    /// Defers a packet until its sender is admitted; returns false if the buffer is full.
    pub(super) fn push(&mut self, now: Instant, sender: PeerId, packet: Packet) -> bool {
        let bytes = self.bytes + packet.payload.len() + QUEUED_PACKET_OVERHEAD;
        if self.packets.len() >= REORDER_PACKETS_MAX || bytes > REORDER_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        // Copied, since the packet may be a small slice of a large buffer.
        let packet = Packet { payload: Bytes::copy_from_slice(&packet.payload), ..packet };
        self.packets.push_back(BufferedPacket { sender, packet, until: now + REORDER_TIME });
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Removes and returns the packets of a peer.
    pub(super) fn take(&mut self, peer: PeerId) -> Vec<Packet> {
        let mut taken = Vec::new();
        if self.packets.is_empty() {
            return taken;
        }
        for buffered in std::mem::take(&mut self.packets) {
            if buffered.sender == peer {
                self.bytes -= buffered.packet.payload.len() + QUEUED_PACKET_OVERHEAD;
                taken.push(buffered.packet);
            } else {
                self.packets.push_back(buffered);
            }
        }
        taken
    }

    /// Drops packets that have timed out; returns their number.
    pub(super) fn sweep(&mut self, now: Instant) -> u64 {
        let mut dropped = 0;
        while let Some(oldest) = self.packets.front()
            && oldest.until <= now
        {
            self.bytes -= oldest.packet.payload.len() + QUEUED_PACKET_OVERHEAD;
            self.packets.pop_front();
            dropped += 1;
        }
        dropped
    }

    /// Returns the time of the next [`sweep`](Self::sweep).
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.packets.front().map(|oldest| oldest.until)
    }
}
