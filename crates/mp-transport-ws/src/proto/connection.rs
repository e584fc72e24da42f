//! One link through all of its life, without its socket. What it hears is in `hear`.

mod hear;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionStats, DisconnectReason, Farewell, Instant, Origin, PeerId, SendQueue,
    TransferMode,
};

use super::messages::{MessageKind, Messages};
use super::request;
use super::response::Asked;
use super::session::Session;
use super::tls::{Tls, TlsFailed, TlsInput};
use crate::limits::{
    ANSWER_BYTES_MAX, GOODBYE_TIMEOUT, MESSAGE_TIMEOUT, RELIABLE_PROGRESS_TIMEOUT,
    TEXT_QUEUE_BYTES_MAX, WRITE_BYTES,
};

/// A link. Bytes of the network go in by [`receive`](Self::receive) and come out by [`transmit`](Self::transmit); when it
/// [is over](Self::end), what it has left to transmit is worth one try.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    origin: Origin,
    protocol: Option<Arc<str>>,
    /// The id of a server's client.
    client: Option<PeerId>,
    kind: MessageKind,
    tls: Option<Box<Tls>>,
    phase: Phase,
    /// Once it is open, until the other side breaks the rules.
    messages: Option<Box<Messages>>,
    queue: SendQueue<Bytes>,
    /// For the network, before anything that is queued.
    wire: Vec<u8>,
    held: bool,
    /// Since when the socket takes nothing more.
    blocked: Option<Instant>,
    /// Time of the first bytes of a message that is not complete.
    unfinished: Option<Instant>,
    /// When the handshake, or a goodbye, has taken too long.
    deadline: Option<Instant>,
    heartbeat: Heartbeat,
    keepalive: Keepalive,
    stats: ConnectionStats,
}

#[derive(Debug)]
enum Phase {
    /// A server waits for a request, of which these are the first bytes; a client waits for the answer to its own.
    Handshake { head: Vec<u8>, asked: Option<Box<Asked>> },
    /// A client waits for its id.
    Identifying,
    /// It has been reported as connected.
    Open,
    /// This side has ended it, and waits for the other side to see that.
    Leaving(Leaving),
    /// It has ended.
    Over(End),
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// What is to be reported, when it was reported as connected.
    pub(crate) reason: Option<DisconnectReason>,
}

#[derive(Clone, Copy, Debug)]
struct Leaving {
    end: End,
    /// What is queued goes before the goodbye, which has not been said then.
    drains: bool,
    /// Nothing is said after the goodbye, and no answer in WebSocket's terms is waited for.
    shuts: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heartbeat {
    /// Zero: none.
    interval: Duration,
    next: Option<Instant>,
    is_unanswered: bool,
}

/// Sends a pong when nothing else was sent for a while, so that there is always something that the
/// remote host must acknowledge.
#[derive(Clone, Copy, Debug, Default)]
struct Keepalive {
    /// Zero: none.
    interval: Duration,
    /// Time of the next check whether something was sent.
    next: Option<Instant>,
    last_sent: Instant,
}

impl Connection {
    /// A server's, on which a request is awaited.
    pub(crate) fn accepted(
        id: ConnectionId,
        address: SocketAddr,
        tls: Option<Tls>,
        now: Instant,
        session: &Session,
    ) -> Self {
        let deadline = now + session.settings.handshake_timeout;
        let phase = Phase::Handshake { head: Vec::new(), asked: None };
        Self::new(id, Origin::Address(address), tls, phase, deadline, session)
    }

    /// A client's, which asks for a WebSocket. `deadline` is when it gives up.
    pub(crate) fn dialed(
        id: ConnectionId,
        origin: Origin,
        tls: Option<Tls>,
        (asked, request): (Asked, Vec<u8>),
        deadline: Instant,
        session: &Session,
    ) -> Self {
        let phase = Phase::Handshake { head: Vec::new(), asked: Some(Box::new(asked)) };
        let mut connection = Self::new(id, origin, tls, phase, deadline, session);
        connection.say(&request);
        connection
    }

    fn new(
        id: ConnectionId,
        origin: Origin,
        tls: Option<Tls>,
        phase: Phase,
        deadline: Instant,
        session: &Session,
    ) -> Self {
        let interval = session.settings.heartbeat_interval;
        Self {
            id,
            origin,
            protocol: None,
            client: None,
            kind: MessageKind::Binary,
            tls: tls.map(Box::new),
            phase,
            messages: None,
            queue: SendQueue::new(),
            wire: Vec::new(),
            held: false,
            blocked: None,
            unfinished: None,
            deadline: Some(deadline),
            heartbeat: Heartbeat { interval, ..Heartbeat::default() },
            keepalive: Keepalive::default(),
            stats: ConnectionStats::default(),
        }
    }

