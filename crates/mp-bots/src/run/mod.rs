//! Runs a scenario on threads with real sockets.

mod cpu;
mod dial;
mod webrtc;
mod worker;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use mp_core::host::{SystemClock, os_seed};
use mp_core::{PeerId, Rng};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;

use self::dial::Servers;
use self::worker::{Report, Worker};
use crate::arrivals::arrivals;
use crate::methods::MethodTables;
use crate::report::{RunReport, Second};
use crate::scenario::Scenario;
use crate::stats::Stats;

/// Settings of a run that are not part of the scenario.
#[derive(Clone, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "programs build it")]
pub struct RunOptions {
    /// Number of threads. `None`: one per 2,000 players, at most the number of cores.
    pub threads: Option<usize>,
    /// Set to true to stop the run. Players then leave.
    pub stop: Arc<AtomicBool>,
    /// Receives the peer id of each player when the server admits it for the first time. Ids beyond
    /// the capacity of the channel are dropped.
    pub admitted: Option<Sender<PeerId>>,
}

/// The reason why a run has no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The scenario has no server.
    #[error(
        "no server is given; pass --server ADDRESS, or write server = \"ADDRESS\" in the scenario"
    )]
    NoServer,
    /// No player could connect.
    #[error("cannot reach {server}: {reason}")]
    Unreachable {
        /// Address of the server.
        server: String,
        /// The reason.
        reason: String,
    },
    /// A host name, certificate or project cannot be used.
    #[error("{0}")]
    Setup(String),
}

/// Runs a scenario, and calls `progress` after each second.
///
/// # Errors
///
/// If the scenario cannot be run as it is, or no player could connect to a server.
pub fn run(
    scenario: Scenario,
    options: &RunOptions,
    mut progress: impl FnMut(&RunReport),
) -> Result<RunReport, RunError> {
    if scenario.servers.is_empty() {
        return Err(RunError::NoServer);
    }
    let methods = MethodTables::load(&scenario);
    let methods = methods.map_err(|error| RunError::Setup(error.to_string()))?;
    let servers = Servers::new(&scenario).map_err(RunError::Setup)?;
    let scenario = Arc::new(scenario);
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let wanted = (scenario.players() as usize).div_ceil(PLAYERS_PER_THREAD);
    let threads = options.threads.unwrap_or_else(|| wanted.min(cores)).max(1);
    let mut rng = match scenario.seed {
        0 => Rng::from_seed(os_seed().map_err(|error| RunError::Setup(error.to_string()))?),
        seed => Rng::seed_from_u64(seed),
    };
    let (stop_sender, stop) = watch::channel(false);
    let (sender, reports) = mpsc::sync_channel(REPORTS_MAX);
    let clock = SystemClock::new();
    let start = clock.now() + START_DELAY;
    let reached = Arc::new(AtomicBool::new(false));
    let mut handles = Vec::new();
    for index in 0..threads {
        let players = (1..).zip(arrivals(&scenario.phases)).skip(index).step_by(threads);
        let worker = Worker {
            index,
            scenario: Arc::clone(&scenario),
            methods: methods.clone(),
            servers: servers.clone(),
            clock,
            start,
            players: players.collect(),
            seed: rng.next_seed(),
            stop: stop.clone(),
            reached: Arc::clone(&reached),
            reports: sender.clone(),
            admitted: options.admitted.clone(),
        };
        let name = format!("bots {index}");
        let handle = thread::Builder::new().name(name).spawn(move || worker.run());
        handles.push(handle.map_err(|error| RunError::Setup(error.to_string()))?);
    }
    drop(sender);
    let mut collector = Collector {
        report: RunReport::new(Arc::clone(&scenario), threads),
        stop: stop_sender,
        requested: Arc::clone(&options.stop),
        unreachable: None,
    };
    collector.collect(&reports, threads, &mut progress);
    for handle in handles {
        match handle.join() {
            Ok(result) => result.map_err(|error| RunError::Setup(error.to_string()))?,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }
    let Collector { mut report, unreachable, .. } = collector;
    if let Some((server, reason)) = unreachable {
        return Err(RunError::Unreachable { server, reason });
    }
    report.elapsed = (clock.now() - start).min(scenario.duration());
    Ok(report)
}

/// Collects the reports of all threads.
struct Collector {
    report: RunReport,
    stop: watch::Sender<bool>,
    requested: Arc<AtomicBool>,
    /// Server and reason of a bot that could not connect before any other has connected.
    unreachable: Option<(String, String)>,
}

impl Collector {
    fn collect(
        &mut self,
        reports: &Receiver<Report>,
        threads: usize,
        progress: &mut impl FnMut(&RunReport),
    ) {
        let mut running = threads;
        // Samples of this second, and the CPU time of each thread.
        let mut second = Stats::default();
        let mut cpu = vec![None; threads];
        let mut is_done = vec![false; threads];
        while running > 0 {
            if self.requested.load(Ordering::Relaxed) {
                self.stop.send_replace(true);
            }
            match reports.recv_timeout(STOP_INTERVAL) {
                Ok(Report::Sample { worker, stats, elapsed, cpu: share }) => {
                    second.merge(&stats);
                    cpu[worker] = Some(share);
                    if cpu.iter().zip(&is_done).all(|(cpu, is_done)| cpu.is_some() || *is_done) {
                        let most = cpu.iter().flatten().fold(0.0, |most: f64, it| most.max(*it));
                        self.report.add(Second::new(std::mem::take(&mut second), elapsed, most));
                        cpu.fill(None);
                        progress(&self.report);
                    }
                }
                Ok(Report::Unreachable { server, reason }) => {
                    self.unreachable.get_or_insert((server, reason));
                    self.stop.send_replace(true);
                }
                Ok(Report::Done { worker }) => {
                    running -= 1;
                    is_done[worker] = true;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        // Samples of threads that have ended before the others.
        self.report.stats.merge(&second);
    }
}

/// Number of players of a thread, by default.
const PLAYERS_PER_THREAD: usize = 2_000;
/// Maximum number of reports that wait for the collector.
const REPORTS_MAX: usize = 1_024;
/// Time until the first join, in which the threads start.
const START_DELAY: Duration = Duration::from_millis(20);
/// Interval at which a request to stop is noticed.
const STOP_INTERVAL: Duration = Duration::from_millis(100);
