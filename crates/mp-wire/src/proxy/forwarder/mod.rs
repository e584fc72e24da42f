//! Passes packets between the connections of a listener and one client peer for each of them,
//! without I/O.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use mp_core::{
    CloseMode, ConnectionId, ConnectionOrigin, ConnectionStatus, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, Packet, PeerEvent, PeerId, Prefix, Readiness,
};

use super::ProxyStats;
use crate::limits::{CLOSE_TIMEOUT, PAUSE_BYTES, PENDING_PACKETS_MAX, RESUME_BYTES};
use crate::{ClientNumber, Direction, WireCloseReason, WireEvent, WirePacket};

/// A transport of a proxy.
pub(super) trait ProxyPeer: MultiplayerPeer {
    /// Closes a connection after its queued packets have been delivered, with the code of the
    /// remote peer on the other connection, if the transport has such codes.
    fn close_with(&mut self, connection: ConnectionId, code: u32) {
        let _ = code;
        self.disconnect(connection, DisconnectReason::Kicked, CloseMode::Drain);
    }

    /// Returns the reason why a client could not connect, if there is a better one than that the
    /// server refused or did not answer.
    fn failure(&mut self) -> Option<String> {
        None
    }
}

/// Creates a client peer with this peer id.
pub(super) type DialServer = Box<dyn FnMut(PeerId) -> Result<Box<dyn ProxyPeer>, String>>;

/// The connections of a proxy.
pub(super) struct Forwarder<L> {
    listener: L,
    dial: DialServer,
    max_clients: usize,
    sessions: Vec<Session>,
    stats: ProxyStats,
}

/// A client and its connection to the server.
struct Session {
    client: ClientNumber,
    /// Connection of the client; `None` after its end.
    to_client: Option<ConnectionId>,
    server: Box<dyn ProxyPeer>,
    /// Connection to the server; `None` before it is established.
    to_server: Option<ConnectionId>,
    /// Packets that were received before.
    pending: VecDeque<Packet>,
    client_paused: bool,
    server_paused: bool,
    /// Time at which the connection to the server is closed at the latest, after the client has
    /// left.
    close_by: Option<Instant>,
    is_ended: bool,
}

impl<L: ProxyPeer> Forwarder<L> {
    pub(super) fn new(listener: L, max_clients: u16, dial: DialServer) -> Self {
        Self {
            listener,
            dial,
            max_clients: usize::from(max_clients),
            sessions: Vec::new(),
            stats: ProxyStats::default(),
        }
    }

    pub(super) fn listener(&self) -> &L {
        &self.listener
    }

    pub(super) fn listener_mut(&mut self) -> &mut L {
        &mut self.listener
    }

    pub(super) fn stats(&self) -> ProxyStats {
        let failed_handshakes = self.listener.transport_stats().refused_handshakes;
        ProxyStats { failed_handshakes, ..self.stats }
    }

    /// Receives, passes packets on, and sends.
    pub(super) fn turn(&mut self, now: Instant, observe: &mut dyn FnMut(WireEvent)) {
        self.listener.poll(now);
        while let Some(event) = self.listener.next_event() {
            self.handle_client_event(now, event, observe);
        }
        for session in &mut self.sessions {
            session.receive(now, &mut self.listener, &mut self.stats, observe);
            session.regulate(&mut self.listener);
        }
        self.listener.flush(now);
        for session in &mut self.sessions {
            if session.is_ended {
                session.server.close();
            }
            session.server.flush(now);
        }
        self.sessions.retain(|session| !session.is_ended);
    }

    /// Closes all connections.
    pub(super) fn stop(&mut self, now: Instant, observe: &mut dyn FnMut(WireEvent)) {
        for session in &mut self.sessions {
            session.server.close();
            session.server.flush(now);
            if session.to_client.is_some() {
                let (client, reason) = (session.client, WireCloseReason::Stopped);
                observe(WireEvent::Closed { client, at: now, reason });
            }
        }
        self.sessions.clear();
        self.listener.close();
        self.listener.flush(now);
    }

