//! Memory budgets for the data received from one peer, which bound its memory regardless of what
//! the peer sends.
//!
//! | data | limit | at the limit |
//! |---|---|---|
//! | delivered, not polled | settings: 4,096 packets, 4 MiB | as in the last row |
//! | reliable, received while paused | 128 KiB | not acknowledged |
//! | reliable, out of order | 4 MiB, plus one packet that is next | not acknowledged |
//! | unreliable, incomplete or early | 4 MiB | oldest dropped and counted |
//! | all of these, of all peers | settings: 256 MiB, 128 KiB reserved per peer | see below |
//!
//! At the last limit unreliable packets are dropped and counted, and reliable ones are not
//! acknowledged, so that the peer retransmits them.

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::{ConnectionId, ConnectionStats, SharedLimit, bug};

use super::Outcome;
use crate::limits::{
    ENTRY_OVERHEAD, REORDER_BYTES_MAX, UNRELIABLE_REORDER_BYTES_MAX, WAITING_BYTES_OF_EACH,
};
use crate::proto::settings::HostSettings;
use crate::proto::wire::DatagramBytes;
use crate::proto::{HostEvent, PacketFlags};

/// The receive budgets of one peer.
#[derive(Debug)]
pub(crate) struct ReceiveBudget {
    /// `true` if the receiver has paused the connection.
    is_paused: bool,
    /// Bytes charged for reliable data that was received while paused and is not delivered yet.
    buffered: usize,
    /// Maximum length of a packet in bytes.
    packet_bytes_max: usize,
    packets: usize,
    packets_max: usize,
    bytes: usize,
    bytes_max: usize,
    reorder_bytes: usize,
    unreliable_bytes: usize,
    /// Bytes of this peer that the host's limit includes.
    recorded_bytes: usize,
    /// Channel and sequence number of the one packet that may exceed the budget of reliable data.
    privileged: Option<(u8, u64)>,
}

impl ReceiveBudget {
    pub(crate) const fn new(settings: &HostSettings) -> Self {
        Self {
            is_paused: false,
            buffered: 0,
            packet_bytes_max: settings.max_packet_size,
            packets: 0,
            packets_max: settings.receive_queue_packets,
            bytes: 0,
            bytes_max: settings.receive_queue_bytes,
            reorder_bytes: 0,
            unreliable_bytes: 0,
            recorded_bytes: 0,
            privileged: None,
        }
    }

    /// Returns whether a packet may be delivered now.
    const fn has_capacity(&self, limit: &SharedLimit) -> bool {
        !self.is_paused
            && self.packets < self.packets_max
            && self.bytes < self.bytes_max
            && limit.allows(self.held(), 0)
    }

    /// Returns how to handle reliable data that is received now.
    const fn intake(&self, limit: &SharedLimit) -> Intake {
        if self.is_buffering() {
            return Intake { has_capacity: true, accepted: Outcome::Buffered };
        }
        Intake { has_capacity: self.has_capacity(limit), accepted: Outcome::Accepted }
    }

    /// Pauses or resumes the connection.
    pub(crate) const fn set_paused(&mut self, is_paused: bool) {
        self.is_paused = is_paused;
    }

    /// Returns whether the connection is paused.
    pub(crate) const fn is_paused(&self) -> bool {
        self.is_paused
    }

    /// Resets the charge of buffered data, which is delivered now.
    pub(crate) const fn resume(&mut self) {
        self.buffered = 0;
    }

    /// Returns the maximum length of a packet in bytes.
    pub(crate) const fn packet_bytes_max(&self) -> usize {
        self.packet_bytes_max
    }

    /// Returns whether reliable data must be buffered: the connection is paused, or data that was
    /// buffered then is not delivered yet.
    const fn is_buffering(&self) -> bool {
        self.is_paused || self.buffered > 0
    }

    /// Returns whether data was buffered while paused.
    pub(crate) const fn has_buffered(&self) -> bool {
        self.buffered > 0
    }

    /// Returns the budget of a delivered packet, which was polled.
    pub(crate) fn taken(&mut self, len: usize) {
        bug::subtract(&mut self.packets, 1);
        bug::subtract(&mut self.bytes, len);
    }

    /// Charges `cost` bytes for reliable data of packet `sequence` of `channel`. Returns false if a
    /// budget would be exceeded.
    fn reserve(
        &mut self,
        limit: &mut SharedLimit,
        cost: usize,
        channel: u8,
        sequence: u64,
        is_next: bool,
    ) -> bool {
        let exceeds_buffer = self.is_buffering() && self.buffered + cost > WAITING_BYTES_OF_EACH;
        if exceeds_buffer || !limit.allows(self.held(), cost) {
            return false;
        }
        let packet = (channel, sequence);
        let fits = self.reorder_bytes + cost <= REORDER_BYTES_MAX;
        if !fits {
            // Only the next packet of a channel is certain to complete and to free its memory.
            if !is_next || *self.privileged.get_or_insert(packet) != packet {
                return false;
            }
        }
        self.reorder_bytes += cost;
        if self.is_buffering() {
            self.buffered += cost;
        }
        self.record(limit);
        true
    }

