//! [`Environment`]: the time, the randomness and the network of a world.

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Instant, Rng};

use crate::checker::Violation;
use crate::net::socket::SimSocket;
use crate::net::{Datagram, SERVER_SLOT, SimulatedNetwork, SlotId};
use crate::trace::{Detail, Trace};

/// The time, the randomness and the network of a world with turns at fixed intervals.
pub(crate) struct Environment {
    pub(crate) now: Instant,
    pub(crate) rng: Rng,
    network: SimulatedNetwork,
    in_flight: BTreeMap<(Instant, u64), Datagram>,
    sent: u64,
    /// Bits of the slots that have received datagrams since the last turn.
    woken: u64,
    trace: Trace,
}

impl Environment {
    /// Time between two turns of all machines.
    const STEP: Duration = Duration::from_millis(5);

    /// Draws the links of `clients` from a seed. Returns the socket of the server, too.
    pub(crate) fn new(seed: u64, clients: usize) -> (Self, SimSocket) {
        let mut rng = Rng::seed_from_u64(seed);
        let mut network = SimulatedNetwork::drawn(clients, &mut rng);
        let socket = network.bind(SERVER_SLOT, 0, SimulatedNetwork::server_address(0));
        let environment = Self {
            now: Instant::from_millis(1_000),
            rng,
            network,
            in_flight: BTreeMap::new(),
            sent: 0,
            woken: 0,
            trace: Trace::new(Detail::Nothing),
        };
        (environment, socket)
    }

    /// Begins the next turn: delivers the datagrams that have arrived.
    pub(crate) fn advance(&mut self) {
        self.now += Self::STEP;
        self.woken = 0;
        while let Some(first) = self.in_flight.first_entry().filter(|it| it.key().0 <= self.now) {
            if let Some((slot, _)) = self.network.arrive(first.remove()) {
                self.woken |= 1 << slot;
            }
        }
    }

    /// Returns whether a machine has received a datagram since the last turn.
    pub(crate) fn has_received(&self, slot: SlotId) -> bool {
        self.woken & (1 << slot) != 0
    }

    /// Puts the datagrams that a machine has sent on their paths.
    pub(crate) fn collect(&mut self, slot: SlotId) {
        let Self { in_flight, sent, trace, .. } = self;
        self.network.collect(self.now, slot, trace, |at, datagram| {
            *sent += 1;
            in_flight.insert((at, *sent), datagram);
        });
    }

    /// Opens the socket of a client.
    pub(crate) fn open(&mut self, slot: SlotId) -> SimSocket {
        let address = self.network.client_address(slot);
        self.network.bind(slot, 0, address)
    }

    /// Closes the socket of a client.
    pub(crate) fn close(&mut self, slot: SlotId) {
        self.network.unbind(slot);
    }

    /// Ends the faults of all links.
    pub(crate) fn heal(&mut self) {
        self.network.heal();
    }

    /// Returns a violation of the present time.
    pub(crate) fn violation(&self, name: &'static str, what: String) -> Violation {
        Violation { at: self.now, name, what }
    }
}
