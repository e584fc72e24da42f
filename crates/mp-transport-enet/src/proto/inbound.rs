//! What a peer holds of data that arrived: packets delivered but not yet taken, packets that wait for others, and
//! pieces. Each has a budget, so that a peer costs a bounded amount of memory whatever it sends.
//!
//! | what | bound | beyond it |
//! |---|---|---|
//! | delivered, not taken | settings: 4,096 packets, 4 MiB | unreliable dropped and counted, reliable not acknowledged |
//! | reliable, received while the link is held | 128 KiB | not acknowledged |
//! | reliable, out of order | 4 MiB, and one packet that is next in its channel | not acknowledged |
//! | unreliable, incomplete or early | 4 MiB | oldest dropped and counted |
//! | both, of all peers of a host | settings: 256 MiB | as above, but of each peer 128 KiB may always wait |

use std::collections::VecDeque;

use bytes::Bytes;
use mp_core::{ConnectionId, ConnectionStats};

use super::HostEvent;
use super::PacketFlags;
use super::channel::Outcome;
use super::settings::HostSettings;
use super::source::Source;
use crate::limits::{REORDER_BYTES_MAX, UNRELIABLE_REORDER_BYTES_MAX, WAITING_BYTES_OF_EACH};

/// The budgets of one peer.
#[derive(Debug)]
pub(crate) struct Inbound {
    /// Whether the receiver asked to stop.
    is_held: bool,
    /// Cost of the reliable data that was kept while the link was held, and is not delivered yet.
    kept: usize,
    /// Largest packet.
    pub(crate) packet_bytes_max: usize,
    packets: usize,
    packets_max: usize,
    bytes: usize,
    bytes_max: usize,
    reorder_bytes: usize,
    unreliable_bytes: usize,
    /// What the host has left for all its peers.
    spare: usize,
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
            spare: 0,
            privileged: None,
        }
    }

    /// Whether a packet may be delivered.
    pub(crate) const fn has_room(&self) -> bool {
        !self.is_held && self.packets < self.packets_max && self.bytes < self.bytes_max
    }

    /// Decides what to do with reliable data.
    pub(crate) const fn intake(&self) -> Intake {
        if self.keeps() {
            return Intake { has_room: true, accepted: Outcome::Kept };
        }
        Intake { has_room: self.has_room(), accepted: Outcome::Taken }
    }

    /// Holds the link, or lets it go.
    pub(crate) const fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// Whether the link is held.
    pub(crate) const fn is_held(&self) -> bool {
        self.is_held
    }

    /// What was kept is delivered now.
    pub(crate) const fn resume(&mut self) {
        self.kept = 0;
    }

    /// Whether reliable data is kept: the link is held, or what was kept then is not delivered yet.
    const fn keeps(&self) -> bool {
        self.is_held || self.kept > 0
    }

    /// Whether there is data that was kept.
    pub(crate) const fn has_kept(&self) -> bool {
        self.kept > 0
    }

    /// A delivered packet was taken.
    pub(crate) const fn taken(&mut self, len: usize) {
        self.packets = self.packets.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(len);
    }

    /// Charges `cost` for reliable data of the packet `sequence` of `channel`, if the budget allows it.
    pub(crate) fn reserve(
        &mut self,
        cost: usize,
        channel: u8,
        sequence: u64,
        is_next: bool,
    ) -> bool {
        if !self.is_afforded(cost) || self.keeps() && self.kept + cost > WAITING_BYTES_OF_EACH {
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
        self.spare = self.spare.saturating_sub(cost);
        if self.keeps() {
            self.kept += cost;
        }
        true
    }

    /// Gives back what was charged for a packet.
    pub(crate) fn release(&mut self, cost: usize, channel: u8, sequence: u64) {
        self.reorder_bytes = self.reorder_bytes.saturating_sub(cost);
        self.spare += cost;
        if self.privileged == Some((channel, sequence)) {
            self.privileged = None;
        }
    }

    /// Whether `cost` more for unreliable data is within its budget.
    pub(crate) const fn has_unreliable_room(&self, cost: usize) -> bool {
        self.unreliable_bytes + cost <= UNRELIABLE_REORDER_BYTES_MAX && self.is_afforded(cost)
    }

    /// Charges `cost` for unreliable data.
    pub(crate) const fn reserve_unreliable(&mut self, cost: usize) {
        self.unreliable_bytes += cost;
        self.spare = self.spare.saturating_sub(cost);
    }

    /// Gives back what was charged for unreliable data.
    pub(crate) const fn release_unreliable(&mut self, cost: usize) {
        self.unreliable_bytes = self.unreliable_bytes.saturating_sub(cost);
        self.spare += cost;
    }

    /// The host can spare so much for all its peers.
    pub(crate) const fn lend(&mut self, spare: usize) {
        self.spare = spare;
    }

    /// Whether the host can spare `cost`, or it is within what every peer may always hold.
    const fn is_afforded(&self, cost: usize) -> bool {
        cost <= self.spare || self.waiting() + cost <= WAITING_BYTES_OF_EACH
    }

    /// Cost of what waits for others, reliable and unreliable.
    pub(crate) const fn waiting(&self) -> usize {
        self.reorder_bytes + self.unreliable_bytes
    }
}

/// What to do with reliable data that arrives.
pub(crate) struct Intake {
    /// Whether data that is new can be accepted, within its budget.
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
    pub(crate) stats: &'a mut ConnectionStats,
}

impl Sink<'_, '_> {
    /// Delivers a packet.
    pub(crate) fn deliver(&mut self, flags: PacketFlags, payload: Bytes) {
        self.inbound.packets += 1;
        self.inbound.bytes += payload.len();
        self.stats.packets_received += 1;
        self.stats.bytes_received += payload.len() as u64;
        let (connection, channel) = (self.connection, self.channel);
        self.events.push_back(HostEvent::Packet { connection, channel, flags, payload });
    }

    /// Counts an unreliable packet that is not delivered.
    pub(crate) const fn dropped(&mut self) {
        self.stats.receive_drops += 1;
    }
}
