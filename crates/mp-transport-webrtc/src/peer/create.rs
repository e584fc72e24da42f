//! Creation of servers, clients and members of a mesh.

use std::net::SocketAddr;
use std::sync::Arc;

use mp_core::{ConnectionStatus, Instant, PeerId, RunningClock};
use mp_udp::host_addresses;

use super::{Mode, WebRtcMultiplayerPeer, WebRtcPeerStats};
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::connection::PeerOutput;
use crate::connections::Connections;
#[cfg(feature = "tokio")]
use crate::io::TokioUdpSocket;
use crate::io::{DatagramSocket, SocketDriver, UdpSocket};
use crate::limits::LOCAL_CANDIDATES_MAX;
use crate::options::{CreateError, WebRtcOptions};
use crate::routes::Routes;
use crate::shaped_connections::ShapedConnections;
use crate::stream_limit::limited;

impl WebRtcMultiplayerPeer<UdpSocket> {
    /// Creates a server on a UDP socket bound to `address` (Godot: `create_server`).
    ///
    /// # Errors
    ///
    /// The socket cannot be bound, or an option is invalid.
    pub fn create_server(address: SocketAddr, options: WebRtcOptions) -> Result<Self, CreateError> {
        Self::server(UdpSocket::bind(address)?, options)
    }

    /// Creates a client with the id that it got from signaling (Godot: `create_client`).
    ///
    /// # Errors
    ///
    /// The socket cannot be bound, an option is invalid, or `id` is 1.
    pub fn create_client(
        address: SocketAddr,
        id: PeerId,
        options: WebRtcOptions,
    ) -> Result<Self, CreateError> {
        Self::client(UdpSocket::bind(address)?, id, options)
    }

    /// Creates a member of a mesh (Godot: `create_mesh`).
    ///
    /// # Errors
    ///
    /// The socket cannot be bound, or an option is invalid.
    pub fn create_mesh(
        address: SocketAddr,
        id: PeerId,
        options: WebRtcOptions,
    ) -> Result<Self, CreateError> {
        Self::mesh(UdpSocket::bind(address)?, id, options)
    }
}

#[cfg(feature = "tokio")]
impl WebRtcMultiplayerPeer<TokioUdpSocket> {
    /// Creates a server on a socket that wakes its task. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// The socket cannot be bound, or an option is invalid.
    pub fn create_async_server(
        address: SocketAddr,
        options: WebRtcOptions,
    ) -> Result<Self, CreateError> {
        Self::server(TokioUdpSocket::bind(address)?, options)
    }
}

impl<S: DatagramSocket> WebRtcMultiplayerPeer<S> {
    /// Creates a server on a socket of any kind.
    ///
    /// # Errors
    ///
    /// An option is invalid.
    pub fn server(socket: S, options: WebRtcOptions) -> Result<Self, CreateError> {
        Self::new(socket, Mode::Server, PeerId::SERVER, options)
    }

    /// Creates a client on a socket of any kind.
    ///
    /// # Errors
    ///
    /// An option is invalid, or `id` is 1.
    pub fn client(socket: S, id: PeerId, options: WebRtcOptions) -> Result<Self, CreateError> {
        if id.is_server() {
            return Err(CreateError::InvalidId);
        }
        Self::new(socket, Mode::Client, id, options)
    }

    /// Creates a member of a mesh on a socket of any kind.
    ///
    /// # Errors
    ///
    /// An option is invalid.
    pub fn mesh(socket: S, id: PeerId, options: WebRtcOptions) -> Result<Self, CreateError> {
        Self::new(socket, Mode::Mesh, id, options)
    }

    fn new(
        socket: S,
        mode: Mode,
        unique_id: PeerId,
        options: WebRtcOptions,
    ) -> Result<Self, CreateError> {
        options.check()?;
        let socket = SocketDriver::new(socket);
        let address = socket.local_addr().map_err(CreateError::LocalAddress)?;
        let local_candidates = local_candidates(address, &options)?;
        let crypto = Arc::new(limited(str0m::crypto::from_feature_flags()));
        let certificate =
            crypto.dtls_provider.generate_certificate().ok_or(CreateError::Certificate)?;
        let status = match mode {
            Mode::Client => ConnectionStatus::Connecting,
            Mode::Server | Mode::Mesh => ConnectionStatus::Connected,
        };
        Ok(Self {
            mode,
            unique_id,
            status,
            table: ChannelTable::new(&options.channels_config),
            options,
            socket,
            local_candidates,
            crypto,
            certificate,
            clock: Clock::new(),
            running: RunningClock::default(),
            now: Instant::ZERO,
            connections: Connections::default(),
            routes: Routes::default(),
            output: PeerOutput::default(),
            is_refusing: false,
            is_closed: false,
            signaling: None,
            shaped: ShapedConnections::default(),
            stats: WebRtcPeerStats::default(),
        })
    }
}

/// Returns the addresses to announce for a socket bound to `address`.
fn local_candidates(
    address: SocketAddr,
    options: &WebRtcOptions,
) -> Result<Vec<SocketAddr>, CreateError> {
    if !options.advertised.is_empty() {
        return Ok(options.advertised.clone());
    }
    if !address.ip().is_unspecified() {
        return Ok(vec![address]);
    }
    let addresses = host_addresses().map_err(|_| CreateError::NoCandidate(address))?;
    let reachable = addresses.into_iter().filter(|ip| ip.is_ipv4() || address.is_ipv6());
    let candidates = reachable.map(|ip| SocketAddr::new(ip, address.port()));
    let candidates: Vec<_> = candidates.take(LOCAL_CANDIDATES_MAX).collect();
    if candidates.is_empty() { Err(CreateError::NoCandidate(address)) } else { Ok(candidates) }
}
