//! Packets that the server has passed on for peers that it has not announced yet: another channel has overtaken the announcement.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::limits::QUEUED_PACKET_OVERHEAD;
use mp_core::{Instant, PeerId};

use crate::limits::{RELAYED_BYTES_MAX, RELAYED_PACKETS_MAX, RELAYED_TIME};

/// Packets that wait for their senders, in the order in which they came.
///
/// Bounds: [`RELAYED_PACKETS_MAX`] and [`RELAYED_BYTES_MAX`]. What finds no room is given back: it must not be lost silently when it
/// is reliable. What has waited for [`RELAYED_TIME`] is dropped: its sender has left.
#[derive(Debug, Default)]
pub(super) struct Relayed {
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    sender: PeerId,
    packet: Bytes,
    until: Instant,
}

impl Relayed {
    /// Keeps a packet until its sender is announced; false when there is no room for it.
    pub(super) fn hold(&mut self, now: Instant, sender: PeerId, packet: &Bytes) -> bool {
        let bytes = self.bytes + packet.len() + QUEUED_PACKET_OVERHEAD;
        if self.waiting.len() >= RELAYED_PACKETS_MAX || bytes > RELAYED_BYTES_MAX {
            return false;
        }
        self.bytes = bytes;
        // A copy: the packet may be a small part of a large buffer.
        let packet = Bytes::copy_from_slice(packet);
        self.waiting.push_back(Waiting { sender, packet, until: now + RELAYED_TIME });
        true
    }

    /// The packets of a peer that is announced now.
    pub(super) fn take(&mut self, peer: PeerId) -> Vec<Bytes> {
        let mut taken = Vec::new();
        self.waiting.retain_mut(|waiting| {
            let is_kept = waiting.sender != peer;
            if !is_kept {
                self.bytes -= waiting.packet.len() + QUEUED_PACKET_OVERHEAD;
                taken.push(std::mem::take(&mut waiting.packet));
            }
            is_kept
        });
        taken
    }

    /// Forgets what has waited too long; returns how much.
    pub(super) fn sweep(&mut self, now: Instant) -> u64 {
        let mut dropped = 0;
        while let Some(oldest) = self.waiting.front()
            && oldest.until <= now
        {
            self.bytes -= oldest.packet.len() + QUEUED_PACKET_OVERHEAD;
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
