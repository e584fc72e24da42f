//! The steps of a player.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::Instant;

use super::{Action, ClientView, Leaving, Player, State};
use crate::client::Observation;
use crate::scenario::{ArgumentContext, ExpectedKind, RawContent, Step, random_bytes};
use crate::stats::{Counter, Stats, Timing};

impl Player {
    /// Starts a step, and the following ones until one sends or waits.
    pub(super) fn start_step(
        &mut self,
        now: Instant,
        index: usize,
        view: ClientView,
        stats: &mut Stats,
    ) -> Option<Action> {
        let scenario = Arc::clone(&self.scenario);
        let Some(step) = scenario.steps.get(index) else {
            self.state = State::Staying;
            return None;
        };
        if !matches!(step, Step::Expect { .. }) {
            self.recent.clear();
            self.step_done = now;
        }
        self.state = State::Next(index + 1);
        match step {
            Step::Connect { .. } | Step::Authenticate { .. } => {}
            Step::Call(call) => return self.start_sender(now, index, call.schedule, view),
            Step::Raw { schedule, .. } => return self.start_sender(now, index, *schedule, view),
            Step::Wait { from, to } => {
                let wait = self.draw_time(*from, *to);
                self.state = State::Until(now + wait, index + 1);
            }
            Step::Expect { within, .. } => {
                let since = self.step_done;
                let found = self.recent.iter().position(|it| self.is_expected(index, it));
                if let Some(found) = found {
                    self.recent.remove(found);
                    self.met(now, since, index + 1, stats);
                } else {
                    self.state = State::Expecting { step: index, since, deadline: now + *within };
                }
            }
            Step::Leave { vanish: true } => self.drain(Leaving::Vanish, now),
            Step::Leave { vanish: false } => self.drain(Leaving::Graceful, now),
            Step::Churn { from, to } => {
                let pause = self.draw_time(*from, *to);
                self.drain(Leaving::Churn(pause), now);
            }
        }
        None
    }

    pub(super) fn met(&mut self, now: Instant, since: Instant, next: usize, stats: &mut Stats) {
        stats.count(Counter::MetExpectations);
        stats.record(Timing::Expectation, now - since);
        self.state = State::Next(next);
    }

    /// Returns whether the expectation at an index is met by `observation`.
    pub(super) fn is_expected(&self, step: usize, observation: &Observation) -> bool {
        let Some(Step::Expect { kind, name, .. }) = self.scenario.steps.get(step) else {
            return false;
        };
        let found = match (kind, observation) {
            (ExpectedKind::Spawn, Observation::Spawn { name }) => Some(name.as_str()),
            (ExpectedKind::Call, Observation::Call(call)) => {
                Some(call.method.as_deref().unwrap_or_default())
            }
            (ExpectedKind::Sync, Observation::Sync)
            | (ExpectedKind::Raw, Observation::Raw { .. }) => Some(""),
            (ExpectedKind::Signal, Observation::PeerConnected) => Some("peer_connected"),
            (ExpectedKind::Signal, Observation::PeerDisconnected) => Some("peer_disconnected"),
            _ => None,
        };
        found.is_some_and(|found| name.as_ref().is_none_or(|name| name == found))
    }

    pub(super) fn draw_time(&mut self, from: Duration, to: Duration) -> Duration {
        let micros = u64::try_from((to - from).as_micros()).unwrap_or(u64::MAX);
        from + Duration::from_micros(self.rng.below(micros.saturating_add(1)))
    }

    /// Returns the packet of a raw step.
    fn raw_data(&mut self, content: &RawContent, id: i32) -> Bytes {
        match content {
            RawContent::Text(text) => text.bytes(self.number, id),
            RawContent::Random(len) => random_bytes(&mut self.rng, *len).into(),
        }
    }

    /// Returns the action of a step that sends.
    pub(super) fn send(&mut self, step: usize, due: Instant, view: ClientView) -> Option<Action> {
        let scenario = Arc::clone(&self.scenario);
        match scenario.steps.get(step)? {
            Step::Call(call) => {
                self.calls += 1;
                let sequence = self.calls;
                let bot = self.number;
                let mut cx = ArgumentContext { bot, peer: view.id, sequence, rng: &mut self.rng };
                let args = call.args.iter().map(|arg| arg.draw(&mut cx)).collect();
                Some(Action::Call { step, args, sequence, due })
            }
            Step::Raw { content, .. } => {
                Some(Action::Raw { step, data: self.raw_data(content, view.id) })
            }
            _ => None,
        }
    }
}
