//! The command line.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use mp_core::{ErrorChain, TransferMode};
use mp_signaling::limits::SOCKETS_PER_ADDRESS_MAX;
use mp_tls::CertificateStore;
use mp_transport_enet::ServerOptions;
use mp_transport_ws::limits::HANDSHAKES_MAX;

use crate::addresses::{Addresses, advertised_address};
use crate::cert::CertArgs;
use crate::open_files;
use crate::webrtc::{self, WebRtcSettings, sessions_max};

/// A relay room for Godot 4 games.
///
/// Connected players see each other (peer_connected, get_peers) and reach each other with RPCs and
/// send_bytes. The room relays their packets and knows nothing about the game. Peer 1 is the room
/// itself. It has no nodes; calls to it are dropped. Initially it is the authority of every node,
/// so give players authority over their nodes with set_multiplayer_authority, or use
/// @rpc("any_peer").
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Address for ENet players: an IP address and a UDP port, or off
    #[arg(long_help = ENET_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "*:7777", env = "MP_ENET")]
    enet: String,

    /// Address for WebSocket players: an IP address and a TCP port, or off
    #[arg(long_help = WS_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "*:7778", env = "MP_WS")]
    ws: String,

    /// Address for WebRTC players: an IP address and a UDP port, or off [default: *:7779; off
    /// without signaling]
    #[arg(long_help = WEBRTC_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", env = "MP_WEBRTC")]
    webrtc: Option<String>,

    /// Address for the signaling of WebRTC players alone: an IP address and a TCP port, or off
    ///
    /// Without it, signaling is only at the path /webrtc of the WebSocket port; with --ws off,
    /// WebRTC requires it. The port responds to signaling on the paths / and /webrtc, and to GET
    /// /healthz.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "off", env = "MP_WEBRTC_SIGNALING")]
    webrtc_signaling: String,

    /// Addresses announced to WebRTC players, separated by commas [default: this machine's]
    ///
    /// For a room behind a NAT or in a container: the public IP address, with a port if it differs
    /// from --webrtc's (203.0.113.7 or 203.0.113.7:7779).
    #[arg(long, value_name = "ADDRESS", env = "MP_WEBRTC_ADVERTISE", value_delimiter = ',')]
    webrtc_advertise: Vec<String>,

    /// URLs of STUN and TURN servers for WebRTC players, separated by commas
    ///
    /// For players whose network blocks UDP to this machine: turns:turn.example:443?transport=tcp.
    /// TURN servers need --turn-secret. Only clients with the script of `mp-server gdscript` or
    /// with mp.js of examples/web use them.
    #[arg(long, value_name = "URL", env = "MP_ICE_SERVERS", value_delimiter = ',')]
    ice_servers: Vec<String>,

    /// Secret that the TURN servers share with this program, better set as MP_TURN_SECRET
    ///
    /// As coturn's use-auth-secret and static-auth-secret. Each player receives a user name that is
    /// valid for 12 hours.
    #[arg(long, value_name = "SECRET", env = "MP_TURN_SECRET", hide_env_values = true)]
    turn_secret: Option<String>,

    /// Modes of the transfer channels 1, 2, … of WebRTC players (reliable, unreliable or
    /// unreliable_ordered), separated by commas
    ///
    /// The game must pass the same channels_config; packets on a channel that the remote peer lacks
    /// are lost. By default players use only channel 0, and receive packets of all channels on it.
    #[arg(long, value_name = "MODE", env = "MP_WEBRTC_CHANNELS", value_delimiter = ',')]
    webrtc_channels: Vec<ChannelMode>,

    /// Origins of the web pages whose scripts may join, separated by commas [default: all]
    ///
    /// For example `https://game.example`. Scripts of other pages are rejected. Programs other than
    /// browsers send no origin and may always join.
    #[arg(long, value_name = "ORIGIN", env = "MP_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<String>,

    /// Certificate chain (PEM) for WebSocket over TLS: wss:// instead of ws://
    ///
    /// Requires --tls-key. When the files are replaced, new players receive the new certificate
    /// within seconds; connected players stay. `mp-server cert` creates a pair for development.
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "MP_TLS_CERT")]
    tls_cert: Option<PathBuf>,

    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "MP_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Encrypt ENet as well (DTLS) with the same certificate, which must have an ECDSA key and no
    /// chain
    ///
    /// Requires --tls-cert and --tls-key. All ENet players must then call dtls_client_setup after
    /// create_client: peer.host.dtls_client_setup("HOST",
    /// TLSOptions.client(load("res://server.crt"))).
    #[arg(long, requires = "tls_cert", env = "MP_DTLS", value_parser = BoolishValueParser::new())]
    dtls: bool,

    /// Number of reverse proxies in front of the WebSocket port, whose X-Forwarded-For is trusted
    ///
    /// For example 1 for one nginx. Each proxy must append the address of its client. With 0 the
    /// header is ignored, since players can forge it.
    #[arg(long, value_name = "N", default_value_t = 0, env = "MP_TRUSTED_PROXIES")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=16))]
    trusted_proxies: u8,

    /// Seconds between pings to a WebSocket player, up to 3600; 0 for none [default: 25 with
    /// --trusted-proxies, else 0]
    ///
    /// Proxies close idle connections: nginx and many load balancers after 60 s. A player who does
    /// not answer a ping is disconnected.
    #[arg(long, value_name = "SECONDS", env = "MP_WS_PING")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=3_600))]
    ws_ping: Option<u16>,

    /// Time without a packet after which a WebRTC player is disconnected, in seconds; 0: no limit
    ///
    /// A browser answers for a page whose game has stopped. Players that only listen stay: the room
    /// probes a silent player, and the game answers. Browsers stop games in hidden tabs.
    #[arg(long, value_name = "SECONDS", default_value_t = 30, env = "MP_WEBRTC_SILENCE")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=3_600))]
    webrtc_silence: u16,

    /// Maximum number of players, 1 to 4095
    ///
    /// Further ones are rejected. Each player is notified of all others, so the traffic of a busy
    /// room grows with the square of this number.
    #[arg(long, value_name = "N", default_value_t = 256, env = "MP_MAX_CLIENTS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4095))]
    max_clients: u16,

    /// Number of threads for ENet, 1 to 64
    ///
    /// Players are distributed among them. The room runs on another thread, except with 1. More
    /// than one thread requires Linux, and helps rooms that overload one core.
    #[arg(long, value_name = "N", default_value_t = 1, env = "MP_SHARDS")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=64))]
    shards: u8,

    /// Maximum number of ENet players from one IP address, 1 to 4095 [default: --max-clients]
    ///
    /// Players behind one router share an address.
    #[arg(long, value_name = "N", env = "MP_MAX_CLIENTS_PER_ADDRESS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4095))]
    max_clients_per_address: Option<u16>,

    /// Largest packet in bytes that a player may send
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 20, env = "MP_MAX_PACKET_SIZE")]
    #[arg(value_parser = clap::value_parser!(u32).range(1_024..=32 << 20))]
    max_packet_size: u32,

    /// Maximum of reliable bytes queued for one player, who is disconnected beyond
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, env = "MP_MAX_RELIABLE_QUEUE")]
    #[arg(value_parser = clap::value_parser!(u32).range(64 << 10..))]
    max_reliable_queue: u32,

    /// Log events on standard error: error, warn, info, debug, trace, or filters by module
    /// (mp_scene=debug)
    ///
    /// At info: start, end, and at most once per second the number of players who joined and left.
    /// Events of single players are at debug, so that no player can fill a disk.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "MP_LOG")]
    pub(crate) log: String,

    /// Format of the log
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "MP_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Cert(CertArgs),
    /// Print the script with which a Godot game joins over WebRTC
    ///
    /// Save it in the game's project: mp-server gdscript > mp_webrtc_client.gd
    Gdscript,
}

