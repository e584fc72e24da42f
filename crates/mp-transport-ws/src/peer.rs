//! [`WebSocketMultiplayerPeer`]: the connections of a server or client, and Godot's rules for their
//! use. Connections are accepted and established in `establish`.

mod establish;
mod text;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Readiness, ReasonCounts, SendError,
    SharedLimit, TransferMode, TransportStats,
};

use self::establish::{Acceptor, ConnectAttempt};
use crate::connection_io::ConnectionIo;
use crate::connection_table::{ConnectionTable, suspension};
use crate::info::WebSocketPeerInfo;
#[cfg(feature = "tokio")]
use crate::io::TokioTcp;
use crate::io::{ReadyList, SOURCE, StreamSource, Tcp};
use crate::limits::{
    BYTES_PER_POLL, CONNECTION_BYTES_PER_POLL, EVENTS_PER_POLL, WAITING_BYTES_OF_EACH,
};
use crate::options::{ClientOptions, CreateError, ServerOptions, listen_any, rng};
use crate::proto::refusal::{MessageRefusal, RequestRefusal};
use crate::proto::response::SentRequest;
use crate::proto::session::{LastClose, Session};
use crate::proto::url::Url;
use crate::text::TextService;

/// Godot's `WebSocketMultiplayerPeer`: a server, or a client of one.
///
/// A server draws the ids of its clients and sends each its own in the first message. A client is
/// `Connecting` until it receives its id; one that cannot connect becomes `Disconnected` without an
/// event. Each packet is one binary message. Packets are received as `Reliable` on channel 0,
/// whatever mode they were sent in. All packets queued for a connection in a turn are written at
/// once.
///
/// A connection that the local peer closes by itself has one of these reasons:
///
/// * `ProtocolViolation`: the remote peer violated the WebSocket protocol. It receives close code
///   1002, 1007 or 1009.
/// * `QueueFull`: the remote peer does not read. Reliable packets exceeded their limit, or the
///   socket accepted no bytes for
///   [`RELIABLE_PROGRESS_TIMEOUT`](crate::limits::RELIABLE_PROGRESS_TIMEOUT). Unreliable packets
///   for a full socket are dropped and counted.
/// * `Timeout`: the remote peer did not answer a ping, a TCP keepalive probe or a close frame.
#[derive(Debug)]
pub struct WebSocketMultiplayerPeer<S: StreamSource = Tcp> {
    session: Session,
    /// `None` after a server was closed or stopped accepting, and after a client's attempt has
    /// ended.
    source: Option<S>,
    /// A server's listener of text sessions.
    text_source: Option<S>,
    role: Role,
    connect_error: Option<io::Error>,
    connections: ConnectionTable<S::Stream>,
    /// Closed connections with bytes left to write.
    closing: Vec<ConnectionIo<S::Stream>>,
    /// Sum over the connections that have ended.
    ended: ConnectionStats,
    readiness: Readiness,
    ready_list: ReadyList,
    source_waker: Waker,
    /// Slots to poll, in this turn or the next.
    ready: VecDeque<usize>,
    woken: Vec<usize>,
    now: Instant,
    is_closed: bool,
    read_buffer: Box<[u8]>,
    write_buffer: Vec<u8>,
    stats: ServerStats,
    text: Option<Box<dyn TextService>>,
}

#[derive(Debug)]
enum Role {
    Server(Acceptor),
    Client(Option<Box<ConnectAttempt>>),
}

/// Counters of a server since it was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// TCP connections accepted.
    pub accepted: u64,
    /// Connections closed during their handshake to accept newer ones.
    pub replaced: u64,
    /// Failed calls of accept because the system lacks descriptors or memory.
    pub accept_errors: u64,
    /// Connections closed because of an incomplete message while all connections exceeded
    /// [`WebSocketSettings::buffered_bytes`](crate::WebSocketSettings::buffered_bytes).
    pub shed: u64,
    /// Requests refused, by reason.
    pub refused_requests: ReasonCounts<RequestRefusal>,
    /// Messages and frames refused, by reason. Each closed its connection.
    pub refused_messages: ReasonCounts<MessageRefusal>,
    /// Text sessions opened.
    pub text_sessions: u64,
}

impl WebSocketMultiplayerPeer<Tcp> {
    /// Creates a server at `address`: `0.0.0.0:port`, or `[::]:port` for IPv4 and IPv6.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound or an option is invalid.
    pub fn create_server(address: SocketAddr, options: ServerOptions) -> Result<Self, CreateError> {
        Self::server(Tcp::listen(address)?, options)
    }

