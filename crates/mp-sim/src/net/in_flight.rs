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

/// The slots whose sockets have received datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Woken(u64);

impl Woken {
    pub(crate) fn contains(self, slot: SlotId) -> bool {
        self.0 & (1 << slot) != 0
    }
}

impl InFlight {
    pub(crate) fn new() -> Self {
        Self { datagrams: BTreeMap::new(), sent: 0, trace: Trace::new(Detail::Nothing) }
    }

    /// Delivers the datagrams that have arrived until `now`. Returns the slots that receive some.
    pub(crate) fn deliver(&mut self, now: Instant, network: &mut SimulatedNetwork) -> Woken {
        let mut woken = Woken::default();
        while let Some(first) = self.datagrams.first_entry().filter(|it| it.key().0 <= now) {
            if let Some((slot, _)) = network.arrive(first.remove()) {
                woken.0 |= 1 << slot;
            }
        }
        woken
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
