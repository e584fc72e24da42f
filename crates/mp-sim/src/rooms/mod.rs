//! A world of rooms: clients select rooms of one server by authentication packet, over links that
//! lose datagrams. Rooms are created late, fail, panic and close; clients leave, vanish and return.
//!
//! In a settled world all rooms have closed, and the registry, the router and the endpoint have
//! forgotten every connection.

mod client;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::PeerId;
use mp_rooms::RoomsStats;

use self::client::Client;
use self::server::Server;
use crate::checker::Violation;
use crate::machine::{Environment, SteppedWorld};
use crate::net::SERVER_SLOT;
use crate::rng_ext::RngExt;

/// Simulates a world of rooms from `seed`, for `active_time` and until it has settled. Returns the
/// statistics of the registry.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<RoomsStats, Violation> {
    let mut world = World::new(seed);
    world.run(active_time, true)?;
    world.environment.heal();
    world.run_until_settled("settled rooms", SETTLING)?;
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
/// Maximum time in which a world settles: ENet's longest timeout of a vanished client, and the
/// timeouts of rooms.
const SETTLING: Duration = Duration::from_secs(60);

/// The room that each client has selected, by peer id.
type Wishes = BTreeMap<PeerId, &'static str>;

struct World {
    environment: Environment,
    server: Server,
    clients: Vec<Option<Client>>,
    wishes: Wishes,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut environment, socket) = Environment::new(seed ^ 0x726f_6f6d_7300, CLIENTS);
        let server = Server::new(socket, &mut environment.rng);
        let clients = (0..CLIENTS).map(|_| None).collect();
        Self { environment, server, clients, wishes: Wishes::new() }
    }
}

impl SteppedWorld for World {
    const CLIENTS: usize = CLIENTS;

    fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }

    fn step_server(&mut self, is_active: bool) -> Result<(), Violation> {
        let Environment { now, rng, .. } = &mut self.environment;
        self.server.step(*now, is_active, rng);
        let checked = self.server.check(&self.wishes);
        checked.map_err(|what| self.environment.violation("rooms of the server", what))?;
        self.environment.collect(SERVER_SLOT);
        Ok(())
    }

    fn step_client(&mut self, slot: usize, is_active: bool) -> Result<(), Violation> {
        let Some(client) = &mut self.clients[slot - 1] else {
            if is_active && self.environment.rng.chance(5) {
                let socket = self.environment.open(slot);
                let Environment { now, rng, .. } = &mut self.environment;
                let client = Client::new(socket, *now, rng);
                self.wishes.insert(client.id(), client.room());
                self.clients[slot - 1] = Some(client);
            }
            return Ok(());
        };
        let Environment { now, rng, .. } = &mut self.environment;
        let outcome = client.step(*now, is_active, &self.wishes, rng);
        let has_vanished = is_active && rng.chance(1) && rng.chance(200);
        self.environment.collect(slot);
        let has_ended =
            outcome.map_err(|what| self.environment.violation("rooms of a client", what))?;
        if has_ended || has_vanished {
            self.environment.close(slot);
            self.clients[slot - 1] = None;
        }
        Ok(())
    }

    /// Checks that nothing is left of the clients.
    fn check_settled(&mut self) -> Result<(), String> {
        self.server.check_settled()
    }
}
