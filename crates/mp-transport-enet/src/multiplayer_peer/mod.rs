//! [`EnetMultiplayerPeer`]: a host and its socket, with Godot's conventions.

mod create;

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};
use std::time::Duration;

use mp_core::{
    CloseMode, ConnectionConditions, ConnectionId, ConnectionOrigin, ConnectionStats,
    ConnectionStatus, DisconnectReason, ErrorChain, Instant, LinkSimulation, LinkStats,
    MultiplayerPeer, OutgoingPacket, PeerEvent, PeerId, Readiness, Rng, SendError, TransportStats,
};

use crate::connection::EnetConnection;
use crate::dialing::{ConnectError, Dialing};
use crate::io::{DatagramSocket, UdpSocket};
use crate::mapping;
use crate::packet_peer::EnetPacketPeer;
use crate::proto::{Host, HostEvent, HostStats, Payload};
use crate::shaped_connections::ShapedConnections;
use crate::socket_driver::{SocketDriver, SocketStats};

/// A server or a client (Godot: `ENetMultiplayerPeer`).
///
/// A client draws its peer id and sends it as ENet's connect data. The server reports it as
/// `claimed_id`. The server rejects ids below 2, ids in use, and clients beyond its limit or while
/// it refuses connections. If a client cannot connect, its
/// [`connection_status`](MultiplayerPeer::connection_status) changes to `Disconnected` without an
/// event.
#[derive(Debug)]
pub struct EnetMultiplayerPeer<S: DatagramSocket = UdpSocket> {
    connection: EnetConnection<S>,
    unique_id: PeerId,
    status: ConnectionStatus,
    /// A client's search for its server, until it is connected or has failed.
    dialing: Option<Dialing>,
    /// A client's connection to its server.
    server: Option<ConnectionId>,
    connect_error: Option<ConnectError>,
    /// Events that were polled while a client was connecting.
    ready: VecDeque<PeerEvent>,
    shaped: ShapedConnections,
    is_closed: bool,
}

impl<S: DatagramSocket> EnetMultiplayerPeer<S> {
    /// Returns the host and its socket (Godot: property `host`), for statistics, compression,
    /// bandwidth limits and raw datagrams.
    #[doc(alias = "get_host")]
    pub const fn host(&mut self) -> &mut EnetConnection<S> {
        &mut self.connection
    }

