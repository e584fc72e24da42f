//! [`EnetMultiplayerPeer`]: a host, its socket and Godot's way of using ENet.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{
    ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Origin, Outgoing, Packet, PeerEvent, PeerId, Readiness, SendError,
};

#[cfg(feature = "tokio")]
use crate::io::TokioUdpSocket;
use crate::io::{DatagramSocket, UdpSocket};
use crate::limits::RELIABLE_FRAGMENTS_MAX;
use crate::mapping::{LAST_CHANNEL, from_enet_channel, from_flags, to_enet_channel, to_flags};
use crate::options::{ClientOptions, CreateError, ServerOptions, rng};
use crate::proto::{Host, HostEvent, HostSendError, HostStats, MTU_MAX, Payload, Transmit};

/// Godot's `ENetMultiplayerPeer`: a server, or a client of one.
///
/// A client draws its own id and tells it in ENet's connect data; the server reports it as `claimed_id`. Ids below 2,
/// ids already connected, and clients while connections are refused or the server is full are turned away at once.
/// A client that cannot connect changes its [`connection_status`](MultiplayerPeer::connection_status) to
/// `Disconnected` without an event.
#[derive(Debug)]
pub struct EnetMultiplayerPeer<S = UdpSocket> {
    host: Host,
    socket: S,
    unique_id: PeerId,
    status: ConnectionStatus,
    /// A client's connection to its server.
    server: Option<ConnectionId>,
    /// What came out of the host while a client was connecting.
    ready: VecDeque<PeerEvent>,
    is_closed: bool,
    datagrams_per_poll: usize,
    /// Whether the last `poll` left datagrams in the socket.
    has_more: bool,
    receive_buffer: Box<[u8]>,
    send_buffer: Box<[u8]>,
    /// What of `send_buffer` the socket has not taken yet.
    unsent: Option<Unsent>,
    now: Instant,
    stats: SocketStats,
}

/// Figures of a peer's socket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SocketStats {
    /// Times the socket had no room; the datagram was sent later.
    pub send_blocked: u64,
    /// Datagrams that the socket refused; reliable data in them is sent again.
    pub send_errors: u64,
    /// Errors while receiving.
    pub receive_errors: u64,
    /// Datagrams longer than any of ENet's, ignored.
    pub oversized: u64,
}

#[derive(Clone, Copy, Debug)]
struct Unsent {
    transmit: Transmit,
    offset: usize,
}

impl EnetMultiplayerPeer<UdpSocket> {
    /// A server at `address` (`0.0.0.0:port`, or `[::]:port` for both families).
    ///
    /// # Errors
    ///
    /// When the address cannot be bound or an option is out of range.
    pub fn create_server(address: SocketAddr, options: ServerOptions) -> Result<Self, CreateError> {
        Self::server(UdpSocket::bind(address)?, options)
    }

    /// A client of the server at `address`, from a port of its own.
    ///
    /// # Errors
    ///
    /// When no socket can be bound or an option is out of range.
    pub fn create_client(address: SocketAddr, options: ClientOptions) -> Result<Self, CreateError> {
        Self::client(UdpSocket::bind_for(address, options.local_port)?, address, options)
    }
}

#[cfg(feature = "tokio")]
impl EnetMultiplayerPeer<TokioUdpSocket> {
    /// As [`create_server`](EnetMultiplayerPeer::create_server), on a socket that wakes its task. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create_async_server(
        address: SocketAddr,
        options: ServerOptions,
    ) -> Result<Self, CreateError> {
        Self::server(TokioUdpSocket::bind(address)?, options)
    }

    /// As [`create_client`](EnetMultiplayerPeer::create_client), on a socket that wakes its task. Needs a tokio runtime.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn create_async_client(
        address: SocketAddr,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        Self::client(TokioUdpSocket::bind_for(address, options.local_port)?, address, options)
    }
}

impl<S: DatagramSocket> EnetMultiplayerPeer<S> {
    /// A server on a socket of any kind.
    ///
    /// # Errors
    ///
    /// When an option is out of range.
    pub fn server(socket: S, options: ServerOptions) -> Result<Self, CreateError> {
        let (rng, datagrams_per_poll) = (rng(options.seed)?, options.datagrams_per_poll);
        let host = Host::new(options.into_settings()?, rng);
        let status = ConnectionStatus::Connected;
        Ok(Self::new(host, socket, PeerId::SERVER, status, datagrams_per_poll))
    }

