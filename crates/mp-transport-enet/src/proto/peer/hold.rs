//! Pausing and resuming reception of a connection.

use std::collections::VecDeque;

use mp_core::SharedLimit;

use super::Peer;
use super::receive::ACKNOWLEDGE_LEN;
use crate::proto::HostEvent;
use crate::proto::channel::Sink;
use crate::proto::wire::Source;

impl Peer {
    /// Pauses or resumes the connection.
    pub(crate) const fn hold(&mut self, is_held: bool) {
        self.inbound.hold(is_held);
    }

    /// Returns whether the connection is paused.
    pub(crate) const fn is_held(&self) -> bool {
        self.inbound.is_held()
    }

    /// Returns whether something must be delivered or acknowledged when the connection resumes.
    pub(crate) fn keeps_data(&self) -> bool {
        self.inbound.has_kept() || self.acknowledgements.has_deferred()
    }

    /// Records that a packet of `len` bytes was polled.
    pub(crate) fn packet_taken(&mut self, len: usize) {
        self.inbound.taken(len);
    }

    /// Returns the bytes of incomplete and out-of-order packets.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.inbound.waiting()
    }

    /// Delivers and acknowledges the data that was buffered while paused.
    pub(crate) fn resume(&mut self, limit: &mut SharedLimit, events: &mut VecDeque<HostEvent>) {
        let acknowledgements = self.acknowledgements.resume();
        self.sender.add_demand(acknowledgements as u64 * ACKNOWLEDGE_LEN);
        self.inbound.resume();
        for (number, channel) in self.channels.used() {
            channel.resume(&mut Sink {
                connection: self.connection,
                channel: number,
                source: &mut Source::new(&[]),
                events,
                inbound: &mut self.inbound,
                limit: &mut *limit,
                stats: &mut self.stats,
            });
        }
    }
}
