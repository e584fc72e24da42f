//! The command line.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::BoolishValueParser;
use clap::{Arg, ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use mp_core::{ErrorChain, TransferMode};
use mp_signaling::limits::SOCKETS_PER_ADDRESS_MAX;
use mp_tls::CertificateStore;
use mp_transport_enet::ServerOptions;
use mp_transport_ws::limits::HANDSHAKES_MAX;

use crate::cert::CertArgs;
use crate::open_files;
use crate::webrtc::{WebRtcSettings, sessions_max};

/// A relay room for Godot 4 games.
///
/// Players who connect see each other (peer_connected, get_peers) and reach each other with RPCs and send_bytes; the room
/// passes their packets on and knows nothing of the game. Peer 1 is the room itself: it has no nodes, and calls to it are
/// dropped. As it is also the authority of every node at first, let the players' nodes be their own with
/// set_multiplayer_authority, or use @rpc("any_peer").
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Where to listen for ENet players: an IP address and a UDP port, or off
    #[arg(long_help = ENET_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "*:7777", env = "MP_ENET")]
    enet: String,

    /// Where to listen for WebSocket players: an IP address and a TCP port, or off
    #[arg(long_help = WS_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "*:7778", env = "MP_WS")]
    ws: String,

    /// Where to listen for WebRTC players: an IP address and a UDP port, or off [default: *:7779; off with --ws off]
    #[arg(long_help = WEBRTC_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", env = "MP_WEBRTC")]
    webrtc: Option<String>,

    /// Addresses that WebRTC players are told to reach the room at, separated by commas [default: this machine's]
    ///
    /// For a room behind a NAT or in a container: the public IP address, with a port where that is another one than
    /// --webrtc's (203.0.113.7 or 203.0.113.7:7779).
    #[arg(long, value_name = "ADDRESS", env = "MP_WEBRTC_ADVERTISE", value_delimiter = ',')]
    webrtc_advertise: Vec<String>,

    /// Modes of the transfer channels 1, 2, … of WebRTC players: reliable, unreliable or unreliable_ordered, separated by commas
    ///
    /// As channels_config in the game, which must be the same: what is sent on a channel that the other side lacks is lost.
    /// Without it players use channel 0 alone, and get on it what others send on other channels.
    #[arg(long, value_name = "MODE", env = "MP_WEBRTC_CHANNELS", value_delimiter = ',')]
    webrtc_channels: Vec<ChannelMode>,

    /// Web pages whose scripts may join, by their origins, separated by commas [default: all]
    ///
    /// Such as `https://game.example`. It keeps the scripts of other pages out; programs that are no browser name no origin
    /// and may always join.
    #[arg(long, value_name = "ORIGIN", env = "MP_ALLOW_ORIGIN", value_delimiter = ',')]
    allow_origin: Vec<String>,

    /// Certificate chain (PEM) with which WebSocket players come over TLS, by wss:// instead of ws://
    ///
    /// Goes with --tls-key. When the files are replaced, new players get the new certificate within seconds; nobody is
    /// disconnected. `mp-server cert` makes a pair to try it with.
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "MP_TLS_CERT")]
    tls_cert: Option<PathBuf>,

    /// Private key (PEM) of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "MP_TLS_KEY")]
    tls_key: Option<PathBuf>,

    /// Encrypt ENet as well (DTLS), with the same certificate: one with an ECDSA key, and without a chain
    ///
    /// Needs --tls-cert and --tls-key. All ENet players must then come with dtls_client_setup, after create_client:
    /// peer.host.dtls_client_setup("HOST", TLSOptions.client(load("res://server.crt"))).
    #[arg(long, requires = "tls_cert", env = "MP_DTLS", value_parser = BoolishValueParser::new())]
    dtls: bool,

    /// Reverse proxies in front of the WebSocket port, whose X-Forwarded-For is believed
    ///
    /// 1 for one nginx, say. Each proxy must append the address that it acts for. With 0 the header means nothing, since players
    /// could write it themselves.
    #[arg(long, value_name = "N", default_value_t = 0, env = "MP_TRUSTED_PROXIES")]
    #[arg(value_parser = clap::value_parser!(u8).range(0..=16))]
    trusted_proxies: u8,

    /// Seconds after which a WebSocket player is pinged, up to 3600; 0 for never [default: 25 with --trusted-proxies, else 0]
    ///
    /// Proxies end connections on which nothing is sent: nginx after 60 s, many load balancers as well. A player who answers no
    /// ping is disconnected.
    #[arg(long, value_name = "SECONDS", env = "MP_WS_PING")]
    #[arg(value_parser = clap::value_parser!(u16).range(0..=3_600))]
    ws_ping: Option<u16>,

    /// Most players at a time, 1 to 4095
    ///
    /// The next ones are refused. Each player is told of all others, so that the traffic of a lively room grows with the
    /// square of this.
    #[arg(long, value_name = "N", default_value_t = 256, env = "MP_MAX_CLIENTS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4095))]
    max_clients: u16,

    /// Threads that serve ENet's socket, 1 to 64
    ///
    /// The players are spread over them; the room itself runs on one thread more, and with 1 they are the same. More than one is
    /// for Linux alone, and for rooms that one core cannot serve.
    #[arg(long, value_name = "N", default_value_t = 1, env = "MP_SHARDS")]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=64))]
    shards: u8,

    /// Most ENet players from one IP address, 1 to 4095 [default: as many as there may be]
    ///
    /// Players behind one router share an address.
    #[arg(long, value_name = "N", env = "MP_MAX_CLIENTS_PER_ADDRESS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4095))]
    max_clients_per_address: Option<u16>,

    /// Largest packet in bytes that a player may send
    #[arg(long, value_name = "BYTES", default_value_t = 32 << 20, env = "MP_MAX_PACKET_SIZE")]
    #[arg(value_parser = clap::value_parser!(u32).range(1_024..=32 << 20))]
    max_packet_size: u32,

    /// Reliable bytes that may wait for one player, who is disconnected beyond
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20, env = "MP_MAX_RELIABLE_QUEUE")]
    #[arg(value_parser = clap::value_parser!(u32).range(64 << 10..))]
    max_reliable_queue: u32,

    /// What to log to standard error: error, warn, info, debug, trace, or filters by module (mp_scene=debug)
    ///
    /// At info: start, end, and at most once a second how many came and went. What single players do is at debug, so that
    /// none of them can fill a disk.
    #[arg(long, value_name = "FILTER", default_value = "info", env = "MP_LOG")]
    pub(crate) log: String,

    /// How to log
    #[arg(long, value_name = "FORMAT", default_value = "text", env = "MP_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// What else it can do.
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

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line, for programs
    Json,
}

