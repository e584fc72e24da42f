//! A thread with bots, each of which is a task.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::task::Poll;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{Instant, PeerId, Rng};
use tokio::sync::mpsc::Sender;
use tokio::sync::watch;
use tokio::task::LocalSet;
use tokio::time::{Instant as Deadline, sleep};

use super::cpu::thread_time;
use super::dial::Servers;
use crate::bot::{Bot, TURN_INTERVAL_MAX};
use crate::methods::{MethodTables, NodeTables};
use crate::player::{Player, PlayerEnd};
use crate::scenario::Scenario;
use crate::stats::Stats;

/// The bots of a thread.
pub(super) struct Worker {
    pub(super) index: usize,
    pub(super) scenario: Arc<Scenario>,
    pub(super) methods: MethodTables,
    pub(super) servers: Servers,
    pub(super) clock: SystemClock,
    /// Start of the run.
    pub(super) start: Instant,
    /// Number and time of each player of this thread, in the order of their joins.
    pub(super) players: Vec<(u32, Duration)>,
    pub(super) seed: [u8; 32],
    /// True when the run is stopped.
    pub(super) stop: watch::Receiver<bool>,
    /// True when a bot of any thread has connected.
    pub(super) reached: Arc<AtomicBool>,
    pub(super) reports: SyncSender<Report>,
    /// Receives the id of each bot when the server admits it for the first time.
    pub(super) admitted: Option<Sender<PeerId>>,
}

/// A report of a thread.
#[derive(Debug)]
pub(super) enum Report {
    /// Counters and times since the last sample.
    Sample {
        worker: usize,
        stats: Box<Stats>,
        /// Time since the last sample.
        elapsed: Duration,
        /// CPU time of the thread divided by the elapsed time.
        cpu: f64,
    },
    /// A bot could not connect to its server, and no other has connected so far.
    Unreachable { server: String, reason: String },
    /// All bots of the thread have ended.
    Done { worker: usize },
}

impl Worker {
    /// Runs the bots of the thread until all have ended.
    ///
    /// # Errors
    ///
    /// If the runtime cannot be created.
    pub(super) fn run(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let tasks = LocalSet::new();
        tasks.block_on(&runtime, self.run_players());
        Ok(())
    }

    async fn run_players(self) {
        let Self {
            index,
            scenario,
            methods,
            servers,
            clock,
            start,
            players,
            seed,
            mut stop,
            reached,
            reports,
            admitted,
        } = self;
        let stats = Rc::new(RefCell::new(Stats::default()));
        let sampler = {
            let (stats, reports) = (Rc::clone(&stats), reports.clone());
            tokio::task::spawn_local(async move {
                let (mut cpu, mut at) = (thread_time(), clock.now());
                loop {
                    sleep(SAMPLE_INTERVAL).await;
                    sample(index, &stats, &reports, &mut cpu, &mut at, clock);
                }
            })
        };
        let mut rng = Rng::from_seed(seed);
        let nodes = Rc::new(NodeTables::new(&methods));
        let ends_at = start + scenario.duration();
        let mut tasks = Vec::new();
        for (number, join) in players {
            let join_at = start + join;
            let wait = join_at - clock.now();
            tokio::select! {
                () = sleep(wait), if !wait.is_zero() => {}
                _ = stop.wait_for(|&stop| stop), if !wait.is_zero() => break,
                else => tokio::task::yield_now().await,
            }
            let player = Player::new(Arc::clone(&scenario), number, join_at, ends_at, rng.fork());
            let (scenario, nodes, dial) =
                (Arc::clone(&scenario), Rc::clone(&nodes), servers.dial(number));
            let bot = Bot::new(scenario, nodes, dial, player, rng.fork());
            let url = servers.url(number).to_owned();
            let (stats, stop, reports) = (Rc::clone(&stats), stop.clone(), reports.clone());
            let (reached, admitted) = (Arc::clone(&reached), admitted.clone());
            tasks.push(tokio::task::spawn_local(async move {
                let end = run(bot, clock, &stats, stop, &reached, admitted).await;
                if let PlayerEnd::Unreachable(reason) = end
                    && !reached.load(Ordering::Relaxed)
                {
                    let _ = reports.try_send(Report::Unreachable { server: url, reason });
                }
            }));
        }
        for task in tasks {
            let _ = task.await;
        }
        sampler.abort();
        let (mut cpu, mut at) = (thread_time(), clock.now());
        sample(index, &stats, &reports, &mut cpu, &mut at, clock);
        let _ = reports.send(Report::Done { worker: index });
    }
}

/// Reports what has happened since the last sample. `cpu` and `at` are the CPU time and the time of
/// the last sample.
fn sample(
    worker: usize,
    stats: &RefCell<Stats>,
    reports: &SyncSender<Report>,
    cpu: &mut Duration,
    at: &mut Instant,
    clock: SystemClock,
) {
    let (cpu_now, now) = (thread_time(), clock.now());
    let elapsed = now - *at;
    let share = cpu_now.saturating_sub(*cpu).as_secs_f64() / elapsed.as_secs_f64().max(1e-3);
    (*cpu, *at) = (cpu_now, now);
    let _ =
        reports.send(Report::Sample { worker, stats: Box::new(stats.take()), elapsed, cpu: share });
}

/// Runs a bot until it has ended.
async fn run(
    mut bot: Bot,
    clock: SystemClock,
    stats: &RefCell<Stats>,
    mut stop: watch::Receiver<bool>,
    reached: &AtomicBool,
    admitted: Option<Sender<PeerId>>,
) -> PlayerEnd {
    let mut has_reached = false;
    let mut timer = pin!(sleep(Duration::ZERO));
    let mut is_stopped = false;
    poll_fn(|cx| {
        for _ in 0..TURNS_MAX {
            let now = clock.now();
            if !is_stopped && *stop.borrow_and_update() {
                is_stopped = true;
                bot.leave(now);
            }
            bot.turn(now, &mut stats.borrow_mut());
            if !has_reached && bot.is_admitted() {
                has_reached = true;
                reached.store(true, Ordering::Relaxed);
                if let Some(admitted) = &admitted {
                    let _ = admitted.try_send(bot.id());
                }
            }
            if let Some(end) = bot.ended() {
                return Poll::Ready(end.clone());
            }
            let wait = bot.poll_timeout(now).map_or(TURN_INTERVAL_MAX, |due| due - now);
            if wait.is_zero() || bot.poll_ready(cx).is_ready() {
                continue;
            }
            timer.as_mut().reset(Deadline::now() + wait.min(TURN_INTERVAL_MAX));
            if timer.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
        // Other bots of the thread are due as well.
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await
}

/// Interval of samples.
const SAMPLE_INTERVAL: Duration = Duration::from_secs(1);
/// Maximum number of consecutive turns of a bot.
const TURNS_MAX: usize = 8;
