//! What a peer holds of data that arrived: packets delivered but not yet taken, packets that wait for others, and
//! pieces. Each has a budget, so that a peer costs a bounded amount of memory whatever it sends.
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | delivered, not taken | settings: 4,096 packets, 4 MiB | unreliable dropped and counted, reliable not acknowledged |
//! | reliable, received while the link is held | 128 KiB | not acknowledged |
//! | reliable, out of order | 4 MiB, and one packet that is next in its channel | not acknowledged |
//! | unreliable, incomplete or early | 4 MiB | oldest dropped and counted |
//! | all three, of all peers of a host | settings: 256 MiB, of which each peer may always have 128 KiB | as above |

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::{ConnectionId, ConnectionStats, SharedLimit, bug};

use super::Outcome;
use crate::limits::{
    ENTRY_OVERHEAD, REORDER_BYTES_MAX, UNRELIABLE_REORDER_BYTES_MAX, WAITING_BYTES_OF_EACH,
};
use crate::proto::settings::HostSettings;
use crate::proto::wire::Source;
use crate::proto::{HostEvent, PacketFlags};

/// The budgets of one peer.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Whether the receiver asked to stop.
    is_held: bool,
    /// Cost of the reliable data that was kept while the link was held, and is not delivered yet.
    kept: usize,
    /// Largest packet.
    packet_bytes_max: usize,
    packets: usize,
    packets_max: usize,
    bytes: usize,
    bytes_max: usize,
    reorder_bytes: usize,
    unreliable_bytes: usize,
    /// The share of pending data in the host's limit.
    recorded_bytes: usize,
    /// Channel and sequence of the one packet that may go beyond the budget of reliable data.
    privileged: Option<(u8, u64)>,
}

