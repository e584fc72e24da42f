//! Reception of a connection whose receiver has paused it.

use std::collections::VecDeque;

use mp_core::SharedLimit;

use super::Peer;
use super::receive::ACKNOWLEDGE_LEN;
use crate::proto::HostEvent;
use crate::proto::channel::Sink;
use crate::proto::wire::Source;

impl Peer {
    /// Holds the link, or lets it go.
    pub(crate) const fn hold(&mut self, is_held: bool) {
        self.inbound.hold(is_held);
    }

    /// Returns whether the link is held.
    pub(crate) const fn is_held(&self) -> bool {
        self.inbound.is_held()
    }

    /// Returns whether there is something to deliver or to acknowledge when the link is let go.
    pub(crate) fn keeps_data(&self) -> bool {
        self.inbound.has_kept() || self.acknowledgements.has_deferred()
    }

    /// Notes that the host has handed out a packet of `len` bytes.
    pub(crate) fn packet_taken(&mut self, len: usize) {
        self.inbound.taken(len);
    }

    /// Bytes of packets that wait for others, or for their missing pieces.
    pub(crate) const fn waiting_bytes(&self) -> usize {
        self.inbound.waiting()
    }

    /// Delivers and acknowledges what was kept while the link was held.
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
