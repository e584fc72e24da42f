//! Options of servers and clients, and the errors of creating them.

mod checks;
mod create_error;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use mp_core::{AddressPrefix, ConnectionGate, OutOfRange, PeerId};
#[cfg(feature = "tls")]
use mp_tls::{CertificateStore, ClientTlsOptions};

use self::checks::settings;
pub(crate) use self::checks::{listen_any, rng};
pub use self::create_error::CreateError;
use crate::limits;
use crate::origins::AllowedOrigins;
use crate::proto::request::RequestRules;
use crate::proto::session::Settings;
use crate::proto::tls::{TlsClient, TlsServer};
use crate::proto::url::Url;

/// Settings that servers and clients have in common: the members of Godot's
/// `WebSocketMultiplayerPeer`, with its defaults, and limits. [`ServerOptions`] and
/// [`ClientOptions`] have a setter for each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketSettings {
    /// Subprotocols, in order of preference.
    pub supported_protocols: Vec<String>,
    /// Headers that are added to the handshake.
    pub handshake_headers: Vec<String>,
    /// Size in bytes of the largest message that is received.
    pub inbound_buffer_size: usize,
    /// Size in bytes of the largest packet that is sent.
    pub outbound_buffer_size: usize,
    /// Packets queued for a connection before unreliable ones are dropped.
    pub max_queued_packets: usize,
    /// Time for TCP, TLS, HTTP and, on a client, its id.
    pub handshake_timeout: Duration,
    /// Time between pings; zero for none.
    pub heartbeat_interval: Duration,
    /// Time after which a remote host that acknowledges nothing times out; zero for the system's
    /// default.
    pub tcp_timeout: Duration,
    /// Bytes of all connections that may wait.
    pub buffered_bytes: usize,
    /// Reliable bytes queued for a connection.
    pub reliable_queue_bytes: usize,
}

/// Options of a server (Godot: the arguments of `create_server`).
///
/// ```
/// use std::time::Duration;
/// use mp_transport_ws::ServerOptions;
///
/// let options =
///     ServerOptions::default().max_clients(64).heartbeat_interval(Duration::from_secs(20));
/// ```
#[derive(Clone, Debug)]
#[must_use = "a setter returns the changed options"]
pub struct ServerOptions {
    web_socket: WebSocketSettings,
    #[cfg(feature = "tls")]
    tls: Option<CertificateStore>,
    max_clients: u16,
    pub(crate) max_half_open: usize,
    pub(crate) gate: Option<ConnectionGate>,
    trusted_proxies: usize,
    proxy_networks: Arc<[AddressPrefix]>,
    allowed_origins: AllowedOrigins,
    pub(crate) id_by_url: Option<IdByUrl>,
    pub(crate) seed: Option<[u8; 32]>,
}

/// Chooses the peer id of a client by its URL.
#[derive(Clone)]
pub(crate) struct IdByUrl(pub(crate) Arc<ChooseId>);

type ChooseId = dyn Fn(&str) -> Option<PeerId> + Send + Sync;

impl fmt::Debug for IdByUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdByUrl")
    }
}

/// Options of a client (Godot: the arguments of `create_client`).
///
/// ```
/// use mp_transport_ws::ClientOptions;
///
/// let options = ClientOptions::default().supported_protocols(["game"]).buffer_sizes(1 << 20);
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a setter returns the changed options"]
pub struct ClientOptions {
    web_socket: WebSocketSettings,
    #[cfg(feature = "tls")]
    tls: ClientTlsOptions,
    pub(crate) seed: Option<[u8; 32]>,
}

