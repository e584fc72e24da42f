//! The timers of a connection: deadlines, the heartbeat and the keepalive.

use std::time::Duration;

use mp_core::{DisconnectReason, Instant};

use super::{Connection, Phase};
use crate::limits::{MESSAGE_TIMEOUT, RELIABLE_PROGRESS_TIMEOUT};
use crate::proto::messages::Messages;
use crate::proto::refusal::{RefusedRequest, RequestRefusal};
use crate::proto::session::Session;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Heartbeat {
    /// Zero disables it.
    pub(super) interval: Duration,
    pub(super) next: Option<Instant>,
    pub(super) is_unanswered: bool,
}

/// Sends a pong after an idle interval, so that the remote host always has bytes to acknowledge.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keepalive {
    /// Zero disables it.
    pub(super) interval: Duration,
    /// Time of the next check for other output.
    pub(super) next: Option<Instant>,
    pub(super) last_sent: Instant,
}

impl Connection {
    /// Handles expired timers.
    pub(crate) fn handle_timeout(&mut self, now: Instant, session: &mut Session) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            if matches!(self.phase, Phase::Handshake { sent: None, .. }) {
                let refused = RefusedRequest::from(RequestRefusal::Timeout);
                session.refused_requests.count(refused.refusal);
                self.queue_output(&refused.response);
            }
            return self.handle_disconnect(DisconnectReason::Timeout);
        }
        if self.write_deadline().is_some_and(|write_deadline| now >= write_deadline) {
            return self.handle_disconnect(DisconnectReason::QueueFull);
        }
        if self.message_deadline().is_some_and(|deadline| now >= deadline) {
            return self.shed(now, DisconnectReason::Timeout);
        }
        if self.heartbeat.next.is_some_and(|next| now >= next) && self.is_open() {
            // A paused connection reads no pongs.
            if self.heartbeat.is_unanswered && !self.is_paused {
                return self.handle_disconnect(DisconnectReason::Timeout);
            }
            self.heartbeat.is_unanswered = true;
            self.heartbeat.next = Some(now + self.heartbeat.interval);
            self.with_messages(Messages::ping);
        }
        if self.keepalive.next.is_some_and(|next| now >= next) && self.is_open() {
            let Keepalive { interval, last_sent, .. } = self.keepalive;
            let idle = last_sent + interval;
            let is_idle = now >= idle;
            if is_idle && !self.has_output() && self.blocked.is_none() {
                self.with_messages(Messages::pong);
            }
            self.keepalive.next = Some(if is_idle { now + interval } else { idle });
        }
    }

    /// Postpones the timeouts of the remote peer by `time`, because this process was suspended.
    pub(crate) fn postpone_timeouts(&mut self, time: Duration) {
        let ping = self.heartbeat.next.as_mut().filter(|_| self.heartbeat.is_unanswered);
        let (deadline, blocked) = (self.deadline.as_mut(), self.blocked.as_mut());
        let unfinished = self.unfinished.as_mut();
        for due in [deadline, blocked, unfinished, ping].into_iter().flatten() {
            *due += time;
        }
    }

    /// Returns the time of the next timer.
    pub(crate) fn due(&self) -> Option<Instant> {
        let [heartbeat, keepalive] =
            [self.heartbeat.next, self.keepalive.next].map(|next| next.filter(|_| self.is_open()));
        let due =
            [self.deadline, self.write_deadline(), self.message_deadline(), heartbeat, keepalive];
        due.into_iter().flatten().min()
    }

    pub(crate) fn set_heartbeat(&mut self, now: Instant, interval: Duration) {
        self.heartbeat.interval = interval;
        self.start_heartbeat(now);
    }

    /// Sets the idle interval after which an open connection sends a pong; zero disables it.
    pub(crate) fn set_keepalive(&mut self, interval: Duration) {
        self.keepalive.interval = interval;
    }

    fn message_deadline(&self) -> Option<Instant> {
        self.unfinished
            .filter(|_| !self.is_paused && self.messages.is_some())
            .map(|at| at + MESSAGE_TIMEOUT)
    }

    fn write_deadline(&self) -> Option<Instant> {
        Some(self.blocked? + RELIABLE_PROGRESS_TIMEOUT)
    }

    pub(super) fn start_keepalive(&mut self, now: Instant) {
        let interval = self.keepalive.interval;
        self.keepalive.next = (!interval.is_zero()).then(|| now + interval);
    }

    pub(super) fn start_heartbeat(&mut self, now: Instant) {
        let interval = self.heartbeat.interval;
        self.heartbeat.is_unanswered = false;
        // As in Godot, the first ping is due immediately.
        self.heartbeat.next = (!interval.is_zero()).then_some(now);
    }
}