    /// Returns the bytes charged for a packet to the budgets.
    fn release(&mut self, limit: &mut SharedLimit, cost: usize, channel: u8, sequence: u64) {
        bug::subtract(&mut self.reorder_bytes, cost);
        self.record(limit);
        if self.privileged == Some((channel, sequence)) {
            self.privileged = None;
        }
    }

    /// Returns whether `cost` more bytes of unreliable data are within the budgets.
    pub(crate) const fn has_unreliable_room(&self, limit: &SharedLimit, cost: usize) -> bool {
        self.unreliable_bytes + cost <= UNRELIABLE_REORDER_BYTES_MAX
            && limit.allows(self.held(), cost)
    }

    /// Resets the charges of incomplete and out-of-order packets.
    pub(crate) const fn clear_waiting(&mut self) {
        self.buffered = 0;
        self.reorder_bytes = 0;
        self.unreliable_bytes = 0;
        self.privileged = None;
    }

    /// Updates the share of this peer in `limit`, the limit of all peers.
    pub(crate) fn record(&mut self, limit: &mut SharedLimit) {
        limit.replace(self.recorded_bytes, self.waiting());
        self.recorded_bytes = self.waiting();
    }

    /// Returns the bytes charged for incomplete and out-of-order packets.
    pub(crate) const fn waiting(&self) -> usize {
        self.reorder_bytes + self.unreliable_bytes
    }

    /// Returns the bytes charged for all received data that was not polled.
    const fn held(&self) -> usize {
        self.waiting() + self.bytes + self.packets * ENTRY_OVERHEAD
    }
}

/// Handling of reliable data that is received.
pub(crate) struct Intake {
    /// `true` if new data may be accepted, within its budget.
    pub(crate) has_capacity: bool,
    /// The outcome for data that is accepted, or was accepted before.
    pub(crate) accepted: Outcome,
}

/// The destination of packets that a channel delivers, and the budgets that apply.
pub(crate) struct Delivery<'a, 'd> {
    pub(crate) connection: ConnectionId,
    pub(crate) channel: u8,
    pub(crate) datagram: &'a mut DatagramBytes<'d>,
    pub(crate) events: &'a mut VecDeque<HostEvent>,
    pub(crate) budget: &'a mut ReceiveBudget,
    /// The limit of all peers of the host.
    pub(crate) limit: &'a mut SharedLimit,
    pub(crate) stats: &'a mut ConnectionStats,
}

impl Delivery<'_, '_> {
    /// Delivers a packet.
    pub(crate) fn deliver(&mut self, flags: PacketFlags, payload: Bytes) {
        self.budget.packets += 1;
        self.budget.bytes += payload.len();
        self.limit.replace(0, delivered_bytes(&payload));
        self.stats.packets_received += 1;
        self.stats.bytes_received += payload.len() as u64;
        let (connection, channel) = (self.connection, self.channel);
        self.events.push_back(HostEvent::Packet { connection, channel, flags, payload });
    }

    /// Returns the maximum length of a packet in bytes.
    pub(crate) const fn packet_bytes_max(&self) -> usize {
        self.budget.packet_bytes_max
    }

    /// Counts an unreliable packet that is dropped.
    pub(crate) const fn dropped(&mut self) {
        self.stats.receive_drops += 1;
    }

    /// Returns whether a packet may be delivered now.
    pub(crate) const fn has_capacity(&self) -> bool {
        self.budget.has_capacity(self.limit)
    }

    /// Returns how to handle reliable data that is received now.
    pub(crate) const fn intake(&self) -> Intake {
        self.budget.intake(self.limit)
    }

    /// Charges `cost` bytes for reliable data of packet `sequence`. Returns false if a budget would
    /// be exceeded. `is_next`: the packet is the next of its channel.
    pub(crate) fn reserve(&mut self, cost: usize, sequence: u64, is_next: bool) -> bool {
        self.budget.reserve(self.limit, cost, self.channel, sequence, is_next)
    }

    /// Returns the bytes charged for packet `sequence` to the budgets.
    pub(crate) fn release(&mut self, cost: usize, sequence: u64) {
        self.budget.release(self.limit, cost, self.channel, sequence);
    }

    /// Returns whether `cost` more bytes of unreliable data are within the budgets.
    pub(crate) const fn has_unreliable_room(&self, cost: usize) -> bool {
        self.budget.has_unreliable_room(self.limit, cost)
    }

    /// Charges `cost` bytes for unreliable data.
    pub(crate) fn reserve_unreliable(&mut self, cost: usize) {
        self.budget.unreliable_bytes += cost;
        self.budget.record(self.limit);
    }

    /// Returns `cost` bytes of unreliable data to the budgets.
    pub(crate) fn release_unreliable(&mut self, cost: usize) {
        bug::subtract(&mut self.budget.unreliable_bytes, cost);
        self.budget.record(self.limit);
    }
}

/// Returns the bytes charged for a packet that was delivered and not polled.
pub(crate) const fn delivered_bytes(payload: &Bytes) -> usize {
    payload.len() + ENTRY_OVERHEAD
}
