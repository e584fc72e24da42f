//! The steps of one player in time, without I/O: the scenario and observations in, actions out.

mod action;
mod replies;
mod sender;
mod steps;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{DisconnectReason, Instant, Rng, TransferMode};

pub(crate) use self::action::{Action, ClientView, PlayerEnd};
use self::replies::PendingReplies;
use self::sender::ScheduledSender;
use crate::client::Observation;
use crate::scenario::{Scenario, Step, shown_time};
use crate::stats::{Counter, Stats, Timing};

#[derive(Clone, Debug, PartialEq)]
enum State {
    /// Joins at this time.
    Absent(Instant),
    /// Waits for the transport or the admission.
    Joining {
        since: Instant,
        deadline: Instant,
        is_reached: bool,
    },
    /// Runs the step at this index next.
    Next(usize),
    /// Waits, then runs the step at this index.
    Until(Instant, usize),
    /// Waits for the expectation at this index.
    Expecting {
        step: usize,
        since: Instant,
        deadline: Instant,
    },
    /// All steps are done.
    Staying,
    /// Waits for replies, and until this time, then leaves.
    Draining(Leaving, Instant),
    /// Waits for the end of the connection.
    Closing {
        deadline: Instant,
        then: Leaving,
    },
    Ended(PlayerEnd),
}

/// A departure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Leaving {
    Graceful,
    Vanish,
    /// Joins again after this pause.
    Churn(Duration),
}

/// A player: its steps, from its join until it leaves.
#[derive(Debug)]
pub(crate) struct Player {
    scenario: Arc<Scenario>,
    /// Number of the player, counted from 1.
    number: u32,
    rng: Rng,
    state: State,
    /// Time at which the player leaves at the latest.
    ends_at: Instant,
    /// Time for which the join is scheduled.
    join_due: Instant,
    /// Steps that send repeatedly.
    senders: Vec<ScheduledSender>,
    /// Number of calls.
    calls: i64,
    /// Replies to calls.
    replies: PendingReplies,
    /// Observations since the last step that is not an expectation.
    recent: Vec<Observation>,
    /// End of the last step that is not an expectation.
    step_done: Instant,
}

impl Player {
    /// Returns a player that joins at `join_at` and leaves at `ends_at` at the latest.
    pub(crate) fn new(
        scenario: Arc<Scenario>,
        number: u32,
        join_at: Instant,
        ends_at: Instant,
        rng: Rng,
    ) -> Self {
        Self {
            scenario,
            number,
            rng,
            state: State::Absent(join_at),
            ends_at,
            join_due: join_at,
            senders: Vec::new(),
            calls: 0,
            replies: PendingReplies::default(),
            recent: Vec::new(),
            step_done: join_at,
        }
    }

    /// Returns the reason why the player has ended; `None` before.
    pub(crate) fn ended(&self) -> Option<&PlayerEnd> {
        match &self.state {
            State::Ended(end) => Some(end),
            _ => None,
        }
    }

    /// Lets the player leave at `now`, unless it leaves before.
    pub(crate) fn end_at(&mut self, now: Instant) {
        self.ends_at = self.ends_at.min(now);
    }

