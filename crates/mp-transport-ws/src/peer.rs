//! [`WebSocketMultiplayerPeer`]: links, and Godot's way of using them. Where they come from is in `door`.

mod door;
mod text;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use mp_core::{
    ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Outgoing, PeerEvent, PeerId, Readiness, SendError, SharedLimit, TransferMode,
};

use self::door::{Call, Door};
use crate::info::WebSocketPeerInfo;
#[cfg(feature = "tokio")]
use crate::io::TokioTcp;
use crate::io::{SOURCE, StreamSource, Tcp, Wakes};
use crate::limits::{BYTES_PER_POLL, EVENTS_PER_POLL, LINK_BYTES_PER_POLL, WAITING_BYTES_OF_EACH};
use crate::link::Link;
use crate::links::{Links, suspension};
use crate::options::{ClientOptions, CreateError, ServerOptions, listen_any, rng};
use crate::proto::response::Asked;
use crate::proto::session::{LastClose, Session};
use crate::proto::url::Url;
use crate::text::TextService;

/// Godot's `WebSocketMultiplayerPeer`: a server, or a client of one.
///
/// A server draws the ids of its clients and tells each its own in the first message; a client is `Connecting` until then, and one that
/// cannot connect becomes `Disconnected` without an event. Packets arrive as `Reliable` on channel 0 whatever they were sent as, each
/// as one binary message. All that waits for a link leaves in one write per turn.
///
/// What makes a link end from this side with a reason of its own:
///
/// * `Misbehaved`: the other side broke WebSocket's rules (it gets close code 1002, 1007 or 1009);
/// * `QueueFull`: it does not read: reliable packets passed their bound, or the socket took nothing for
///   [`RELIABLE_PROGRESS_TIMEOUT`](crate::limits::RELIABLE_PROGRESS_TIMEOUT). Unreliable packets for a socket that is full are
///   dropped and counted;
/// * `Timeout`: it did not answer a ping, TCP's own probes or a goodbye.
#[derive(Debug)]
pub struct WebSocketMultiplayerPeer<S: StreamSource = Tcp> {
    session: Session,
    /// None once a server is closed, and once a client has its connection.
    source: Option<S>,
    role: Role,
    connect_error: Option<io::Error>,
    links: Links<S::Stream>,
    /// Over, with last words.
    parting: Vec<Link<S::Stream>>,
    readiness: Readiness,
    wakes: Wakes,
    source_waker: Waker,
    /// What has to be looked at and was not yet.
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
    Server(Door),
    Client(Option<Box<Call>>),
}

/// Counters of a server since it began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerStats {
    /// TCP connections accepted.
    pub accepted: u64,
    /// Those that made way for newer ones before they had got through their handshake.
    pub replaced: u64,
    /// Times the system had nothing left to accept with.
    pub accept_errors: u64,
    /// Connections ended because of an unfinished message while all together had too many waiting bytes.
    pub shed: u64,
    /// Requests rejected because of [`ServerOptions::allowed_origins`].
    pub forbidden: u64,
    /// Text sessions opened.
    pub text_sessions: u64,
}

impl WebSocketMultiplayerPeer<Tcp> {
    /// A server at `address` (`0.0.0.0:port`, or `[::]:port` for both families).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound or an option cannot be used.
    pub fn create_server(address: SocketAddr, options: ServerOptions) -> Result<Self, CreateError> {
        Self::server(Tcp::listen(address)?, options)
    }

