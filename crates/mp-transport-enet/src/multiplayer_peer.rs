//! [`EnetMultiplayerPeer`]: a host, its socket and Godot's way of using ENet.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{
    ConnectionId, ConnectionStats, ConnectionStatus, DisconnectReason, Farewell, Instant,
    MultiplayerPeer, Origin, Outgoing, PeerEvent, PeerId, Readiness, SendError,
};

use crate::connection::EnetConnection;
#[cfg(feature = "tokio")]
use crate::io::TokioUdpSocket;
use crate::io::{DatagramSocket, UdpSocket};
use crate::limits::FLUSH_INTERVAL;
use crate::mapping::{self, LAST_CHANNEL};
use crate::mesh::EnetMesh;
use crate::options::{ClientOptions, CreateError, ServerOptions, rng};
use crate::packet_peer::EnetPacketPeer;
use crate::port::{Port, SocketStats};
use crate::proto::{Host, HostEvent, HostStats, Payload};

/// Godot's `ENetMultiplayerPeer`: a server, or a client of one.
///
/// A client draws its own id and tells it in ENet's connect data; the server reports it as `claimed_id`. Ids below 2,
/// ids already connected, and clients while connections are refused or the server is full are turned away at once.
/// A client that cannot connect changes its [`connection_status`](MultiplayerPeer::connection_status) to
/// `Disconnected` without an event.
#[derive(Debug)]
pub struct EnetMultiplayerPeer<S: DatagramSocket = UdpSocket> {
    connection: EnetConnection<S>,
    unique_id: PeerId,
    status: ConnectionStatus,
    /// A client's connection to its server.
    server: Option<ConnectionId>,
    /// What came out of the host while a client was connecting.
    ready: VecDeque<PeerEvent>,
    is_closed: bool,
}

impl EnetMultiplayerPeer<UdpSocket> {
    /// A peer among equals; each other peer is added with a connection of its own.
    pub const fn create_mesh(unique_id: PeerId) -> EnetMesh {
        EnetMesh::new(unique_id)
    }

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
        let local = options.local_address(address)?;
        Self::client(UdpSocket::bind(local)?, address, options)
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
        let local = options.local_address(address)?;
        Self::client(TokioUdpSocket::bind(local)?, address, options)
    }
}

impl<S: DatagramSocket> EnetMultiplayerPeer<S> {
    /// A server on a socket of any kind.
    ///
    /// # Errors
    ///
    /// When an option is out of range.
    pub fn server(socket: S, options: ServerOptions) -> Result<Self, CreateError> {
        let rng = rng(options.seed)?;
        let port = Port::new(socket, options.datagrams_per_poll, options.flush_interval);
        #[cfg(feature = "dtls")]
        let dtls = options.dtls.clone();
        let host = Host::new(options.into_settings()?, rng);
        #[cfg_attr(not(feature = "dtls"), expect(unused_mut))]
        let mut peer = Self::new(host, port, PeerId::SERVER, ConnectionStatus::Connected);
        #[cfg(feature = "dtls")]
        if let Some(certificate) = dtls {
            peer.connection.dtls_server_setup(certificate)?;
        }
        Ok(peer)
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
        let channels = options.channels.min(LAST_CHANNEL.0) + 2;
        let port = Port::new(socket, options.datagrams_per_poll, FLUSH_INTERVAL);
        #[cfg(feature = "dtls")]
        let dtls = options.dtls.clone();
        let mut host = Host::new(options.into_settings()?, rng);
        let server = host.connect(address, channels, unique_id.get().cast_unsigned());
        let mut peer = Self::new(host, port, unique_id, ConnectionStatus::Connecting);
        peer.server = server;
        #[cfg(feature = "dtls")]
        if let Some(options) = dtls {
            peer.connection.dtls_client_setup(options.hostname, options.tls)?;
        }
        Ok(peer)
    }

