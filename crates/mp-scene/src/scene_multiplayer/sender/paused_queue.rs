//! The queue of a peer that is paused.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::Prefix;

use super::{QueuePosition, SendOptions};
use crate::limits::{PAUSED_BYTES_MAX, PAUSED_PACKETS_MAX};

/// Packets that wait for a peer that is paused, because it is loading a level, say. Only reliable
/// packets wait; bounds: [`PAUSED_PACKETS_MAX`] and [`PAUSED_BYTES_MAX`], beyond which the peer is
/// disconnected.
#[derive(Debug, Default)]
pub(super) struct PausedQueue {
    packets: VecDeque<(SendOptions, Prefix, Bytes)>,
    bytes: usize,
    /// Number of packets in front of the last call.
    call: Option<usize>,
}

/// Too much waits for the peer.
#[derive(Debug)]
pub(super) struct QueueFull;

impl PausedQueue {
    /// Queues a packet.
    pub(super) fn push(
        &mut self,
        position: QueuePosition,
        options: SendOptions,
        prefix: Prefix,
        payload: Bytes,
    ) -> Result<(), QueueFull> {
        self.bytes += payload.len();
        match &mut self.call {
            Some(call) if position == QueuePosition::BeforeLastCall => {
                self.packets.insert(*call, (options, prefix, payload));
                *call += 1;
            }
            _ => self.packets.push_back((options, prefix, payload)),
        }
        let is_full = self.packets.len() > PAUSED_PACKETS_MAX || self.bytes > PAUSED_BYTES_MAX;
        if is_full { Err(QueueFull) } else { Ok(()) }
    }

    /// Notes that the packet after those that are queued now is a call.
    pub(super) fn note_call(&mut self) {
        self.call = Some(self.packets.len());
    }

    /// Number of packets that wait.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn into_packets(self) -> impl Iterator<Item = (SendOptions, Prefix, Bytes)> {
        self.packets.into_iter()
    }
}