/// Setters that servers and clients have in common.
macro_rules! common_setters {
    () => {
        /// Sets the subprotocols, in order of preference (default: none). A server with some
        /// rejects clients that offer none of them, and a server without rejects clients that
        /// offer some. A client with some needs one of them in the response.
        pub fn supported_protocols<P: Into<String>>(
            mut self,
            protocols: impl IntoIterator<Item = P>,
        ) -> Self {
            self.web_socket.supported_protocols = protocols.into_iter().map(P::into).collect();
            self
        }

        /// Sets headers that are added to the handshake, such as `X-Token: abc` (default: none).
        pub fn handshake_headers<H: Into<String>>(
            mut self,
            headers: impl IntoIterator<Item = H>,
        ) -> Self {
            self.web_socket.handshake_headers = headers.into_iter().map(H::into).collect();
            self
        }

        /// Sets the size in bytes of the largest message that is received, at least 125 (default:
        /// 65,535). A remote peer that sends a larger one is closed with code 1009.
        pub const fn inbound_buffer_size(mut self, bytes: usize) -> Self {
            self.web_socket.inbound_buffer_size = bytes;
            self
        }

        /// Sets the size in bytes of the largest packet that is sent (default: 65,535); 0 stands
        /// for [`PACKET_BYTES_MAX`](mp_core::limits::PACKET_BYTES_MAX).
        pub const fn outbound_buffer_size(mut self, bytes: usize) -> Self {
            self.web_socket.outbound_buffer_size = bytes;
            self
        }

        /// Sets both [`inbound_buffer_size`](Self::inbound_buffer_size) and
        /// [`outbound_buffer_size`](Self::outbound_buffer_size).
        pub const fn buffer_sizes(self, bytes: usize) -> Self {
            self.inbound_buffer_size(bytes).outbound_buffer_size(bytes)
        }

        /// Sets the packets queued for a connection beyond which unreliable ones are dropped
        /// (default: 4,096). Godot rejects reliable ones, too; here
        /// [`reliable_queue_bytes`](Self::reliable_queue_bytes) bounds them.
        pub const fn max_queued_packets(mut self, packets: usize) -> Self {
            self.web_socket.max_queued_packets = packets;
            self
        }

        /// Sets the time for TCP, TLS, HTTP and, on a client, its id (default: 3 s).
        pub const fn handshake_timeout(mut self, timeout: Duration) -> Self {
            self.web_socket.handshake_timeout = timeout;
            self
        }

        /// Sets the time between pings; zero for none (default). A connection whose ping is not
        /// answered when the next one is due is closed with `Timeout`.
        ///
        /// Proxies close idle connections, often after 60 s: behind one, 20 s is a good value for a
        /// server.
        /// [`set_heartbeat_interval`](crate::WebSocketMultiplayerPeer::set_heartbeat_interval)
        /// changes it for one connection.
        pub const fn heartbeat_interval(mut self, interval: Duration) -> Self {
            self.web_socket.heartbeat_interval = interval;
            self
        }

        /// Sets the time after which a connection whose remote host acknowledges nothing is closed
        /// with `Timeout` (default: 30 s); zero leaves the system's default. On Linux an idle
        /// connection is sent a pong of 2 bytes every sixth of it. See
        /// [`TCP_TIMEOUT`](limits::TCP_TIMEOUT).
        pub const fn tcp_timeout(mut self, timeout: Duration) -> Self {
            self.web_socket.tcp_timeout = timeout;
            self
        }

        /// Sets the maximum of the waiting bytes of all connections: incomplete messages, and
        /// packets for full sockets (default: 256 MiB). Beyond, a connection with more than
        /// [`WAITING_BYTES_OF_EACH`](limits::WAITING_BYTES_OF_EACH) is closed with `QueueFull`.
        pub const fn buffered_bytes(mut self, bytes: usize) -> Self {
            self.web_socket.buffered_bytes = bytes;
            self
        }

        /// Sets the maximum of reliable bytes queued for a connection, at most 64 MiB (default). A
        /// connection with more is closed with `QueueFull`.
        pub const fn reliable_queue_bytes(mut self, bytes: usize) -> Self {
            self.web_socket.reliable_queue_bytes = bytes;
            self
        }

        /// Sets the seed of all randomness except encryption (default: drawn from the operating
        /// system).
        pub const fn seed(mut self, seed: [u8; 32]) -> Self {
            self.seed = Some(seed);
            self
        }

        /// Returns the settings that servers and clients have in common.
        pub const fn web_socket_settings(&self) -> &WebSocketSettings {
            &self.web_socket
        }
    };
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
            buffered_bytes: limits::WAITING_BYTES_MAX,
            reliable_queue_bytes: limits::RELIABLE_QUEUE_BYTES_MAX,
        }
    }
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            web_socket: WebSocketSettings::default(),
            #[cfg(feature = "tls")]
            tls: None,
            max_clients: limits::CLIENTS_MAX,
            max_half_open: limits::HALF_OPEN_MAX,
            gate: None,
            trusted_proxies: 0,
            proxy_networks: Arc::default(),
            allowed_origins: AllowedOrigins::default(),
            id_by_url: None,
            seed: None,
        }
    }
}

impl ServerOptions {
    /// Accepts clients over TLS (feature `tls`), `wss://`, with this certificate (default: without
    /// TLS).
    #[cfg(feature = "tls")]
    pub fn tls(mut self, certificate: impl Into<CertificateStore>) -> Self {
        self.tls = Some(certificate.into());
        self
    }

    /// Sets the maximum number of clients, at least 1 (default: 4,095). Further ones receive HTTP
    /// status 503.
    pub const fn max_clients(mut self, clients: u16) -> Self {
        self.max_clients = clients;
        self
    }