/// Where to listen; `None` where it is off.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) enet: Option<SocketAddr>,
    pub(crate) ws: Option<SocketAddr>,
    pub(crate) webrtc: Option<SocketAddr>,
}

impl Args {
    /// Parses a command line and the environment; exits with a line where they are wrong.
    pub(crate) fn from_command_line(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Self {
        let command = without_unset(Self::command(), |name| std::env::var_os(name));
        let matches = command.get_matches_from(args);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// The addresses to listen on, or a line that says why there are none.
    pub(crate) fn addresses(&self) -> Result<Addresses, String> {
        let any = any_address(|| UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok());
        let enet = listen("--enet", &self.enet, any, "*:7777, 0.0.0.0:7777 or [::]:7777")?;
        let ws = listen("--ws", &self.ws, any, "*:7778, 0.0.0.0:7778 or [::]:7778")?;
        if enet.is_none() && ws.is_none() {
            return Err("--enet off and --ws off leave nobody to listen for".to_owned());
        }
        let webrtc = match (&self.webrtc, ws) {
            (None, None) => None,
            (given, _) => {
                let given = given.as_deref().unwrap_or(WEBRTC_DEFAULT);
                listen("--webrtc", given, any, "*:7779, 0.0.0.0:7779 or [::]:7779")?
            }
        };
        if let (Some(webrtc), None) = (webrtc, ws) {
            return Err(format!(
                "--webrtc {webrtc} needs --ws: WebRTC players find the room through the WebSocket port; give --ws an \
                 address or leave --webrtc out"
            ));
        }
        Ok(Addresses { enet, ws, webrtc })
    }

    /// The settings of WebRTC on `address`, or a line that says what is wrong with them.
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
                    "--webrtc-advertise {} says nothing without WebRTC; leave it out or give --webrtc an address",
                    first.ip()
                )),
            };
        };
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
        }))
    }

    /// The origins of web pages that may join, or a line that says which is none.
    pub(crate) fn allowed_origins(&self) -> Result<Vec<String>, String> {
        let is_origin = |text: &&String| {
            let (scheme, host) = text.split_once("://").unwrap_or_default();
            let is_known = ["http", "https"].contains(&scheme);
            is_known && !host.is_empty() && !host.contains(['/', '?', '#', '@', ' '])
        };
        match self.allow_origin.iter().find(|text| !is_origin(text)) {
            None => Ok(self.allow_origin.clone()),
            Some(wrong) => Err(format!(
                "--allow-origin {wrong:?} is no origin: it takes a scheme, a host and a port where there is one, \
                 such as https://game.example or http://localhost:8000"
            )),
        }
    }

    /// The transport's options, or a line that says what is wrong with them.
    pub(crate) fn enet_options(
        &self,
        tls: Option<&CertificateStore>,
    ) -> Result<ServerOptions, String> {
        let (packet, queue) = (self.max_packet_size, self.max_reliable_queue);
        if packet > queue {
            return Err(format!(
                "--max-packet-size {packet} does not fit --max-reliable-queue {queue}: who is sent such a packet \
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

    /// The options of the WebSocket transport, whose certificate `tls` is.
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

    /// The certificate, or a line that says what is wrong with it.
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

    /// Interval of pings to WebSocket players; zero for none.
    fn ws_ping(&self) -> Duration {
        let default = if self.trusted_proxies > 0 { PING_BEHIND_PROXIES } else { 0 };
        Duration::from_secs(self.ws_ping.unwrap_or(default).into())
    }

    /// Files that the program has open when the room is full and others shake hands.
    pub(crate) fn open_files(&self) -> u64 {
        // Players of WebSocket, and the signaling of those of WebRTC.
        let players = match self.ws.as_str() {
            "off" => 0,
            _ => {
                sessions_max(self.max_clients.into())
                    + usize::from(self.max_clients)
                    + HANDSHAKES_MAX
            }
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

/// Takes from `command` the environment variables that say nothing: empty ones, and for switches
/// those that say no.
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

/// Every address of this machine: of both families, unless the system has no IPv6.
fn any_address(has_ipv6: impl FnOnce() -> bool) -> IpAddr {
    if has_ipv6() { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() }
}

/// An address for `--webrtc-advertise`; port 0 where none is given.
fn advertised_address(given: &str) -> Result<SocketAddr, String> {
    let with_port = |ip: IpAddr| SocketAddr::new(ip, 0);
    let parsed = given.parse().ok().or_else(|| given.parse().ok().map(with_port));
    parsed.filter(|address| !address.ip().is_unspecified() && !address.ip().is_multicast()).ok_or_else(|| {
        format!(
            "cannot advertise {given:?}: --webrtc-advertise takes IP addresses that players reach, each with a port \
             where it is another one than --webrtc's, such as 203.0.113.7 or 203.0.113.7:7779"
        )
    })
}

fn listen(
    option: &str,
    given: &str,
    any: IpAddr,
    such_as: &str,
) -> Result<Option<SocketAddr>, String> {
    if given == "off" {
        return Ok(None);
    }
    let parsed = match given.strip_prefix("*:") {
        Some(port) => port.parse().ok().map(|port| SocketAddr::new(any, port)),
        None => given.parse().ok(),
    };
    parsed.map(Some).ok_or_else(|| {
        format!(
            "cannot listen on {given:?}: {option} takes an IP address and a port, such as {such_as}, or off"
        )
    })
}

/// Where to listen for WebRTC players where nothing is said.
const WEBRTC_DEFAULT: &str = "*:7779";
/// Values of a switch's environment variable that leave it off.
const NO: [&str; 6] = ["0", "f", "false", "n", "no", "off"];
/// Seconds between pings behind a proxy: nginx waits 60 s for a byte, and a ping may be lost once.
const PING_BEHIND_PROXIES: u16 = 25;

const ENET_HELP: &str = "Where to listen for ENet players: an IP address and a UDP port, or off

* is every address of this machine, of IPv6 and IPv4, or of IPv4 alone where there is no IPv6. 0.0.0.0 is every IPv4 \
address, [::] every IPv6 and IPv4 address. Port 0 lets the system choose; the \
port is printed.";

const WS_HELP: &str = "Where to listen for WebSocket players, such as games in browsers: an IP address and a TCP port, or off

They and the ENet players are in the same room. GET /healthz on the port answers 200 while the room is open.";

const WEBRTC_HELP: &str = "Where to listen for WebRTC players: an IP address and a UDP port, or off [default: *:7779; off with --ws off]

With WebRTC a game in a browser has unreliable packets, as over ENet. Its players find the room at the path /webrtc of the \
WebSocket port, by the protocol of Godot's WebRTC signaling demo (a JOIN without a lobby name), and are in the same room as all \
others. `mp-server gdscript` prints the script that joins. Players need no STUN or TURN server; the room answers \
their checks and makes none itself (ICE-lite).";

const AFTER_HELP: &str = r#"Examples:
  mp-server                                  a room on UDP port 7777 (ENet), TCP port 7778 (WebSocket)
                                             and UDP port 7779 (WebRTC)
  mp-server --enet 0.0.0.0:7777 --ws off     of every IPv4 address, without WebSocket
  mp-server --enet 127.0.0.1:0 --ws off      for this machine, on a free port
  mp-server --webrtc-advertise 203.0.113.7   behind a NAT that passes the three ports on
  mp-server --max-clients 16 --log debug     a small one that tells who does what
  mp-server cert                             a certificate to try TLS with, and then
  mp-server --tls-cert server.crt --tls-key server.key

In the game, on every player's side (GDScript):
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

Ctrl-C (SIGINT) and SIGTERM let what was accepted arrive, say goodbye to the players and end; a second one ends at once.
Exit codes: 0 after a goodbye, 1 when the room broke, 2 when it could not start, 3 when it did what it was asked to \
and standard output took nothing, 130 after a second signal."#;

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
    fn both_families_are_the_default_where_the_system_has_them() {
        let (v6, v4) = (any_address(|| true), any_address(|| false));
        let args = Args::parse_from(["mp-server"]);
        let listens = |any| listen("--enet", &args.enet, any, "").unwrap().unwrap().to_string();
        assert_eq!((listens(v6), listens(v4)), ("[::]:7777".into(), "0.0.0.0:7777".into()));
        assert!(listen("--enet", "*:seven", v6, "*:7777").unwrap_err().contains("*:7777"));
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
