//! The packets that wait to be read, and their bound.

use std::collections::VecDeque;

use crate::limits::{BATCH_BYTES_MAX, BATCH_EVENTS_MAX, RECEIVE_QUEUE_BYTES_MAX};
use crate::{ConnectionId, Packet, PeerId};

/// Packets in the order in which they came, whoever sent them.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    packets: VecDeque<(PeerId, Packet)>,
    cost: usize,
    held: bool,
}

impl Inbound {
    /// Whether from now on the links are to be held.
    pub(super) fn push(&mut self, id: PeerId, packet: Packet) -> bool {
        self.cost += cost(&packet);
        self.packets.push_back((id, packet));
        let is_full = self.cost >= COST_MAX;
        is_full && !std::mem::replace(&mut self.held, is_full)
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        let (_, packet) = self.packets.pop_front()?;
        self.cost -= cost(&packet);
        Some(packet)
    }

    pub(super) fn next(&self) -> Option<(PeerId, &Packet)> {
        self.packets.front().map(|(id, packet)| (*id, packet))
    }

    /// Whether the links need not be held any longer. Says so once.
    pub(super) fn release(&mut self) -> bool {
        self.held && self.cost <= COST_MAX / 2 && std::mem::take(&mut self.held)
    }

    /// Drops what came on a link and says how many packets it was.
    pub(super) fn withdraw(&mut self, connection: ConnectionId) -> usize {
        let before = self.packets.len();
        self.packets.retain(|(_, packet)| packet.from != connection);
        self.cost = self.packets.iter().map(|(_, packet)| cost(packet)).sum();
        before - self.packets.len()
    }

    /// Drops everything and says how many packets it was.
    pub(super) fn clear(&mut self) -> usize {
        let dropped = self.packets.len();
        *self = Self::default();
        dropped
    }

    pub(super) fn len(&self) -> usize {
        self.packets.len()
    }

    pub(super) const fn is_held(&self) -> bool {
        self.held
    }

    /// Whether as much again has come since the links were held.
    pub(super) const fn is_overflowing(&self) -> bool {
        self.cost >= 2 * COST_MAX
    }
}

/// What a packet counts: an endpoint's batches are full at the same number of packets, or of bytes.
fn cost(packet: &Packet) -> usize {
    packet.payload.len().clamp(BATCH_BYTES_MAX / BATCH_EVENTS_MAX, BATCH_BYTES_MAX)
}

/// The budget of finished packets, as an endpoint has it for one branch.
const COST_MAX: usize = RECEIVE_QUEUE_BYTES_MAX;