    /// A client of the server at `address`, on a socket of any kind.
    ///
    /// # Errors
    ///
    /// When an option is out of range.
    pub fn client(
        socket: S,
        address: SocketAddr,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        let mut rng = rng(options.seed)?;
        let unique_id = PeerId::generate(&mut rng);
        let (channels, datagrams_per_poll) = (options.channels, options.datagrams_per_poll);
        let mut host = Host::new(options.into_settings()?, rng);
        let channels = channels.min(LAST_CHANNEL.0) + 2;
        let server = host.connect(address, channels, unique_id.get().cast_unsigned());
        let status = ConnectionStatus::Connecting;
        let mut peer = Self::new(host, socket, unique_id, status, datagrams_per_poll);
        peer.server = server;
        Ok(peer)
    }

    /// The address of its socket.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Its socket.
    pub const fn socket_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Figures of the host.
    pub const fn host_stats(&self) -> HostStats {
        self.host.stats()
    }

    /// Figures of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.stats
    }

    fn new(
        host: Host,
        socket: S,
        unique_id: PeerId,
        status: ConnectionStatus,
        datagrams_per_poll: usize,
    ) -> Self {
        let mtu = usize::from(host.settings().mtu);
        Self {
            host,
            socket,
            unique_id,
            status,
            server: None,
            ready: VecDeque::new(),
            is_closed: false,
            datagrams_per_poll: datagrams_per_poll.max(1),
            has_more: false,
            // One more byte than any datagram has, to recognise longer ones.
            receive_buffer: vec![0; usize::from(MTU_MAX) + 1].into(),
            send_buffer: vec![0; mtu].into(),
            unsent: None,
            now: Instant::ZERO,
            stats: SocketStats::default(),
        }
    }

    fn receive(&mut self, now: Instant) {
        self.has_more = true;
        for _ in 0..self.datagrams_per_poll {
            match self.socket.try_recv_from(&mut self.receive_buffer) {
                Ok((len, _)) if len > usize::from(MTU_MAX) => self.stats.oversized += 1,
                Ok((len, from)) => {
                    self.host.handle_datagram(now, from, &self.receive_buffer[..len]);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.has_more = false;
                    return;
                }
                // Some systems report here that an earlier datagram did not arrive.
                Err(_) => self.stats.receive_errors += 1,
            }
        }
    }

    /// Sends what is left of the last transmit. Whether all of it went.
    fn send_unsent(&mut self) -> bool {
        while let Some(Unsent { transmit, offset }) = &mut self.unsent {
            let left = transmit.len - *offset;
            let len = transmit.segment_size.unwrap_or(left).min(left);
            let datagram = &self.send_buffer[*offset..*offset + len];
            match self.socket.try_send_to(datagram, transmit.to) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.stats.send_blocked += 1;
                    return false;
                }
                Err(_) => self.stats.send_errors += 1,
            }
            *offset += len;
            if *offset == transmit.len {
                self.unsent = None;
            }
        }
        true
    }

    /// What an event of the host is to Godot's peer.
    fn translate(&mut self, event: HostEvent) -> Option<PeerEvent> {
        Some(match event {
            HostEvent::Connected { connection, address, data } => {
                self.status = ConnectionStatus::Connected;
                let claimed_id = match self.server {
                    Some(_) => Some(PeerId::SERVER),
                    None => PeerId::new(data.cast_signed()),
                };
                let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                PeerEvent::Connected { connection, claimed_id, origin: Origin::Address(address) }
            }
            HostEvent::ConnectFailed { .. } => {
                self.status = ConnectionStatus::Disconnected;
                return None;
            }
            HostEvent::Packet { connection, channel, flags, payload } => {
                PeerEvent::Packet(Packet {
                    from: connection,
                    mode: from_flags(flags),
                    channel: from_enet_channel(channel),
                    payload,
                })
            }
            HostEvent::Disconnected { connection, reason } => {
                if self.server.is_some() {
                    self.status = ConnectionStatus::Disconnected;
                }
                PeerEvent::Disconnected { connection, reason }
            }
        })
    }
}

