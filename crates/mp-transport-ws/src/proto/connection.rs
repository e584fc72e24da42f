//! The state machine of a connection, without its socket. This file has its state and sending;
//! `receive`, `receipt`, `timers` and `closing` are the other parts.

mod closing;
mod receipt;
mod receive;
mod timers;

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use mp_core::{
    CloseMode, ConnectionId, ConnectionOrigin, ConnectionStats, DisconnectReason, ErrorChain,
    GatePass, Instant, PeerId, SendQueue, TransferMode,
};

use self::closing::Closing;
pub(crate) use self::closing::ConnectionEnd;
use self::receipt::Receipt;
use self::timers::{Heartbeat, Keepalive};
use super::messages::{MessageKind, Messages};
use super::response::SentRequest;
use super::session::Session;
use super::tls::{Tls, TlsInput};
use crate::limits::{ANSWER_BYTES_MAX, TEXT_QUEUE_BYTES_MAX, WRITE_BYTES};

/// A connection. Received bytes are passed to [`receive`](Self::receive), and
/// [`transmit`](Self::transmit) returns the bytes to send. When it has [ended](Self::end),
/// remaining output should still be offered to the socket once.
#[derive(Debug)]
pub(crate) struct Connection {
    id: ConnectionId,
    origin: ConnectionOrigin,
    protocol: Option<Arc<str>>,
    /// Peer id of a server's client.
    client: Option<PeerId>,
    /// Permission of the server's gate, if there is one.
    pass: Option<GatePass>,
    kind: MessageKind,
    /// True if the server's listener accepts only text sessions.
    text_only: bool,
    tls: Option<Box<Tls>>,
    phase: Phase,
    /// Framing of an open connection; `None` before the handshake is complete, and after the remote
    /// peer violated the protocol.
    messages: Option<Box<Messages>>,
    queue: SendQueue<Bytes>,
    /// Bytes to send before any queued packet.
    wire: Vec<u8>,
    is_paused: bool,
    /// Time since which the socket accepts nothing.
    blocked: Option<Instant>,
    /// Time of the first bytes of an incomplete message.
    unfinished: Option<Instant>,
    /// Deadline of the handshake, or of the remote peer's response to a close frame.
    deadline: Option<Instant>,
    /// Reason of the close frame if the local peer rejects the connection, in place of the code.
    close_text: Option<Box<str>>,
    receipt: Receipt,
    heartbeat: Heartbeat,
    keepalive: Keepalive,
    stats: ConnectionStats,
}

#[derive(Debug)]
enum Phase {
    /// The HTTP handshake. `head` has the bytes received so far. A server waits for a request; a
    /// client waits for the response to `sent`.
    Handshake { head: Vec<u8>, sent: Option<Box<SentRequest>> },
    /// A client waits for its peer id.
    AwaitingId,
    /// The connection was reported as connected.
    Open,
    /// The local peer has closed the connection and waits until the remote peer notices.
    Closing(Closing),
    /// The connection has ended.
    Ended(ConnectionEnd),
}

impl Connection {
    /// Creates a server's connection, which waits for a request: for a text session if `text_only`
    /// is true.
    pub(crate) fn accepted(
        id: ConnectionId,
        address: SocketAddr,
        tls: Option<Tls>,
        now: Instant,
        text_only: bool,
        session: &Session,
    ) -> Self {
        let deadline = now + session.settings.handshake_timeout;
        let phase = Phase::Handshake { head: Vec::new(), sent: None };
        let origin = ConnectionOrigin::Address(address);
        Self { text_only, ..Self::new(id, origin, tls, phase, deadline, session) }
    }

    /// Creates a client's connection, which sends `request`. It times out at `deadline`.
    pub(crate) fn dialed(
        id: ConnectionId,
        origin: ConnectionOrigin,
        tls: Option<Tls>,
        (sent, request): (SentRequest, Vec<u8>),
        deadline: Instant,
        session: &Session,
    ) -> Self {
        let phase = Phase::Handshake { head: Vec::new(), sent: Some(Box::new(sent)) };
        let mut connection = Self::new(id, origin, tls, phase, deadline, session);
        connection.queue_output(&request);
        connection
    }

