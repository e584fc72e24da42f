//! What a peer can be told when it is made.

use std::time::Duration;

use mp_core::Rng;
use mp_core::limits::PACKET_BYTES_MAX;
use mp_tls::{CertificateStore, ClientTlsOptions, TlsError};

use crate::io::BindError;
use crate::limits;
use crate::proto::request::RequestRules;
use crate::proto::session::Settings;
use crate::proto::url::UrlError;

/// What servers and clients have in common: the members of Godot's `WebSocketMultiplayerPeer`, with its defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketSettings {
    /// Subprotocols, in order of preference (none). A server with some turns away who offers none of them, and one without any
    /// who offers some; a client with some needs one of them in the answer.
    pub supported_protocols: Vec<String>,
    /// Lines to add to the handshake, such as `X-Token: abc` (none).
    pub handshake_headers: Vec<String>,
    /// Largest message in bytes that is taken; whoever sends a larger one is closed with 1009 (65,535).
    pub inbound_buffer_size: usize,
    /// Largest packet in bytes that is sent (65,535). 0 means [`PACKET_BYTES_MAX`].
    pub outbound_buffer_size: usize,
    /// Packets that may wait for a link before unreliable ones are dropped (4,096). Reliable ones wait up to
    /// [`reliable_queue_bytes`](Self::reliable_queue_bytes); Godot refuses both.
    pub max_queued_packets: usize,
    /// Time for TCP, TLS, HTTP and, on a client, its id (3 s).
    pub handshake_timeout: Duration,
    /// Time between pings; a connection that has not answered one when the next is due ends with
    /// `Timeout` (zero, the default: none). Proxies close connections that carry nothing for a while,
    /// often 60 s: behind one, 20 s is a good value for a server. Works for servers and clients alike;
    /// [`set_heartbeat_interval`](crate::WebSocketMultiplayerPeer::set_heartbeat_interval) changes it
    /// for one connection.
    pub heartbeat_interval: Duration,
    /// Time after which a connection whose remote host acknowledges nothing ends with `Timeout` (30
    /// s; zero: whatever the system does). On Linux an idle connection is sent a pong of 2 bytes
    /// every sixth of it. See [`TCP_TIMEOUT`](limits::TCP_TIMEOUT).
    pub tcp_timeout: Duration,
    /// Bytes of all connections that may wait: unfinished messages, and packets for sockets that are full
    /// (256 MiB). Beyond, a connection with more than
    /// [`WAITING_BYTES_OF_EACH`](limits::WAITING_BYTES_OF_EACH) ends with `QueueFull`.
    pub waiting_bytes: usize,
    /// Reliable bytes that may wait for a link, which ends with `QueueFull` beyond; at most 64 MiB, the default.
    pub reliable_queue_bytes: usize,
}

/// Options of a server (Godot: the arguments of `create_server`).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ServerOptions {
    /// What it has in common with clients.
    pub web_socket: WebSocketSettings,
    /// With it clients come over TLS, `wss://` (none).
    pub tls: Option<CertificateStore>,
    /// Clients at a time; the next ones get HTTP status 503 (4,095).
    pub max_clients: usize,
    /// Connections at a time that have not got through their handshake; a new one replaces the oldest (1,024).
    pub max_handshakes: usize,
    /// Reverse proxies in front. Each appends the address that it acts for to `X-Forwarded-For`; the entry of the first one is
    /// believed (0: none is, since anybody can write that header).
    pub trusted_proxies: usize,
    /// Origins of the web pages whose scripts may connect, such as `https://game.example` (empty, the
    /// default: all). Others get HTTP status 403. Clients that are no browser name no origin, and
    /// always may.
    pub allowed_origins: Vec<String>,
    /// What randomness comes from; `None` asks the operating system.
    pub seed: Option<[u8; 32]>,
}

/// Options of a client (Godot: the arguments of `create_client`).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ClientOptions {
    /// What it has in common with servers.
    pub web_socket: WebSocketSettings,
    /// How a server is verified whose URL begins with `wss://` (by the system's certificates).
    pub tls: ClientTlsOptions,
    /// As [`ServerOptions::seed`].
    pub seed: Option<[u8; 32]>,
}

impl Default for WebSocketSettings {
    fn default() -> Self {
        Self {
            supported_protocols: Vec::new(),
            handshake_headers: Vec::new(),
            inbound_buffer_size: limits::BUFFER_BYTES,
            outbound_buffer_size: limits::BUFFER_BYTES,
            max_queued_packets: limits::QUEUED_PACKETS_MAX,
            handshake_timeout: limits::HANDSHAKE_TIMEOUT,
            heartbeat_interval: Duration::ZERO,
            tcp_timeout: limits::TCP_TIMEOUT,
            waiting_bytes: limits::WAITING_BYTES_MAX,
            reliable_queue_bytes: limits::RELIABLE_QUEUE_BYTES_MAX,
        }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            web_socket: WebSocketSettings::default(),
            tls: None,
            max_clients: limits::CLIENTS_MAX,
            max_handshakes: limits::HANDSHAKES_MAX,
            trusted_proxies: 0,
            allowed_origins: Vec::new(),
            seed: None,
        }
    }
}

