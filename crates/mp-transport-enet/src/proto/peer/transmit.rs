//! Sending the datagrams of a peer, and its timers.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::time::Duration;

use mp_core::DisconnectReason;

use super::sender::PackContext;
use super::{Peer, State};
use crate::proto::command::{Body, Command};
use crate::proto::settings::HostSettings;
use crate::proto::wire::Datagram;
use crate::proto::{COMMANDS_MAX, HostEvent, Millis, NO_PEER};

impl Peer {
    /// Runs the timers that are due.
    pub(crate) fn handle_timeout(
        &mut self,
        now: Millis,
        settings: &HostSettings,
        events: &mut VecDeque<HostEvent>,
    ) -> ControlFlow<()> {
        let is_over = match self.state {
            State::Abandoned { until } => now >= until,
            State::HalfOpen => is_due(now, self.validation.since(), settings.half_open_timeout),
            _ => false,
        };
        if is_over {
            return ControlFlow::Break(());
        }
        if self.sender.check_timeouts(now, &self.timeout, &mut self.stats) {
            self.report_end(DisconnectReason::Timeout, events);
            return ControlFlow::Break(());
        }
        let limit = settings.reliable_progress_timeout;
        if self.sender.progress().is_some_and(|since| is_due(now, since, limit)) {
            // Also a connection that drains before it closes: it was not drained.
            self.fail(DisconnectReason::QueueFull, events);
        }
        ControlFlow::Continue(())
    }

    /// Returns the time at which [`handle_timeout`](Self::handle_timeout) or a ping is due.
    pub(crate) fn deadline(&self, now: Millis, settings: &HostSettings) -> Option<Millis> {
        let state = match self.state {
            State::Abandoned { until } => Some(until),
            State::HalfOpen => after(self.validation.since(), settings.half_open_timeout),
            State::Connected if self.sender.is_reliably_idle() => {
                self.ping_at().map(|at| at.max(now + 1))
            }
            _ => None,
        };
        let progress = self.sender.progress();
        let progress = progress.and_then(|since| after(since, settings.reliable_progress_timeout));
        [state, progress, self.sender.next_timeout()].into_iter().flatten().min()
    }

    /// Packs one datagram of at most `len_max` bytes into `out`. Returns a length of 0 if there is
    /// nothing to send.
    pub(crate) fn pack(&mut self, now: Millis, out: &mut [u8], len_max: usize) -> Packed {
        if !self.wants_to_send(now)
            || self.state == State::HalfOpen && !self.validation.allows(VERIFY_CONNECT_LEN)
        {
            return Packed::default();
        }
        let mut datagram = Datagram::new(out, self.mtu, len_max);
        let is_data_first = self.packs_data_first();
        if !is_data_first {
            self.acknowledgements.pack(&mut datagram);
        }
        let mut acknowledgements = datagram.commands();
        if self.state != State::AcknowledgingDisconnect {
            let pings = self.state == State::Connected;
            let mut context = PackContext {
                channels: &mut self.channels,
                round_trip: &self.round_trip,
                throttle: &mut self.throttle,
                stats: &mut self.stats,
                window: self.window,
                mtu: self.mtu,
            };
            self.sender.pack(now, &mut datagram, &mut context);
            let ping = Command::control(0, Body::Ping);
            let early = if datagram.commands() > 0 { self.ping_interval / EARLY_PING } else { 0 };
            if pings
                && self.sender.is_reliably_idle()
                && ping_at(self.last_acknowledged, self.ping_interval - early)
                    .is_some_and(|at| now >= at)
                && datagram.has_room(&ping, ping.fixed_len())
            {
                self.acknowledgements.release();
                self.sender.release();
                self.sender.queue_control(Body::Ping);
                self.sender.pack(now, &mut datagram, &mut context);
            }
        }
        if is_data_first {
            let commands = datagram.commands();
            self.acknowledgements.pack(&mut datagram);
            acknowledgements = datagram.commands() - commands;
        }
        let session = if self.outgoing_id == NO_PEER { 0 } else { self.sessions.outgoing_bits() };
        if datagram.commands() > 0 {
            self.loss.measure(now, self.stats.retransmissions);
            self.loss.sent(datagram.commands() - acknowledgements);
        }
        let is_cut_short = acknowledgements > 0 && datagram.commands() == COMMANDS_MAX;
        let len = datagram.finish(now, self.outgoing_id, session);
        if self.state == State::HalfOpen && len > 0 {
            self.validation.sent(len);
        }
        Packed { len, is_cut_short }
    }

    /// Returns whether acknowledgements follow the data in the next datagram. They usually precede
    /// it, so that they are not delayed. But if both together exceed the commands of a datagram,
    /// the few bytes of acknowledgements would divide the packets among more datagrams, which the
    /// remote peer answers with more as well. The delay is that of the data, one or two datagrams.
    fn packs_data_first(&self) -> bool {
        let queued = self.sender.queued_commands();
        queued <= COMMANDS_MAX && self.acknowledgements.len() + queued > COMMANDS_MAX
    }

    /// Returns whether there may be something to send.
    pub(crate) fn wants_to_send(&self, now: Millis) -> bool {
        !self.acknowledgements.is_empty() || self.sender.has_queued() || self.wants_ping(now)
    }

    fn wants_ping(&self, now: Millis) -> bool {
        self.state == State::Connected
            && self.sender.is_reliably_idle()
            && self.ping_at().is_some_and(|at| now >= at)
    }

    /// Returns whether a retransmission timer is running.
    pub(crate) const fn has_timeout(&self) -> bool {
        self.sender.next_timeout().is_some()
    }

    /// Returns the time of the next ping if nothing else is sent; `None` for never.
    fn ping_at(&self) -> Option<Millis> {
        ping_at(self.last_acknowledged, self.ping_interval)
    }
}

/// Returns the time of a ping `interval` after the last acknowledgement; `None` for never.
fn ping_at(last_acknowledged: Option<Millis>, interval: Millis) -> Option<Millis> {
    match last_acknowledged {
        Some(last) => add(last, interval),
        None => Some(0),
    }
}

/// A packed datagram.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Packed {
    /// Length in bytes.
    pub(crate) len: usize,
    /// True if acknowledgements, which are short, fill the commands of the datagram. The next one
    /// may be longer.
    pub(crate) is_cut_short: bool,
}

/// Returns `since` plus `duration`; `None` if no [`Instant`](mp_core::Instant) is that late.
pub(super) fn after(since: Millis, duration: Duration) -> Option<Millis> {
    add(since, u64::try_from(duration.as_millis()).ok()?)
}

/// Returns `since` plus `millis`; `None` if no [`Instant`](mp_core::Instant) is that late.
fn add(since: Millis, millis: Millis) -> Option<Millis> {
    since.checked_add(millis).filter(|&at| at <= u64::MAX / 1_000)
}

/// Returns whether `duration` has passed since `since`.
fn is_due(now: Millis, since: Millis, duration: Duration) -> bool {
    after(since, duration).is_some_and(|at| now >= at)
}

const VERIFY_CONNECT_LEN: usize = 4 + 44;
/// The part of the interval, 1 in this number, by which a ping is early if it can share a datagram
/// with something else. A datagram of its own would take several times the CPU time of an earlier
/// acknowledgement. So the pings of players who are sent the same messages are sent at once.
const EARLY_PING: Millis = 8;