    fn new(
        id: ConnectionId,
        origin: ConnectionOrigin,
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
            pass: None,
            kind: MessageKind::Binary,
            text_only: false,
            tls: tls.map(Box::new),
            phase,
            messages: None,
            queue: SendQueue::new(),
            wire: Vec::new(),
            is_paused: false,
            blocked: None,
            unfinished: None,
            deadline: Some(deadline),
            heartbeat: Heartbeat { interval, ..Heartbeat::default() },
            keepalive: Keepalive::default(),
            close_text: None,
            receipt: Receipt::default(),
            stats: ConnectionStats::default(),
        }
    }

    /// Handles bytes received from the socket.
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
            Ok(TlsInput::Closed) => self.handle_disconnect(DisconnectReason::Remote(0)),
            Err(error) => {
                let error = ErrorChain::new(&error);
                tracing::debug!(connection = %self.id, origin = %self.origin, %error, "TLS failed");
                self.handle_disconnect(DisconnectReason::ProtocolViolation);
            }
        }
    }

    /// Queues a packet, whose payload `connections` connections share. A reliable packet that
    /// exceeds the queue closes the connection; an unreliable one is dropped. `may_wait` is true if
    /// the limit of all connections allows the packet to wait for a full socket.
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
                self.close(now, DisconnectReason::QueueFull, CloseMode::Graceful);
            }
        } else if self.blocked.is_some() || self.queue.len() >= settings.max_queued_packets {
            self.stats.send_drops += 1;
        } else {
            if self.queue.push(mode, payload.len(), connections, payload).is_err() {
                mp_core::bug!("an unreliable packet does not make room for itself");
            }
        }
    }

    /// Appends bytes to send to `out`, about [`WRITE_BYTES`] of them.
    pub(crate) fn transmit(&mut self, now: Instant, out: &mut Vec<u8>, session: &mut Session) {
        out.append(&mut self.wire);
        // Responses may have needed a large buffer. Free it: an idle connection keeps no memory.
        self.wire = Vec::new();
        if self.queue.is_empty() {
            return self.finish_queue(now, out);
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
            self.queue.clear(); // frees its memory
            self.finish_queue(now, out);
        }
    }

    /// Appends what follows the last queued packet: the request of a receipt, the close frame of a
    /// draining connection.
    fn finish_queue(&mut self, now: Instant, out: &mut Vec<u8>) {
        self.request_receipt();
        self.finish_draining(now);
        out.append(&mut self.wire);
    }

    /// Returns whether [`transmit`](Self::transmit) has output.
    pub(crate) fn has_output(&self) -> bool {
        let is_draining = matches!(self.phase, Phase::Closing(Closing { is_draining: true, .. }));
        !self.wire.is_empty() || !self.queue.is_empty() || is_draining || self.wants_receipt()
    }

    /// Returns whether the connection accepts received bytes now. `false` pauses reading.
    pub(crate) fn wants_input(&self) -> bool {
        match self.phase {
            Phase::Ended(_) => false,
            Phase::Closing(_) => true,
            _ => !self.is_paused && self.wire.len() < ANSWER_BYTES_MAX,
        }
    }

    /// Records whether the socket accepted some or all bytes of the last transmission.
    pub(crate) fn record_written(&mut self, now: Instant, some: bool, all: bool) {
        if some {
            self.keepalive.last_sent = now;
        }
        if all {
            self.blocked = None;
        } else if some || self.blocked.is_none() {
            self.blocked = Some(now);
        }
    }

    pub(crate) fn set_paused(&mut self, now: Instant, is_paused: bool) {
        self.is_paused = is_paused;
        // Time in which nothing was read does not count.
        if let Some(since) = &mut self.unfinished {
            *since = now;
        }
    }

    /// Returns the waiting bytes: an incomplete message, responses, and packets for a full socket.
    pub(crate) fn waiting_bytes(&self) -> usize {
        let queued = if self.blocked.is_some() { self.queue.memory_bytes() } else { 0 };
        queued + self.wire.len() + self.unfinished_bytes()
    }

    /// Returns the bytes of an incomplete message.
    pub(crate) fn unfinished_bytes(&self) -> usize {
        self.messages.as_ref().map_or(0, |messages| messages.unfinished())
    }

    /// Returns whether the connection was reported as connected and has not been closed.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Returns whether the connection was reported as connected.
    pub(crate) fn was_connected(&self) -> bool {
        match self.phase {
            Phase::Handshake { .. } | Phase::AwaitingId => false,
            Phase::Open => true,
            Phase::Closing(Closing { end, .. }) | Phase::Ended(end) => {
                end.reason.is_some() || self.client.is_some()
            }
        }
    }

    pub(crate) fn id(&self) -> ConnectionId {
        self.id
    }

    pub(crate) fn origin(&self) -> &ConnectionOrigin {
        &self.origin
    }

    pub(crate) fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// Returns the peer id of a server's client.
    pub(crate) fn client(&self) -> Option<PeerId> {
        self.client
    }

    /// Returns whether this is a text session, which is not reported to the endpoint.
    pub(crate) fn is_text(&self) -> bool {
        self.kind == MessageKind::Text
    }

    pub(crate) fn stats(&self) -> ConnectionStats {
        let mut stats = self.stats;
        stats.send_drops += self.queue.drops();
        stats.queued_bytes = (self.queue.bytes() + self.wire.len()) as u64;
        stats
    }

    fn with_messages(&mut self, write: impl FnOnce(&mut Messages, &mut Vec<u8>)) {
        let Some(messages) = &mut self.messages else { return };
        let mut out = Vec::new();
        write(messages, &mut out);
        self.queue_output(&out);
    }

    fn queue_output(&mut self, plain: &[u8]) {
        if plain.is_empty() {
            return;
        }
        match &mut self.tls {
            None => self.wire.extend_from_slice(plain),
            Some(tls) => tls.send(plain, &mut self.wire),
        }
    }
}