    /// Returns the time of the next turn if nothing is received.
    pub(super) fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let servers = self.sessions.iter().flat_map(|session| {
            [due(&*session.server, now), session.close_by.filter(|_| !session.is_ended)]
        });
        [due(&self.listener, now)].into_iter().chain(servers).flatten().min()
    }

    /// Returns ready if a transport has something to receive, and wakes the task otherwise.
    pub(super) fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut is_ready = self.listener.poll_ready(cx).is_ready();
        for session in &mut self.sessions {
            is_ready |= session.server.poll_ready(cx).is_ready();
        }
        if is_ready { Poll::Ready(()) } else { Poll::Pending }
    }

    fn handle_client_event(
        &mut self,
        now: Instant,
        event: PeerEvent,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        match event {
            PeerEvent::Connected { connection, claimed_id, origin } => {
                self.accept(now, connection, claimed_id, origin, observe);
            }
            PeerEvent::Packet(packet) => {
                let from = Some(packet.from);
                let session = self.sessions.iter_mut().find(|session| session.to_client == from);
                if let Some(session) = session {
                    session.send_to_server(now, packet, &mut self.stats, observe);
                }
            }
            PeerEvent::Disconnected { connection, reason } => {
                let of = Some(connection);
                let session = self.sessions.iter_mut().find(|session| session.to_client == of);
                if let Some(session) = session {
                    session.client_left(now, reason, observe);
                }
            }
            _ => {}
        }
    }

    fn accept(
        &mut self,
        now: Instant,
        connection: ConnectionId,
        claimed_id: Option<PeerId>,
        origin: ConnectionOrigin,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        let current = self.sessions.iter().filter(|session| session.to_client.is_some()).count();
        let id = claimed_id.filter(|_| current < self.max_clients);
        let Some(id) = id else {
            self.stats.rejected += 1;
            let reason = DisconnectReason::Refused;
            return self.listener.disconnect(connection, reason, CloseMode::Graceful);
        };
        self.stats.clients += 1;
        let client = ClientNumber(u32::try_from(self.stats.clients).unwrap_or(u32::MAX));
        observe(WireEvent::Connected { client, at: now, origin });
        observe(WireEvent::PeerId { client, at: now, id });
        match (self.dial)(id) {
            Ok(server) => {
                // Until the server has accepted the client.
                self.listener.pause_receiving(connection, true);
                self.sessions.push(Session {
                    client,
                    to_client: Some(connection),
                    server,
                    to_server: None,
                    pending: VecDeque::new(),
                    client_paused: true,
                    server_paused: false,
                    close_by: None,
                    is_ended: false,
                });
            }
            Err(error) => {
                let reason = WireCloseReason::Unreachable(error);
                observe(WireEvent::Closed { client, at: now, reason });
                self.listener.close_with(connection, 0);
            }
        }
    }
}

impl Session {
    /// Receives from the server.
    fn receive(
        &mut self,
        now: Instant,
        listener: &mut impl ProxyPeer,
        stats: &mut ProxyStats,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        self.server.poll(now);
        while let Some(event) = self.server.next_event() {
            match event {
                PeerEvent::Connected { connection, .. } => {
                    self.to_server = Some(connection);
                    for packet in std::mem::take(&mut self.pending) {
                        self.send_to_server(now, packet, stats, observe);
                    }
                }
                PeerEvent::Packet(packet) => {
                    let Some(connection) = self.to_client else { continue };
                    self.observe(now, Direction::ToClient, &packet, observe);
                    if listener.send(outgoing(connection, packet)).is_err() {
                        stats.dropped += 1;
                    }
                }
                PeerEvent::Disconnected { reason, .. } => {
                    self.server_left(now, WireCloseReason::Server(reason), listener, observe);
                }
                _ => {}
            }
        }
        // A client that cannot connect has no event.
        if !self.is_ended && self.server.connection_status() == ConnectionStatus::Disconnected {
            let reason = self.server.failure();
            let reason = reason.unwrap_or_else(|| "it refused, or did not answer".to_owned());
            self.server_left(now, WireCloseReason::Unreachable(reason), listener, observe);
        }
        if self.close_by.is_some_and(|deadline| now >= deadline) {
            self.is_ended = true;
        }
    }

