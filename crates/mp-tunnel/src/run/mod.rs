//! Runs a [`TunnelHost`] with sockets.

mod game;
mod link;
mod options;

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_core::{Instant, PeerId, Reason as _, TransferMode};
use tokio::time::{Instant as Deadline, Sleep, sleep};

use self::game::{Game, GameEvent};
use self::link::{Link, LinkState};
pub use self::options::{LinkAddress, Status, TunnelError, TunnelOptions};
use crate::frame::GuestNumber;
use crate::{HostOutput, HostRefusal, LinkEvent, TunnelHost, TunnelStats};

/// Hosts a game in a room until `stop` completes. Lost connections are established again, and
/// `report` receives what the user may want to know. Returns the counters. Requires a tokio
/// runtime.
///
/// # Errors
///
/// [`TunnelError`] if an option is invalid, or the server refuses this host before it has ever
/// accepted it.
pub async fn run(
    options: TunnelOptions,
    stop: impl Future<Output = ()>,
    report: impl FnMut(Status),
) -> Result<TunnelStats, TunnelError> {
    let mut runner = Runner {
        options,
        clock: SystemClock::new(),
        host: TunnelHost::new(),
        link: None,
        games: BTreeMap::new(),
        leaving: Vec::new(),
        retry: Retry::default(),
        has_hosted: false,
        report,
    };
    let mut timer = pin!(sleep(Duration::ZERO));
    let mut stop = pin!(stop);
    let mut stop_by: Option<Instant> = None;
    poll_fn(|cx| {
        if stop_by.is_none() && stop.as_mut().poll(cx).is_ready() {
            runner.host.leave();
            stop_by = Some(runner.clock.now() + LEAVE_TIME);
        }
        for _ in 0..TURNS_MAX {
            let now = runner.clock.now();
            if let Err(error) = runner.turn(now, stop_by.is_some()) {
                return Poll::Ready(Err(error));
            }
            if stop_by.is_some_and(|by| now >= by || runner.is_idle()) {
                return Poll::Ready(Ok(()));
            }
            let due = [runner.poll_timeout(), stop_by].into_iter().flatten().min();
            if !runner.poll_ready(cx) && poll_timer(timer.as_mut(), due, now, cx).is_pending() {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await?;
    Ok(runner.host.stats())
}

/// Waits until `due`.
fn poll_timer(
    mut timer: Pin<&mut Sleep>,
    due: Option<Instant>,
    now: Instant,
    cx: &mut Context<'_>,
) -> Poll<()> {
    let wait = due.map_or(WAIT_MAX, |due| due - now).min(WAIT_MAX);
    if wait.is_zero() {
        return Poll::Ready(());
    }
    timer.as_mut().reset(Deadline::now() + wait);
    timer.poll(cx)
}

struct Runner<R> {
    options: TunnelOptions,
    clock: SystemClock,
    host: TunnelHost,
    link: Option<Link>,
    games: BTreeMap<GuestNumber, Game>,
    /// Connections to the game that deliver their last packets.
    leaving: Vec<Game>,
    retry: Retry,
    /// True once the room has accepted this host.
    has_hosted: bool,
    report: R,
}

/// The time of the next connection to the room.
#[derive(Debug, Default)]
struct Retry {
    at: Option<Instant>,
    delay: Duration,
}

impl Retry {
    /// Schedules the next attempt, each time twice as late. Returns the delay.
    fn schedule(&mut self, now: Instant) -> Duration {
        self.delay = (self.delay * 2).clamp(RETRY_MIN, RETRY_MAX);
        self.at = Some(now + self.delay);
        self.delay
    }

    fn reset(&mut self) {
        *self = Self::default();
    }
}

impl<R: FnMut(Status)> Runner<R> {
    /// Receives on all connections, and sends.
    fn turn(&mut self, now: Instant, is_stopping: bool) -> Result<(), TunnelError> {
        if self.link.is_none() && !is_stopping && self.retry.at.is_none_or(|at| now >= at) {
            self.dial(now)?;
        }
        self.receive_link(now, is_stopping)?;
        self.receive_games(now);
        self.host.handle_timeout(now);
        self.run_outputs()?;
        if let Some(link) = &mut self.link {
            link.flush(now);
        }
        for game in self.games.values_mut().chain(&mut self.leaving) {
            game.flush(now);
        }
        self.leaving.retain(|game| !game.is_closed(now));
        Ok(())
    }

    fn dial(&mut self, now: Instant) -> Result<(), TunnelError> {
        self.link = Some(Link::dial(&self.options.link, now).map_err(TunnelError::Setup)?);
        Ok(())
    }

    fn receive_link(&mut self, now: Instant, is_stopping: bool) -> Result<(), TunnelError> {
        loop {
            let Some(link) = &mut self.link else { return Ok(()) };
            let host = &mut self.host;
            match link.receive(now, |packet| host.link_packet(packet)) {
                LinkState::Pending => return Ok(()),
                // There may be further events.
                LinkState::Connected => self.host.link_connected(now),
                LinkState::Ended { reason, rejection } => {
                    self.link = None;
                    self.host.link_lost(now);
                    return match is_stopping {
                        true => Ok(()),
                        false => self.retry(now, reason, rejection),
                    };
                }
            }
        }
    }

    /// Connects again later, unless the server has refused this host and never accepted it.
    fn retry(
        &mut self,
        now: Instant,
        reason: String,
        rejection: Option<(String, String)>,
    ) -> Result<(), TunnelError> {
        // The connection of an earlier program may not have timed out yet.
        let is_final = |code: &str| !self.has_hosted && code != HostRefusal::HostPresent.label();
        if let Some((code, text)) = rejection.filter(|(code, _)| is_final(code)) {
            return Err(TunnelError::Rejected { code, text });
        }
        let retry_in = self.retry.schedule(now);
        (self.report)(Status::LinkLost { reason, retry_in });
        Ok(())
    }

    fn receive_games(&mut self, now: Instant) {
        for (&guest, game) in &mut self.games {
            let host = &mut self.host;
            let ended = game.receive(now, |event| match event {
                GameEvent::Connected => host.game_connected(guest),
                GameEvent::Packet(packet) => {
                    host.game_packet(guest, packet.mode, packet.channel, packet.payload);
                }
            });
            if let Some(is_timeout) = ended {
                self.host.game_closed(guest, is_timeout);
            }
        }
        self.games.retain(|_, game| !game.has_ended());
        for game in &mut self.leaving {
            game.receive(now, |_| {});
        }
    }

    fn run_outputs(&mut self) -> Result<(), TunnelError> {
        let now = self.clock.now();
        while let Some(output) = self.host.next_output() {
            match output {
                HostOutput::ToLink { mode, frame } => {
                    if let Some(link) = &mut self.link {
                        link.send(mode, frame);
                    }
                }
                HostOutput::CloseLink => {
                    if let Some(link) = &mut self.link {
                        link.close();
                    }
                }
                HostOutput::Connect { guest, id } => match self.connect(now, id) {
                    Ok(game) => drop(self.games.insert(guest, game)),
                    Err(reason) => {
                        (self.report)(Status::GameUnreachable { guest: id, reason });
                        self.host.game_closed(guest, true);
                    }
                },
                HostOutput::ToGame { guest, mode, channel, payload } => {
                    if let Some(game) = self.games.get_mut(&guest) {
                        game.send(mode, channel, payload);
                    }
                }
                HostOutput::Disconnect { guest } => {
                    if let Some(mut game) = self.games.remove(&guest) {
                        game.close(now);
                        self.leaving.push(game);
                    }
                }
                HostOutput::Pause { guest, is_paused } => {
                    if let Some(game) = self.games.get_mut(&guest) {
                        game.pause(is_paused);
                    }
                }
                HostOutput::Event(event) => self.handle_event(event)?,
            }
        }
        Ok(())
    }

    fn handle_event(&mut self, event: LinkEvent) -> Result<(), TunnelError> {
        match event {
            LinkEvent::Hosting { .. } => {
                self.has_hosted = true;
                self.retry.reset();
            }
            LinkEvent::Refused(refusal)
                if !self.has_hosted && refusal != HostRefusal::HostPresent =>
            {
                return Err(TunnelError::Refused(refusal));
            }
            _ => {}
        }
        (self.report)(Status::Event(event));
        Ok(())
    }

    fn connect(&self, now: Instant, id: PeerId) -> Result<Game, String> {
        let address: SocketAddr = self.options.game;
        Game::connect(address, self.options.game_options.clone().unique_id(id), now)
    }

    /// Returns whether nothing is left to be delivered.
    fn is_idle(&self) -> bool {
        self.games.is_empty() && self.leaving.is_empty() && self.link.is_none()
    }

    /// Returns whether a connection has something to receive; otherwise the task is woken.
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> bool {
        let mut is_ready = self.link.as_mut().is_some_and(|link| link.poll_ready(cx));
        for game in self.games.values_mut().chain(&mut self.leaving) {
            is_ready |= game.poll_ready(cx);
        }
        is_ready
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let retry = self.retry.at.filter(|_| self.link.is_none());
        let link = self.link.as_ref().and_then(Link::poll_timeout);
        let games = self.games.values().chain(&self.leaving).filter_map(Game::poll_timeout);
        games.chain([retry, link, self.host.poll_timeout()].into_iter().flatten()).min()
    }
}

/// The transfer mode of what is always sent reliably.
const RELIABLE: TransferMode = TransferMode::Reliable;
/// Time in which connections deliver their last packets when the program stops.
const LEAVE_TIME: Duration = Duration::from_secs(2);
/// Delay of the first attempt to connect again.
const RETRY_MIN: Duration = Duration::from_millis(500);
/// Maximum delay of an attempt to connect again.
const RETRY_MAX: Duration = Duration::from_secs(30);
/// Maximum time between two turns.
const WAIT_MAX: Duration = Duration::from_secs(1);
/// Maximum number of consecutive turns.
const TURNS_MAX: usize = 8;
