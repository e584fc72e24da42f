//! The queue of a paused peer.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::Prefix;

use super::{QueuePosition, SendOptions};
use crate::limits::{PAUSED_BYTES_MAX, PAUSED_PACKETS_MAX};

/// Reliable packets for a paused peer, for example one that is loading a level. Limits:
/// [`PAUSED_PACKETS_MAX`] and [`PAUSED_BYTES_MAX`], beyond which the peer is disconnected.
#[derive(Debug, Default)]
pub(super) struct PausedQueue {
    packets: VecDeque<(SendOptions, Prefix, Bytes)>,
    bytes: usize,
    /// Number of packets before the last call.
    call: Option<usize>,
}

/// The queue exceeds a limit.
#[derive(Debug)]
pub(super) struct QueueFull;

impl PausedQueue {
    /// Queues a packet. Returns an error if the queue then exceeds a limit.
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

    /// Records that the next packet is a call.
    pub(super) fn record_call(&mut self) {
        self.call = Some(self.packets.len());
    }

    /// Returns the number of queued packets.
    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) fn into_packets(self) -> impl Iterator<Item = (SendOptions, Prefix, Bytes)> {
        self.packets.into_iter()
    }
}
