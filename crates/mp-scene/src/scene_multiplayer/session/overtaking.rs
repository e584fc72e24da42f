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
pub(super) struct Overtaking {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    sender: PeerId,
    packet: Packet,
    until: Instant,
}

impl Overtaking {
    /// Keeps a packet until its sender is there; false when there is no room for it.
    pub(super) fn hold(&mut self, now: Instant, sender: PeerId, packet: Packet) -> bool {
        let bytes = self.bytes + packet.payload.len() + QUEUED_PACKET_OVERHEAD;
        if self.waiting.len() >= OVERTAKING_PACKETS_MAX || bytes > OVERTAKING_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        // A copy: the packet may be a small part of a large buffer.
        let packet = Packet { payload: Bytes::copy_from_slice(&packet.payload), ..packet };
        self.waiting.push_back(Waiting { sender, packet, until: now + OVERTAKING_TIME });
        true
    }

    /// The packets of a peer that is there now, or has left.
    pub(super) fn take(&mut self, peer: PeerId) -> Vec<Packet> {
        let mut taken = Vec::new();
        if self.waiting.is_empty() {
            return taken;
        }
        for waiting in std::mem::take(&mut self.waiting) {
            if waiting.sender == peer {
                self.bytes -= waiting.packet.payload.len() + QUEUED_PACKET_OVERHEAD;
                taken.push(waiting.packet);
            } else {
                self.waiting.push_back(waiting);
            }
        }
        taken
    }

    /// Forgets what has waited too long; returns how much.
    pub(super) fn sweep(&mut self, now: Instant) -> u64 {
        let mut dropped = 0;
        while let Some(oldest) = self.waiting.front()
            && oldest.until <= now
        {
            self.bytes -= oldest.packet.payload.len() + QUEUED_PACKET_OVERHEAD;
            self.waiting.pop_front();
            dropped += 1;
        }
        dropped
    }

    /// When [`sweep`](Self::sweep) is due.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        self.waiting.front().map(|oldest| oldest.until)
    }
}
