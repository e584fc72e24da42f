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
use crate::port::{Port, SocketStats};
use crate::proto::{
    CompressionMode, Host, HostEvent, HostSendError, HostSettings, HostStatistic, PacketFlags,
};

/// A host and its socket (Godot: `ENetConnection`).
#[derive(Debug)]
pub struct EnetConnection<S: DatagramSocket = UdpSocket> {
    pub(crate) host: Host,
    pub(crate) port: Port<S>,
    now: Instant,
}

impl EnetConnection<UdpSocket> {
    /// A host for connecting to others, at any port of IPv4.
    ///
    /// # Errors
    ///
    /// When a setting is out of range or no socket can be had.
    pub fn create_host(settings: HostSettings) -> Result<Self, CreateError> {
        Self::create_host_bound((Ipv4Addr::UNSPECIFIED, 0).into(), settings)
    }

    /// A host at `address`, for being connected to. Whom it admits is a setting: by default only Godot's clients, who say
    /// their peer id; [`Admission::Anybody`](crate::proto::Admission::Anybody) admits the hosts of other programs.
    ///
    /// # Errors
    ///
    /// When a setting is out of range or the address cannot be bound.
    pub fn create_host_bound(
        address: SocketAddr,
        settings: HostSettings,
    ) -> Result<Self, CreateError> {
        Self::with_socket(UdpSocket::bind(address)?, settings, None)
    }
}

impl<S: DatagramSocket> EnetConnection<S> {
    /// A host on a socket of any kind; `seed` is what randomness comes from, `None` asks the operating system.
    ///
    /// # Errors
    ///
    /// When a setting is out of range.
    pub fn with_socket(
        socket: S,
        settings: HostSettings,
        seed: Option<[u8; 32]>,
    ) -> Result<Self, CreateError> {
        let host = Host::new(checked(settings)?, rng(seed)?);
        let port = Port::new(socket, limits::DATAGRAMS_PER_POLL, limits::FLUSH_INTERVAL);
        Ok(Self::new(host, port))
    }

    /// Begins a connection; `data` is for the other side's program. The outcome is an event, and `None` means that the
    /// host has no slot left.
    pub fn connect_to_host(
        &mut self,
        address: SocketAddr,
        channels: u8,
        data: u32,
    ) -> Option<ConnectionId> {
        self.host.connect(address, channels, data)
    }

    /// A whole turn: takes in, sends what is due, and returns one event. Call it until it returns `None`.
    pub fn service(&mut self, now: Instant) -> Option<HostEvent> {
        if let Some(event) = self.host.poll_event() {
            return Some(event);
        }
        self.poll(now);
        self.flush(now);
        self.host.poll_event()
    }

    /// Compresses datagrams in this mode from now on. The other side must have the same; set it before the first turn.
    pub fn compress(&mut self, mode: CompressionMode) {
        self.host.compress(mode);
    }

    /// Encrypts everything from now on, as a server with this certificate (an [`Identity`](mp_tls::Identity) will do): one
    /// certificate, with an ECDSA key. Set it before the first turn.
    ///
    /// # Errors
    ///
    /// When the certificate or its key cannot be used, or the mtu leaves no room for what encryption adds.
    #[cfg(feature = "dtls")]
    pub fn dtls_server_setup(
        &mut self,
        certificate: impl Into<CertificateStore>,
    ) -> Result<(), DtlsError> {
        check_mtu(self.host.settings().mtu)?;
        self.port.socket.server_setup(certificate.into(), self.host.settings().max_peers)
    }

    /// Encrypts everything from now on, as a client of a server with a certificate for `hostname`. Set it before the first turn.
    ///
    /// # Errors
    ///
    /// When the name cannot be one, there is nothing to trust, or the mtu leaves no room for what encryption adds.
    #[cfg(feature = "dtls")]
    pub fn dtls_client_setup(
        &mut self,
        hostname: impl Into<String>,
        tls: ClientTlsOptions,
    ) -> Result<(), DtlsError> {
        check_mtu(self.host.settings().mtu)?;
        let options = DtlsClientOptions { hostname: hostname.into(), tls };
        self.port.socket.client_setup(options, self.host.settings().max_peers)
    }

