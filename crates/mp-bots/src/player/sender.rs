//! Steps that send repeatedly, by the clock: a late packet does not delay the next ones.

use std::time::Duration;

use mp_core::Instant;

use super::{Action, ClientView, Player, State};
use crate::scenario::Schedule;
use crate::stats::{Stats, Timing};

/// A step that sends repeatedly.
#[derive(Clone, Debug)]
pub(super) struct ScheduledSender {
    step: usize,
    /// Time of the first packet.
    start: Instant,
    interval: Duration,
    /// Number of packets sent.
    sent: u32,
    ends_at: Option<Instant>,
}

impl ScheduledSender {
    /// Returns the time of the next packet. It does not depend on when earlier ones were sent.
    pub(super) fn due(&self) -> Instant {
        self.start + self.interval.saturating_mul(self.sent)
    }

    fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|end| self.due() >= end)
    }
}

impl Player {
    /// Starts a step that sends. The packets of different players are spread over the interval.
    pub(super) fn start_sender(
        &mut self,
        now: Instant,
        step: usize,
        schedule: Schedule,
        view: ClientView,
    ) -> Option<Action> {
        let Some(interval) = schedule.every else { return self.send(step, now, view) };
        let start = now + self.draw_time(Duration::ZERO, interval);
        let ends_at = schedule.duration.map(|duration| now + duration);
        self.senders.push(ScheduledSender { step, start, interval, sent: 0, ends_at });
        if let Some(end) = ends_at {
            self.state = State::Until(end, step + 1);
        }
        None
    }

    /// Returns the next packet that is due.
    pub(super) fn poll_senders(
        &mut self,
        now: Instant,
        view: ClientView,
        stats: &mut Stats,
    ) -> Option<Action> {
        self.senders.retain(|sender| !sender.is_over());
        let sender = self.senders.iter_mut().min_by_key(|sender| sender.due())?;
        let due = sender.due();
        if now < due {
            return None;
        }
        sender.sent += 1;
        let step = sender.step;
        stats.record(Timing::Lateness, now - due);
        self.send(step, due, view)
    }
}
