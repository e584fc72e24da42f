//! Constructors of servers and clients.

use std::net::{IpAddr, SocketAddr};

use mp_core::{ConnectionStatus, PeerId};

use super::EnetMultiplayerPeer;
use crate::dialing::{Dialing, reachable};
#[cfg(feature = "tokio")]
use crate::io::TokioUdpSocket;
use crate::io::{DatagramSocket, Lookup, UdpSocket};
use crate::limits::FLUSH_INTERVAL;
use crate::mesh::EnetMesh;
use crate::options::{ClientOptions, CreateError, ServerOptions, bind_any, rng};
use crate::proto::{Attempts, Host};
use crate::socket_driver::SocketDriver;

impl EnetMultiplayerPeer<UdpSocket> {
    /// Returns a peer of a mesh. The program adds a connection for each other peer.
    pub const fn create_mesh(unique_id: PeerId) -> EnetMesh {
        EnetMesh::new(unique_id)
    }

    /// Creates a server at `address` (`0.0.0.0:port`, or `[::]:port` for both families).
    ///
    /// # Errors
    ///
    /// The address cannot be bound, or an option is out of range.
    pub fn create_server(address: SocketAddr, options: ServerOptions) -> Result<Self, CreateError> {
        Self::server(UdpSocket::bind(address)?, options)
    }

    /// Creates a server at `port` of all addresses of this machine, with the default options.
    ///
    /// # Errors
    ///
    /// The port cannot be bound, or `max_clients` is not 1 to 4,095.
    pub fn create_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(bind_any(port, UdpSocket::bind)?, options)
    }

    /// Creates a client of the server at `address`.
    ///
    /// # Errors
    ///
    /// No socket can be bound, or an option is out of range.
    pub fn create_client(address: SocketAddr, options: ClientOptions) -> Result<Self, CreateError> {
        let local = options.local_address(address)?;
        Self::client(UdpSocket::bind(local)?, address, options)
    }

    /// Creates a client of the server with the name or IP address `host`. Returns immediately: a
    /// thread resolves the name while the client is `Connecting`.
    ///
    /// A name may have several addresses. They are tried one after the other, IPv6 and IPv4 in
    /// turn, up to [`ADDRESSES_MAX`](crate::limits::ADDRESSES_MAX). The next attempt starts when
    /// one fails, or has no reply for
    /// [`CONNECT_ATTEMPT_DELAY`](crate::limits::CONNECT_ATTEMPT_DELAY). The first connection that
    /// is established is used. Servers that reply later are sent a DISCONNECT. If the name cannot
    /// be resolved, [`connect_error`](Self::connect_error) returns the reason.
    ///
    /// With DTLS a connection requires a complete handshake. If one server is not trusted, all
    /// attempts end. Associations with other addresses end after 60 s without a datagram.
    ///
    /// # Errors
    ///
    /// No socket can be bound, no thread can be started, or an option is out of range.
    pub fn create_client_by_name(
        host: &str,
        port: u16,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        let socket = options.bind_for_name(host, port, UdpSocket::bind)?;
        Self::client_by_name(socket, host, port, options)
    }
}

#[cfg(feature = "tokio")]
impl EnetMultiplayerPeer<TokioUdpSocket> {
    /// As [`create_server`](EnetMultiplayerPeer::create_server), with a socket that wakes its task.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`create_server`](EnetMultiplayerPeer::create_server).
    pub fn create_async_server(
        address: SocketAddr,
        options: ServerOptions,
    ) -> Result<Self, CreateError> {
        Self::server(TokioUdpSocket::bind(address)?, options)
    }