impl<S: DatagramSocket> MultiplayerPeer for EnetMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        self.now = now;
        if self.is_closed {
            return;
        }
        self.receive(now);
        self.host.handle_timeout(now);
        // A failure to connect shows in the status alone, so it must not wait for somebody to ask for events.
        while self.status == ConnectionStatus::Connecting
            && let Some(event) = self.host.poll_event()
        {
            let event = self.translate(event);
            self.ready.extend(event);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        while let Some(event) = self.host.poll_event() {
            let event = self.translate(event);
            if event.is_some() {
                return event;
            }
        }
        None
    }

    fn send(&mut self, outgoing: Outgoing) -> Result<(), SendError> {
        if self.status != ConnectionStatus::Connected || self.is_closed {
            return Err(SendError::NotConnected);
        }
        let Outgoing { to, mode, channel, prefix, payload } = outgoing;
        if channel > LAST_CHANNEL {
            return Err(SendError::Channel { channel: channel.0, last: LAST_CHANNEL.0 });
        }
        let payload = Payload::new(prefix, payload);
        let (len, max) = (payload.len(), self.max_packet_size());
        if len > max {
            return Err(SendError::TooLarge { len, max });
        }
        let (enet_channel, flags) = (to_enet_channel(channel, mode), to_flags(mode));
        let links = to.as_slice();
        for &link in links {
            let Err(error) = self.host.send(link, enet_channel, flags, payload.clone()) else {
                continue;
            };
            match (error, links.len()) {
                (HostSendError::NoChannel { count, .. }, 1) => {
                    let last = count.saturating_sub(2);
                    return Err(SendError::Channel { channel: channel.0, last });
                }
                (HostSendError::TooLarge { len, max }, 1) => {
                    return Err(SendError::TooLarge { len, max });
                }
                // One link among many that agreed on less than the others must not keep a packet from them; it cannot
                // have what it is owed, so it ends.
                _ if mode.is_reliable() => self.host.fail(link, DisconnectReason::Misbehaved),
                _ => self.host.count_send_drop(link),
            }
        }
        Ok(())
    }

    fn flush(&mut self, now: Instant) {
        self.host.end_turn(now);
        while self.send_unsent() {
            let Some(transmit) = self.host.poll_transmit(now, &mut self.send_buffer) else {
                return;
            };
            self.unsent = Some(Unsent { transmit, offset: 0 });
        }
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        self.host.disconnect(connection, 0, reason, farewell);
        if farewell == Farewell::Abrupt && self.server == Some(connection) {
            self.status = ConnectionStatus::Disconnected;
            self.ready.clear();
        }
    }

    fn close(&mut self) {
        self.host.close(0);
        self.ready.clear();
        self.status = ConnectionStatus::Disconnected;
        self.is_closed = true;
    }

    fn unique_id(&self) -> PeerId {
        self.unique_id
    }

    fn connection_status(&self) -> ConnectionStatus {
        self.status
    }

    fn poll_timeout(&self) -> Option<Instant> {
        if self.has_more && !self.is_closed {
            return Some(self.now);
        }
        if self.unsent.is_some() {
            return Some(self.now + BLOCKED_RETRY);
        }
        self.host.poll_timeout()
    }

    fn readiness(&self) -> Readiness {
        self.socket.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_ready(cx, self.unsent.is_some())
    }

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        self.host.hold(connection, held);
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.host.is_refusing_new_connections()
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.host.set_refuse_new_connections(refuse);
    }

    fn max_packet_size(&self) -> usize {
        let settings = self.host.settings();
        let reliable = RELIABLE_FRAGMENTS_MAX * (usize::from(settings.mtu) - FRAGMENT_OVERHEAD);
        settings.max_packet_size.min(reliable)
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.host.connection_stats(connection)
    }
}

/// When a socket that had no room is tried again.
const BLOCKED_RETRY: Duration = Duration::from_millis(1);
/// Bytes of a datagram around a piece of a packet.
const FRAGMENT_OVERHEAD: usize = 28;