    /// Creates a server at `port` of all addresses of this machine, with the default options.
    ///
    /// # Errors
    ///
    /// When the port cannot be bound or `max_clients` is 0.
    pub fn create_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(listen_any(port, Tcp::listen)?, options)
    }

    /// A client of the server at `url`: `ws://host:port/path`, or `wss://` with TLS.
    ///
    /// # Errors
    ///
    /// When the URL or an option cannot be used.
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
    /// As [`create_server`](WebSocketMultiplayerPeer::create_server), on connections that wake their task. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create_async_server(
        address: SocketAddr,
        options: ServerOptions,
    ) -> Result<Self, CreateError> {
        Self::server(TokioTcp::listen(address)?, options)
    }

    /// As [`create_server_on`](WebSocketMultiplayerPeer::create_server_on), on connections that wake
    /// their task. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create_async_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(listen_any(port, TokioTcp::listen)?, options)
    }

    /// As [`create_client`](WebSocketMultiplayerPeer::create_client), on a connection that wakes its task. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create_async_client(url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let parsed: Url = url.parse()?;
        Self::client(TokioTcp::dial(parsed.host(), parsed.port()), url, options)
    }
}

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
    /// A server of connections of any kind.
    ///
    /// # Errors
    ///
    /// When an option cannot be used.
    pub fn server(source: S, options: ServerOptions) -> Result<Self, CreateError> {
        let (settings, rules) = options.read()?;
        let tls = options.tls.map(|store| store.server_config()).transpose()?;
        let rng = rng(options.seed)?;
        let session = Session::new(settings, rules, rng, ConnectionStatus::Connected);
        let role = Role::Server(Door {
            tls,
            max_handshakes: options.max_handshakes,
            handshakes: VecDeque::new(),
            retry: None,
            next_warning: Instant::ZERO,
        });
        Ok(Self::new(session, source, role))
    }

    /// A client of the server at `url`, to which `source` connects.
    ///
    /// # Errors
    ///
    /// When the URL or an option cannot be used.
    pub fn client(source: S, url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let url: Url = url.parse()?;
        let settings = options.read()?;
        let mut rng = rng(options.seed)?;
        let tls = match url.is_secure() {
            true => Some((options.tls.client_config()?, options.tls.server_name(url.host())?)),
            false => None,
        };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
        key[8..].copy_from_slice(&rng.next_u64().to_le_bytes());
        let web_socket = options.web_socket_settings();
        let (protocols, headers) = (&web_socket.supported_protocols, &web_socket.handshake_headers);
        let asked = Asked::new(&url, key, protocols, headers);
        let rules = Default::default();
        let session = Session::new(settings, rules, rng, ConnectionStatus::Connecting);
        let role = Role::Client(Some(Box::new(Call { url, asked, tls, deadline: None })));
        Ok(Self::new(session, source, role))
    }

    /// Where a server listens.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell, or nobody listens.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.source {
            Some(source) => source.local_addr(),
            None => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// What is known of a link (Godot: `get_peer`, `get_peer_address`, `get_peer_port`).
    #[doc(alias = "get_peer")]
    pub fn peer_info(&self, connection: ConnectionId) -> Option<WebSocketPeerInfo> {
        let link = self.links.get(connection)?;
        let stats = link.connection.stats();
        Some(WebSocketPeerInfo {
            address: link.connection.origin().address()?,
            requested_url: link.connection.origin().url().unwrap_or_default().to_owned(),
            selected_protocol: link.connection.protocol().map(str::to_owned),
            current_outbound_buffered_amount: stats.queued_bytes as usize + link.unsent(),
        })
    }

    /// Ends a link with a close code and a reason of one's own (Godot: `WebSocketPeer.close`). A reason longer than 123 bytes is cut
    /// off. Otherwise as [`disconnect`](MultiplayerPeer::disconnect) with [`Farewell::Polite`], which says 1000.
    pub fn close_peer(&mut self, connection: ConnectionId, code: u16, reason: &str) {
        let now = self.now;
        let Some(link) = self.links.get_mut(connection) else { return };
        let mut end = reason.len().min(CLOSE_REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        let (why, farewell) = (DisconnectReason::Kicked, Farewell::Polite);
        link.connection.leave_with(now, why, farewell, code, &reason[..end]);
        link.resume();
        self.links.note(connection.slot as usize);
    }

    /// How the last side that said goodbye did so (Godot: `WebSocketPeer.get_close_code`, `get_close_reason`).
    #[doc(alias = "get_close_code")]
    #[doc(alias = "get_close_reason")]
    pub fn last_close(&self) -> Option<&LastClose> {
        self.session.last_close.as_ref()
    }

    /// Sets a link's time between pings, zero for none (Godot: `WebSocketPeer.heartbeat_interval`).
    pub fn set_heartbeat_interval(&mut self, connection: ConnectionId, interval: Duration) {
        let now = self.now;
        let Some(link) = self.links.get_mut(connection) else { return };
        link.connection.set_heartbeat(now, interval);
        self.links.note(connection.slot as usize);
    }

    /// Whether a link's small writes leave at once, as they do by default (Godot: `WebSocketPeer.set_no_delay`).
    pub fn set_no_delay(&mut self, connection: ConnectionId, no_delay: bool) {
        if let Some(link) = self.links.get_mut(connection) {
            link.set_no_delay(no_delay);
        }
    }

    /// Why a client could not connect its socket: the name of its server was not found, or no
    /// address of it answered. `None` when it failed later, or by its timeout.
    pub const fn connect_error(&self) -> Option<&io::Error> {
        self.connect_error.as_ref()
    }

    /// Counters of a server.
    pub const fn server_stats(&self) -> ServerStats {
        ServerStats {
            forbidden: self.session.forbidden,
            text_sessions: self.session.text.opened(),
            ..self.stats
        }
    }

    /// Connections that have not got through their handshake.
    pub fn open_handshakes(&self) -> usize {
        self.links.handshaking()
    }

    fn new(session: Session, source: S, role: Role) -> Self {
        let wakes = Wakes::default();
        let waiting = SharedLimit::new(session.settings.waiting_bytes, WAITING_BYTES_OF_EACH);
        let source_waker = wakes.waker(SOURCE);
        Self {
            session,
            readiness: source.readiness(),
            source: Some(source),
            role,
            connect_error: None,
            links: Links::new(waiting),
            parting: Vec::new(),
            wakes,
            source_waker,
            ready: VecDeque::from([SOURCE]),
            woken: Vec::new(),
            now: Instant::ZERO,
            is_closed: false,
            read_buffer: vec![0; LINK_BYTES_PER_POLL].into(),
            write_buffer: Vec::new(),
            stats: ServerStats::default(),
            text: None,
        }
    }

    fn is_waking(&self) -> bool {
        self.readiness == Readiness::Wakes
    }

    /// Lists what has to be looked at.
    fn gather(&mut self, now: Instant) {
        if self.is_waking() {
            self.wakes.take(&mut self.woken);
            self.ready.extend(self.woken.drain(..));
            if let Role::Server(door) = &mut self.role
                && door.retry.take_if(|retry| *retry <= now).is_some()
            {
                self.ready.push_back(SOURCE);
            }
        } else if self.ready.is_empty() {
            self.ready.push_back(SOURCE);
            self.ready.extend(self.links.slots());
        }
    }

    /// Takes in what is there, within bounds; the rest stays listed.
    fn take_in(&mut self, now: Instant) {
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
            let Some(link) = self.links.at(slot) else { continue };
            let (bytes, more) = link.read(now, &mut self.read_buffer, &mut self.session);
            taken += bytes;
            if more {
                link.wake();
            }
            self.links.note_timer(slot);
            self.shed_if_crowded(now, slot);
            self.settle(slot);
            if self.session.text.has_events() {
                self.run_text();
            }
        }
    }

    /// Ends a client's attempt that takes too long, and does what is due on links.
    fn handle_timeouts(&mut self, now: Instant) {
        if let Role::Client(Some(call)) = &mut self.role
            && let Some(deadline) = &mut call.deadline
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
        self.links.forgive_suspension(now);
        while let Some(slot) = self.links.due(now) {
            let Some(link) = self.links.at(slot) else {
                mp_core::bug!("slot {slot} has a timer, but no connection");
                return;
            };
            link.connection.handle_timeout(now);
            self.settle(slot);
        }
    }

    /// Ends a connection that has more than its share of an unfinished message while all together have
    /// too much.
    fn shed_if_crowded(&mut self, now: Instant, slot: usize) {
        if self.links.is_within_limit(slot) {
            return;
        }
        let Some(link) = self.links.at(slot) else {
            mp_core::bug!("slot {slot} has received bytes, but has no connection");
            return;
        };
        if link.connection.unfinished_bytes() > 0 {
            link.connection.shed(now, DisconnectReason::QueueFull);
            self.stats.shed += 1;
        }
    }

    /// Queues a packet, which `connections` links queue together, for one of them.
    fn send_to(
        &mut self,
        connection: ConnectionId,
        mode: TransferMode,
        payload: Bytes,
        connections: usize,
    ) {
        let (now, slot) = (self.now, connection.slot as usize);
        let may_wait = self.links.may_wait(slot, payload.len(), connections);
        let Some(link) = self.links.get_mut(connection) else { return };
        link.connection.send(now, mode, (payload, connections), may_wait, &self.session);
        self.links.note(slot);
    }

    /// Notes what has become of a link, and takes leave of it when it is over.
    fn settle(&mut self, slot: usize) {
        self.links.note(slot);
        let Some(end) = self.links.at(slot).and_then(|link| link.connection.end()) else { return };
        let Some(link) = self.links.remove(slot) else {
            mp_core::bug!("the connection of slot {slot} ends, but is gone");
            return;
        };
        if let Some(client) = link.connection.client() {
            self.session.free_id(client);
        }
        if matches!(self.role, Role::Client(_)) {
            self.session.status = ConnectionStatus::Disconnected;
        }
        if link.connection.is_text() {
            self.session.text.close(link.connection.id());
        } else if let Some(reason) = end.reason {
            let connection = link.connection.id();
            self.session.events.push_back(PeerEvent::Disconnected { connection, reason });
        }
        if link.has_output() {
            self.parting.push(link);
        }
    }
}

