//! A world of a server that keeps players whose connection was lost, over links that lose
//! datagrams. Players vanish, leave and time out, and resume their sessions in time or too late,
//! under the same id and under another one.
//!
//! No player notices the absence of a kept one. In a settled world each player has exactly the
//! nodes that it may see, and the inputs of the others.

mod player;
mod server;

use std::time::Duration;

use mp_core::{Instant, PeerId};
use mp_scene::SceneStats;

use self::player::Player;
use self::server::Server;
use crate::checker::Violation;
use crate::machine::{Environment, SteppedWorld};
use crate::net::{SERVER_SLOT, TIMEOUT_MAX};
use crate::rng_ext::RngExt;

/// Simulates a world of players who resume from `seed`, for `active_time` and until it has settled.
/// Returns the statistics of the server.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<SceneStats, Violation> {
    let mut world = World::new(seed);
    world.run(active_time, true)?;
    world.settle()?;
    Ok(world.server.scene(world.environment.now).stats())
}

/// Number of clients.
const CLIENTS: usize = 6;
/// Time for which the server keeps a player.
const KEEP: Duration = Duration::from_secs(4);
/// Number of calls that the server queues for a kept player.
const QUEUED_CALLS: usize = 3;
/// Maximum time in which a world settles: ENet misses the last clients, and the server keeps them.
const SETTLING: Duration = TIMEOUT_MAX.saturating_add(KEEP).saturating_add(KEEP);

/// A place for a client.
enum Slot {
    Playing(Box<Player>),
    /// A player is away, and returns at this time in the session of this peer.
    Away(Instant, PeerId),
    Empty,
}

struct World {
    environment: Environment,
    server: Server,
    slots: Vec<Slot>,
    /// Number of clients that have started.
    started: i32,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut environment, socket) = Environment::new(seed ^ 0x7265_7375_6d65, CLIENTS);
        let server = Server::new(socket, &mut environment.rng);
        let slots = (0..CLIENTS).map(|_| Slot::Empty).collect();
        Self { environment, server, slots, started: 0 }
    }

    /// Starts a client, which joins or resumes the session of a peer.
    fn start(&mut self, slot: usize, of: Option<PeerId>) {
        self.started += 1;
        let rng = &mut self.environment.rng;
        let new = PeerId::new(FIRST_ID + self.started).expect("an id above 1");
        let id = match of {
            Some(of) if rng.chance(600) => of,
            _ => new,
        };
        if let Some(of) = of {
            self.server.issue_ticket(id, of);
        }
        let socket = self.environment.open(slot);
        let Environment { now, rng, .. } = &mut self.environment;
        let player = Player::new(socket, id, self.started.into(), *now, rng);
        self.slots[slot - 1] = Slot::Playing(Box::new(player));
    }

    /// Ends a client without closing its connection. It may return.
    fn vanish(&mut self, slot: usize) {
        self.environment.close(slot);
        let before = std::mem::replace(&mut self.slots[slot - 1], Slot::Empty);
        if let Slot::Playing(player) = before
            && player.has_played()
            && self.environment.rng.chance(850)
        {
            let away = self.environment.rng.duration(Duration::ZERO, KEEP * 3 / 2);
            self.slots[slot - 1] = Slot::Away(self.environment.now + away, player.id());
        }
    }

    /// Ends all faults and actions, and checks that each player has what it may see.
    fn settle(&mut self) -> Result<(), Violation> {
        self.environment.heal();
        self.run_until_settled("settled resumptions", SETTLING)
    }
}

impl SteppedWorld for World {
    const CLIENTS: usize = CLIENTS;

    fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }

    fn step_server(&mut self, is_active: bool) -> Result<(), Violation> {
        let Environment { now, rng, .. } = &mut self.environment;
        let stepped = self.server.step(*now, is_active, rng);
        stepped.map_err(|what| self.environment.violation("server of resumptions", what))?;
        self.environment.collect(SERVER_SLOT);
        Ok(())
    }

    fn step_client(&mut self, slot: usize, is_active: bool) -> Result<(), Violation> {
        let Environment { now, rng, .. } = &mut self.environment;
        match &mut self.slots[slot - 1] {
            Slot::Playing(player) => {
                let outcome = player.step(*now, is_active, rng, &self.server);
                let has_vanished = is_active && rng.chance(1) && rng.chance(600);
                self.environment.collect(slot);
                let ended = outcome
                    .map_err(|what| self.environment.violation("player who resumes", what))?;
                if ended || has_vanished {
                    self.vanish(slot);
                }
            }
            Slot::Away(until, of) if is_active && *now >= *until => {
                let of = *of;
                self.start(slot, Some(of));
            }
            Slot::Empty if is_active && rng.chance(5) => self.start(slot, None),
            _ => {}
        }
        Ok(())
    }

    fn is_due(&self, slot: usize) -> bool {
        let now = self.environment.now;
        match slot {
            SERVER_SLOT => self.server.is_due(now),
            slot => matches!(&self.slots[slot - 1], Slot::Playing(player) if player.is_due(now)),
        }
    }

    fn check_settled(&mut self) -> Result<(), String> {
        let mut players: Vec<&mut Box<Player>> = Vec::new();
        for slot in &mut self.slots {
            if let Slot::Playing(player) = slot {
                players.push(player);
            }
        }
        let mut peers = self.server.scene(self.environment.now).peers();
        let mut ids: Vec<PeerId> = players.iter().map(|player| player.id()).collect();
        peers.sort();
        ids.sort();
        if peers != ids {
            return Err(format!("the server has {peers:?}, not {ids:?}"));
        }
        for player in &mut players {
            let id = player.id();
            let (seen, expected) = (player.seen(), self.server.seen_by(self.environment.now, id));
            if seen != expected {
                return Err(format!("{id} has {seen:?}, not {expected:?}"));
            }
            if seen.seats.get(&id.to_string()).copied() != player.input() {
                return Err(format!("the input of {id} is {:?} in {seen:?}", player.input()));
            }
            self.server.check_settled(player)?;
        }
        for player in &players {
            let others = players.iter().filter(|other| other.id() != player.id());
            others.into_iter().try_for_each(|other| player.check_settled(other))?;
        }
        Ok(())
    }
}

/// Ids of clients are above it.
const FIRST_ID: i32 = 100;
