//! [`EnetConnection`]: a host and its socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;
use mp_core::{ConnectionId, Instant, Readiness};
#[cfg(feature = "dtls")]
use mp_tls::{CertificateStore, ClientTlsOptions};

#[cfg(feature = "dtls")]
use crate::dtls::{Dtls, DtlsClientOptions, DtlsError, check_mtu};
use crate::io::{DatagramSocket, UdpSocket};
use crate::limits;
use crate::options::{CreateError, checked, rng};
use crate::packet_peer::EnetPacketPeer;
use crate::proto::{
    CompressionMode, Host, HostEvent, HostSendError, HostSettings, HostStatistic, PacketFlags,
};
use crate::socket_driver::{SocketDriver, SocketStats};

/// A host and its socket (Godot: `ENetConnection`).
#[derive(Debug)]
pub struct EnetConnection<S: DatagramSocket = UdpSocket> {
    pub(crate) host: Host,
    pub(crate) driver: SocketDriver<S>,
    now: Instant,
}

impl EnetConnection<UdpSocket> {
    /// Creates a host for outgoing connections, bound to any IPv4 port.
    ///
    /// # Errors
    ///
    /// A setting is out of range, or no socket can be bound.
    pub fn create_host(settings: HostSettings) -> Result<Self, CreateError> {
        Self::create_host_bound((Ipv4Addr::UNSPECIFIED, 0).into(), settings)
    }

    /// Creates a host at `address` for incoming connections. By default it admits Godot's clients,
    /// which announce their peer id. [`Admission::Anybody`](crate::proto::Admission::Anybody)
    /// admits hosts of other programs as well.
    ///
    /// # Errors
    ///
    /// A setting is out of range, or the address cannot be bound.
    pub fn create_host_bound(
        address: SocketAddr,
        settings: HostSettings,
    ) -> Result<Self, CreateError> {
        Self::with_socket(UdpSocket::bind(address)?, settings, None)
    }
}

impl<S: DatagramSocket> EnetConnection<S> {
    /// Creates a host on a socket of any kind. `seed` seeds its random numbers; `None` takes a seed
    /// from the operating system.
    ///
    /// # Errors
    ///
    /// A setting is out of range, or the operating system returns no seed.
    pub fn with_socket(
        socket: S,
        settings: HostSettings,
        seed: Option<[u8; 32]>,
    ) -> Result<Self, CreateError> {
        let host = Host::new(checked(settings)?, rng(seed)?);
        let driver = SocketDriver::new(socket, limits::DATAGRAMS_PER_POLL, limits::FLUSH_INTERVAL);
        Ok(Self::new(host, driver))
    }

    /// Starts a connection. `data` is for the remote application. An event reports the outcome.
    /// `None` if the host has no free slot.
    pub fn connect_to_host(
        &mut self,
        address: SocketAddr,
        channels: u8,
        data: u32,
    ) -> Option<ConnectionId> {
        self.host.connect(address, channels, data)
    }

    /// Runs a turn: receives, sends what is due, and returns one event. Call it until it returns
    /// `None`.
    pub fn service(&mut self, now: Instant) -> Option<HostEvent> {
        if let Some(event) = self.host.poll_event() {
            return Some(event);
        }
        self.poll(now);
        self.flush(now);
        self.host.poll_event()
    }

    /// Sets the compression mode. The remote peer must use the same. Must be called before the
    /// first turn.
    pub fn compress(&mut self, mode: CompressionMode) {
        self.host.compress(mode);
    }

    /// Enables encryption as a server with this certificate (or [`Identity`](mp_tls::Identity)),
    /// which must be a single certificate with an ECDSA key. Must be called before the first turn.
    ///
    /// # Errors
    ///
    /// The certificate or its key cannot be used, or the MTU is too large for the overhead of DTLS.
    #[cfg(feature = "dtls")]
    pub fn dtls_server_setup(
        &mut self,
        certificate: impl Into<CertificateStore>,
    ) -> Result<(), DtlsError> {
        check_mtu(self.host.settings().mtu)?;
        self.driver.socket.server_setup(certificate.into(), self.host.settings().max_peers)
    }

    /// Enables encryption as a client of a server with a certificate for `hostname`. Must be called
    /// before the first turn.
    ///
    /// # Errors
    ///
    /// The name is invalid, no certificate is trusted, or the MTU is too large for the overhead of
    /// DTLS.
    #[cfg(feature = "dtls")]
    pub fn dtls_client_setup(
        &mut self,
        hostname: impl Into<String>,
        tls: ClientTlsOptions,
    ) -> Result<(), DtlsError> {
        check_mtu(self.host.settings().mtu)?;
        let options = DtlsClientOptions { hostname: hostname.into(), tls };
        self.driver.socket.client_setup(options, self.host.settings().max_peers)
    }