/// The transfer mode of a channel, by Godot's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum ChannelMode {
    Reliable,
    Unreliable,
    UnreliableOrdered,
}

impl From<ChannelMode> for TransferMode {
    fn from(mode: ChannelMode) -> Self {
        match mode {
            ChannelMode::Reliable => Self::Reliable,
            ChannelMode::Unreliable => Self::Unreliable,
            ChannelMode::UnreliableOrdered => Self::UnreliableOrdered,
        }
    }
}

/// Format of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// Text for reading
    Text,
    /// One JSON object per line, for programs
    Json,
}

impl Args {
    /// Parses a command line and the environment. Exits with a message if they are invalid.
    pub(crate) fn from_command_line(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Self {
        let command = without_unset(Self::command(), |name| std::env::var_os(name));
        let matches = command.get_matches_from(args);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Returns the addresses to listen on, or an error message.
    pub(crate) fn addresses(&self) -> Result<Addresses, String> {
        Addresses::new(&self.enet, &self.ws, self.webrtc.as_deref(), &self.webrtc_signaling)
    }

    /// Returns the settings of WebRTC on `address`, or an error message.
    pub(crate) fn webrtc_settings(
        &self,
        address: Option<SocketAddr>,
    ) -> Result<Option<WebRtcSettings>, String> {
        let advertised = self.webrtc_advertise.iter().map(|given| advertised_address(given));
        let advertised = advertised.collect::<Result<Vec<_>, _>>()?;
        let Some(address) = address else {
            return match advertised.first() {
                None => Ok(None),
                Some(first) => Err(format!(
                    "--webrtc-advertise {} has no effect without WebRTC; omit it or give --webrtc an address",
                    first.ip()
                )),
            };
        };
        let (ice_servers, turn_secret) = (self.ice_servers()?, self.turn_secret.clone());
        let max_sockets_per_address = match self.max_clients_per_address {
            Some(most) => most.into(),
            None => SOCKETS_PER_ADDRESS_MAX,
        };
        let max_clients = self.max_clients;
        let channels = self.webrtc_channels.iter().copied().map(TransferMode::from).collect();
        Ok(Some(WebRtcSettings {
            address,
            advertised,
            channels,
            max_clients,
            max_sockets_per_address,
            ice_servers,
            turn_secret,
        }))
    }

    /// Returns the URLs of STUN and TURN servers, or an error message.
    fn ice_servers(&self) -> Result<Vec<String>, String> {
        let is_stun = |url: &str| url.starts_with("stun:") || url.starts_with("stuns:");
        for url in &self.ice_servers {
            if !is_stun(url) && !webrtc::is_turn(url) {
                return Err(format!(
                    "--ice-servers {url:?} is not a URL of STUN or TURN; use stun:HOST:PORT, turn:HOST:PORT or \
                     turns:HOST:PORT?transport=tcp"
                ));
            }
            if webrtc::is_turn(url) && self.turn_secret.is_none() {
                return Err(format!(
                    "--ice-servers {url} needs --turn-secret: the secret that the TURN server shares with this program"
                ));
            }
        }
        Ok(self.ice_servers.clone())
    }

    /// Returns the origins of web pages that may join, or an error message.
    pub(crate) fn allowed_origins(&self) -> Result<Vec<String>, String> {
        let is_origin = |text: &&String| {
            let (scheme, host) = text.split_once("://").unwrap_or_default();
            let is_known = ["http", "https"].contains(&scheme);
            is_known && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
        };
        match self.allow_origin.iter().find(|text| !is_origin(text)) {
            None => Ok(self.allow_origin.clone()),
            Some(wrong) => Err(format!(
                "--allow-origin {wrong:?} is not an origin: use a scheme, a host and an optional port, \
                 such as https://game.example or http://localhost:8000"
            )),
        }
    }

    /// Returns the options of the ENet transport, or an error message.
    pub(crate) fn enet_options(
        &self,
        tls: Option<&CertificateStore>,
    ) -> Result<ServerOptions, String> {
        let (packet, queue) = (self.max_packet_size, self.max_reliable_queue);
        if packet > queue {
            return Err(format!(
                "--max-packet-size {packet} exceeds --max-reliable-queue {queue}: a player that is sent such a packet \
                 would be disconnected; lower the first or raise the second"
            ));
        }
        let mut options = ServerOptions::default()
            .max_clients(self.max_clients)
            .max_packet_size(packet as usize)
            .reliable_queue_bytes(queue as usize);
        if let Some(most) = self.max_clients_per_address {
            options = options.max_clients_per_address(most);
        }
        if let Some(tls) = tls.filter(|_| self.dtls) {
            options = options.dtls(tls.clone());
        }
        Ok(options)
    }

    /// Returns the options of the WebSocket transport with the certificate `tls`.
    pub(crate) fn ws_options(
        &self,
        tls: Option<CertificateStore>,
    ) -> mp_transport_ws::ServerOptions {
        let options = mp_transport_ws::ServerOptions::default()
            .max_clients(self.max_clients)
            .buffer_sizes(self.max_packet_size as usize)
            .reliable_queue_bytes(self.max_reliable_queue as usize)
            .heartbeat_interval(self.ws_ping())
            .trusted_proxies(self.trusted_proxies.into());
        match tls {
            Some(tls) => options.tls(tls),
            None => options,
        }
    }

    /// Returns the certificate, or an error message.
    pub(crate) fn tls(&self) -> Result<Option<CertificateStore>, String> {
        let (Some(certificate), Some(key)) = (&self.tls_cert, &self.tls_key) else {
            return Ok(None);
        };
        let store = CertificateStore::from_files(certificate, key);
        store.map(Some).map_err(|error| ErrorChain::new(&error).to_string())
    }

    pub(crate) fn is_enet_secure(&self) -> bool {
        self.dtls
    }

    /// Returns the interval of pings to WebSocket players; zero for none.
    fn ws_ping(&self) -> Duration {
        let default = if self.trusted_proxies > 0 { PING_BEHIND_PROXIES } else { 0 };
        Duration::from_secs(self.ws_ping.unwrap_or(default).into())
    }

    /// Returns the time without a packet after which a WebRTC player is disconnected; zero: no
    /// limit.
    pub(crate) fn webrtc_silence(&self) -> Duration {
        Duration::from_secs(self.webrtc_silence.into())
    }

    /// Returns the number of open files when the room is full and others shake hands.
    pub(crate) fn open_files(&self) -> u64 {
        // WebSocket players, and signaling of WebRTC players.
        let max_clients = usize::from(self.max_clients);
        let players = match (&*self.ws, &*self.webrtc_signaling) {
            ("off", "off") => 0,
            ("off", _) => sessions_max(max_clients) + HANDSHAKES_MAX,
            _ => sessions_max(max_clients) + max_clients + HANDSHAKES_MAX,
        };
        open_files::OWN + open_files::PER_SHARD * u64::from(self.shards) + players as u64
    }

    pub(crate) fn shards(&self) -> usize {
        self.shards.into()
    }

    pub(crate) fn max_clients(&self) -> u16 {
        self.max_clients
    }
}

/// Removes environment variables from `command` that count as unset: empty ones, and for switches
/// those with a negative value.
fn without_unset(
    command: clap::Command,
    value: impl Fn(&OsStr) -> Option<OsString>,
) -> clap::Command {
    let says_nothing = |arg: &Arg| {
        let is_switch = matches!(arg.get_action(), ArgAction::SetTrue);
        arg.get_env().and_then(&value).is_some_and(|value| {
            let value = value.to_string_lossy().trim().to_ascii_lowercase();
            value.is_empty() || is_switch && NO.contains(&value.as_str())
        })
    };
    command.mut_args(|arg| if says_nothing(&arg) { arg.env(None::<&str>) } else { arg })
}

/// Values of an environment variable that leave a switch off.
const NO: [&str; 6] = ["0", "f", "false", "n", "no", "off"];
/// Seconds between pings behind a proxy: nginx closes a connection after 60 s, and one ping may be
/// lost.
const PING_BEHIND_PROXIES: u16 = 25;

const ENET_HELP: &str = "Address for ENet players: an IP address and a UDP port, or off

* stands for all addresses of this machine: IPv6 and IPv4, or IPv4 alone if there is no IPv6. 0.0.0.0 stands for all IPv4 \
addresses, [::] for all IPv6 and IPv4 addresses. With port 0 the system chooses a free port; the \
port is printed.";

const WS_HELP: &str = "Address for WebSocket players, such as games in browsers: an IP address and a TCP port, or off

They share the room with the ENet players. GET /healthz on this port responds with 200 while the room is open.";

const WEBRTC_HELP: &str = "Address for WebRTC players: an IP address and a UDP port, or off [default: *:7779; off without signaling]

With WebRTC a game in a browser has unreliable packets, as over ENet. Signaling is at the path /webrtc of the \
WebSocket port and on --webrtc-signaling, in the protocol of Godot's WebRTC signaling demo (a JOIN without a lobby name). These players share the room with the \
others. `mp-server gdscript` prints the script that joins. Players need no STUN or TURN server; the room responds to \
their connectivity checks and sends none itself (ICE-lite).";

const AFTER_HELP: &str = r#"Examples:
  mp-server                                  a room on UDP port 7777 (ENet), TCP port 7778 (WebSocket)
                                             and UDP port 7779 (WebRTC)
  mp-server --enet 0.0.0.0:7777 --ws off     on all IPv4 addresses, without WebSocket
  mp-server --enet 127.0.0.1:0 --ws off      for this machine, on a free port
  mp-server --ws off --webrtc-signaling *:9080
                                             without WebSocket players, signaling on a port of its own
  mp-server --webrtc-advertise 203.0.113.7   behind a NAT that forwards the three ports
  mp-server --max-clients 16 --log debug     a small room with detailed logs
  mp-server cert                             create a certificate for development, then
  mp-server --tls-cert server.crt --tls-key server.key

In the game of each player (GDScript):
  var peer = ENetMultiplayerPeer.new()
  peer.create_client("127.0.0.1", 7777)
  multiplayer.multiplayer_peer = peer
or, over WebSocket, for browsers as well:
  var peer = WebSocketMultiplayerPeer.new()
  peer.create_client("ws://127.0.0.1:7778")
  multiplayer.multiplayer_peer = peer
or, over WebRTC, with the script of `mp-server gdscript > mp_webrtc_client.gd`:
  var client = MpWebRtcClient.new()
  add_child(client)
  client.join("ws://127.0.0.1:7778/webrtc")

Ctrl-C (SIGINT) and SIGTERM deliver accepted packets, disconnect the players and exit; a second signal exits immediately.
Exit codes: 0 after a signal, 1 if the room failed, 2 if it could not start, 3 if the result could not be \
written to standard output, 130 after a second signal."#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn environment_variables_that_are_empty_or_say_no_count_as_unset() {
        let variables: Vec<_> = Args::command()
            .get_arguments()
            .filter_map(|arg| Some((arg.get_env()?.to_owned(), arg.get_action().clone())))
            .collect();
        assert!(variables.len() >= 14, "{variables:?}");
        let remain = |given: &str| -> Vec<_> {
            let command = without_unset(Args::command(), |_| Some(given.into()));
            let remaining = command.get_arguments();
            remaining.filter_map(|arg| arg.get_env().map(OsStr::to_owned)).collect()
        };
        assert!(remain("").is_empty() && remain(" ").is_empty());
        for no in NO {
            assert!(!remain(no).contains(&"MP_DTLS".into()), "{no}");
            assert!(remain(no).contains(&"MP_SHARDS".into()), "{no} is a value there");
        }
        assert_eq!(remain("1").len(), variables.len());
    }

