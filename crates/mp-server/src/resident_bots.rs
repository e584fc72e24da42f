//! [`ResidentBots`]: bots that this process runs in its own rooms, for operators.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use mp_bots::scenario::{
    Phase, RawContent, Receivers, Schedule, ServerAddress, Step, Text, TlsSettings,
};
use mp_bots::{RunOptions, Scenario};
use mp_core::{Channel, PeerId, TransferMode};
use mp_rooms::RoomId;
use tokio::sync::mpsc::{self, Receiver};

/// Bots of all rooms. They join over a listener of the server, as players do.
#[derive(Debug, Default)]
pub(crate) struct ResidentBots {
    runs: Mutex<Vec<Run>>,
}

/// Bots that join a room together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BotGroup {
    /// Number of bots, 1 to [`BOTS_MAX`].
    pub(crate) count: u32,
    /// Time after which they leave.
    pub(crate) stay: Duration,
    /// True if each sends a small raw packet to all other peers every second.
    pub(crate) sends: bool,
}

/// The way into a room.
#[derive(Clone, Debug)]
pub(crate) struct BotEntry {
    pub(crate) server: ServerAddress,
    /// Authentication packet that selects the room, if the listener reads one.
    pub(crate) auth: Option<String>,
}

/// Bots that were started together.
#[derive(Debug)]
struct Run {
    room: RoomId,
    count: u32,
    /// Set to true to let the bots leave.
    stop: Arc<AtomicBool>,
    /// Expires when the bots have left.
    alive: Weak<()>,
}

impl Run {
    fn is_over(&self) -> bool {
        self.alive.strong_count() == 0
    }
}

/// Bots that were started.
#[derive(Debug)]
pub(crate) struct StartedBots {
    /// Receives the id of each bot that is admitted; closed when all have left.
    pub(crate) admitted: Receiver<PeerId>,
    stop: Arc<AtomicBool>,
}

impl StartedBots {
    /// Lets these bots leave.
    pub(crate) fn end(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

/// The reason why no bots were started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StartError {
    /// The server would have more than [`BOTS_MAX`] bots.
    TooMany,
    /// The system has no further thread.
    NoThread,
}

impl ResidentBots {
    /// Lets bots join a room on a thread of their own.
    ///
    /// # Errors
    ///
    /// See [`StartError`].
    pub(crate) fn start(
        &self,
        room: RoomId,
        entry: BotEntry,
        group: BotGroup,
    ) -> Result<StartedBots, StartError> {
        let (sender, admitted) = mpsc::channel(BOTS_MAX as usize);
        let (stop, alive) = (Arc::new(AtomicBool::new(false)), Arc::new(()));
        let started = StartedBots { admitted, stop: Arc::clone(&stop) };
        let (count, stop_of_run) = (group.count, Arc::clone(&stop));
        let run = Run { room, count, stop: stop_of_run, alive: Arc::downgrade(&alive) };
        let mut runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.retain(|run| !run.is_over());
        if runs.iter().map(|run| run.count).sum::<u32>() + count > BOTS_MAX {
            return Err(StartError::TooMany);
        }
        let play = move || {
            let _alive = alive;
            let options = RunOptions { threads: Some(1), stop, admitted: Some(sender) };
            if let Err(error) = mp_bots::run(scenario(entry, group), &options, |_| {}) {
                tracing::info!(%error, "bots could not join");
            }
        };
        let thread = std::thread::Builder::new().name("bots".to_owned()).spawn(play);
        thread.map_err(|_| StartError::NoThread)?;
        runs.push(run);
        Ok(started)
    }

    /// Lets the bots of a room leave. Returns their number.
    pub(crate) fn end(&self, room: RoomId) -> u32 {
        self.end_if(|run| run.room == room)
    }

    /// Lets all bots leave.
    pub(crate) fn end_all(&self) {
        self.end_if(|_| true);
    }

    /// Returns whether there are no bots.
    pub(crate) fn is_empty(&self) -> bool {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        runs.iter().all(Run::is_over)
    }

    fn end_if(&self, is_chosen: impl Fn(&Run) -> bool) -> u32 {
        let runs = self.runs.lock().unwrap_or_else(PoisonError::into_inner);
        let chosen = runs.iter().filter(|run| !run.is_over() && is_chosen(run));
        let running = chosen.filter(|run| !run.stop.swap(true, Ordering::Relaxed));
        running.map(|run| run.count).sum()
    }
}

/// Returns the steps of bots: they join at once, and stay.
fn scenario(entry: BotEntry, group: BotGroup) -> Scenario {
    let BotGroup { count, stay, sends } = group;
    let connect = Step::Connect { within: JOIN_TIME };
    let auth = entry.auth.map(|text| Step::Authenticate { packet: Text(text) });
    let schedule = Schedule { every: Some(SEND_INTERVAL), duration: Some(stay) };
    let stays = match sends {
        true => Step::Raw {
            content: RawContent::Random(PACKET_SIZE),
            to: Receivers::All,
            mode: TransferMode::Unreliable,
            channel: Channel(0),
            schedule,
        },
        false => Step::Wait { from: stay, to: stay },
    };
    Scenario {
        servers: vec![entry.server],
        // The server is this process, whose certificate has the name of the machine.
        tls: TlsSettings { insecure: true, ..TlsSettings::default() },
        phases: vec![Phase { joins_per_second: JOINS_PER_SECOND, players: count, duration: stay }],
        steps: [connect].into_iter().chain(auth).chain([stays]).collect(),
        ..Scenario::default()
    }
}

/// Maximum number of bots of the server.
pub(crate) const BOTS_MAX: u32 = 16;
/// Maximum time until a bot is admitted.
pub(crate) const JOIN_TIME: Duration = Duration::from_secs(5);
const JOINS_PER_SECOND: f64 = 100.0;
/// Time between two packets of a bot.
const SEND_INTERVAL: Duration = Duration::from_secs(1);
/// Size of a packet of a bot in bytes.
const PACKET_SIZE: usize = 8;