    /// Takes in what came from the network.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8], session: &mut Session) {
        let Some(mut tls) = self.tls.take() else {
            return self.receive_plain(now, bytes, session);
        };
        let mut plain = std::mem::take(&mut session.plain);
        plain.clear();
        let received = tls.receive(bytes, &mut plain, &mut self.wire);
        self.tls = Some(tls);
        if !plain.is_empty() {
            self.receive_plain(now, &plain, session);
        }
        session.plain = plain;
        match received {
            Ok(TlsInput::Open) => {}
            Ok(TlsInput::Closed) => self.break_off(DisconnectReason::Remote(0)),
            Err(TlsFailed(why)) => {
                tracing::debug!(connection = %self.id, origin = %self.origin, why, "TLS failed");
                self.break_off(DisconnectReason::Misbehaved);
            }
        }
    }

    /// The other side sends no more: it has closed, or `reason` says what else happened.
    pub(crate) fn break_off(&mut self, reason: DisconnectReason) {
        let end = match self.phase {
            Phase::Handshake { .. } | Phase::Identifying => End { reason: None },
            Phase::Open => End { reason: Some(reason) },
            Phase::Leaving(Leaving { end, .. }) | Phase::Over(end) => end,
        };
        self.phase = Phase::Over(end);
    }

    /// Does what is due.
    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        if self.deadline.is_some_and(|deadline| now >= deadline) {
            if matches!(self.phase, Phase::Handshake { asked: None, .. }) {
                self.say(&request::too_slow());
            }
            return self.break_off(DisconnectReason::Timeout);
        }
        if self.stuck().is_some_and(|stuck| now >= stuck) {
            return self.break_off(DisconnectReason::QueueFull);
        }
        if self.message_deadline().is_some_and(|deadline| now >= deadline) {
            return self.shed(now, DisconnectReason::Timeout);
        }
        if self.heartbeat.next.is_some_and(|next| now >= next) && self.is_open() {
            // Nobody listens to it while it is held.
            if self.heartbeat.is_unanswered && !self.held {
                return self.break_off(DisconnectReason::Timeout);
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

    /// Gives the remote peer `time` more for what it has to do, because this process was suspended.
    pub(crate) fn postpone_timeouts(&mut self, time: Duration) {
        let ping = self.heartbeat.next.as_mut().filter(|_| self.heartbeat.is_unanswered);
        let (deadline, blocked) = (self.deadline.as_mut(), self.blocked.as_mut());
        let unfinished = self.unfinished.as_mut();
        for due in [deadline, blocked, unfinished, ping].into_iter().flatten() {
            *due += time;
        }
    }

    /// When something is due, whatever comes.
    pub(crate) fn due(&self) -> Option<Instant> {
        let [heartbeat, keepalive] =
            [self.heartbeat.next, self.keepalive.next].map(|next| next.filter(|_| self.is_open()));
        let due = [self.deadline, self.stuck(), self.message_deadline(), heartbeat, keepalive];
        due.into_iter().flatten().min()
    }

    /// Queues a packet, which `connections` queue together. One that fits no more ends the link: a
    /// reliable packet is never dropped. `may_wait`: the limit of all links allows it to wait for a
    /// full socket.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        mode: TransferMode,
        (payload, connections): (Bytes, usize),
        may_wait: bool,
        session: &Session,
    ) {
        if !self.is_open() {
            return;
        }
        let settings = &session.settings;
        if mode.is_reliable() {
            let len = payload.len();
            let queue_max = match self.kind {
                MessageKind::Binary => settings.reliable_queue_bytes,
                MessageKind::Text => TEXT_QUEUE_BYTES_MAX,
            };
            let is_full =
                self.queue.bytes() + len > queue_max || self.blocked.is_some() && !may_wait;
            if is_full || self.queue.push(mode, len, connections, payload).is_err() {
                self.leave(now, DisconnectReason::QueueFull, Farewell::Polite);
            }
        } else if self.blocked.is_some() || self.queue.len() >= settings.max_queued_packets {
            self.stats.send_drops += 1;
        } else {
            if self.queue.push(mode, payload.len(), connections, payload).is_err() {
                mp_core::bug!("an unreliable packet does not make room for itself");
            }
        }
    }

    /// Appends what is to be sent to `out`, about [`WRITE_BYTES`] of it.
    pub(crate) fn transmit(&mut self, now: Instant, out: &mut Vec<u8>, session: &mut Session) {
        out.append(&mut self.wire);
        // What was answered once may be much; an idle link keeps nothing.
        self.wire = Vec::new();
        if self.queue.is_empty() {
            return self.finish_draining(now, out);
        }
        let Some(messages) = &mut self.messages else { return };
        let mut pack = |out: &mut Vec<u8>| {
            while out.len() < WRITE_BYTES
                && let Some(payload) = self.queue.pop()
            {
                self.stats.packets_sent += 1;
                self.stats.bytes_sent += payload.len() as u64;
                messages.send(payload, out);
            }
        };
        match &mut self.tls {
            None => pack(out),
            Some(tls) => {
                session.plain.clear();
                pack(&mut session.plain);
                tls.send(&session.plain, out);
            }
        }
        if self.queue.is_empty() {
            self.queue.clear(); // gives its memory back
            self.finish_draining(now, out);
        }
    }

    /// Whether [`transmit`](Self::transmit) has something.
    pub(crate) fn has_output(&self) -> bool {
        let drains = matches!(self.phase, Phase::Leaving(Leaving { drains: true, .. }));
        !self.wire.is_empty() || !self.queue.is_empty() || drains
    }

    /// Ends it from this side, with the code that goes with `reason`.
    pub(crate) fn leave(&mut self, now: Instant, reason: DisconnectReason, farewell: Farewell) {
        let text = reason.to_string();
        let (code, text) = match reason {
            DisconnectReason::Closed | DisconnectReason::Kicked => (1000, ""),
            DisconnectReason::BranchPanicked => (1011, text.as_str()),
            _ => (1008, text.as_str()),
        };
        self.leave_with(now, reason, farewell, code, text);
    }

    /// Ends it from this side, with a code and a text of one's own.
    pub(crate) fn leave_with(
        &mut self,
        now: Instant,
        reason: DisconnectReason,
        farewell: Farewell,
        code: u16,
        text: &str,
    ) {
        let end = End { reason: Some(reason) };
        let goes = matches!(self.phase, Phase::Open | Phase::Leaving(Leaving { drains: true, .. }));
        match farewell {
            Farewell::Drain if self.is_open() => {
                self.phase = Phase::Leaving(Leaving { end, drains: true, shuts: false });
            }
            Farewell::Polite if goes => {
                self.queue.clear();
                self.with_messages(|messages, out| messages.close(code, text, out));
                self.phase = Phase::Leaving(Leaving { end, drains: false, shuts: false });
                self.deadline = Some(now + GOODBYE_TIMEOUT);
            }
            Farewell::Abrupt => {
                self.queue.clear();
                self.with_messages(|messages, out| messages.close(code, text, out));
                self.phase = Phase::Over(End { reason: None });
            }
            _ => {}
        }
    }

    /// Whether bytes of the network are wanted now.
    pub(crate) fn wants_bytes(&self) -> bool {
        match self.phase {
            Phase::Over(_) => false,
            Phase::Leaving(_) => true,
            _ => !self.held && self.wire.len() < ANSWER_BYTES_MAX,
        }
    }

    /// Whether the socket is to be shut for writing once all is written.
    pub(crate) fn wants_shutdown(&self) -> bool {
        matches!(self.phase, Phase::Leaving(Leaving { shuts: true, .. }))
    }

    /// How it has ended, when it has.
    pub(crate) fn end(&self) -> Option<End> {
        match self.phase {
            Phase::Over(end) => Some(end),
            _ => None,
        }
    }

    /// Says the last words of TLS.
    pub(crate) fn close_tls(&mut self, out: &mut Vec<u8>) {
        if let Some(tls) = &mut self.tls {
            tls.close(out);
        }
    }

    /// What the socket took of the last transmission: everything, or less.
    pub(crate) fn note_written(&mut self, now: Instant, some: bool, all: bool) {
        if some {
            self.keepalive.last_sent = now;
        }
        if all {
            self.blocked = None;
        } else if some || self.blocked.is_none() {
            self.blocked = Some(now);
        }
    }

    pub(crate) fn hold(&mut self, now: Instant, held: bool) {
        self.held = held;
        // Time in which nothing was read does not count.
        if let Some(since) = &mut self.unfinished {
            *since = now;
        }
    }

    /// Bytes that wait: an unfinished message, and packets for a socket that is full.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let queued = if self.blocked.is_some() { self.queue.held_bytes() } else { 0 };
        queued + self.wire.len() + self.unfinished_bytes()
    }