    #[test]
    fn websocket_players_are_pinged_behind_proxies_unless_it_is_switched_off() {
        let seconds = |args: &[&str]| {
            let args = Args::parse_from([&["mp-server"], args].concat());
            args.ws_options(None).web_socket_settings().heartbeat_interval.as_secs()
        };
        assert_eq!(seconds(&[]), 0);
        assert_eq!(seconds(&["--trusted-proxies=1"]), 25);
        assert_eq!(seconds(&["--trusted-proxies=1", "--ws-ping=0"]), 0);
        assert_eq!(seconds(&["--ws-ping=5"]), 5);
    }

    #[test]
    fn limits_reach_the_transport() {
        let args = Args::parse_from([
            "mp-server",
            "--max-clients=3",
            "--max-clients-per-address=2",
            "--max-packet-size=4096",
            "--max-reliable-queue=65536",
        ]);
        let host = args.enet_options(None).unwrap().host_settings();
        assert_eq!((host.max_peers, host.max_peers_per_address), (3, 2));
        assert_eq!((host.max_packet_size, host.reliable_queue_bytes), (4_096, 65_536));
        let ws = args.ws_options(None);
        let ws = ws.web_socket_settings();
        assert_eq!((ws.inbound_buffer_size, ws.outbound_buffer_size), (4_096, 4_096));
        assert_eq!(ws.reliable_queue_bytes, 65_536);
    }
}
