//! A world of rooms: clients select rooms of one server by authentication packet, over links that
//! lose datagrams. Rooms are created late, fail, panic and close; clients leave, vanish and return.
//!
//! In a settled world all rooms have closed, and the registry, the router and the endpoint have
//! forgotten every connection.

mod client;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{Instant, PeerId, Rng};
use mp_rooms::RoomsStats;

use self::client::Client;
use self::server::Server;
use crate::checker::Violation;
use crate::net::in_flight::InFlight;
use crate::net::{SERVER_SLOT, SimulatedNetwork};
use crate::rng_ext::RngExt;

/// Simulates a world of rooms from `seed`, for `active_time` and until it has settled. Returns the
/// statistics of the registry.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<RoomsStats, Violation> {
    let mut world = World::new(seed);
    let end = Instant::from_millis(1_000) + active_time;
    while world.now < end {
        world.step(true)?;
    }
    world.settle()?;
    Ok(world.server.stats())
}

/// Rooms that clients select.
const ROOMS: [&str; 4] = ["a", "b", "c", PRIVATE];
/// Room for which clients need the code.
const PRIVATE: &str = "private";
/// Code of the private room.
const CODE: &str = "1234";
/// Maximum number of players of a room.
const PLAYERS_MAX: u16 = 3;
/// Number of clients.
const CLIENTS: usize = 8;
/// Time between two turns of all machines.
const STEP: Duration = Duration::from_millis(5);
/// Time in which a world settles: ENet's longest timeout of a vanished client, and the timeouts of
/// rooms.
const SETTLING: Duration = Duration::from_secs(60);

/// The room that each client has selected, by peer id.
type Wishes = BTreeMap<PeerId, &'static str>;

struct World {
    now: Instant,
    rng: Rng,
    network: SimulatedNetwork,
    in_flight: InFlight,
    server: Server,
    clients: Vec<Option<Client>>,
    wishes: Wishes,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seed_from_u64(seed ^ 0x726f_6f6d_7300);
        let mut network = SimulatedNetwork::drawn(CLIENTS, &mut rng);
        let socket = network.bind(SERVER_SLOT, 0, SimulatedNetwork::server_address(0));
        let server = Server::new(socket, &mut rng);
        Self {
            now: Instant::from_millis(1_000),
            rng,
            network,
            in_flight: InFlight::new(),
            server,
            clients: (0..CLIENTS).map(|_| None).collect(),
            wishes: Wishes::new(),
        }
    }

    /// Runs a turn of all machines. While the world is active, clients join and faults occur.
    fn step(&mut self, is_active: bool) -> Result<(), Violation> {
        self.now += STEP;
        self.in_flight.deliver(self.now, &mut self.network);
        self.server.step(self.now, is_active, &mut self.rng);
        let checked = self.server.check(&self.wishes);
        checked.map_err(|what| self.violation("rooms of the server", what))?;
        self.transmit(SERVER_SLOT);
        for slot in 1..=CLIENTS {
            self.step_client(slot, is_active)?;
            self.transmit(slot);
        }
        Ok(())
    }

    fn step_client(&mut self, slot: usize, is_active: bool) -> Result<(), Violation> {
        let Some(client) = &mut self.clients[slot - 1] else {
            if is_active && self.rng.chance(5) {
                let address = self.network.client_address(slot);
                let socket = self.network.bind(slot, 0, address);
                let client = Client::new(socket, self.now, &mut self.rng);
                self.wishes.insert(client.id(), client.room());
                self.clients[slot - 1] = Some(client);
            }
            return Ok(());
        };
        let outcome = client.step(self.now, is_active, &self.wishes, &mut self.rng);
        let has_vanished = is_active && self.rng.chance(1) && self.rng.chance(200);
        let has_ended = outcome.map_err(|what| self.violation("rooms of a client", what))?;
        if has_ended || has_vanished {
            self.transmit(slot);
            self.network.unbind(slot);
            self.clients[slot - 1] = None;
        }
        Ok(())
    }

    fn transmit(&mut self, slot: usize) {
        self.in_flight.collect(self.now, slot, &mut self.network);
    }

    /// Ends all faults, lets the clients leave, and checks that nothing is left of them.
    fn settle(&mut self) -> Result<(), Violation> {
        self.network.heal();
        let end = self.now + SETTLING;
        while self.now < end {
            self.step(false)?;
        }
        let settled = self.server.check_settled();
        settled.map_err(|what| self.violation("settled rooms", what))
    }

    fn violation(&self, name: &'static str, what: String) -> Violation {
        Violation { at: self.now, name, what }
    }
}
