//! Typed configuration.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use mp_cluster::ClusterName;
use mp_core::{AddressPrefix, GateLimits, Rate, ReceiveLimits, TransferMode};
use mp_rooms::{HostMigration, RecordSettings, RoomHost, SamePlayer};

use super::address::BindAddress;
use crate::snapshots::Folder;

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

/// Limits of the server and of each player: `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimitsConfig {
    /// Maximum number of players, 1 to 65,535 (default: 256).
    pub max_clients: u32,
    /// Maximum number of players from one IPv4 address or IPv6 network of 64 bits, 1 to 4,095;
    /// `None`: no limit (default).
    pub max_clients_per_address: Option<u16>,
    /// Maximum number of new connections per second; `None`: no limit (default).
    pub handshakes_per_second: Option<u32>,
    /// Maximum rates of what one player sends.
    pub rates: RateConfig,
    /// Time after which a player is disconnected who sends more than the rates; `None`: never
    /// (default).
    pub max_rate_excess: Option<Duration>,
    /// Largest packet in bytes that a player may send, 1,024 to 32 MiB (default).
    pub max_packet_size: u32,
    /// Maximum of reliable bytes queued for one player, at least 64 KiB (default: 64 MiB).
    pub max_reliable_queue: u32,
    /// Maximum number of rooms, 1 to 1,000,000 (default: 10,000).
    pub max_rooms: u32,
    /// Maximum number of rooms that one player has created; `None`: no limit (default).
    pub max_rooms_per_owner: Option<u32>,
    /// Memory in bytes beyond which new players and rooms are rejected; `None`: no limit (default).
    pub max_memory: Option<u64>,
    /// Time by which the thread of the endpoints may be late before new players and rooms are
    /// rejected; `None`: no limit (default).
    pub max_lateness: Option<Duration>,
    /// File of bans; `None`: they end with the process (default).
    pub ban_file: Option<PathBuf>,
}

/// Maximum rates of packets and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RateConfig {
    /// Packets per second; `None`: no limit (default).
    pub packets_per_second: Option<u32>,
    /// Packets at once beyond the rate; `None`: those of two seconds (default).
    pub packets_burst: Option<u32>,
    /// Bytes per second; `None`: no limit (default).
    pub bytes_per_second: Option<u64>,
    /// Bytes at once beyond the rate; `None`: those of two seconds (default).
    pub bytes_burst: Option<u64>,
}

impl RateConfig {
    /// Returns the limits of an endpoint or a branch.
    pub(crate) fn receive_limits(&self) -> ReceiveLimits {
        let rate = |per_second: Option<u64>, burst: Option<u64>| {
            let rate = Rate::per_second(per_second?);
            Some(burst.map_or(rate, |burst| rate.with_burst(burst)))
        };
        let mut limits = ReceiveLimits::default();
        let (packets, burst) = (self.packets_per_second, self.packets_burst);
        limits.packets = rate(packets.map(u64::from), burst.map(u64::from));
        limits.bytes = rate(self.bytes_per_second, self.bytes_burst);
        limits
    }
}

impl LimitsConfig {
    /// Returns the limits of the gate of all transports.
    pub(crate) fn gate_limits(&self) -> GateLimits {
        GateLimits {
            per_address: self.max_clients_per_address.map(u32::from),
            handshakes: self.handshakes_per_second.map(|rate| Rate::per_second(rate.into())),
        }
    }

    /// Returns the limits of each player.
    pub(crate) fn receive_limits(&self) -> ReceiveLimits {
        let mut limits = self.rates.receive_limits();
        limits.disconnect_after = self.max_rate_excess;
        limits
    }
}