    /// Returns the state of the encryption: statistics, and why a server is not trusted. `None`
    /// without encryption.
    #[cfg(feature = "dtls")]
    pub fn dtls(&self) -> Option<&Dtls> {
        self.driver.socket.dtls()
    }

    /// Sets the bandwidth limits in bytes per second; 0 is unlimited.
    pub fn bandwidth_limit(&mut self, incoming: u32, outgoing: u32) {
        self.host.bandwidth_limit(incoming, outgoing);
    }

    /// Sets the maximum number of channels for new clients; 0 means 255.
    pub const fn channel_limit(&mut self, channels: u8) {
        self.host.set_channel_limit(channels);
    }

    /// Rejects new clients if `refuse`.
    pub const fn refuse_new_connections(&mut self, refuse: bool) {
        self.host.set_refuse_new_connections(refuse);
    }

    /// Queues a packet for all peers.
    ///
    /// # Errors
    ///
    /// The packet is too large.
    pub fn broadcast(
        &mut self,
        channel: u8,
        packet: impl Into<Bytes>,
        flags: PacketFlags,
    ) -> Result<(), HostSendError> {
        self.host.broadcast(channel, flags, &packet.into().into())
    }

    /// Returns a statistic, and resets it.
    pub fn pop_statistic(&mut self, statistic: HostStatistic) -> u64 {
        self.host.pop_statistic(statistic)
    }

    /// Returns whether nothing is left to do: no peers, no events, nothing to send.
    pub(crate) fn is_finished(&self) -> bool {
        self.peers().next().is_none() && !self.host.has_events() && self.poll_timeout().is_none()
    }

    /// Returns the host.
    pub const fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// Returns all connections, including half-open ones.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.host.connections()
    }

    /// Returns a peer; `None` if the connection is unknown.
    pub fn peer(&mut self, connection: ConnectionId) -> Option<EnetPacketPeer<'_>> {
        self.host.address(connection)?;
        Some(EnetPacketPeer::new(&mut self.host, connection))
    }

    /// Returns the maximum number of channels for new clients.
    #[doc(alias = "get_max_channels")]
    pub const fn max_channels(&self) -> u8 {
        self.host.settings().channel_limit
    }

    /// Sends a datagram from the host's socket immediately and unchanged. It need not be ENet's,
    /// for example for hole punching.
    ///
    /// # Errors
    ///
    /// The error of the socket.
    pub fn socket_send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.driver.socket_mut().try_send_to(datagram, to)
    }

    /// Closes all connections immediately. The next [`flush`](Self::flush) sends one DISCONNECT to
    /// each peer. No events follow.
    pub fn close(&mut self) {
        self.stop_receiving();
        // Send what pacing has delayed, because closing drops it.
        self.flush(self.now);
        self.host.close(0);
    }

    pub(crate) fn new(host: Host, driver: SocketDriver<S>) -> Self {
        Self { host, driver, now: Instant::ZERO }
    }

    /// Receives datagrams and runs the timers that are due. Sends nothing.
    pub fn poll(&mut self, now: Instant) {
        self.now = now;
        self.driver.receive(now, &mut self.host);
        self.host.handle_timeout(now);
    }

    /// Packs and sends what is queued. Ends a turn.
    pub fn flush(&mut self, now: Instant) {
        self.driver.send(now, &mut self.host);
    }

    /// Returns the time of the last turn.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// Returns the time at which the next turn is due without input.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.driver.poll_timeout(self.now, &self.host)
    }

    /// Returns how the caller is notified of received datagrams.
    pub fn readiness(&self) -> Readiness {
        self.driver.socket.readiness()
    }

    /// Returns ready when datagrams are available, or the socket accepts the datagrams that are
    /// pending. Otherwise the task is woken then. Only for [`Readiness::Waker`].
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.driver.poll_ready(cx)
    }

    /// Returns the local address of the socket (Godot: `get_local_port`).
    ///
    /// # Errors
    ///
    /// The error of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.driver.socket.local_addr()
    }

    /// Returns the statistics of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.driver.stats()
    }

    /// Stops receiving: from now on only queued datagrams are sent.
    pub(crate) const fn stop_receiving(&mut self) {
        self.driver.stop_receiving();
    }
}
