//! Typed configuration.

mod limits;
mod rooms;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mp_cluster::ClusterName;
use mp_cluster::directory::{AddressKind, ClusterNodeName, NodeAddress};
use mp_core::{AddressPrefix, TransferMode};
use mp_rooms::SamePlayer;

pub use self::limits::{LimitsConfig, RateConfig};
pub use self::rooms::{QueueConfig, RoomConfig, SnapshotsConfig, TemplateConfig};
use super::address::BindAddress;
use crate::cluster::WithoutSnapshot;

/// A transport.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Transport {
    /// ENet over UDP.
    Enet,
    /// WebSocket over TCP.
    WebSocket,
    /// Signaling of WebRTC players alone, over TCP.
    Signaling,
    /// WebRTC over UDP, with signaling on the WebSocket or signaling listeners.
    WebRtc,
}

/// A listener: `[[listen]]`, or one value of `[listen]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenConfig {
    /// Transport.
    pub transport: Transport,
    /// Address to listen on.
    pub address: BindAddress,
    /// Room of players who select none; `None`: the room `default`.
    pub room: Option<String>,
    /// Template of the rooms that players may select on this listener.
    pub template: String,
    /// Way in which a player selects a room.
    pub select: RoomSelection,
    /// True to encrypt with the certificate of `[tls]`.
    pub tls: bool,
    /// Number of reverse proxies in front of this WebSocket listener.
    pub trusted_proxies: u8,
}

/// Way in which a player selects a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RoomSelection {
    /// All players of the listener join its room.
    Fixed,
    /// By the path of the URL, for example `/arena`.
    Path,
    /// By the query of the URL, for example `?room=arena`.
    Query,
    /// By the first authentication packet.
    Auth,
}

/// Files of the certificate: `[tls]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsConfig {
    /// Certificate chain (PEM).
    pub cert: PathBuf,
    /// Private key (PEM).
    pub key: PathBuf,
}

/// Certificates from an authority: `[acme]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AcmeConfig {
    /// Names of this server, at least one.
    pub domains: Vec<String>,
    /// `letsencrypt` (default), `letsencrypt-staging`, or a URL.
    pub directory: String,
    /// Address of the HTTP port for the authority (default: port 80).
    pub address: BindAddress,
    /// Mail addresses of a new account (default: none).
    pub contact: Vec<String>,
    /// Folder for the account, keys and certificates (default: `acme`).
    pub folder: PathBuf,
    /// Certificates of the authority's own authority; `None`: those of the system (default).
    pub ca: Option<PathBuf>,
}

impl AcmeConfig {
    /// Returns the URL of the directory.
    pub fn directory_url(&self) -> &str {
        match &*self.directory {
            "letsencrypt" => "https://acme-v02.api.letsencrypt.org/directory",
            "letsencrypt-staging" => "https://acme-staging-v02.api.letsencrypt.org/directory",
            url => url,
        }
    }
}

/// Settings of ENet: `[enet]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EnetConfig {
    /// Number of threads, 1 to 64 (default: 1).
    pub shards: u8,
    /// Time for which packets are collected on a busy listener, up to 16 ms (default: 1 ms).
    pub flush_interval: Duration,
}

/// Settings of WebSocket: `[websocket]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSocketConfig {
    /// Origins of the web pages whose scripts may join; all if empty (default).
    pub allowed_origins: Vec<String>,
    /// Networks of the reverse proxies; empty (default): this machine and private networks.
    pub proxy_networks: Vec<AddressPrefix>,
    /// Interval of pings to a player; zero: none. The default is 25 s if a listener has trusted
    /// proxies, else zero.
    pub ping: Duration,
}

/// Settings of WebRTC: `[webrtc]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebRtcConfig {
    /// Addresses announced to players, port 0 for the listener's port; those of this machine if
    /// empty (default).
    pub advertise: Vec<SocketAddr>,
    /// URLs of STUN and TURN servers for players (default: none).
    pub ice_servers: Vec<String>,
    /// Secret that the TURN servers share with this program.
    pub turn_secret: Option<Secret>,
    /// Modes of the transfer channels 1, 2, … (default: none).
    pub channels: Vec<TransferMode>,
    /// Time without a packet after which a player is disconnected; zero: no limit. Default: 30 s.
    pub silence_timeout: Duration,
}

/// Authentication of players: `[identity]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct IdentityConfig {
    /// Way in which players authenticate (default: open).
    pub method: IdentityMethod,
    /// Secret of all players, key for HS256, or secret for the service.
    pub secret: Option<Secret>,
    /// File with the public key that verifies tokens.
    pub public_key: Option<PathBuf>,
    /// File or URL of a JWK set.
    pub jwks: Option<String>,
    /// Audience of tokens (default: `mp-server`).
    pub audience: String,
    /// Issuer of tokens; `None`: any (default).
    pub issuer: Option<String>,
    /// Tolerated difference of clocks (default: 30 s).
    pub leeway: Duration,
    /// True to accept each token once (default: false).
    pub single_use: bool,
    /// URL of the service that decides.
    pub url: Option<String>,
    /// Time after which an HTTP request has failed (default: 2 s).
    pub timeout: Duration,
    /// Maximum number of requests at once (default: 64).
    pub max_requests: usize,
    /// Maximum number of players that wait for a request or for keys (default: 256).
    pub max_queued: usize,
    /// Maximum number of failed attempts per minute and address; 0: no limit. Default: 10.
    pub failures_per_minute: u32,
    /// Treatment of a player who is connected already (default: replace).
    pub same_player: SamePlayer,
}

