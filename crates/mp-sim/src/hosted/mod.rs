//! A world of a room whose host is one of its clients, over links that lose datagrams. Hosts and
//! guests vanish and leave; guests take the place of the host; clients join with and without a
//! host.
//!
//! In a settled world each guest has exactly the nodes of the host that it may see. Then the host
//! ends: a guest that joins without a host has what all guests have, and so do all guests of the
//! next host.

mod ending;
mod player;
mod witness;

use std::time::Duration;

use mp_core::BranchId;
use mp_relay::{HostSeat, Migration, SeatStats};
use mp_scene::Branch;

use self::player::Player;
use self::witness::Witness;
use crate::checker::Violation;
use crate::game::Ledger;
use crate::machine::{BRANCH, Environment, ServerMachine, SteppedWorld, Turns};
use crate::net::{SERVER_SLOT, TIMEOUT_MAX};
use crate::rng_ext::RngExt;

/// Simulates a world of a hosted room from `seed`, for `active_time` and until it has settled.
/// Returns the counters of the host seat.
///
/// # Errors
///
/// Returns the first violation.
pub fn simulate(seed: u64, active_time: Duration) -> Result<SeatStats, Violation> {
    let mut world = World::new(seed);
    world.run(active_time, true)?;
    world.settle()?;
    world.end_host()?;
    Ok(world.seat().stats())
}

/// The message of the game for its next host.
const BECOME_HOST: &str = "host";
/// Number of clients.
const CLIENTS: usize = 6;
/// Maximum time in which a world settles: ENet misses the last clients, and the next host takes
/// over after the grace.
const SETTLING: Duration = TIMEOUT_MAX.saturating_add(Duration::from_secs(16));

struct World {
    environment: Environment,
    room: ServerMachine<BranchId>,
    witness: Witness,
    ledger: Ledger,
    /// Number of hosts that were no guests before.
    seated: u64,
    grace: Duration,
    players: Vec<Option<Player>>,
}

impl World {
    fn new(seed: u64) -> Self {
        let (mut environment, socket) = Environment::new(seed ^ 0x686f_7374_6564, CLIENTS);
        let rng = &mut environment.rng;
        let grace = Duration::from_millis(*rng.pick(&[200, 1_000, 4_000]).unwrap_or(&0));
        let migration = Migration::with_packet(BECOME_HOST.as_bytes()).grace(grace);
        let migration = match rng.chance(500) {
            true => migration,
            // The guest that has joined last.
            false => migration.choice(|guests| guests.last().copied()),
        };
        let seat = HostSeat::first().migration(migration);
        let branch = Branch::builder("/root").relay_policy(seat).seed(rng.next_seed()).build();
        let branch = branch.expect("a branch without nodes");
        Self {
            room: ServerMachine::new(socket, BRANCH, branch, rng.next_seed()),
            environment,
            witness: Witness::default(),
            ledger: Ledger::default(),
            seated: 0,
            grace,
            players: (0..CLIENTS).map(|_| None).collect(),
        }
    }

    /// Starts a client.
    fn join(&mut self, slot: usize) {
        let socket = self.environment.open(slot);
        let Environment { now, rng, .. } = &mut self.environment;
        self.players[slot - 1] = Some(Player::new(socket, *now, rng));
    }

    /// Ends a client without closing its connection.
    fn vanish(&mut self, slot: usize) {
        self.environment.close(slot);
        self.players[slot - 1] = None;
    }

    fn seat(&mut self) -> &HostSeat {
        let multiplayer = self.room.scene(self.environment.now).multiplayer();
        multiplayer.relay_policy().expect("the room has a host seat")
    }
}

impl SteppedWorld for World {
    const CLIENTS: usize = CLIENTS;

    fn environment(&mut self) -> &mut Environment {
        &mut self.environment
    }

    fn step_server(&mut self, is_active: bool) -> Result<(), Violation> {
        let Environment { now, rng, .. } = &mut self.environment;
        let (now, witness) = (*now, &mut self.witness);
        let turns = if is_active { Turns::draw(rng) } else { Turns::ALL };
        self.room.step(now, turns, |_| {}, &mut |to, packet| witness.observe(to, packet));
        self.environment.collect(SERVER_SLOT);
        let (occupant, stats) = (self.seat().occupant(), self.seat().stats());
        let seated = stats.hosts - stats.promotions;
        if seated > self.seated {
            self.seated = seated;
            let players = self.players.iter_mut().flatten();
            for player in players.filter(|player| Some(player.machine.id()) == occupant) {
                player.seat(now);
            }
        }
        let scene = self.room.scene(now);
        let (peers, malformed) = (scene.peers(), scene.stats().malformed_packets);
        let checked = self.witness.end_turn(&peers, occupant.is_some(), &mut self.ledger);
        checked.map_err(|what| self.environment.violation("guests without a host", what))?;
        match malformed {
            0 => Ok(()),
            _ => Err(self
                .environment
                .violation("hosted room", format!("{malformed} malformed packets"))),
        }
    }

    fn step_client(&mut self, slot: usize, is_active: bool) -> Result<(), Violation> {
        let Some(player) = &mut self.players[slot - 1] else {
            if is_active && self.environment.rng.chance(5) {
                self.join(slot);
            }
            return Ok(());
        };
        let Environment { now, rng, .. } = &mut self.environment;
        let outcome = player.step(*now, is_active, rng, &mut self.ledger);
        // The host vanishes more often.
        let most = if player.is_host() { 500 } else { 100 };
        self.environment.collect(slot);
        let rng = &mut self.environment.rng;
        let has_vanished = is_active && rng.chance(1) && rng.chance(most);
        let has_ended =
            outcome.map_err(|what| self.environment.violation("player of a hosted room", what))?;
        if has_ended || has_vanished {
            self.vanish(slot);
        }
        Ok(())
    }

    fn is_due(&self, slot: usize) -> bool {
        let now = self.environment.now;
        match slot {
            SERVER_SLOT => self.room.is_due(now),
            slot => self.players[slot - 1].as_ref().is_some_and(|player| player.is_due(now)),
        }
    }

    fn check_settled(&mut self) -> Result<(), String> {
        self.check_room()
    }
}