impl Inbound {
    pub(crate) const fn new(settings: &HostSettings) -> Self {
        Self {
            is_held: false,
            kept: 0,
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

    /// Whether a packet may be delivered.
    const fn has_room(&self, limit: &SharedLimit) -> bool {
        !self.is_held
            && self.packets < self.packets_max
            && self.bytes < self.bytes_max
            && limit.allows(self.held(), 0)
    }

    /// Decides what to do with reliable data.
    const fn intake(&self, limit: &SharedLimit) -> Intake {
        if self.keeps() {
            return Intake { has_room: true, accepted: Outcome::Kept };
        }
        Intake { has_room: self.has_room(limit), accepted: Outcome::Taken }
    }

    /// Holds the link, or lets it go.
    pub(crate) const fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Returns whether the link is held.
    pub(crate) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// Notes that kept data is delivered now.
    pub(crate) const fn resume(&mut self) {
        self.kept = 0;
    }

    /// Largest packet in bytes.
    pub(crate) const fn packet_bytes_max(&self) -> usize {
        self.packet_bytes_max
    }

    /// Returns whether reliable data is kept: the link is held, or what was kept then is not
    /// delivered yet.
    const fn keeps(&self) -> bool {
        self.is_held || self.kept > 0
    }

    /// Returns whether there is data that was kept.
    pub(crate) const fn has_kept(&self) -> bool {
        self.kept > 0
    }

    /// A delivered packet was taken.
    pub(crate) fn taken(&mut self, len: usize) {
        bug::subtract(&mut self.packets, 1);
        bug::subtract(&mut self.bytes, len);
    }

    /// Charges `cost` for reliable data of the packet `sequence` of `channel`, if the budget allows it.
    fn reserve(
        &mut self,
        limit: &mut SharedLimit,
        cost: usize,
        channel: u8,
        sequence: u64,
        is_next: bool,
    ) -> bool {
        let is_kept_too_much = self.keeps() && self.kept + cost > WAITING_BYTES_OF_EACH;
        if is_kept_too_much || !limit.allows(self.held(), cost) {
            return false;
        }
        let packet = (channel, sequence);
        let fits = self.reorder_bytes + cost <= REORDER_BYTES_MAX;
        if !fits {
            // Only the packet that waits for nothing else can be sure to finish, and give way to the next.
            if !is_next || *self.privileged.get_or_insert(packet) != packet {
                return false;
            }
        }
        self.reorder_bytes += cost;
        if self.keeps() {
            self.kept += cost;
        }
        self.record(limit);
        true
    }

    /// Gives back what was charged for a packet.
    fn release(&mut self, limit: &mut SharedLimit, cost: usize, channel: u8, sequence: u64) {
        bug::subtract(&mut self.reorder_bytes, cost);
        self.record(limit);
        if self.privileged == Some((channel, sequence)) {
            self.privileged = None;
        }
    }

    /// Whether `cost` more for unreliable data is within its budget.
    pub(crate) const fn has_unreliable_room(&self, limit: &SharedLimit, cost: usize) -> bool {
        self.unreliable_bytes + cost <= UNRELIABLE_REORDER_BYTES_MAX
            && limit.allows(self.held(), cost)
    }

    /// Forgets what waits for others.
    pub(crate) const fn clear_waiting(&mut self) {
        self.kept = 0;
        self.reorder_bytes = 0;
        self.unreliable_bytes = 0;
        self.privileged = None;
    }

    /// Has `limit`, that of all peers, include what waits for others now.
    pub(crate) fn record(&mut self, limit: &mut SharedLimit) {
        limit.replace(self.recorded_bytes, self.waiting());
        self.recorded_bytes = self.waiting();
    }

    /// Cost of what waits for others, reliable and unreliable.
    pub(crate) const fn waiting(&self) -> usize {
        self.reorder_bytes + self.unreliable_bytes
    }

    /// Cost of all that arrived and was not taken.
    const fn held(&self) -> usize {
        self.waiting() + self.bytes + self.packets * ENTRY_OVERHEAD
    }
}

/// Treatment of reliable data that arrives.
pub(crate) struct Intake {
    /// True if data that is new can be accepted, within its budget.
    pub(crate) has_room: bool,
    /// The outcome when it is accepted, or was before.
    pub(crate) accepted: Outcome,
}

/// Where a channel delivers to.
pub(crate) struct Sink<'a, 'd> {
    pub(crate) connection: ConnectionId,
    pub(crate) channel: u8,
    pub(crate) source: &'a mut Source<'d>,
    pub(crate) events: &'a mut VecDeque<HostEvent>,
    pub(crate) inbound: &'a mut Inbound,
    /// The budget of all peers of the host.
    pub(crate) limit: &'a mut SharedLimit,
    pub(crate) stats: &'a mut ConnectionStats,
}

impl Sink<'_, '_> {
    /// Delivers a packet.
    pub(crate) fn deliver(&mut self, flags: PacketFlags, payload: Bytes) {
        self.inbound.packets += 1;
        self.inbound.bytes += payload.len();
        self.limit.replace(0, delivered_bytes(&payload));
        self.stats.packets_received += 1;
        self.stats.bytes_received += payload.len() as u64;
        let (connection, channel) = (self.connection, self.channel);
        self.events.push_back(HostEvent::Packet { connection, channel, flags, payload });
    }

    /// Largest packet in bytes.
    pub(crate) const fn packet_bytes_max(&self) -> usize {
        self.inbound.packet_bytes_max
    }

    /// Counts an unreliable packet that is not delivered.
    pub(crate) const fn dropped(&mut self) {
        self.stats.receive_drops += 1;
    }

    /// Returns whether a packet may be delivered.
    pub(crate) const fn has_room(&self) -> bool {
        self.inbound.has_room(self.limit)
    }

    /// Decides what to do with reliable data.
    pub(crate) const fn intake(&self) -> Intake {
        self.inbound.intake(self.limit)
    }

    /// Charges `cost` for reliable data of the packet `sequence`, if the budgets allow it.
    /// `is_next`: it waits for no other.
    pub(crate) fn reserve(&mut self, cost: usize, sequence: u64, is_next: bool) -> bool {
        self.inbound.reserve(self.limit, cost, self.channel, sequence, is_next)
    }

    /// Gives back what was charged for the packet `sequence`.
    pub(crate) fn release(&mut self, cost: usize, sequence: u64) {
        self.inbound.release(self.limit, cost, self.channel, sequence);
    }

    /// Returns whether `cost` more for unreliable data is within the budgets.
    pub(crate) const fn has_unreliable_room(&self, cost: usize) -> bool {
        self.inbound.has_unreliable_room(self.limit, cost)
    }

    /// Charges `cost` for unreliable data.
    pub(crate) fn reserve_unreliable(&mut self, cost: usize) {
        self.inbound.unreliable_bytes += cost;
        self.inbound.record(self.limit);
    }

    /// Gives back what was charged for unreliable data.
    pub(crate) fn release_unreliable(&mut self, cost: usize) {
        bug::subtract(&mut self.inbound.unreliable_bytes, cost);
        self.inbound.record(self.limit);
    }
}

/// Cost of a packet that was delivered and not taken.
pub(crate) const fn delivered_bytes(payload: &Bytes) -> usize {
    payload.len() + ENTRY_OVERHEAD
}
