//! The bounded queue of received packets.

use std::collections::VecDeque;

use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, RECEIVE_QUEUE_BYTES_MAX};
use crate::{ConnectionId, Packet, PeerId};

/// Received packets of all peers, in order.
#[derive(Debug, Default)]
pub(super) struct ReceiveQueue {
    packets: VecDeque<(PeerId, Packet)>,
    charge: usize,
    paused: bool,
}

impl ReceiveQueue {
    /// Appends a packet. Returns whether the queue became full, so that connections have to be
    /// paused.
    pub(super) fn push(&mut self, id: PeerId, packet: Packet) -> bool {
        self.charge += charge(&packet);
        self.packets.push_back((id, packet));
        let is_full = self.charge >= CHARGE_MAX;
        is_full && !std::mem::replace(&mut self.paused, is_full)
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        let (_, packet) = self.packets.pop_front()?;
        self.charge -= charge(&packet);
        Some(packet)
    }

    pub(super) fn next(&self) -> Option<(PeerId, &Packet)> {
        self.packets.front().map(|(id, packet)| (*id, packet))
    }

    /// Returns true once when a full queue has drained to half, so that connections can be resumed.
    pub(super) fn resume_if_drained(&mut self) -> bool {
        self.paused && self.charge <= CHARGE_MAX / 2 && std::mem::take(&mut self.paused)
    }

    /// Drops the packets of a connection and returns their number.
    pub(super) fn discard(&mut self, connection: ConnectionId) -> usize {
        let before = self.packets.len();
        self.packets.retain(|(_, packet)| packet.from != connection);
        self.charge = self.packets.iter().map(|(_, packet)| charge(packet)).sum();
        before - self.packets.len()
    }

    /// Drops all packets and returns their number.
    pub(super) fn clear(&mut self) -> usize {
        let dropped = self.packets.len();
        *self = Self::default();
        dropped
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) const fn is_paused(&self) -> bool {
        self.paused
    }

    /// Returns whether twice the limit is queued, because the transport does not pause connections.
    pub(super) const fn is_overflowing(&self) -> bool {
        self.charge >= 2 * CHARGE_MAX
    }
}

/// Returns the bytes that a packet counts as. The bounds make a batch of an endpoint full at
/// [`BATCH_EVENTS_MAX`] packets or [`BATCH_BYTES_MAX`] bytes here, too.
fn charge(packet: &Packet) -> usize {
    packet.payload.len().clamp(BATCH_BYTES_MAX / BATCH_EVENTS_MAX, BATCH_BYTES_MAX)
}

/// Bytes from which the queue is full, as much as an endpoint queues for one branch.
const CHARGE_MAX: usize = RECEIVE_QUEUE_BYTES_MAX;