    /// Creates a server at `port` on all addresses of this machine, with default options.
    ///
    /// # Errors
    ///
    /// Returns an error if the port cannot be bound or `max_clients` is 0.
    pub fn create_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(listen_any(port, Tcp::listen)?, options)
    }

    /// Creates a client of the server at `url`: `ws://host:port/path`, or `wss://` with TLS.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL or an option is invalid.
    pub fn create_client(url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let parsed: Url = url.parse()?;
        let timeout = options.web_socket_settings().handshake_timeout;
        let dialing =
            Tcp::dial(parsed.host(), parsed.port(), timeout.max(Duration::from_millis(1)));
        Self::client(dialing.map_err(CreateError::Thread)?, url, options)
    }
}

#[cfg(feature = "tokio")]
impl WebSocketMultiplayerPeer<TokioTcp> {
    /// Creates a server like [`create_server`](WebSocketMultiplayerPeer::create_server), whose
    /// connections wake their task. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound or an option is invalid.
    pub fn create_async_server(
        address: SocketAddr,
        options: ServerOptions,
    ) -> Result<Self, CreateError> {
        Self::server(TokioTcp::listen(address)?, options)
    }

    /// Creates a server like [`create_server_on`](WebSocketMultiplayerPeer::create_server_on),
    /// whose connections wake their task. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the port cannot be bound or `max_clients` is 0.
    pub fn create_async_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(listen_any(port, TokioTcp::listen)?, options)
    }

    /// Creates a client like [`create_client`](WebSocketMultiplayerPeer::create_client), whose
    /// connection wakes its task. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL or an option is invalid.
    pub fn create_async_client(url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let parsed: Url = url.parse()?;
        Self::client(TokioTcp::dial(parsed.host(), parsed.port()), url, options)
    }
}

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
    /// Creates a server of the connections that `source` provides.
    ///
    /// # Errors
    ///
    /// Returns an error if an option is invalid.
    pub fn server(source: S, options: ServerOptions) -> Result<Self, CreateError> {
        let mut server = Self::server_of(source.readiness(), options)?;
        server.source = Some(source);
        Ok(server)
    }

    /// Creates a server without sources.
    fn server_of(readiness: Readiness, options: ServerOptions) -> Result<Self, CreateError> {
        let (settings, rules) = options.read()?;
        let tls = options.tls_server()?;
        let rng = rng(options.seed)?;
        let mut session = Session::new(settings, rules, rng, ConnectionStatus::Connected);
        session.gate = options.gate.clone();
        let role = Role::Server(Acceptor {
            tls,
            max_half_open: options.max_half_open,
            handshakes: VecDeque::new(),
            retry: None,
            next_warning: Instant::ZERO,
        });
        Ok(Self::new(session, readiness, role))
    }

    /// Creates a client of the server at `url`, to which `source` connects.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL or an option is invalid.
    pub fn client(source: S, url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let url: Url = url.parse()?;
        let settings = options.read()?;
        let mut rng = rng(options.seed)?;
        let tls = if url.is_secure() { Some(options.tls_client(&url)?) } else { None };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
        key[8..].copy_from_slice(&rng.next_u64().to_le_bytes());
        let web_socket = options.web_socket_settings();
        let (protocols, headers) = (&web_socket.supported_protocols, &web_socket.handshake_headers);
        let sent = SentRequest::new(&url, key, protocols, headers);
        let rules = Default::default();
        let session = Session::new(settings, rules, rng, ConnectionStatus::Connecting);
        let role = Role::Client(Some(Box::new(ConnectAttempt { url, sent, tls, deadline: None })));
        let mut client = Self::new(session, source.readiness(), role);
        client.source = Some(source);
        Ok(client)
    }

    /// Returns the address on which a server listens.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system cannot report the address, or the peer is not
    /// listening.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.source {
            Some(source) => source.local_addr(),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Returns details of a connection (Godot: `get_peer`, `get_peer_address`, `get_peer_port`).
    #[doc(alias = "get_peer")]
    pub fn peer_info(&self, connection: ConnectionId) -> Option<WebSocketPeerInfo> {
        let entry = self.connections.get(connection)?;
        let stats = entry.connection.stats();
        Some(WebSocketPeerInfo {
            address: entry.connection.origin().address()?,
            requested_url: entry.connection.origin().url().unwrap_or_default().to_owned(),
            selected_protocol: entry.connection.protocol().map(str::to_owned),
            current_outbound_buffered_amount: stats.queued_bytes as usize + entry.unsent(),
        })
    }

    /// Closes a connection with a custom close code and reason (Godot: `WebSocketPeer.close`). At
    /// most 123 bytes of the reason are sent. The connection is closed like by
    /// [`disconnect`](MultiplayerPeer::disconnect) with [`CloseMode::Graceful`], which sends code
    /// 1000.
    pub fn close_peer(&mut self, connection: ConnectionId, code: u16, reason: &str) {
        let now = self.now;
        let Some(entry) = self.connections.get_mut(connection) else { return };
        let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let (why, close_mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
        entry.connection.close_with(now, why, close_mode, code, &reason[..end]);
        entry.resume();
        self.connections.update(connection.slot as usize);
    }

    /// Returns the last close frame received from a remote peer (Godot:
    /// `WebSocketPeer.get_close_code`, `get_close_reason`).
    #[doc(alias = "get_close_code")]
    #[doc(alias = "get_close_reason")]
    pub fn last_close(&self) -> Option<&LastClose> {
        self.session.last_close.as_ref()
    }

    /// Sets the interval of a connection's pings; zero disables them (Godot:
    /// `WebSocketPeer.heartbeat_interval`).
    pub fn set_heartbeat_interval(&mut self, connection: ConnectionId, interval: Duration) {
        let now = self.now;
        let Some(entry) = self.connections.get_mut(connection) else { return };
        entry.connection.set_heartbeat(now, interval);
        self.connections.update(connection.slot as usize);
    }

    /// Sets whether small writes of a connection are sent immediately (default: true; Godot:
    /// `WebSocketPeer.set_no_delay`).
    pub fn set_no_delay(&mut self, connection: ConnectionId, no_delay: bool) {
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.set_no_delay(no_delay);
        }
    }

    /// Returns the error because of which a client could not connect its socket: its server's name
    /// was not resolved, or no address answered. `None` if the attempt failed later, or timed out.
    pub const fn connect_error(&self) -> Option<&io::Error> {
        self.connect_error.as_ref()
    }

    /// Returns the counters of a server.
    pub const fn server_stats(&self) -> ServerStats {
        ServerStats {
            refused_requests: self.session.refused_requests,
            refused_messages: self.session.refused_messages,
            text_sessions: self.session.text.opened(),
            ..self.stats
        }
    }

    /// Returns the number of connections whose handshake is not complete.
    pub fn open_handshakes(&self) -> usize {
        self.connections.handshaking()
    }

    fn new(session: Session, readiness: Readiness, role: Role) -> Self {
        let ready_list = ReadyList::default();
        let waiting = SharedLimit::new(session.settings.buffered_bytes, WAITING_BYTES_OF_EACH);
        let source_waker = ready_list.waker(SOURCE);
        Self {
            session,
            readiness,
            source: None,
            text_source: None,
            role,
            connect_error: None,
            connections: ConnectionTable::new(waiting),
            closing: Vec::new(),
            ended: ConnectionStats::default(),
            ready_list,
            source_waker,
            ready: VecDeque::from([SOURCE]),
            woken: Vec::new(),
            now: Instant::ZERO,
            is_closed: false,
            read_buffer: vec![0; CONNECTION_BYTES_PER_POLL].into(),
            write_buffer: Vec::new(),
            stats: ServerStats::default(),
            text: None,
        }
    }

    fn is_waking(&self) -> bool {
        self.readiness == Readiness::Waker
    }

    /// Adds the slots that are ready to the list.
    fn collect_ready(&mut self, now: Instant) {
        if self.is_waking() {
            self.ready_list.take(&mut self.woken);
            self.ready.extend(self.woken.drain(..));
            if let Role::Server(acceptor) = &mut self.role
                && acceptor.retry.take_if(|retry| *retry <= now).is_some()
            {
                self.ready.push_back(SOURCE);
            }
        } else if self.ready.is_empty() {
            self.ready.push_back(SOURCE);
            self.ready.extend(self.connections.slots());
        }
    }

    /// Receives from ready connections up to the limits of a turn. The others stay listed for the
    /// next turn.
    fn receive(&mut self, now: Instant) {
        let mut taken = 0;
        while taken < BYTES_PER_POLL
            && self.session.events.len() < EVENTS_PER_POLL
            && let Some(slot) = self.ready.pop_front()
        {
            if slot == SOURCE {
                match &self.role {
                    Role::Server(_) => self.accept(now),
                    Role::Client(_) => self.join(now),
                }
                continue;
            }
            // The connection may have ended since it was woken.
            let Some(entry) = self.connections.at(slot) else { continue };
            let (bytes, more) = entry.read(now, &mut self.read_buffer, &mut self.session);
            taken += bytes;
            self.session.network_bytes_received += bytes as u64;
            if more {
                entry.wake();
            }
            self.connections.update_timer(slot);
            self.shed_if_over_limit(now, slot);
            self.update(slot);
            if self.session.text.has_events() {
                self.run_text();
            }
        }
    }

    /// Ends a client's attempt that timed out, and runs the due timers of connections.
    fn handle_timeouts(&mut self, now: Instant) {
        if let Role::Client(Some(attempt)) = &mut self.role
            && let Some(deadline) = &mut attempt.deadline
            && now >= *deadline
        {
            if let Some(time) = suspension(*deadline, now) {
                *deadline += time;
                return;
            }
            self.source = None;
            self.role = Role::Client(None);
            self.session.status = ConnectionStatus::Disconnected;
        }
        self.connections.postpone_timeouts(now);
        while let Some(slot) = self.connections.due(now) {
            let Some(entry) = self.connections.at(slot) else {
                mp_core::bug!("slot {slot} has a timer, but no connection");
                return;
            };
            entry.connection.handle_timeout(now, &mut self.session);
            self.update(slot);
        }
    }

    /// Closes a connection whose incomplete message exceeds its share while all connections
    /// together exceed their limit.
    fn shed_if_over_limit(&mut self, now: Instant, slot: usize) {
        if self.connections.is_within_limit(slot) {
            return;
        }
        let Some(entry) = self.connections.at(slot) else {
            mp_core::bug!("slot {slot} has received bytes, but has no connection");
            return;
        };
        if entry.connection.unfinished_bytes() > 0 {
            entry.connection.shed(now, DisconnectReason::QueueFull);
            self.stats.shed += 1;
        }
    }

    /// Queues a packet for one of the `connections` connections that share its payload.
    fn send_to(
        &mut self,
        connection: ConnectionId,
        mode: TransferMode,
        payload: Bytes,
        connections: usize,
    ) {
        let (now, slot) = (self.now, connection.slot as usize);
        let may_wait = self.connections.may_wait(slot, payload.len(), connections);
        let Some(entry) = self.connections.get_mut(connection) else { return };
        entry.connection.send(now, mode, (payload, connections), may_wait, &self.session);
        self.connections.update(slot);
    }

    /// Updates the state kept about a connection, and removes the connection if it is closed.
    fn update(&mut self, slot: usize) {
        self.connections.update(slot);
        let Some(end) = self.connections.at(slot).and_then(|entry| entry.connection.end()) else {
            return;
        };
        let Some(entry) = self.connections.remove(slot) else {
            mp_core::bug!("the connection of slot {slot} ends, but is gone");
            return;
        };
        if let Some(client) = entry.connection.client() {
            self.session.free_id(client);
        }
        if matches!(self.role, Role::Client(_)) {
            self.session.status = ConnectionStatus::Disconnected;
        }
        if entry.connection.is_text() {
            self.session.text.close(entry.connection.id());
        } else if let Some(reason) = end.reason {
            let connection = entry.connection.id();
            self.session.events.push_back(PeerEvent::Disconnected { connection, reason });
        }
        self.retire(entry);
    }

    /// Keeps a removed connection if it has bytes left to write, otherwise only its statistics.
    fn retire(&mut self, entry: ConnectionIo<S::Stream>) {
        if entry.has_output() {
            self.closing.push(entry);
        } else {
            self.ended.add_all(&entry.connection.stats());
        }
    }
}