    /// What encrypts, if something does: figures, and why a server was not trusted.
    #[cfg(feature = "dtls")]
    pub fn dtls(&self) -> Option<&Dtls> {
        self.port.socket.dtls()
    }

    /// Limits what is taken and sent from now on, in bytes per second; 0 is no limit.
    pub fn bandwidth_limit(&mut self, incoming: u32, outgoing: u32) {
        self.host.bandwidth_limit(incoming, outgoing);
    }

    /// Most channels that are granted to clients from now on; 0 means 255.
    pub const fn channel_limit(&mut self, channels: u8) {
        self.host.set_channel_limit(channels);
    }

    /// Refuses those who connect from now on, or stops refusing them.
    pub const fn refuse_new_connections(&mut self, refuse: bool) {
        self.host.set_refuse_new_connections(refuse);
    }

    /// Queues a packet for all peers.
    ///
    /// # Errors
    ///
    /// When it is too large.
    pub fn broadcast(
        &mut self,
        channel: u8,
        packet: impl Into<Bytes>,
        flags: PacketFlags,
    ) -> Result<(), HostSendError> {
        self.host.broadcast(channel, flags, &packet.into().into())
    }

    /// A figure since it was asked for the last time.
    pub fn pop_statistic(&mut self, statistic: HostStatistic) -> u64 {
        self.host.pop_statistic(statistic)
    }

    /// Whether it has nothing left to do: no peers, no events, nothing to send.
    pub(crate) fn is_finished(&self) -> bool {
        self.peers().next().is_none() && !self.host.has_events() && self.poll_timeout().is_none()
    }

    /// The host itself.
    pub const fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// All links, half-open ones included.
    #[doc(alias = "get_peers")]
    pub fn peers(&self) -> impl Iterator<Item = ConnectionId> + '_ {
        self.host.connections()
    }

    /// A peer; `None` when its link is unknown.
    pub fn peer(&mut self, connection: ConnectionId) -> Option<EnetPacketPeer<'_>> {
        self.host.address(connection)?;
        Some(EnetPacketPeer::new(&mut self.host, connection))
    }

    /// Most channels that are granted to clients.
    #[doc(alias = "get_max_channels")]
    pub const fn max_channels(&self) -> u8 {
        self.host.settings().channel_limit
    }

    /// Sends a datagram that is not ENet's from the host's socket, at once and as it is: for hole punching.
    ///
    /// # Errors
    ///
    /// When the socket does not take it.
    pub fn socket_send(&mut self, to: SocketAddr, datagram: &[u8]) -> io::Result<()> {
        self.port.socket_mut().try_send_to(datagram, to)
    }

    /// Ends all links at once: each peer is told once, by the next [`flush`](Self::flush). There are no events.
    pub fn close(&mut self) {
        self.stop_receiving();
        // What pacing still held back: closing forgets it.
        self.flush(self.now);
        self.host.close(0);
    }

    pub(crate) fn new(host: Host, port: Port<S>) -> Self {
        Self { host, port, now: Instant::ZERO }
    }

    /// Takes in what the network brought and runs the timers that are due; nothing is sent.
    pub fn poll(&mut self, now: Instant) {
        self.now = now;
        self.port.receive(now, &mut self.host);
        self.host.handle_timeout(now);
    }

    /// Packs what is queued and hands it to the network: the end of a turn.
    pub fn flush(&mut self, now: Instant) {
        self.port.send(now, &mut self.host);
    }

    /// Time of the last turn.
    pub(crate) const fn now(&self) -> Instant {
        self.now
    }

    /// When the next turn is due, input or not.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.port.poll_timeout(self.now, &self.host)
    }

    /// How a host learns that there is something to take in.
    pub fn readiness(&self) -> Readiness {
        self.port.socket.readiness()
    }

    /// For [`Readiness::Wakes`]: ready when there is something to take in, or room for what was not sent.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.port.poll_ready(cx)
    }

    /// The address of its socket (Godot: `get_local_port`).
    ///
    /// # Errors
    ///
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.port.socket.local_addr()
    }

    /// Figures of the socket.
    pub const fn socket_stats(&self) -> SocketStats {
        self.port.stats()
    }

    /// From here on only what is queued is sent: nothing waits in the socket any more.
    pub(crate) const fn stop_receiving(&mut self) {
        self.port.stop_receiving();
    }
}