/// Way in which players authenticate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IdentityMethod {
    /// Everyone may play.
    Open,
    /// Players know a common secret.
    Secret,
    /// Players have signed tokens.
    Token,
    /// Another service decides.
    CallOut,
}

/// Settings of the HTTP port for matchmaking: `[match]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MatchConfig {
    /// Address of the port; `None`: off (default).
    pub address: Option<BindAddress>,
    /// Host in the addresses that players receive; `None`: that of the request (default).
    pub public_host: Option<String>,
    /// Origins of the web pages whose scripts may use matchmaking (default: none).
    pub allowed_origins: Vec<String>,
    /// Maximum rate of requests from one address; `None`: no limit. Default: 5.
    pub requests_per_second: Option<u32>,
    /// Reverse proxies in front of the port (default: none).
    pub proxies: ProxyConfig,
}

/// The reverse proxies in front of an HTTP port.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProxyConfig {
    /// Number of proxies, each of which appends the address of its client to `X-Forwarded-For`.
    /// With 0 (default), the header is ignored.
    pub count: u8,
    /// Networks of the proxies that connect to the port; empty (default): this machine and private
    /// networks.
    pub networks: Vec<AddressPrefix>,
}

impl ProxyConfig {
    /// Returns `networks`, or those of this machine and private networks if there are none.
    pub(crate) fn networks_or_local(networks: &[AddressPrefix]) -> Vec<AddressPrefix> {
        match networks {
            [] => LOCAL_NETWORKS.iter().filter_map(|network| network.parse().ok()).collect(),
            networks => networks.to_vec(),
        }
    }
}

/// Loopback addresses and private networks.
const LOCAL_NETWORKS: [&str; 6] =
    ["127.0.0.0/8", "::1", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Settings of the HTTP port for operators: `[admin]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdminConfig {
    /// Address of the port; `None`: off. Default: `127.0.0.1:7780`.
    pub address: Option<BindAddress>,
    /// True if no layer has set the address. The server then starts without the port if another
    /// program uses it.
    pub is_default_address: bool,
    /// Tokens: `NAME:SCOPES:SECRET` (default: none).
    pub tokens: Vec<Secret>,
    /// File with further tokens; `None`: none (default).
    pub token_file: Option<PathBuf>,
    /// Names of the server in URLs, besides `localhost` and IP addresses (default: none).
    pub allowed_hosts: Vec<String>,
    /// Origins of the web pages of other servers that may use the admin API (default: none).
    pub allowed_origins: Vec<String>,
    /// Reverse proxies in front of the port (default: none).
    pub proxies: ProxyConfig,
}

/// Settings of server queries: `[query]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueryConfig {
    /// True to answer queries on the ENet port (default: false).
    pub enabled: bool,
    /// Name of the server (default: `mp-server`).
    pub name: String,
    /// Name of the game (default: `Godot`).
    pub game: String,
    /// Name of the map (default: `rooms`).
    pub map: String,
    /// True to list the names of players in public rooms (default: false).
    pub player_names: bool,
}

/// Settings of the sidecar of Agones: `[agones]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AgonesConfig {
    /// True to report to the sidecar (default: false).
    pub enabled: bool,
}

/// Settings of the servers that have their rooms in common: `[cluster]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClusterConfig {
    /// URLs of NATS; none if this server is alone (default).
    pub servers: Vec<String>,
    /// Name of the cluster (default: `mp`).
    pub name: ClusterName,
    /// Name of this server in the cluster (default: none).
    pub node: Option<ClusterNodeName>,
    /// Addresses at which players reach this server, in place of those of the listeners (default:
    /// none).
    pub advertise: BTreeMap<AddressKind, NodeAddress>,
    /// User of NATS and its password (default: none).
    pub user: Option<(String, Secret)>,
    /// File with the credentials of a user of NATS (default: none).
    pub credentials_file: Option<PathBuf>,
    /// File with the authorities of the certificates of NATS (default: those of the system).
    pub ca_file: Option<PathBuf>,
    /// Number of NATS servers that store the directory, if this server creates it (default: 1).
    pub replicas: u8,
    /// Time between two snapshots of a room (default: 5 s).
    pub snapshot_interval: Duration,
    /// Maximum size of a snapshot in bytes (default: 16 MiB).
    pub snapshot_max_bytes: usize,
    /// The fate of adopted rooms of which there is no snapshot (default: created anew).
    pub without_snapshot: WithoutSnapshot,
}

/// Settings of the log: `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogConfig {
    /// Filter of events (default: `info`).
    pub filter: String,
    /// Format of lines (default: text).
    pub format: LogFormat,
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LogFormat {
    /// Text for reading.
    Text,
    /// One JSON object per line, for programs.
    Json,
}

/// Settings of the server's end: `[shutdown]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ShutdownConfig {
    /// Time that a stopping server waits for its players to leave (default: 30 s).
    pub drain_timeout: Duration,
}

/// A secret text. `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text. It must not be logged or printed.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}
