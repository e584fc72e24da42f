//! A custom transport: `MultiplayerPeer` over TCP, with the standard library's sockets.
//!
//! Start with `TcpMultiplayerPeer`, which implements the contract of each method.
//! `tcp/connection.rs` is one connection: queues and timers. `tcp/frame.rs` is the encoding.
//!
//! Limit of TCP: a lost segment delays everything after it, whatever its mode and channel.
//! Unreliable packets are still dropped when a queue is full or receiving is paused.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use mp::core::{
    CloseMode, ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Instant,
    MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, SendError,
};

use self::connection::TcpConnection;
use self::frame::Awaits;

mod connection;
mod frame;

/// Largest packet in bytes, and so the most that an unauthenticated peer can make a connection
/// buffer.
pub(crate) const PACKET_BYTES_MAX: usize = 1 << 20;

/// Maximum connections of a server, including those without a hello. More are refused.
pub(crate) const CONNECTIONS_MAX: usize = 64;

/// Time limit of a client's connection attempt.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Server or client.
pub(crate) struct TcpMultiplayerPeer {
    id: PeerId,
    /// Listener of a server; `None` after closing.
    listener: Option<TcpListener>,
    /// Connection attempt of a client: std only connects blocking, so a thread does it.
    joining: Option<JoinHandle<io::Result<TcpStream>>>,
    connections: BTreeMap<ConnectionId, TcpConnection>,
    /// Number of connections so far, the generation of the next one.
    count: u32,
    events: VecDeque<PeerEvent>,
    refusing: bool,
    /// Time of the last turn, for methods without a time argument.
    now: Instant,
}

impl TcpMultiplayerPeer {
    /// Creates a server at `address`; port 0 selects a free port.
    pub(crate) fn create_server(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener: Some(listener), ..Self::new(PeerId::SERVER) })
    }

    /// Creates a client with the id `id`, which connects to `address`.
    pub(crate) fn create_client(address: SocketAddr, id: PeerId) -> io::Result<Self> {
        let connect = move || TcpStream::connect_timeout(&address, CONNECT_TIMEOUT);
        let joining = std::thread::Builder::new().name("connect".to_owned()).spawn(connect)?;
        Ok(Self { joining: Some(joining), ..Self::new(id) })
    }

    /// Returns the address of the server.
    pub(crate) fn local_addr(&self) -> Option<SocketAddr> {
        self.listener.as_ref().and_then(|listener| listener.local_addr().ok())
    }

    fn new(id: PeerId) -> Self {
        Self {
            id,
            listener: None,
            joining: None,
            connections: BTreeMap::new(),
            count: 0,
            events: VecDeque::new(),
            refusing: false,
            now: Instant::ZERO,
        }
    }

    /// Accepts pending connections.
    fn accept(&mut self) {
        // Bounded, so that connection attempts cannot prolong this turn.
        for _ in 0..CONNECTIONS_MAX {
            let Some(Ok((stream, _))) = self.listener.as_ref().map(TcpListener::accept) else {
                return;
            };
            if !self.refusing && self.connections.len() < CONNECTIONS_MAX {
                self.add(stream, Awaits::Hello);
            }
            // Dropping the socket closes the connection.
        }
    }

    /// Takes the connection of a client from its thread.
    fn join(&mut self) {
        if let Some(joining) = self.joining.take_if(|joining| joining.is_finished())
            && let Ok(Ok(stream)) = joining.join()
        {
            self.add(stream, Awaits::Welcome);
        }
    }

    fn add(&mut self, stream: TcpStream, awaits: Awaits) {
        // Fails if the socket has already been closed.
        let Ok(tcp) = TcpConnection::new(stream, awaits, self.id, self.now) else { return };
        let taken = |slot: u32| self.connections.keys().any(|connection| connection.slot == slot);
        let slot = (0..).find(|&slot| !taken(slot)).unwrap_or(u32::MAX);
        self.connections.insert(ConnectionId { slot, generation: self.count }, tcp);
        self.count = self.count.wrapping_add(1);
    }
}

