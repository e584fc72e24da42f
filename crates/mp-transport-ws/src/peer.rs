//! [`WebSocketMultiplayerPeer`]: the connections of a server or client, and Godot's rules for their
//! use. `create` makes peers, `establish` accepts and establishes connections, `turn` runs them.

mod create;
mod establish;
mod multiplayer_peer;
mod stats;
mod text;
mod turn;

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::Waker;
use std::time::Duration;

use mp_core::{CloseMode, ConnectionId, ConnectionStats, DisconnectReason, Instant, Readiness};

use self::establish::{Acceptor, ConnectAttempt};
pub use self::stats::ServerStats;
use crate::connection_io::ConnectionIo;
use crate::connection_table::ConnectionTable;
use crate::info::WebSocketPeerInfo;
use crate::io::{ReadyList, StreamSource, Tcp};
use crate::proto::session::{LastClose, Session};
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

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
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
    /// [`disconnect`](mp_core::MultiplayerPeer::disconnect) with [`CloseMode::Graceful`], which
    /// sends code 1000.
    pub fn close_peer(&mut self, connection: ConnectionId, code: u16, reason: &str) {
        let now = self.now;
        let Some(entry) = self.connections.get_mut(connection) else { return };
        let (why, close_mode) = (DisconnectReason::Kicked, CloseMode::Graceful);
        entry.connection.close_with(now, why, close_mode, code, reason);
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
}
