//! A world of moves: a server moves its players between three rooms while packets of the old room
//! are in flight, over links that lose, delay and reorder datagrams. Clients join, leave and
//! vanish. They are games without a line for moves.
//!
//! In a settled world each client has exactly what it may see of the room in which it is.

mod client;
mod game;
mod server;

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::PeerId;
use mp_scene::Scene;

use self::client::Client;
use self::game::Hall;
use self::server::Server;
use crate::checker::Violation;
use crate::machine::{Environment, SteppedWorld};
use crate::net::SERVER_SLOT;
use crate::rng_ext::RngExt;

/// Numbers of a world of moves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MoveStats {
    /// Moves that were accepted.
    pub moves: u64,
    /// Reliable packets on channel 0 that programs received.
    pub received: u64,
    /// Packets that clients sent for an earlier room and that the server dropped.
    pub moved_packets: u64,
    /// Unreliable packets, or packets on another channel, that a room received although a player
    /// sent them for an earlier one.
    pub late_at_rooms: u64,
    /// Unreliable packets of an earlier room that clients received.
    pub late_at_clients: u64,
}

/// Simulates a world of moves from `seed`, for `active_time` and until it has settled.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<MoveStats, Violation> {
    let mut world = World::new(seed);
    world.run(active_time, true)?;
    world.environment.heal();
    world.run_until_settled("settled moves", SETTLING)?;
    Ok(world.stats())
}

/// Number of rooms, 1 to 9.
const ROOMS: u64 = 3;
/// Number of clients.
const CLIENTS: usize = 6;
/// Maximum time in which a world settles: ENet's longest timeout of a vanished client.
const SETTLING: Duration = Duration::from_secs(40);

/// The nodes and peers that a client has, or should have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Room of the node that exists in every room.
    room: i64,
    /// Units by name, with their value and parts.
    units: BTreeMap<String, (i64, Vec<(String, i64)>)>,
    items: Vec<(String, i64)>,
    seats: Vec<(String, i64)>,
    peers: Vec<PeerId>,
}

impl Seen {
    fn of(scene: &mut Scene) -> Self {
        let hall = scene.node::<Hall>("Hall").ok();
        let room = hall.and_then(|hall| scene.get(hall).ok()).map_or(0, |hall| hall.room);
        let units = game::nodes(scene, "Units").into_iter().map(|(name, hp)| {
            let parts = game::nodes(scene, &format!("Units/{name}/Parts"));
            (name, (hp, parts))
        });
        let units = units.collect();
        let (items, seats) = (game::nodes(scene, "Items"), game::nodes(scene, "Seats"));
        let mut peers = scene.peers();
        peers.sort();
        Self { room, units, items, seats, peers }
    }
}

struct World {
    environment: Environment,
    server: Server,
    clients: Vec<Option<Client>>,
    /// Numbers of clients that have ended.
    ended: MoveStats,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut environment, socket) = Environment::new(seed ^ 0x006d_6f76_6573, CLIENTS);
        let server = Server::new(socket, &mut environment.rng);
        let clients = (0..CLIENTS).map(|_| None).collect();
        Self { environment, server, clients, ended: MoveStats::default() }
    }

    fn stats(&mut self) -> MoveStats {
        let mut stats = self.ended;
        for client in self.clients.iter().flatten() {
            stats.add(client);
        }
        let (received, late) = self.server.received();
        stats.received += received;
        let (moves, moved_packets) = (self.server.moves, self.server.stats().moved_packets);
        MoveStats { moves, moved_packets, late_at_rooms: late, ..stats }
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
        let checked = self.server.check();
        checked.map_err(|what| self.environment.violation("rooms of moves", what))?;
        self.environment.collect(SERVER_SLOT);
        Ok(())
    }

    fn step_client(&mut self, slot: usize, is_active: bool) -> Result<(), Violation> {
        let Some(client) = &mut self.clients[slot - 1] else {
            if is_active && self.environment.rng.chance(5) {
                let socket = self.environment.open(slot);
                let Environment { now, rng, .. } = &mut self.environment;
                self.clients[slot - 1] = Some(Client::new(socket, *now, rng));
            }
            return Ok(());
        };
        let Environment { now, rng, .. } = &mut self.environment;
        let outcome = client.step(*now, is_active, rng);
        let has_vanished = is_active && rng.chance(1) && rng.chance(100);
        self.environment.collect(slot);
        let has_ended =
            outcome.map_err(|what| self.environment.violation("client of moves", what))?;
        if has_ended || has_vanished {
            self.environment.close(slot);
            if let Some(client) = self.clients[slot - 1].take() {
                self.ended.add(&client);
            }
        }
        Ok(())
    }

    /// Checks that each client has what its room has.
    fn check_settled(&mut self) -> Result<(), String> {
        let mut connected = 0;
        for client in self.clients.iter_mut().flatten() {
            let is_connected = client.is_connected();
            connected += usize::from(is_connected);
            let expected = self.server.expected(client.id())?;
            let seen = is_connected.then(|| client.seen());
            if seen != expected {
                return Err(format!("{} has {seen:?}, not {expected:?}", client.id()));
            }
        }
        let players = self.server.players();
        if players != connected {
            return Err(format!("{players} players of {connected} connected clients"));
        }
        let stats = self.server.stats();
        // A client may announce the path of a node that its room has removed meanwhile.
        if stats.malformed_packets > 0 {
            return Err(format!("the rooms have received malformed packets: {stats:?}"));
        }
        Ok(())
    }
}

impl MoveStats {
    /// Adds what a client has received.
    fn add(&mut self, client: &Client) {
        let log = client.log.borrow();
        self.received += log.received;
        self.late_at_clients += log.late;
    }
}
