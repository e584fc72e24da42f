//! Packets that have overtaken, on another channel, what had to come first: the announcement of their sender, or its word that the
//! authentication is complete.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::limits::QUEUED_PACKET_OVERHEAD;
use mp_core::{Instant, Packet, PeerId};

use crate::limits::{OVERTAKING_BYTES_MAX, OVERTAKING_PACKETS_MAX, OVERTAKING_TIME};

/// Packets that wait for their senders, in the order in which they came.
///
/// Bounds: [`OVERTAKING_PACKETS_MAX`] and [`OVERTAKING_BYTES_MAX`]. What finds no room is given back: it must not be lost silently when it
/// is reliable. What has waited for [`OVERTAKING_TIME`] is dropped: its sender has left.
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
    /// Keeps a packet until its sender is there; false when there is no room for it.
    pub(super) fn push(&mut self, now: Instant, sender: PeerId, packet: Packet) -> bool {
        let bytes = self.bytes + packet.payload.len() + QUEUED_PACKET_OVERHEAD;
        if self.packets.len() >= OVERTAKING_PACKETS_MAX || bytes > OVERTAKING_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        // A copy: the packet may be a small part of a large buffer.
        let packet = Packet { payload: Bytes::copy_from_slice(&packet.payload), ..packet };
        self.packets.push_back(BufferedPacket { sender, packet, until: now + OVERTAKING_TIME });
        true
    }

    /// The packets of a peer that is there now, or has left.
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

    /// Forgets what has waited too long; returns how much.
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

    /// When [`sweep`](Self::sweep) is due.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.packets.front().map(|oldest| oldest.until)
    }
}
