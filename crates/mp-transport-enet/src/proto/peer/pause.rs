//! Pausing and resuming reception of a connection.

use std::collections::VecDeque;

use mp_core::SharedLimit;

use super::Peer;
use super::receive::ACKNOWLEDGE_LEN;
use crate::proto::HostEvent;
use crate::proto::channel::Delivery;
use crate::proto::wire::DatagramBytes;

impl Peer {
    /// Pauses or resumes the connection.
    pub(crate) const fn set_paused(&mut self, is_paused: bool) {
        self.budget.set_paused(is_paused);
    }

    /// Returns whether the connection is paused.
    pub(crate) const fn is_paused(&self) -> bool {
        self.budget.is_paused()
    }

    /// Returns whether something must be delivered or acknowledged when the connection resumes.
    pub(crate) fn has_buffered_data(&self) -> bool {
        self.budget.has_buffered() || self.acknowledgements.has_paused()
    }

    /// Records that a packet of `len` bytes was polled.
    pub(crate) fn packet_taken(&mut self, len: usize) {
        self.budget.taken(len);
    }

    /// Returns the bytes of incomplete and out-of-order packets.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.budget.waiting()
    }

    /// Delivers and acknowledges the data that was buffered while paused.
    pub(crate) fn resume(&mut self, limit: &mut SharedLimit, events: &mut VecDeque<HostEvent>) {
        let acknowledgements = self.acknowledgements.resume();
        self.sender.add_demand(acknowledgements as u64 * ACKNOWLEDGE_LEN);
        self.budget.resume();
        for (number, channel) in self.channels.used() {
            channel.resume(&mut Delivery {
                connection: self.connection,
                channel: number,
                datagram: &mut DatagramBytes::new(&[]),
                events,
                budget: &mut self.budget,
                limit: &mut *limit,
                stats: &mut self.stats,
            });
        }
    }
}
