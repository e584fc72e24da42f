//! A world of a server that keeps players whose connection was lost, over links that lose
//! datagrams. Players vanish, leave and time out, and resume their sessions in time or too late,
//! under the same id and under another one.
//!
//! No player notices the absence of a kept one. In a settled world each player has exactly the
//! nodes that it may see, and the inputs of the others.

mod player;
mod server;

use std::time::Duration;

use mp_core::{Instant, PeerId, Rng};
use mp_scene::SceneStats;

use self::player::Player;
use self::server::Server;
use crate::checker::Violation;
use crate::machine::Calm;
use crate::net::in_flight::InFlight;
use crate::net::{SERVER_SLOT, SimulatedNetwork, TIMEOUT_MAX};
use crate::rng_ext::RngExt;

/// Simulates a world of players who resume from `seed`, for `active_time` and until it has settled.
/// Returns the statistics of the server.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<SceneStats, Violation> {
    let mut world = World::new(seed);
    let end = Instant::from_millis(1_000) + active_time;
    while world.now < end {
        world.step(true)?;
    }
    world.settle()?;
    Ok(world.server.scene(world.now).stats())
}

/// Number of clients.
const CLIENTS: usize = 6;
/// Time between two turns of all machines.
const STEP: Duration = Duration::from_millis(5);
/// Time for which the server keeps a player.
const KEEP: Duration = Duration::from_secs(4);
/// Number of calls that the server queues for a kept player.
const QUEUED_CALLS: usize = 3;
/// Maximum time in which a world settles once vanished clients are missed: ENet resends late.
const SETTLING: Duration = Duration::from_secs(12);

/// A place for a client.
enum Slot {
    Playing(Box<Player>),
    /// A player is away, and returns at this time in the session of this peer.
    Away(Instant, PeerId),
    Empty,
}

struct World {
    now: Instant,
    rng: Rng,
    network: SimulatedNetwork,
    in_flight: InFlight,
    server: Server,
    slots: Vec<Slot>,
    /// Number of clients that have started.
    started: i32,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::seed_from_u64(seed ^ 0x7265_7375_6d65);
        let mut network = SimulatedNetwork::drawn(CLIENTS, &mut rng);
        let socket = network.bind(SERVER_SLOT, 0, SimulatedNetwork::server_address(0));
        let server = Server::new(socket, &mut rng);
        Self {
            now: Instant::from_millis(1_000),
            rng,
            network,
            in_flight: InFlight::new(),
            server,
            slots: (0..CLIENTS).map(|_| Slot::Empty).collect(),
            started: 0,
        }
    }

    /// Runs a turn of all machines. While the world is active, clients join, vanish and return;
    /// otherwise only machines have a turn that have something to do.
    fn step(&mut self, is_active: bool) -> Result<(), Violation> {
        self.now += STEP;
        let woken = self.in_flight.deliver(self.now, &mut self.network);
        if is_active || woken.contains(SERVER_SLOT) || self.server.is_due(self.now) {
            let stepped = self.server.step(self.now, is_active, &mut self.rng);
            stepped.map_err(|what| self.violation("server of resumptions", what))?;
            self.in_flight.collect(self.now, SERVER_SLOT, &mut self.network);
        }
        for slot in 1..=CLIENTS {
            let is_due = |slot: &Slot| matches!(slot, Slot::Playing(it) if it.is_due(self.now));
            if is_active || woken.contains(slot) || is_due(&self.slots[slot - 1]) {
                self.step_slot(slot, is_active)?;
            }
        }
        Ok(())
    }

    fn step_slot(&mut self, slot: usize, is_active: bool) -> Result<(), Violation> {
        match &mut self.slots[slot - 1] {
            Slot::Playing(player) => {
                let outcome = player.step(self.now, is_active, &mut self.rng, &self.server);
                self.in_flight.collect(self.now, slot, &mut self.network);
                let has_vanished = is_active && self.rng.chance(1) && self.rng.chance(600);
                let ended = outcome.map_err(|what| self.violation("player who resumes", what))?;
                if ended || has_vanished {
                    self.vanish(slot);
                }
            }
            Slot::Away(until, of) if is_active && self.now >= *until => {
                let of = *of;
                self.start(slot, Some(of));
            }
            Slot::Empty if is_active && self.rng.chance(5) => self.start(slot, None),
            _ => {}
        }
        Ok(())
    }

    /// Starts a client, which joins or resumes the session of a peer.
    fn start(&mut self, slot: usize, of: Option<PeerId>) {
        self.started += 1;
        let new = PeerId::new(FIRST_ID + self.started).expect("an id above 1");
        let id = match of {
            Some(of) if self.rng.chance(600) => of,
            _ => new,
        };
        if let Some(of) = of {
            self.server.issue_ticket(id, of);
        }
        let address = self.network.client_address(slot);
        let socket = self.network.bind(slot, 0, address);
        let player = Player::new(socket, id, self.started.into(), self.now, &mut self.rng);
        self.slots[slot - 1] = Slot::Playing(Box::new(player));
    }

    /// Ends a client without closing its connection. It may return.
    fn vanish(&mut self, slot: usize) {
        self.network.unbind(slot);
        let before = std::mem::replace(&mut self.slots[slot - 1], Slot::Empty);
        if let Slot::Playing(player) = before
            && player.has_played()
            && self.rng.chance(850)
        {
            let away = self.rng.duration(Duration::ZERO, KEEP * 3 / 2);
            self.slots[slot - 1] = Slot::Away(self.now + away, player.id());
        }
    }

    /// Ends all faults and actions, and checks that each player has what it may see.
    fn settle(&mut self) -> Result<(), Violation> {
        self.network.heal();
        let missed = self.now + TIMEOUT_MAX + KEEP;
        while self.now < missed && self.has_vanished_players() {
            self.step(false)?;
        }
        let mut calm = Calm::within(self.now, SETTLING);
        loop {
            let settled = self.check_settled();
            let is_over = calm.is_over(self.now, settled);
            if is_over.map_err(|what| self.violation("settled resumptions", what))? {
                return Ok(());
            }
            let end = self.now + Calm::INTERVAL;
            while self.now < end {
                self.step(false)?;
            }
        }
    }

    /// Returns whether the server has players whose clients have vanished: they are kept, or were
    /// not missed yet.
    fn has_vanished_players(&mut self) -> bool {
        let playing = |slot: &Slot, id| matches!(slot, Slot::Playing(player) if player.id() == id);
        let mut peers = self.server.scene(self.now).peers().into_iter();
        peers.any(|id| !self.slots.iter().any(|slot| playing(slot, id)))
    }

    fn check_settled(&mut self) -> Result<(), String> {
        let mut players: Vec<&mut Box<Player>> = Vec::new();
        for slot in &mut self.slots {
            if let Slot::Playing(player) = slot {
                players.push(player);
            }
        }
        let mut peers = self.server.scene(self.now).peers();
        let mut ids: Vec<PeerId> = players.iter().map(|player| player.id()).collect();
        peers.sort();
        ids.sort();
        if peers != ids {
            return Err(format!("the server has {peers:?}, not {ids:?}"));
        }
        for player in &mut players {
            let id = player.id();
            let (seen, expected) = (player.seen(), self.server.seen_by(self.now, id));
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

    fn violation(&self, name: &'static str, what: String) -> Violation {
        Violation { at: self.now, name, what }
    }
}

/// Ids of clients are above it.
const FIRST_ID: i32 = 100;