    fn send_to_server(
        &mut self,
        now: Instant,
        packet: Packet,
        stats: &mut ProxyStats,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        let Some(connection) = self.to_server else {
            if packet.mode.is_reliable() || self.pending.len() < PENDING_PACKETS_MAX {
                self.pending.push_back(packet);
            } else {
                stats.dropped += 1;
            }
            return;
        };
        self.observe(now, Direction::ToServer, &packet, observe);
        if self.server.send(outgoing(connection, packet)).is_err() {
            stats.dropped += 1;
        }
    }

    fn observe(
        &self,
        at: Instant,
        direction: Direction,
        packet: &Packet,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        let Packet { mode, channel, payload, .. } = packet.clone();
        let client = self.client;
        observe(WireEvent::Packet(WirePacket { client, at, direction, mode, channel, payload }));
    }

    fn client_left(
        &mut self,
        now: Instant,
        reason: DisconnectReason,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        self.to_client = None;
        let (client, closed) = (self.client, WireCloseReason::Client(reason));
        observe(WireEvent::Closed { client, at: now, reason: closed });
        match self.to_server {
            Some(connection) => {
                self.server.close_with(connection, code(reason));
                self.close_by = Some(now + CLOSE_TIMEOUT);
            }
            None => self.is_ended = true,
        }
    }

    fn server_left(
        &mut self,
        now: Instant,
        reason: WireCloseReason,
        listener: &mut impl ProxyPeer,
        observe: &mut dyn FnMut(WireEvent),
    ) {
        self.is_ended = true;
        let Some(connection) = self.to_client.take() else { return };
        let code = match &reason {
            WireCloseReason::Server(reason) => code(*reason),
            _ => 0,
        };
        listener.close_with(connection, code);
        observe(WireEvent::Closed { client: self.client, at: now, reason });
    }

    /// Pauses a side while much is queued for the other one.
    fn regulate(&mut self, listener: &mut impl ProxyPeer) {
        let Some(to_client) = self.to_client else { return };
        let queued = |peer: &dyn MultiplayerPeer, connection| {
            peer.connection_stats(connection).map_or(0, |stats| stats.queued_bytes)
        };
        let Some(to_server) = self.to_server else { return };
        let is_paused = pauses(self.client_paused, queued(&*self.server, to_server));
        if is_paused != self.client_paused {
            self.client_paused = is_paused;
            listener.pause_receiving(to_client, is_paused);
        }
        let is_paused = pauses(self.server_paused, queued(listener, to_client));
        if is_paused != self.server_paused {
            self.server_paused = is_paused;
            self.server.pause_receiving(to_server, is_paused);
        }
    }
}

/// Returns whether a side stays or becomes paused while this many bytes are queued for the other.
fn pauses(is_paused: bool, queued: u64) -> bool {
    queued > if is_paused { RESUME_BYTES } else { PAUSE_BYTES }
}

fn outgoing(to: ConnectionId, packet: Packet) -> OutgoingPacket {
    let Packet { mode, channel, payload, .. } = packet;
    OutgoingPacket { to: to.into(), mode, channel, prefix: Prefix::EMPTY, payload }
}

fn code(reason: DisconnectReason) -> u32 {
    match reason {
        DisconnectReason::Remote(code) => code,
        _ => 0,
    }
}

fn due(peer: &dyn MultiplayerPeer, now: Instant) -> Option<Instant> {
    let interval = match peer.readiness() {
        Readiness::Interval(interval) => Some(now + interval),
        Readiness::Waker => None,
    };
    [peer.poll_timeout(), interval].into_iter().flatten().min()
}