    /// Returns a peer, for packet flags, disconnecting, timeouts and statistics.
    #[doc(alias = "get_peer")]
    pub fn peer(&mut self, connection: ConnectionId) -> Option<EnetPacketPeer<'_>> {
        self.connection.peer(connection)
    }

    /// Returns the local address of the socket.
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.connection.local_addr()
    }

    /// Returns the reason why a client could not try to connect: its server's name could not be
    /// resolved. `None` if the server rejected the client or did not reply.
    pub const fn connect_error(&self) -> Option<&ConnectError> {
        self.connect_error.as_ref()
    }

    /// Returns the socket.
    pub const fn socket_mut(&mut self) -> &mut S {
        self.connection.driver.socket_mut()
    }

    /// Returns the statistics of the host.
    pub const fn host_stats(&self) -> HostStats {
        self.connection.host.stats()
    }

    /// Returns the statistics of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.connection.socket_stats()
    }

    fn new(
        host: Host,
        driver: SocketDriver<S>,
        unique_id: PeerId,
        status: ConnectionStatus,
    ) -> Self {
        Self {
            connection: EnetConnection::new(host, driver),
            unique_id,
            status,
            dialing: None,
            server: None,
            connect_error: None,
            ready: VecDeque::new(),
            shaped: ShapedConnections::default(),
            is_closed: false,
        }
    }

    /// Translates an event of the host to Godot's terms.
    fn translate(&mut self, event: HostEvent) -> Option<PeerEvent> {
        Some(match event {
            HostEvent::Connected { connection, address, data } => {
                let claimed_id = match self.dialing.take() {
                    Some(dialing) => {
                        dialing.finish(Some(connection), &mut self.connection.host);
                        self.server = Some(connection);
                        self.status = ConnectionStatus::Connected;
                        Some(PeerId::SERVER)
                    }
                    None => PeerId::new(data.cast_signed()),
                };
                let address = SocketAddr::new(address.ip().to_canonical(), address.port());
                PeerEvent::Connected {
                    connection,
                    claimed_id,
                    origin: ConnectionOrigin::Address(address),
                }
            }
            HostEvent::ConnectFailed { connection, .. } => {
                if let Some(dialing) = &mut self.dialing {
                    dialing.failed(connection);
                }
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

    /// Continues to connect a client to its server.
    fn continue_dialing(&mut self, now: Instant) {
        let Some(dialing) = &mut self.dialing else { return };
        let EnetConnection { host, driver, .. } = &mut self.connection;
        let from = || driver.socket.local_addr().map(|at| at.ip());
        if let Err(error) = dialing.poll_lookup(from, host) {
            tracing::warn!(error = %ErrorChain::new(&error), "ENet client cannot connect");
            self.connect_error = Some(error);
        }
        #[cfg(feature = "dtls")]
        if self.connection.dtls().is_some_and(|dtls| dtls.untrusted().is_some()) {
            // Further attempts would fail as well.
            self.stop_dialing();
            return;
        }
        // A failure to connect changes the status only, so it must be detected without a call of
        // [`next_event`](MultiplayerPeer::next_event).
        while self.dialing.is_some()
            && let Some(event) = self.connection.host.poll_event()
        {
            let event = self.translate(event);
            self.ready.extend(event);
        }
        let Some(dialing) = &mut self.dialing else { return };
        dialing.handle_timeout(now, &mut self.connection.host);
        if dialing.is_over() {
            self.stop_dialing();
        }
    }

    /// Stops a client's attempts to connect, if there are any.
    fn stop_dialing(&mut self) {
        if let Some(dialing) = self.dialing.take() {
            dialing.finish(None, &mut self.connection.host);
            self.status = ConnectionStatus::Disconnected;
        }
    }
}

impl<S: DatagramSocket> MultiplayerPeer for EnetMultiplayerPeer<S> {
    fn poll(&mut self, now: Instant) {
        if self.is_closed {
            return;
        }
        self.shaped.remove_ended(&mut self.connection);
        self.connection.poll(now);
        self.continue_dialing(now);
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

    fn send(&mut self, outgoing: OutgoingPacket) -> Result<(), SendError> {
        if self.status != ConnectionStatus::Connected || self.is_closed {
            return Err(SendError::NotConnected);
        }
        let OutgoingPacket { to, mode, channel, prefix, payload } = outgoing;
        let payload = Payload::new(prefix, payload).shared_by(to.as_slice().len());
        mapping::check(channel, payload.len(), self.max_packet_size())?;
        let Some((&last, others)) = to.as_slice().split_last() else { return Ok(()) };
        let (host, is_only) = (&mut self.connection.host, others.is_empty());
        for &link in others {
            mapping::send(host, link, is_only, channel, mode, payload.clone())?;
        }
        // The last clone is moved, so that a payload with one recipient is not shared.
        mapping::send(host, last, is_only, channel, mode, payload)
    }

    fn flush(&mut self, now: Instant) {
        self.connection.flush(now);
    }

    fn disconnect(
        &mut self,
        connection: ConnectionId,
        reason: DisconnectReason,
        close_mode: CloseMode,
    ) {
        self.connection.host.disconnect(connection, 0, reason, close_mode);
        if let Some(dialing) = &mut self.dialing {
            dialing.failed(connection);
            if dialing.is_over() {
                self.stop_dialing();
            }
        }
        if close_mode == CloseMode::Immediate && self.server == Some(connection) {
            self.status = ConnectionStatus::Disconnected;
            self.ready.clear();
        }
    }

    fn close(&mut self) {
        self.dialing = None;
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
        let dialing = self.dialing.as_ref();
        let dialing = dialing.and_then(|dialing| dialing.poll_timeout(self.connection.now()));
        [self.connection.poll_timeout(), dialing].into_iter().flatten().min()
    }

    fn readiness(&self) -> Readiness {
        self.connection.readiness()
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.connection.poll_ready(cx)
    }

    fn max_ack_delay(&self) -> Duration {
        self.connection.driver.flush_interval()
    }

    fn pause_receiving(&mut self, connection: ConnectionId, held: bool) {
        self.connection.host.pause_receiving(connection, held);
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

    fn transport_stats(&self) -> TransportStats {
        self.connection.host.transport_stats()
    }

    fn link_simulation(&self) -> LinkSimulation {
        LinkSimulation::Datagrams
    }

    fn set_conditions(
        &mut self,
        connection: ConnectionId,
        conditions: Option<ConnectionConditions>,
        rng: &mut Rng,
    ) {
        self.shaped.set(&mut self.connection, connection, conditions, rng);
    }

    fn conditions(&self, connection: ConnectionId) -> Option<(ConnectionConditions, LinkStats)> {
        self.connection.driver.link().conditions(self.shaped.address(connection)?)
    }
}