impl MultiplayerPeer for TcpMultiplayerPeer {
    /// Contract: turns input and timers into events, with a bounded amount of work, in order per
    /// connection. No other method does.
    fn poll(&mut self, now: Instant) {
        self.now = now;
        if !self.events.is_empty() {
            // Events are still queued: leave input in the socket, which is back-pressure.
            return;
        }
        self.accept();
        self.join();
        let mut over = Vec::new();
        for (&connection, tcp) in &mut self.connections {
            let end = tcp.receive(connection, now, self.refusing, &mut self.events);
            // Input has just been read, so that a host that slept too long does not time out its
            // peers.
            if let Some(reason) = end.or_else(|| tcp.overdue(now)) {
                over.push((connection, reason));
            }
        }
        for (connection, reason) in over {
            // Report `Disconnected` only after `Connected`.
            if let Some(tcp) = self.connections.remove(&connection)
                && tcp.is_connected()
            {
                self.events.push_back(PeerEvent::Disconnected { connection, reason });
            }
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.pop_front()
    }

    /// Contract: sends to all targets or, with an error, to none; ignores connections that are
    /// closed.
    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.connection_status() != ConnectionStatus::Connected {
            return Err(SendError::NotConnected);
        }
        let (len, max) = (outgoing.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        for connection in outgoing.to.as_slice() {
            if let Some(tcp) = self.connections.get_mut(connection) {
                // Clones share the bytes.
                tcp.send(outgoing.clone());
            }
        }
        Ok(())
    }

    /// Contract: writes queued packets to the network, and keeps the rest for the next flush.
    fn flush(&mut self, now: Instant) {
        self.now = now;
        self.connections.values_mut().for_each(|tcp| tcp.flush(now));
    }

    /// Contract: reports `reason` later, or no event after an abrupt end.
    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        let Some(tcp) = self.connections.get_mut(&connection) else { return };
        match close_mode {
            CloseMode::Drain => tcp.close(reason, true),
            CloseMode::Graceful => tcp.close(reason, false),
            CloseMode::Immediate => {
                // Closing the socket notifies the remote peer.
                self.connections.remove(&connection);
                self.events.retain(|event| !is_about(event, connection));
            }
        }
    }

    /// Contract: closes everything without events.
    fn close(&mut self) {
        self.listener = None;
        self.joining = None;
        self.connections.clear();
        self.events.clear();
    }

    fn unique_id(&self) -> PeerId {
        self.id
    }

    /// Contract: a client is `Connecting` until it reports `Connected`, and `Disconnected` after
    /// its connection has closed.
    fn connection_status(&self) -> ConnectionStatus {
        if self.listener.is_some() {
            return ConnectionStatus::Connected;
        }
        match self.connections.values().next() {
            Some(tcp) if tcp.is_connected() => ConnectionStatus::Connected,
            None if self.joining.is_none() => ConnectionStatus::Disconnected,
            _ => ConnectionStatus::Connecting,
        }
    }

    /// Contract: returns the time of the next timer. Input is not a timer: the default `readiness`
    /// requests a turn every 5 ms, because std cannot wait for many sockets.
    fn poll_timeout(&self) -> Option<Instant> {
        self.connections.values().map(TcpConnection::next_timer).min()
    }

    /// Contract: reports no packets of a paused connection. Unread TCP data stays with its sender.
    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        if let Some(tcp) = self.connections.get_mut(&connection) {
            tcp.pause_receiving(held, self.now);
        }
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.refusing
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.refusing = refuse;
    }

    fn max_packet_size(&self) -> usize {
        PACKET_BYTES_MAX
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.connections.get(&connection).map(TcpConnection::stats)
    }
}

fn is_about(event: &PeerEvent, tcp: ConnectionId) -> bool {
    match event {
        PeerEvent::Connected { connection, .. } | PeerEvent::Disconnected { connection, .. } => {
            *connection == tcp
        }
        PeerEvent::Packet(packet) => packet.from == tcp,
        _ => false,
    }
}