/// A template of rooms: `[template.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TemplateConfig {
    /// Type of the rooms (default: `relay`).
    pub room_type: String,
    /// Maximum number of players of a room, 1 to 4,095 (default: 256).
    pub max_players: u16,
    /// True to create a room when the first player selects it (default).
    pub auto_create: bool,
    /// Time after which a room that no player has joined is closed; `None`: never. Default: 300 s.
    pub empty_timeout: Option<Duration>,
    /// Time after which a room is closed that the last player has left; `None`: never. Default:
    /// 20 s.
    pub departure_timeout: Option<Duration>,
    /// True to relay packets between players (default).
    pub relay: bool,
    /// Player that is peer 1 for the others of its room (default: none).
    pub host: RoomHost,
    /// Settings with which the rooms go on when the host has left; `None`: the players are
    /// disconnected (default).
    pub migration: Option<HostMigration>,
    /// True to keep the state of a game that no player can host (default: false).
    pub keep: bool,
    /// Key of the hosts of tunnels; `None`: their identity decides (default).
    pub host_key: Option<Secret>,
    /// Time for which a game waits when its host has left (default: 30 s).
    pub host_grace: Duration,
    /// True to leave the rooms out of lists and to admit only players who know the code (default:
    /// false).
    pub private: bool,
    /// Code of private rooms.
    pub code: Option<Secret>,
    /// True to reject new players (default: false).
    pub locked: bool,
    /// True if each room has a thread of its own.
    pub own_thread: bool,
    /// True if players can move between the rooms and others with this setting (default: false).
    pub moves: bool,
    /// Time for which a player whose connection was lost is kept; `None`: players leave at once
    /// (default).
    pub resume: Option<Duration>,
    /// True if players who are disconnected receive the reason as a raw packet (default: false).
    pub notify: bool,
    /// Place of the recordings of the rooms; `None`: they are not recorded (default).
    pub record: Option<RecordSettings>,
    /// Texts for lists of rooms (default: none).
    pub metadata: BTreeMap<String, String>,
    /// Maximum rates of what all players of a room send in sum.
    pub rates: RateConfig,
    /// True if players may request seats (default: `auto_create`).
    pub matchmaking: bool,
    /// Time after which a seat is free again that its player has not taken (default: 15 s).
    pub seat_timeout: Duration,
    /// Keys of metadata that players may set when their request creates a room (default: none).
    pub player_metadata: Vec<String>,
    /// Queue of players; `None`: there is none (default).
    pub queue: Option<QueueConfig>,
}

/// States of rooms on disk: `[snapshots]`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SnapshotsConfig {
    /// Folder of the files; `None`: there is none (default).
    pub folder: Option<PathBuf>,
    /// Maximum size of all files in bytes (default: 256 MiB).
    pub max_bytes: u64,
    /// Time after which a state is removed (default: 7 days).
    pub max_age: Duration,
}

impl SnapshotsConfig {
    /// Returns the folder with its limits.
    pub(crate) fn folder(&self) -> Option<Folder> {
        Some(Folder::new(self.folder.clone()?, self.max_bytes, self.max_age))
    }
}

/// Queue of a template's players.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueConfig {
    /// Number of players of a group, 1 to 64.
    pub players: u16,
    /// Maximum difference of the ranks of a group; `None`: any (default).
    pub rank_window: Option<u32>,
    /// Growth of the maximum difference per second of waiting (default: 0).
    pub rank_growth: u32,
    /// Attribute of a player's identity that is its rank; `None`: the rank that the player claims.
    pub rank_attribute: Option<String>,
    /// Time in which all players of a group must confirm; `None`: they need not (default).
    pub confirm_timeout: Option<Duration>,
    /// Time after which a player leaves the queue without a group (default: 300 s).
    pub timeout: Duration,
    /// Maximum number of players in the queue (default: 10,000).
    pub max_players: usize,
}

/// A room that is created at the start: `[[room]]`. A `None` stands for the template's value.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RoomConfig {
    /// Name by which players select the room.
    pub name: String,
    /// Name of the template (default: `default`).
    pub template: String,
    /// Maximum number of players, 1 to 4,095.
    pub max_players: Option<u16>,
    /// True to leave the room out of lists and to admit only players who know the code.
    pub private: Option<bool>,
    /// Code of a private room.
    pub code: Option<Secret>,
    /// True to reject new players.
    pub locked: Option<bool>,
    /// Texts for lists of rooms, in place of the template's.
    pub metadata: Option<BTreeMap<String, String>>,
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
    /// User of NATS and its password (default: none).
    pub user: Option<(String, Secret)>,
    /// File with the credentials of a user of NATS (default: none).
    pub credentials_file: Option<PathBuf>,
    /// File with the authorities of the certificates of NATS (default: those of the system).
    pub ca_file: Option<PathBuf>,
    /// Number of NATS servers that store the directory, if this server creates it (default: 1).
    pub replicas: u8,
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