impl<S: StreamSource> MultiplayerPeer for WebSocketMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        self.now = now;
        if self.is_closed {
            return;
        }
        if let Role::Client(Some(call)) = &mut self.role {
            call.deadline.get_or_insert(now + self.session.settings.handshake_timeout);
        }
        // What the host has not taken yet comes first; the rest stays with its senders.
        if self.session.events.is_empty() {
            self.gather(now);
            self.take_in(now);
        }
        self.handle_timeouts(now);
        self.run_text_timeout();
        self.run_text();
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.session.events.pop_front()
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if self.session.status != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let (len, max) = (outgoing.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        // To share bytes costs an allocation, so that one link gets them as they are.
        let is_whole = outgoing.prefix.as_slice().is_empty();
        let whole = if is_whole { None } else { Some(outgoing.joined()) };
        let Outgoing { to, mode, payload, .. } = outgoing;
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
        let mut dirty = self.links.take_dirty();
        let retries = !self.is_waking();
        dirty.retain(|&slot| {
            // The connection may have ended since then.
            let Some(link) = self.links.at(slot) else { return false };
            link.is_dirty = false;
            link.flush(now, &mut self.write_buffer, &mut self.session);
            // One that wakes says when there is room again.
            link.is_dirty = retries && link.unsent() > 0;
            let again = link.is_dirty;
            self.links.note_timer(slot);
            again
        });
        self.links.put_dirty(dirty);
        for link in self.parting.drain(..) {
            link.part(now, &mut self.write_buffer, &mut self.session);
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        let now = self.now;
        let Some(link) = self.links.get_mut(connection) else { return };
        link.connection.leave(now, reason, farewell);
        link.resume();
        if farewell == Farewell::Abrupt {
            self.session.events.retain(|event| !is_about(event, connection));
        }
        self.settle(connection.slot as usize);
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.session.status = ConnectionStatus::Disconnected;
        self.session.events.clear();
        self.source = None;
        for slot in self.links.slots().collect::<Vec<_>>() {
            // As Godot's: the connection ends without a goodbye, but for what was said before.
            let link = self.links.remove(slot).filter(Link::has_output);
            self.parting.extend(link);
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
            Role::Server(door) => door.retry,
            Role::Client(Some(call)) => Some(call.deadline.unwrap_or(self.now)),
            Role::Client(None) => None,
        };
        let text = self.text.as_ref().and_then(|service| service.poll_timeout());
        [more, attempt, self.links.next_due(), text].into_iter().flatten().min()
    }

    fn readiness(&self) -> Readiness {
        self.readiness
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_closed {
            return Poll::Pending;
        }
        let text = self.text.as_mut().map(|service| service.poll_ready(cx));
        // Both are asked, so that each wakes the task.
        match self.wakes.poll_ready(cx) {
            Poll::Pending => text.unwrap_or(Poll::Pending),
            ready => ready,
        }
    }

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        if let Some(link) = self.links.get_mut(connection) {
            link.connection.hold(self.now, held);
            link.resume();
            self.links.note_timer(connection.slot as usize);
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.session.refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.session.refusing = refuse;
    }

    /// Closes the port of a server, so that `/healthz` does not answer for rooms that have ended.
    fn stop_accepting(&mut self) {
        self.session.refusing = true;
        if matches!(self.role, Role::Server(_)) {
            self.source = None;
        }
    }

    fn max_packet_size(&self) -> usize {
        self.session.settings.max_packet_size
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        let link = self.links.get(connection)?;
        let mut stats = link.connection.stats();
        stats.queued_bytes += link.unsent() as u64;
        Some(stats)
    }
}

fn is_about(event: &PeerEvent, link: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            *connection == link
        }
        PeerEvent::Packet(packet) => packet.from == link,
        _ => false,
    }
}

/// A close frame holds 125 bytes, two of which are the code.
const CLOSE_REASON_BYTES_MAX: usize = 123;
