//! Servers and clients: how a peer is created.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use mp_core::{ConnectionStats, ConnectionStatus, Instant, Readiness, SharedLimit};

use super::establish::{Acceptor, ConnectAttempt};
use super::{Role, ServerStats, WebSocketMultiplayerPeer};
use crate::connection_table::ConnectionTable;
#[cfg(feature = "tokio")]
use crate::io::TokioTcp;
use crate::io::{ReadyList, SOURCE, StreamSource, Tcp};
use crate::limits::{CONNECTION_BYTES_PER_POLL, WAITING_BYTES_OF_EACH};
use crate::options::{ClientOptions, CreateError, ServerOptions, listen_any, rng};
use crate::proto::response::SentRequest;
use crate::proto::session::Session;
use crate::proto::url::Url;

impl WebSocketMultiplayerPeer<Tcp> {
    /// Creates a server at `address`: `0.0.0.0:port`, or `[::]:port` for IPv4 and IPv6.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound or an option is invalid.
    pub fn create_server(address: SocketAddr, options: ServerOptions) -> Result<Self, CreateError> {
        Self::server(Tcp::listen(address)?, options)
    }

    /// Creates a server at `port` on all addresses of this machine, with default options.
    ///
    /// # Errors
    ///
    /// Returns an error if the port cannot be bound or `max_clients` is 0.
    pub fn create_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(listen_any(port, Tcp::listen)?, options)
    }

    /// Creates a client of the server at `url`: `ws://host:port/path`, or `wss://` with TLS.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL or an option is invalid.
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
    /// Creates a server like [`create_server`](WebSocketMultiplayerPeer::create_server), whose
    /// connections wake their task. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the address cannot be bound or an option is invalid.
    pub fn create_async_server(
        address: SocketAddr,
        options: ServerOptions,
    ) -> Result<Self, CreateError> {
        Self::server(TokioTcp::listen(address)?, options)
    }

    /// Creates a server like [`create_server_on`](WebSocketMultiplayerPeer::create_server_on),
    /// whose connections wake their task. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the port cannot be bound or `max_clients` is 0.
    pub fn create_async_server_on(port: u16, max_clients: u16) -> Result<Self, CreateError> {
        let options = ServerOptions::default().max_clients(max_clients);
        Self::server(listen_any(port, TokioTcp::listen)?, options)
    }

    /// Creates a client like [`create_client`](WebSocketMultiplayerPeer::create_client), whose
    /// connection wakes its task. Requires a tokio runtime.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL or an option is invalid.
    pub fn create_async_client(url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let parsed: Url = url.parse()?;
        Self::client(TokioTcp::dial(parsed.host(), parsed.port()), url, options)
    }
}

impl<S: StreamSource> WebSocketMultiplayerPeer<S> {
    /// Creates a server of the connections that `source` provides.
    ///
    /// # Errors
    ///
    /// Returns an error if an option is invalid.
    pub fn server(source: S, options: ServerOptions) -> Result<Self, CreateError> {
        let mut server = Self::server_of(source.readiness(), options)?;
        server.source = Some(source);
        Ok(server)
    }

    /// Creates a server without sources.
    pub(super) fn server_of(
        readiness: Readiness,
        options: ServerOptions,
    ) -> Result<Self, CreateError> {
        let (settings, rules) = options.read()?;
        let tls = options.tls_server()?;
        let rng = rng(options.seed)?;
        let mut session = Session::new(settings, rules, rng, ConnectionStatus::Connected);
        session.gate = options.gate.clone();
        session.id_by_url.clone_from(&options.id_by_url);
        let role = Role::Server(Acceptor {
            tls,
            max_half_open: options.max_half_open,
            handshakes: VecDeque::new(),
            retry: None,
            next_warning: Instant::ZERO,
        });
        Ok(Self::new(session, readiness, role))
    }

    /// Creates a client of the server at `url`, to which `source` connects.
    ///
    /// # Errors
    ///
    /// Returns an error if the URL or an option is invalid.
    pub fn client(source: S, url: &str, options: ClientOptions) -> Result<Self, CreateError> {
        let url: Url = url.parse()?;
        let settings = options.read()?;
        let mut rng = rng(options.seed)?;
        let tls = if url.is_secure() { Some(options.tls_client(&url)?) } else { None };
        let mut key = [0; 16];
        key[..8].copy_from_slice(&rng.next_u64().to_le_bytes());
        key[8..].copy_from_slice(&rng.next_u64().to_le_bytes());
        let web_socket = options.web_socket_settings();
        let (protocols, headers) = (&web_socket.supported_protocols, &web_socket.handshake_headers);
        let sent = SentRequest::new(&url, key, protocols, headers);
        let rules = Default::default();
        let session = Session::new(settings, rules, rng, ConnectionStatus::Connecting);
        let role = Role::Client(Some(Box::new(ConnectAttempt { url, sent, tls, deadline: None })));
        let mut client = Self::new(session, source.readiness(), role);
        client.source = Some(source);
        Ok(client)
    }

    fn new(session: Session, readiness: Readiness, role: Role) -> Self {
        let ready_list = ReadyList::default();
        let waiting = SharedLimit::new(session.settings.buffered_bytes, WAITING_BYTES_OF_EACH);
        let source_waker = ready_list.waker(SOURCE);
        Self {
            session,
            readiness,
            source: None,
            text_source: None,
            role,
            connect_error: None,
            connections: ConnectionTable::new(waiting),
            closing: Vec::new(),
            ended: ConnectionStats::default(),
            ready_list,
            source_waker,
            ready: VecDeque::from([SOURCE]),
            woken: Vec::new(),
            now: Instant::ZERO,
            is_closed: false,
            read_buffer: vec![0; CONNECTION_BYTES_PER_POLL].into(),
            write_buffer: Vec::new(),
            stats: ServerStats::default(),
            text: None,
        }
    }
}