    /// Its host and socket (Godot: the property `host`): statistics, compression, bandwidth, a raw datagram.
    #[doc(alias = "get_host")]
    pub const fn host(&mut self) -> &mut EnetConnection<S> {
        &mut self.connection
    }

    /// A peer, for raw flags, every kind of goodbye, patience and figures.
    #[doc(alias = "get_peer")]
    pub fn peer(&mut self, connection: ConnectionId) -> Option<EnetPacketPeer<'_>> {
        self.connection.peer(connection)
    }

    /// The address of its socket.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.connection.local_addr()
    }

    /// Its socket.
    pub const fn socket_mut(&mut self) -> &mut S {
        self.connection.port.socket_mut()
    }

    /// Figures of the host.
    pub const fn host_stats(&self) -> HostStats {
        self.connection.host.stats()
    }

    /// Figures of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.connection.socket_stats()
    }

    fn new(host: Host, port: Port<S>, unique_id: PeerId, status: ConnectionStatus) -> Self {
        Self {
            connection: EnetConnection::new(host, port),
            unique_id,
            status,
            server: None,
            ready: VecDeque::new(),
            is_closed: false,
        }
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
                PeerEvent::Packet(mapping::packet(connection, channel, flags, payload))
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
        if self.is_closed {
            return;
        }
        self.connection.poll(now);
        #[cfg(feature = "dtls")]
        if self.status == ConnectionStatus::Connecting
            && let Some(server) = self.server
            && self.connection.dtls().is_some_and(|dtls| dtls.untrusted().is_some())
        {
            // It would only be asked again.
            self.disconnect(server, DisconnectReason::Refused, Farewell::Abrupt);
        }
        // A failure to connect shows in the status alone, so it must not wait for somebody to ask for events.
        while self.status == ConnectionStatus::Connecting
            && let Some(event) = self.connection.host.poll_event()
        {
            let event = self.translate(event);
            self.ready.extend(event);
        }
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        if let Some(event) = self.ready.pop_front() {
            return Some(event);
        }
        while let Some(event) = self.connection.host.poll_event() {
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
        let payload = Payload::new(prefix, payload).shared_by(to.as_slice().len());
        mapping::check(channel, payload.len(), self.max_packet_size())?;
        let Some((&last, others)) = to.as_slice().split_last() else { return Ok(()) };
        let (host, is_only) = (&mut self.connection.host, others.is_empty());
        for &link in others {
            mapping::send(host, link, is_only, channel, mode, payload.clone())?;
        }
        // Bytes that nobody else holds cost nothing to share.
        mapping::send(host, last, is_only, channel, mode, payload)
    }

    fn flush(&mut self, now: Instant) {
        self.connection.flush(now);
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        farewell: Farewell,
    ) {
        self.connection.host.disconnect(connection, 0, reason, farewell);
        if farewell == Farewell::Abrupt && self.server == Some(connection) {
            self.status = ConnectionStatus::Disconnected;
            self.ready.clear();
        }
    }

    fn close(&mut self) {
        self.connection.close();
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
        self.connection.poll_timeout()
    }

    fn readiness(&self) -> Readiness {
        self.connection.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_ready(cx)
    }

    fn answer_wait(&self) -> Duration {
        self.connection.port.flush_interval()
    }

    fn hold(&mut self, connection: ConnectionId, held: bool) {
        self.connection.host.hold(connection, held);
    }

    fn is_server_relay_supported(&self) -> bool {
        true
    }

    fn is_refusing_new_connections(&self) -> bool {
        self.connection.host.is_refusing_new_connections()
    }

    fn set_refuse_new_connections(&mut self, refuse: bool) {
        self.connection.host.set_refuse_new_connections(refuse);
    }

    fn max_packet_size(&self) -> usize {
        self.connection.host.max_packet_size()
    }

    fn connection_stats(&self, connection: ConnectionId) -> Option<ConnectionStats> {
        self.connection.host.connection_stats(connection)
    }
}