    /// Returns the time at which [`poll`](Self::poll) has something to do.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let ends_at = Some(self.ends_at);
        let (own, is_playing) = match &self.state {
            State::Absent(at) => (Some((*at).min(self.ends_at)), false),
            State::Joining { deadline, .. } => (Some((*deadline).min(self.ends_at)), false),
            State::Next(_) => (Some(Instant::ZERO), true),
            State::Until(at, _) => (Some((*at).min(self.ends_at)), true),
            State::Expecting { deadline, .. } => (Some((*deadline).min(self.ends_at)), true),
            State::Staying => (ends_at, true),
            State::Draining(_, until) => {
                (Some(self.replies.deadline().map_or(*until, |reply| reply.max(*until))), false)
            }
            State::Closing { deadline, .. } => (Some(*deadline), false),
            State::Ended(_) => return None,
        };
        let senders = self.senders.iter().map(ScheduledSender::due);
        let playing = senders.min().into_iter().chain(self.replies.deadline());
        own.into_iter().chain(playing.filter(|_| is_playing)).min()
    }

    /// Returns the next action that is due at `now`.
    pub(crate) fn poll(
        &mut self,
        now: Instant,
        view: ClientView,
        stats: &mut Stats,
    ) -> Option<Action> {
        self.replies.expire(now, stats);
        loop {
            if self.is_playing() && now >= self.ends_at {
                // Other players may still wait for this one's answers.
                let has_answers = !self.scenario.answers.is_empty();
                let linger = if has_answers { LINGER } else { Duration::ZERO };
                self.drain(Leaving::Graceful, now + linger + self.leave_delay());
            }
            if self.is_playing()
                && let Some(action) = self.poll_senders(now, view, stats)
            {
                return Some(action);
            }
            match &self.state {
                State::Absent(_) if now >= self.ends_at => self.end(PlayerEnd::Left),
                State::Absent(at) if now >= *at => {
                    stats.count(Counter::Started);
                    let within = match self.scenario.steps.first() {
                        Some(Step::Connect { within }) => *within,
                        _ => Duration::ZERO,
                    };
                    // The run may begin late, which is not the server's fault.
                    let deadline = now + within;
                    self.state = State::Joining { since: now, deadline, is_reached: false };
                    return Some(Action::Connect);
                }
                State::Joining { since, deadline, is_reached }
                    if now >= (*deadline).min(self.ends_at) =>
                {
                    if now >= *deadline {
                        stats.fail(Counter::FailedJoins, "no answer in time");
                    }
                    let waited = shown_time((*deadline).min(self.ends_at) - *since);
                    self.end(match is_reached {
                        true => PlayerEnd::Disconnected,
                        false => PlayerEnd::Unreachable(format!("no answer within {waited}")),
                    });
                    return Some(Action::Leave { vanish: false });
                }
                State::Until(at, step) if now >= *at => self.state = State::Next(*step),
                State::Expecting { deadline, step, .. } if now >= *deadline => {
                    let next = step + 1;
                    stats.count(Counter::UnmetExpectations);
                    self.state = State::Next(next);
                }
                State::Draining(leaving, until) if self.replies.is_empty() && now >= *until => {
                    let leaving = *leaving;
                    self.state = State::Closing { deadline: now + CLOSE_TIMEOUT, then: leaving };
                    return Some(Action::Leave { vanish: leaving == Leaving::Vanish });
                }
                State::Closing { deadline, then }
                    if now >= *deadline || *then == Leaving::Vanish =>
                {
                    let then = *then;
                    self.left(now, then, stats);
                }
                State::Next(step) => {
                    let step = *step;
                    if let Some(action) = self.start_step(now, step, view, stats) {
                        return Some(action);
                    }
                }
                _ => return None,
            }
        }
    }

    /// Handles an observation of the player's client.
    pub(crate) fn observe(&mut self, now: Instant, observation: Observation, stats: &mut Stats) {
        let counter = match &observation {
            Observation::Packet { len } => {
                stats.count(Counter::PacketsReceived);
                return stats.add(Counter::BytesReceived, *len);
            }
            Observation::Authenticating => {
                self.set_reached(stats);
                return;
            }
            Observation::Admitted => return self.admitted(now, stats),
            Observation::Disconnected(reason) => return self.disconnected(now, *reason, stats),
            Observation::PeerConnected | Observation::PeerDisconnected => None,
            Observation::Spawn { .. } => Some(Counter::Spawns),
            Observation::Despawn => Some(Counter::Despawns),
            Observation::Sync => Some(Counter::Syncs),
            Observation::Call(call) => {
                self.replies.receive(now, call, stats);
                Some(Counter::CallsReceived)
            }
            Observation::Raw { .. } => Some(Counter::RawReceived),
            Observation::MethodsDiffer(_) => Some(Counter::MethodsDiffer),
            Observation::Malformed => Some(Counter::Malformed),
        };
        if let Some(counter) = counter {
            stats.count(counter);
        }
        match &self.state {
            State::Expecting { step, since, .. } if self.is_expected(*step, &observation) => {
                let (since, next) = (*since, step + 1);
                self.met(now, since, next, stats);
            }
            _ if self.recent.len() < RECENT_MAX && self.has_expectations() => {
                self.recent.push(observation);
            }
            _ => {}
        }
    }

    /// Records the result of a call: its transfer mode, or `None` if it was not sent.
    pub(crate) fn sent(
        &mut self,
        now: Instant,
        step: usize,
        sequence: i64,
        due: Instant,
        mode: Option<TransferMode>,
        stats: &mut Stats,
    ) {
        let Some(mode) = mode else { return stats.count(Counter::Skipped) };
        stats.count(Counter::CallsSent);
        if let Some(Step::Call(call)) = self.scenario.steps.get(step) {
            self.replies.add(now, call, sequence, due, mode, stats);
        }
    }

    fn is_playing(&self) -> bool {
        matches!(
            self.state,
            State::Next(_) | State::Until(..) | State::Expecting { .. } | State::Staying
        )
    }

    fn has_expectations(&self) -> bool {
        self.scenario.steps.iter().any(|step| matches!(step, Step::Expect { .. }))
    }

    fn end(&mut self, end: PlayerEnd) {
        self.state = State::Ended(end);
        self.senders.clear();
        self.recent.clear();
    }

    /// Returns the time after the end of the run at which this player leaves. Players leave one
    /// after the other: a Godot server logs errors if it sends to a client in the frame in which
    /// the client leaves.
    fn leave_delay(&self) -> Duration {
        let gap = LEAVE_TIME_MAX / self.scenario.players().max(1);
        gap.min(LEAVE_GAP_MAX) * (self.number - 1)
    }

    /// Leaves when all replies have been received or have expired, at `earliest` or later.
    fn drain(&mut self, leaving: Leaving, earliest: Instant) {
        self.senders.clear();
        self.state = State::Draining(leaving, earliest);
    }

    fn left(&mut self, now: Instant, leaving: Leaving, stats: &mut Stats) {
        stats.count(Counter::Left);
        self.recent.clear();
        match leaving {
            Leaving::Churn(pause) if now + pause < self.ends_at => {
                self.join_due = now + pause;
                self.state = State::Absent(self.join_due);
            }
            _ => self.end(PlayerEnd::Left),
        }
    }

    fn set_reached(&mut self, stats: &mut Stats) {
        if let State::Joining { is_reached, .. } = &mut self.state
            && !std::mem::replace(is_reached, true)
        {
            stats.count(Counter::Reached);
        }
    }

    fn admitted(&mut self, now: Instant, stats: &mut Stats) {
        self.set_reached(stats);
        stats.count(Counter::Joined);
        stats.record(Timing::Join, now - self.join_due);
        // The steps of the join are the first ones.
        let is_join =
            |step: &&Step| matches!(step, Step::Connect { .. } | Step::Authenticate { .. });
        let next = self.scenario.steps.iter().take_while(is_join).count();
        self.step_done = now;
        self.recent.clear();
        self.state = State::Next(next);
    }

    fn disconnected(&mut self, now: Instant, reason: DisconnectReason, stats: &mut Stats) {
        match &self.state {
            State::Joining { is_reached: false, .. } => {
                stats.fail(Counter::FailedJoins, reason.to_string());
                self.end(PlayerEnd::Unreachable(reason.to_string()));
            }
            State::Joining { .. } => {
                stats.fail(Counter::FailedJoins, reason.to_string());
                self.end(PlayerEnd::Disconnected);
            }
            State::Closing { then, .. } => {
                let then = *then;
                self.left(now, then, stats);
            }
            State::Ended(_) | State::Absent(_) => {}
            _ => {
                stats.fail(Counter::Disconnects, reason.to_string());
                self.replies.lose_all(stats);
                self.end(PlayerEnd::Disconnected);
            }
        }
    }

    /// Returns the number of the player, counted from 1.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// Ends the player because its transport could not be created.
    pub(crate) fn cannot_dial(&mut self, error: String, stats: &mut Stats) {
        stats.fail(Counter::FailedJoins, error.as_str());
        self.end(PlayerEnd::Unreachable(error));
    }

    /// Returns the authentication packets of the scenario.
    pub(crate) fn auth_packets(&self, id: i32) -> Vec<Bytes> {
        let steps = self.scenario.steps.iter();
        let packets = steps.filter_map(|step| match step {
            Step::Authenticate { packet } => Some(packet.bytes(self.number, id)),
            _ => None,
        });
        packets.collect()
    }
}

/// Time in which all players leave at the end of the run.
const LEAVE_TIME_MAX: Duration = Duration::from_secs(2);
/// Maximum time between two players that leave at the end of the run.
const LEAVE_GAP_MAX: Duration = Duration::from_millis(50);
/// Time for which players answer others after the end of the run.
const LINGER: Duration = Duration::from_millis(500);
/// Maximum time until a connection is closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(3);
/// Maximum number of observations that are kept for expectations.
const RECENT_MAX: usize = 256;
