//! Options of a proxy, and its errors.

use std::io;
use std::net::SocketAddr;

use mp_core::ErrorChain;
use mp_tls::{CertificateStore, ClientTlsOptions, TlsError};
use mp_transport_enet::CreateError;
use mp_transport_enet::proto::CompressionMode;

use crate::limits::CLIENTS_MAX;

/// The server behind a proxy. Clients connect to the proxy over the same transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyTarget {
    pub(super) is_web_socket: bool,
    pub(super) is_secure: bool,
    pub(super) host: String,
    pub(super) port: u16,
}

impl ProxyTarget {
    /// Returns a server over ENet, with DTLS if `is_secure`.
    pub fn enet(host: impl Into<String>, port: u16, is_secure: bool) -> Self {
        Self { is_web_socket: false, is_secure, host: host.into(), port }
    }

    /// Returns a server over WebSocket, with TLS if `is_secure`. Paths and queries are those of the
    /// clients.
    pub fn web_socket(host: impl Into<String>, port: u16, is_secure: bool) -> Self {
        Self { is_web_socket: true, is_secure, host: host.into(), port }
    }

    /// Returns the address of the server; of several, the first one of IPv4.
    pub(super) async fn resolve(&self) -> Result<SocketAddr, ProxyError> {
        let name = || self.host.clone();
        let found = tokio::net::lookup_host((self.host.as_str(), self.port)).await;
        let found = found.map_err(|source| ProxyError::Resolve { host: name(), source })?;
        let all: Vec<SocketAddr> = found.collect();
        let first = all.iter().find(|address| address.is_ipv4()).or_else(|| all.first());
        first.copied().ok_or_else(|| ProxyError::Resolve {
            host: name(),
            source: io::ErrorKind::NotFound.into(),
        })
    }

    /// Returns host and port as in the header `Host`.
    pub(super) fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

/// Options of a proxy.
#[derive(Clone, Debug)]
#[must_use = "a setter returns the changed options"]
pub struct ProxyOptions {
    pub(super) listen: SocketAddr,
    pub(super) target: ProxyTarget,
    pub(super) certificate: Option<CertificateStore>,
    pub(super) trust: ClientTlsOptions,
    pub(super) max_clients: u16,
    pub(super) compression: CompressionMode,
}

impl ProxyOptions {
    /// Returns the options of a proxy that accepts clients at `listen` and connects to `target`.
    pub fn new(listen: SocketAddr, target: ProxyTarget) -> Self {
        Self {
            listen,
            target,
            certificate: None,
            trust: ClientTlsOptions::new(),
            max_clients: CLIENTS_MAX,
            compression: CompressionMode::None,
        }
    }

    /// Accepts clients over DTLS or TLS with this certificate (default: without encryption).
    pub fn certificate(mut self, certificate: CertificateStore) -> Self {
        self.certificate = Some(certificate);
        self
    }

    /// Sets how a server with DTLS or TLS is verified (default: by the system's certificates).
    pub fn trust(mut self, trust: ClientTlsOptions) -> Self {
        self.trust = trust;
        self
    }

    /// Sets the maximum number of clients at a time, 1 to [`CLIENTS_MAX`] (default).
    pub fn max_clients(mut self, clients: u16) -> Self {
        self.max_clients = clients.clamp(1, CLIENTS_MAX);
        self
    }

    /// Sets the compression of ENet on both sides (default: none). It must be that of the game.
    pub fn compression(mut self, compression: CompressionMode) -> Self {
        self.compression = compression;
        self
    }
}

/// The reason why a proxy could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The socket could not be bound, or an option is invalid.
    #[error("cannot listen on {address}: {}", ErrorChain::new(.source))]
    Listen {
        /// Address.
        address: SocketAddr,
        /// Error.
        source: CreateError,
    },
    /// The TCP port could not be bound.
    #[error("cannot listen on {address}: {source}; pass another port")]
    Bind {
        /// Address.
        address: SocketAddr,
        /// Error.
        source: io::Error,
    },
    /// The name of the server could not be resolved.
    #[error("cannot resolve {host}: {source}")]
    Resolve {
        /// Host name.
        host: String,
        /// Error.
        source: io::Error,
    },
    /// A certificate or setting of TLS is invalid.
    #[error("{}", ErrorChain::new(.0))]
    Tls(#[from] TlsError),
}