impl WebSocketSettings {
    /// Takes and sends messages of up to `bytes`.
    pub fn with_buffers(mut self, bytes: usize) -> Self {
        (self.inbound_buffer_size, self.outbound_buffer_size) = (bytes, bytes);
        self
    }

    pub(crate) fn max_packet_size(&self) -> usize {
        match self.outbound_buffer_size {
            0 => PACKET_BYTES_MAX,
            bytes => bytes.min(PACKET_BYTES_MAX * 2),
        }
    }

    fn check(&self) -> Result<(), CreateError> {
        if self.handshake_timeout.is_zero() {
            return Err(CreateError::HandshakeTimeout);
        }
        if self.inbound_buffer_size < CONTROL_BYTES_MAX {
            return Err(CreateError::InboundBuffer(self.inbound_buffer_size));
        }
        let is_token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        let wrong = |protocol: &&String| protocol.is_empty() || !protocol.chars().all(is_token);
        if let Some(protocol) = self.supported_protocols.iter().find(wrong) {
            return Err(CreateError::Protocol(protocol.clone()));
        }
        let wrong = |header: &&String| {
            let name = header.split_once(':').map_or("", |(name, _)| name);
            name.is_empty() || !name.chars().all(is_token) || header.chars().any(char::is_control)
        };
        if let Some(header) = self.handshake_headers.iter().find(wrong) {
            return Err(CreateError::Header(header.clone()));
        }
        Ok(())
    }
}

impl ServerOptions {
    /// The defaults with room for `clients`.
    pub fn with_max_clients(clients: usize) -> Self {
        Self { max_clients: clients, ..Self::default() }
    }

    pub(crate) fn read(&self) -> Result<(Settings, RequestRules), CreateError> {
        if self.max_clients == 0 {
            return Err(CreateError::MaxClients);
        }
        let rules = RequestRules {
            supported_protocols: self.web_socket.supported_protocols.clone(),
            handshake_headers: self.web_socket.handshake_headers.clone(),
            trusted_proxies: self.trusted_proxies,
            secure: self.tls.is_some(),
            allowed_origins: self.allowed_origins.clone(),
            text_path: None,
        };
        Ok((settings(&self.web_socket, self.max_clients)?, rules))
    }
}

impl ClientOptions {
    pub(crate) fn read(&self) -> Result<Settings, CreateError> {
        settings(&self.web_socket, 0)
    }
}

fn settings(from: &WebSocketSettings, max_clients: usize) -> Result<Settings, CreateError> {
    from.check()?;
    Ok(Settings {
        inbound_max: from.inbound_buffer_size,
        max_packet_size: from.max_packet_size(),
        max_queued_packets: from.max_queued_packets,
        waiting_bytes: from.waiting_bytes,
        reliable_queue_bytes: from.reliable_queue_bytes,
        max_clients,
        handshake_timeout: from.handshake_timeout,
        heartbeat_interval: from.heartbeat_interval,
        tcp_timeout: from.tcp_timeout,
    })
}

pub(crate) fn rng(seed: Option<[u8; 32]>) -> Result<Rng, CreateError> {
    let seed = match seed {
        Some(seed) => seed,
        None => mp_core::host::os_seed().map_err(CreateError::Randomness)?,
    };
    Ok(Rng::from_seed(seed))
}

/// Why a server or a client could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// The address could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// There is no thread to connect with.
    #[error("no thread could be started to connect with: {0}")]
    Thread(std::io::Error),
    /// Nothing could ever be opened.
    #[error("a handshake timeout of 0 leaves no time to connect; use 3 s or so")]
    HandshakeTimeout,
    /// A line that is no header.
    #[error("{0:?} is no HTTP header; use \"Name: value\", one line each")]
    Header(String),
    /// A buffer that no message fits into.
    #[error("an inbound buffer of {0} bytes is too small; use {CONTROL_BYTES_MAX} or more")]
    InboundBuffer(usize),
    /// There must be room for somebody.
    #[error("a server cannot have 0 clients; use 1 or more")]
    MaxClients,
    /// A name that no subprotocol can have.
    #[error("{0:?} is no subprotocol's name; use letters, digits, dots and hyphens")]
    Protocol(String),
    /// The operating system has no randomness to give.
    #[error("the operating system gave no randomness; set a seed: {0}")]
    Randomness(std::io::Error),
    /// A certificate or a TLS setting cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The URL cannot be used.
    #[error(transparent)]
    Url(#[from] UrlError),
}

/// Largest control frame: every side must take those.
const CONTROL_BYTES_MAX: usize = 125;