    /// As [`create_server_on`](EnetMultiplayerPeer::create_server_on), with a socket that wakes its
    /// task. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`create_server_on`](EnetMultiplayerPeer::create_server_on).
    pub fn create_async_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(bind_any(port, TokioUdpSocket::bind)?, options)
    }

    /// As [`create_client`](EnetMultiplayerPeer::create_client), with a socket that wakes its task.
    /// Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`create_client`](EnetMultiplayerPeer::create_client).
    pub fn create_async_client(
        address: SocketAddr,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        let local = options.local_address(address)?;
        Self::client(TokioUdpSocket::bind(local)?, address, options)
    }

    /// As [`create_client_by_name`](EnetMultiplayerPeer::create_client_by_name), with a socket that
    /// wakes its task. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// As [`create_client_by_name`](EnetMultiplayerPeer::create_client_by_name).
    pub fn create_async_client_by_name(
        host: &str,
        port: u16,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        let socket = options.bind_for_name(host, port, TokioUdpSocket::bind)?;
        Self::client_by_name(socket, host, port, options)
    }
}

impl<S: DatagramSocket> EnetMultiplayerPeer<S> {
    /// Creates a server on a socket of any kind.
    ///
    /// # Errors
    ///
    /// An option is out of range.
    pub fn server(socket: S, options: ServerOptions) -> Result<Self, CreateError> {
        let rng = rng(options.seed)?;
        let driver = SocketDriver::new(socket, options.datagrams_per_poll, options.flush_interval);
        let host = Host::new(options.checked_settings()?, rng);
        #[cfg_attr(not(feature = "dtls"), expect(unused_mut))]
        let mut peer = Self::new(host, driver, PeerId::SERVER, ConnectionStatus::Connected);
        #[cfg(feature = "dtls")]
        if let Some(certificate) = options.dtls {
            peer.connection.dtls_server_setup(certificate)?;
        }
        Ok(peer)
    }

    /// Creates a client of the server at `address`, on a socket of any kind.
    ///
    /// # Errors
    ///
    /// The socket cannot send to the address, or an option is out of range.
    pub fn client(
        socket: S,
        address: SocketAddr,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        Self::client_of_addresses(socket, &[address], options)
    }

    /// Creates a client of the server with `addresses`, on a socket of any kind. They are tried
    /// like those of a [name](EnetMultiplayerPeer::create_client_by_name). Addresses that the
    /// socket cannot send to are skipped.
    ///
    /// # Errors
    ///
    /// The socket cannot send to any address, or an option is out of range.
    pub fn client_of_addresses(
        socket: S,
        addresses: &[SocketAddr],
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        let reachable: Vec<_> = match socket.local_addr() {
            Ok(from) => addresses.iter().filter_map(|&to| reachable(from.ip(), to)).collect(),
            Err(_) => addresses.into(),
        };
        if reachable.is_empty() {
            return Err(CreateError::NoServerAddress);
        }
        Self::dial(socket, options, |attempts, host| Dialing::addresses(attempts, reachable, host))
    }

    /// Creates a client of the server with the name `host`, on a socket of any kind.
    fn client_by_name(
        socket: S,
        host: &str,
        port: u16,
        options: ClientOptions,
    ) -> Result<Self, CreateError> {
        if let Ok(ip) = host.parse::<IpAddr>() {
            return Self::client(socket, (ip, port).into(), options);
        }
        let lookup = Lookup::start(host, port).map_err(CreateError::Thread)?;
        Self::dial(socket, options, |attempts, _| Dialing::name(attempts, lookup))
    }

    /// Creates a client that finds its server with the result of `start`.
    fn dial(
        socket: S,
        options: ClientOptions,
        start: impl FnOnce(Attempts, &mut Host) -> Dialing,
    ) -> Result<Self, CreateError> {
        let mut rng = rng(options.seed)?;
        let unique_id = options.unique_id.unwrap_or_else(|| PeerId::generate(&mut rng));
        let settings = options.checked_settings()?;
        let channels = options.channels + 2;
        let driver = SocketDriver::new(socket, options.datagrams_per_poll, FLUSH_INTERVAL);
        let mut host = Host::new(settings, rng);
        let attempts = Attempts::new(channels, unique_id.get().cast_unsigned());
        let dialing = start(attempts, &mut host);
        let mut peer = Self::new(host, driver, unique_id, ConnectionStatus::Connecting);
        peer.dialing = Some(dialing);
        #[cfg(feature = "dtls")]
        if let Some(options) = options.dtls {
            peer.connection.dtls_client_setup(options.hostname, options.tls)?;
        }
        Ok(peer)
    }
}
