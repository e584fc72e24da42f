//! The players of a process: each joins a random room, stays for a while, leaves, and joins again.

use std::error::Error;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{Instant, Rng};

use crate::connection::{Server, Transport};
use crate::player::{Player, Turn};
use crate::report::Report;

/// Options of the players. Half of them join over ENet, the others over WebSocket.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Address of a server at which ENet clients select rooms by authentication packets
    #[arg(long)]
    enet: SocketAddr,
    /// Address of a server at which WebSocket clients select rooms by path
    #[arg(long)]
    ws: SocketAddr,
    /// Number of players
    #[arg(long)]
    players: usize,
    /// Number of rooms
    #[arg(long)]
    rooms: u64,
    /// Probability that an ENet datagram is lost, for each direction, in permille
    #[arg(long, default_value_t = 0)]
    loss_permille: u32,
    /// Maximum seconds that a player stays in a room, at least half of them; 0: until the end
    #[arg(long, default_value_t = 0)]
    stay: u64,
    /// Messages per second of each player to all others of its room, a tenth of them reliable
    #[arg(long, default_value_t = 10)]
    rate: u32,
    /// Milliseconds between two turns of all players
    #[arg(long, default_value_t = 16)]
    frame: u64,
    /// Seconds between two lines
    #[arg(long, default_value_t = 5)]
    report: u64,
    /// Seconds after which all players leave
    #[arg(long)]
    seconds: u64,
    /// Seed of all decisions and losses
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs the players, and prints a line per interval and a last one when all have left.
///
/// # Errors
///
/// Returns an error if a socket or a thread cannot be created.
pub(crate) fn run(args: &Args) -> Result<(), Box<dyn Error>> {
    let clock = SystemClock::new();
    let mut population = Population::new(args, clock.now());
    let end = clock.now() + Duration::from_secs(args.seconds);
    let interval = Duration::from_secs(args.report.max(1));
    let mut due = clock.now() + interval;
    let mut next_turn = clock.now();
    loop {
        let now = clock.now();
        population.report.lateness = population.report.lateness.max(now - next_turn);
        population.turn(now, now >= end)?;
        let has_ended = now >= end && population.is_empty();
        if now >= due || has_ended {
            due = now + interval;
            population.print_report();
        }
        if has_ended {
            return Ok(());
        }
        next_turn = now + Duration::from_millis(args.frame);
        thread::sleep(next_turn - clock.now());
    }
}

struct Population<'a> {
    args: &'a Args,
    rng: Rng,
    places: Vec<Place>,
    report: Report,
}

/// A player, or the time at which the next one of its place joins.
enum Place {
    Free(Instant),
    Taken { player: Box<Player>, leaves: Option<Instant> },
}

impl<'a> Population<'a> {
    fn new(args: &'a Args, now: Instant) -> Self {
        let rng = Rng::seed_from_u64(args.seed);
        // One after the other, so that the server has time for their handshakes.
        let join = |index: usize| Place::Free(now + JOIN_INTERVAL * index as u32);
        let places = (0..args.players).map(join).collect();
        Self { args, rng, places, report: Report::default() }
    }

    fn is_empty(&self) -> bool {
        self.places.iter().all(|place| matches!(place, Place::Free(_)))
    }

    /// Runs a turn of all players. From the end on they leave, and none joins.
    fn turn(&mut self, now: Instant, is_end: bool) -> Result<(), Box<dyn Error>> {
        let interval = Duration::from_secs(1) / self.args.rate.max(1);
        for index in 0..self.places.len() {
            match &mut self.places[index] {
                Place::Free(due) if now >= *due && !is_end => {
                    self.places[index] = self.join(index)?;
                }
                Place::Free(_) => {}
                Place::Taken { player, leaves } => {
                    let turn = player.turn(now, interval, &mut self.report);
                    if turn == Turn::Ended {
                        self.places[index] = Place::Free(now + REJOIN_DELAY);
                    } else if let Some(since) = player.joined() {
                        let stay = Duration::from_secs(self.args.stay);
                        let random = |rng: &mut Rng| rng.below(stay.as_millis() as u64 / 2);
                        let leaves = leaves.get_or_insert_with(|| {
                            since + stay / 2 + Duration::from_millis(random(&mut self.rng))
                        });
                        let has_settled = is_end && now >= since + SETTLE_TIME;
                        if has_settled || (!stay.is_zero() && now >= *leaves) {
                            player.leave(&mut self.report);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn join(&mut self, index: usize) -> Result<Place, Box<dyn Error>> {
        let Args { enet, ws, loss_permille, rooms, .. } = *self.args;
        let server = Server { enet, ws, loss_permille };
        let transport =
            if index.is_multiple_of(2) { Transport::Enet } else { Transport::WebSocket };
        let room = format!("room-{}", self.rng.below(rooms.max(1)));
        let peer = server.connect(transport, &room, &mut self.rng)?;
        let player = Player::new(peer, room, transport == Transport::Enet);
        Ok(Place::Taken { player: Box::new(player), leaves: None })
    }

    fn print_report(&mut self) {
        let is_present = |place: &&Place| match place {
            Place::Taken { player, .. } => player.joined().is_some(),
            Place::Free(_) => false,
        };
        let present = self.places.iter().filter(is_present).count();
        println!("{}", std::mem::take(&mut self.report).into_json(present));
    }
}

/// Time between the first joins.
const JOIN_INTERVAL: Duration = Duration::from_millis(5);
/// Minimum time in a room: a WebSocket player cannot see whether the server has admitted it yet.
const SETTLE_TIME: Duration = Duration::from_secs(3);
/// Time until the next player of a place joins.
const REJOIN_DELAY: Duration = Duration::from_millis(500);