    /// Bytes of a message that is not complete.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| messages.unfinished())
    }

    /// Ends it, and frees its unfinished message and its queue at once.
    pub(crate) fn shed(&mut self, now: Instant, reason: DisconnectReason) {
        self.stats.receive_drops += 1;
        let text = reason.to_string();
        self.with_messages(|messages, out| messages.close(1008, &text, out));
        self.turn_out(now, reason);
    }

    pub(crate) fn set_heartbeat(&mut self, now: Instant, interval: Duration) {
        self.heartbeat.interval = interval;
        self.start_heartbeat(now);
    }

    /// Has a pong sent where nothing else was sent for `interval`, once it is open.
    pub(crate) fn set_keepalive(&mut self, interval: Duration) {
        self.keepalive.interval = interval;
    }

    /// Whether it is reported as connected and has not been ended.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Whether it has been reported as connected.
    pub(crate) fn was_connected(&self) -> bool {
        match self.phase {
            Phase::Handshake { .. } | Phase::Identifying => false,
            Phase::Open => true,
            Phase::Leaving(Leaving { end, .. }) | Phase::Over(end) => {
                end.reason.is_some() || self.client.is_some()
            }
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// The id of a server's client.
    pub(crate) fn client(&self) -> Option<PeerId> {
        self.client
    }

    /// Returns whether it is a text session, which is not reported to the endpoint.
    pub(crate) fn is_text(&self) -> bool {
        self.kind == MessageKind::Text
    }

    pub(crate) fn stats(&self) -> ConnectionStats {
        let mut stats = self.stats;
        stats.send_drops += self.queue.drops();
        stats.queued_bytes = (self.queue.bytes() + self.wire.len()) as u64;
        stats
    }

    fn message_deadline(&self) -> Option<Instant> {
        self.unfinished
            .filter(|_| !self.held && self.messages.is_some())
            .map(|at| at + MESSAGE_TIMEOUT)
    }

    fn stuck(&self) -> Option<Instant> {
        Some(self.blocked? + RELIABLE_PROGRESS_TIMEOUT)
    }

    /// Ends it with a goodbye that has been said, because the other side broke the rules: what else it sends is not looked at.
    fn turn_out(&mut self, now: Instant, reason: DisconnectReason) {
        self.messages = None;
        self.queue.clear();
        let end = match self.phase {
            Phase::Leaving(Leaving { end, .. }) | Phase::Over(end) => end,
            Phase::Open => End { reason: Some(reason) },
            _ => End { reason: None },
        };
        self.phase = Phase::Leaving(Leaving { end, drains: false, shuts: true });
        // A client gives up when it would have anyway.
        self.deadline.get_or_insert(now + GOODBYE_TIMEOUT);
    }

    /// Says goodbye when all that was queued has been sent.
    fn finish_draining(&mut self, now: Instant, out: &mut Vec<u8>) {
        let Phase::Leaving(Leaving { end, drains: true, .. }) = self.phase else { return };
        if let Some(reason) = end.reason {
            self.leave(now, reason, Farewell::Polite);
        }
        out.append(&mut self.wire);
    }

    fn start_keepalive(&mut self, now: Instant) {
        let interval = self.keepalive.interval;
        self.keepalive.next = (!interval.is_zero()).then(|| now + interval);
    }

    fn start_heartbeat(&mut self, now: Instant) {
        let interval = self.heartbeat.interval;
        self.heartbeat.is_unanswered = false;
        // The first ping is due at once, as Godot's is.
        self.heartbeat.next = (!interval.is_zero()).then_some(now);
    }

    fn with_messages(&mut self, speak: impl FnOnce(&mut Messages, &mut Vec<u8>)) {
        let Some(messages) = &mut self.messages else { return };
        let mut out = Vec::new();
        speak(messages, &mut out);
        self.say(&out);
    }

    fn say(&mut self, plain: &[u8]) {
        if plain.is_empty() {
            return;
        }
        match &mut self.tls {
            None => self.wire.extend_from_slice(plain),
            Some(tls) => tls.send(plain, &mut self.wire),
        }
    }
}