impl<S: StreamSource> MultiplayerPeer for WebSocketMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        self.now = now;
        if self.is_closed {
            return;
        }
        if let Role::Client(Some(attempt)) = &mut self.role {
            attempt.deadline.get_or_insert(now + self.session.settings.handshake_timeout);
        }
        // Receive only when the host has read all events: unread bytes stay at their senders.
        if self.session.events.is_empty() {
            self.collect_ready(now);
            self.receive(now);
        }
        self.handle_timeouts(now);
        self.run_text_timeout();
        self.run_text();
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.session.events.pop_front()
    }

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.session.status != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let (len, max) = (outgoing.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        // Sharing a payload costs an allocation, so one receiver gets it as it is.
        let is_whole = outgoing.prefix.as_slice().is_empty();
        let whole = if is_whole { None } else { Some(outgoing.joined()) };
        let OutgoingPacket { to, mode, payload, .. } = outgoing;
        let payload = whole.unwrap_or(payload);
        let connections = to.as_slice().len();
        if let Some((&last, others)) = to.as_slice().split_last() {
            for &connection in others {
                self.send_to(connection, mode, payload.clone(), connections);
            }
            self.send_to(last, mode, payload, connections);
        }
        Ok(())
    }

    fn flush(&mut self, now: Instant) {
        self.now = now;
        let mut dirty = self.connections.take_dirty();
        let retries = !self.is_waking();
        dirty.retain(|&slot| {
            // The connection may have ended since then.
            let Some(entry) = self.connections.at(slot) else { return false };
            entry.is_dirty = false;
            entry.flush(now, &mut self.write_buffer, &mut self.session);
            // A stream that wakes reports when it accepts bytes again.
            entry.is_dirty = retries && entry.unsent() > 0;
            let again = entry.is_dirty;
            self.connections.update_timer(slot);
            again
        });
        self.connections.put_dirty(dirty);
        for entry in self.closing.drain(..) {
            let stats = entry.finish(now, &mut self.write_buffer, &mut self.session);
            self.ended.add_all(&stats);
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        let now = self.now;
        let Some(entry) = self.connections.get_mut(connection) else { return };
        entry.connection.close(now, reason, close_mode);
        entry.resume();
        if close_mode == CloseMode::Immediate {
            self.session.events.retain(|event| !is_about(event, connection));
        }
        self.update(connection.slot as usize);
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.session.status = ConnectionStatus::Disconnected;
        self.session.events.clear();
        self.source = None;
        self.text_source = None;
        for slot in self.connections.slots().collect::<Vec<_>>() {
            // As in Godot, no close frame is sent. Bytes queued before are still written.
            if let Some(entry) = self.connections.remove(slot) {
                self.retire(entry);
            }
        }
    }

    fn unique_id(&self) -> PeerId {
        self.session.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.session.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.is_closed {
            return None;
        }
        let more = (!self.ready.is_empty()).then_some(self.now);
        let attempt = match &self.role {
            Role::Server(acceptor) => acceptor.retry,
            Role::Client(Some(attempt)) => Some(attempt.deadline.unwrap_or(self.now)),
            Role::Client(None) => None,
        };
        let text = self.text.as_ref().and_then(|service| service.poll_timeout());
        [more, attempt, self.connections.next_due(), text].into_iter().flatten().min()
    }

    fn readiness(&self) -> Readiness {
        self.readiness
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closed {
            return Poll::Pending;
        }
        let text = self.text.as_mut().map(|service| service.poll_ready(cx));
        // Poll both, so that each wakes the task.
        match self.ready_list.poll_ready(cx) {
            Poll::Pending => text.unwrap_or(Poll::Pending),
            ready => ready,
        }
    }

    fn pause_receiving(&mut self, connection: ConnectionId, paused: bool) {
        if let Some(entry) = self.connections.get_mut(connection) {
            entry.connection.set_paused(self.now, paused);
            entry.resume();
            self.connections.update_timer(connection.slot as usize);
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.session.is_refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.session.is_refusing = refuse;
    }

    /// Closes the ports of a server, so that `/healthz` does not respond for rooms that have ended.
    fn stop_accepting(&mut self) {
        self.session.is_refusing = true;
        if matches!(self.role, Role::Server(_)) {
            self.source = None;
            self.text_source = None;
        }
    }

    fn max_packet_size(&self) -> usize {
        self.session.settings.max_packet_size
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        let entry = self.connections.get(connection)?;
        let mut stats = entry.connection.stats();
        stats.queued_bytes += entry.unsent() as u64;
        Some(stats)
    }

    fn transport_stats(&self) -> TransportStats {
        let mut sum = TransportStats::default();
        sum.add_ended_connection(&self.ended);
        for entry in self.connections.iter().chain(&self.closing) {
            let mut stats = entry.connection.stats();
            stats.queued_bytes += entry.unsent() as u64;
            sum.add_connection(&stats);
        }
        sum.network_bytes_received = self.session.network_bytes_received;
        sum.network_bytes_sent = self.session.network_bytes_sent;
        sum.completed_handshakes = self.connections.completed();
        sum.refused_handshakes = self.session.refused_requests.total();
        sum
    }
}

fn is_about(event: &PeerEvent, id: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            *connection == id
        }
        PeerEvent::Packet(packet) => packet.from == id,
        _ => false,
    }
}

/// Maximum length of a close reason in bytes: a control frame carries 125, two of them the code.
const CLOSE_REASON_BYTES_MAX: usize = 123;
