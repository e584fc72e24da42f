//! Datagrams between two sockets.

use std::collections::BTreeMap;

use mp_core::Instant;

use super::{Datagram, SimulatedNetwork, SlotId};
use crate::trace::{Detail, Trace};

/// The datagrams in flight of a world with turns at fixed intervals.
#[derive(Debug)]
pub(crate) struct InFlight {
    datagrams: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    trace: Trace,
}

impl InFlight {
    pub(crate) fn new() -> Self {
        Self { datagrams: BTreeMap::new(), sent: 0, trace: Trace::new(Detail::Nothing) }
    }

    /// Delivers the datagrams that have arrived until `now`.
    pub(crate) fn deliver(&mut self, now: Instant, network: &mut SimulatedNetwork) {
        let due = self.datagrams.range(..=(now, u64::MAX)).map(|(&key, _)| key);
        for key in due.collect::<Vec<_>>() {
            if let Some(datagram) = self.datagrams.remove(&key) {
                network.arrive(datagram);
            }
        }
    }

    /// Puts the datagrams that the sockets of `slot` have sent on their paths.
    pub(crate) fn collect(&mut self, now: Instant, slot: SlotId, network: &mut SimulatedNetwork) {
        let Self { datagrams, sent, trace } = self;
        network.collect(now, slot, trace, |at, datagram| {
            *sent += 1;
            datagrams.insert((at, *sent), datagram);
        });
    }
}