    /// Sets the maximum number of half-open connections, whose handshake is incomplete, at least 1
    /// (default: 1,024). At the limit the oldest is dropped.
    #[doc(alias = "max_handshakes")]
    pub const fn max_half_open(mut self, connections: usize) -> Self {
        self.max_half_open = connections;
        self
    }

    /// Sets the gate that accepts or refuses addresses, which other transports may share (default:
    /// accepts all). A TCP connection of a banned address is closed at once, except behind trusted
    /// proxies. Otherwise a refused request is answered with status 503. Other requests, such as
    /// health checks, are answered.
    pub fn gate(mut self, gate: ConnectionGate) -> Self {
        self.gate = Some(gate);
        self
    }

    /// Sets the number of trusted reverse proxies in front of the server (default: 0). Each appends
    /// the address of its client to `X-Forwarded-For`; the entry of the first one is used as the
    /// client's address. With 0 the header is ignored, since a client can forge it.
    pub const fn trusted_proxies(mut self, proxies: usize) -> Self {
        self.trusted_proxies = proxies;
        self
    }

    /// Sets the networks from which the [trusted proxies](Self::trusted_proxies) connect (default:
    /// none, which trusts all addresses). The header of connections from elsewhere is ignored.
    pub fn proxy_networks(mut self, networks: impl IntoIterator<Item = AddressPrefix>) -> Self {
        self.proxy_networks = networks.into_iter().collect();
        self
    }

    /// Sets the origins of web pages whose scripts may connect, such as `https://game.example`
    /// (default: none, which allows all). Others receive HTTP status 403. Clients other than
    /// browsers send no origin, and may always connect.
    pub fn allowed_origins<O: Into<String>>(
        mut self,
        origins: impl IntoIterator<Item = O>,
    ) -> Self {
        self.allowed_origins = AllowedOrigins::new(origins);
        self
    }

    /// Sets a list of [`allowed_origins`](Self::allowed_origins) that the program can replace while
    /// the server runs.
    pub fn shared_origins(mut self, origins: AllowedOrigins) -> Self {
        self.allowed_origins = origins;
        self
    }

    /// Sets a function that chooses the peer id of a client by its URL (default: none), for example
    /// of one that resumes a session. Without a choice the id is random, and no other client has
    /// it.
    ///
    /// A chosen id is not checked: anyone can request any URL, and another client may have the id.
    /// The [router](mp_core::ConnectionRouter) decides whether the client is accepted.
    pub fn id_by_url(
        mut self,
        choose: impl Fn(&str) -> Option<PeerId> + Send + Sync + 'static,
    ) -> Self {
        self.id_by_url = Some(IdByUrl(Arc::new(choose)));
        self
    }

    common_setters!();

    /// Returns the TLS settings of the server, if it uses TLS.
    pub(crate) fn tls_server(&self) -> Result<Option<TlsServer>, CreateError> {
        #[cfg(feature = "tls")]
        let tls = self.tls.as_ref().map(TlsServer::new).transpose()?;
        #[cfg(not(feature = "tls"))]
        let tls = None;
        Ok(tls)
    }

    pub(crate) fn read(&self) -> Result<(Settings, RequestRules), CreateError> {
        OutOfRange::check("max_clients", self.max_clients, 1..=u16::MAX)?;
        OutOfRange::check("max_half_open", self.max_half_open, 1..)?;
        #[cfg(feature = "tls")]
        let secure = self.tls.is_some();
        #[cfg(not(feature = "tls"))]
        let secure = false;
        let rules = RequestRules {
            supported_protocols: self.web_socket.supported_protocols.clone(),
            handshake_headers: self.web_socket.handshake_headers.clone(),
            trusted_proxies: self.trusted_proxies,
            proxy_networks: Arc::clone(&self.proxy_networks),
            secure,
            allowed_origins: self.allowed_origins.clone(),
            text_path: None,
        };
        Ok((settings(&self.web_socket, self.max_clients.into())?, rules))
    }
}

impl ClientOptions {
    /// Sets the verification of servers whose URL begins with `wss://` (default: by the system's
    /// certificates). Requires the feature `tls`.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, options: ClientTlsOptions) -> Self {
        self.tls = options;
        self
    }

    common_setters!();

    /// Returns the TLS settings for the server at `url`.
    #[cfg(feature = "tls")]
    pub(crate) fn tls_client(&self, url: &Url) -> Result<TlsClient, CreateError> {
        Ok(TlsClient::new(&self.tls, url.host())?)
    }

    #[cfg(not(feature = "tls"))]
    pub(crate) fn tls_client(&self, url: &Url) -> Result<TlsClient, CreateError> {
        Err(CreateError::WithoutTls(url.clone()))
    }

    pub(crate) fn read(&self) -> Result<Settings, CreateError> {
        settings(&self.web_socket, 0)
    }
}
