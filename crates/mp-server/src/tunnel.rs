//! `mp-server tunnel`: hosts a game that runs beside it in a room of another mp-server.

use std::fs;
use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use mp_bots::scenario::{BotTransport, ServerAddress};
use mp_core::Rng;
use mp_identity::Token;
use mp_rooms::{Code, RoomName};
use mp_tls::ClientTlsOptions;
use mp_transport_enet::DtlsClientOptions;
use mp_tunnel::{HostRefusal, LinkAddress, LinkEvent, Status, TunnelError, TunnelOptions};

use crate::remote::{self, Compression};
use crate::shutdown::Shutdown;
use crate::{Failure, output};

/// Host a Godot game that calls create_server, without an open port
///
/// The game runs on this machine, unmodified. Players join a room of an mp-server on the internet,
/// by ENet, WebSocket or WebRTC, browsers included. This program dials out to that room, and opens
/// one connection to the game for each player. The game sees them all as players on this machine.
#[derive(Args, Debug)]
#[command(after_long_help = AFTER_HELP)]
pub(crate) struct TunnelArgs {
    /// Address of the game, the port of its create_server
    #[arg(long, value_name = "ADDRESS")]
    to: SocketAddr,
    /// Address of the mp-server: wss://HOST:PORT or enets://HOST:PORT (DTLS), and with --insecure
    /// ws:// or enet://
    #[arg(long, value_name = "ADDRESS")]
    server: ServerAddress,
    /// Room, by whose name players join [default: a random name, which is printed]
    #[arg(long, value_name = "NAME")]
    room: Option<RoomName>,
    /// Template of the room [default: that of the server's listener]
    #[arg(long, value_name = "NAME")]
    template: Option<RoomName>,
    /// Code of the room, if it is private
    #[arg(long, value_name = "CODE", value_parser = parse_code)]
    code: Option<Code>,
    /// Key of hosts (template.NAME.host_key of the server), or a token with the role host; other
    /// users of this machine can see it
    #[arg(long, value_name = "KEY", env = "MP_TUNNEL_KEY", hide_env_values = true, value_parser = parse_key)]
    key: Option<Token>,
    /// File with the key
    #[arg(long, value_name = "FILE", conflicts_with = "key")]
    key_file: Option<PathBuf>,
    /// Permit a connection to the server without encryption, or to one whose certificate is not
    /// trusted
    #[arg(long)]
    insecure: bool,
    /// Trust only the certificates of this file (PEM), instead of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Permit a game on another machine. Its network can read and change what players send
    #[arg(long)]
    allow_remote: bool,
    /// Compression of the game (ENetConnection.compress)
    #[arg(long, value_name = "MODE", default_value = "none")]
    compression: Compression,
    /// The game uses DTLS (ENetConnection.dtls_server_setup). Its certificate is not verified
    #[arg(long)]
    game_dtls: bool,
    /// Print only errors
    #[arg(long, short)]
    quiet: bool,
}

/// Runs the command until a signal.
pub(crate) fn run(args: &TunnelArgs) -> Result<(), Failure> {
    if !args.to.ip().is_loopback() && !args.allow_remote {
        return Err(Failure::Refused(format!(
            "--to {} is not on this machine; use 127.0.0.1, or pass --allow-remote",
            args.to
        )));
    }
    let room = match &args.room {
        Some(room) => room.clone(),
        None => random_room()?,
    };
    let options = TunnelOptions::new(link(args, &room)?, args.to);
    let options = options.game_options(|options| {
        let options = options.compression(args.compression.into());
        match args.game_dtls {
            true => {
                let tls = ClientTlsOptions::new_unsafe();
                options.dtls(DtlsClientOptions { hostname: args.to.ip().to_string(), tls })
            }
            false => options,
        }
    });
    let say = |line: String| {
        if !args.quiet {
            let _ = output::print(io::stderr(), format!("{line}\n"));
        }
    };
    if !listens(args.to) {
        say(format!("no game listens on UDP {}; start it, for players to join", args.to));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("cannot start: {error}")))?;
    let ran = runtime.block_on(async {
        let mut shutdown = Shutdown::new()
            .map_err(|error| Failure::Refused(format!("cannot listen for signals: {error}")))?;
        let stop = async {
            shutdown.next().await;
        };
        let report = |status: Status| say(line(&status, args, &room));
        mp_tunnel::run(options, stop, report).await.map_err(|error| failure(&error, &room))
    });
    let stats = ran?;
    say(format!(
        "closed; {} packets from players, {} to them",
        stats.packets_received, stats.packets_sent
    ));
    Ok(())
}

/// Returns the address of the room, with the credentials.
fn link(args: &TunnelArgs, room: &RoomName) -> Result<LinkAddress, Failure> {
    let ServerAddress { url, transport, host, port } = &args.server;
    let is_encrypted = remote::is_encrypted(&args.server);
    if !is_encrypted && !args.insecure {
        return Err(Failure::Refused(format!(
            "--server {url} is not encrypted; use wss:// or enets://, or pass --insecure"
        )));
    }
    let tls = remote::trust(args.ca.as_deref(), args.insecure)?;
    let mut query = format!("room={room}");
    for (key, value) in [
        ("template", args.template.as_ref().map(RoomName::as_str)),
        ("code", args.code.as_ref().map(Code::as_str)),
        ("token", key(args)?.as_ref().map(Token::as_str)),
    ] {
        query.extend(value.map(|value| format!("&{key}={}", encoded(value))));
    }
    Ok(match transport {
        BotTransport::WebSocket => {
            LinkAddress::WebSocket { url: format!("{}?{query}", page(args, room)), tls }
        }
        BotTransport::WebRtc => {
            return Err(Failure::Refused(format!(
                "--server {url}: the program connects by WebSocket or ENet; use wss:// or enets://"
            )));
        }
        BotTransport::Enet | BotTransport::EnetDtls => LinkAddress::Enet {
            host: host.clone(),
            port: *port,
            dtls: is_encrypted.then(|| DtlsClientOptions { hostname: host.clone(), tls }),
            credentials: query.into(),
        },
    })
}

/// Returns the URL of the room on a WebSocket listener that selects by path.
fn page(args: &TunnelArgs, room: &RoomName) -> String {
    let server = args.server.url.trim_end_matches('/');
    match &args.template {
        Some(template) => format!("{server}/{template}/{room}"),
        None => format!("{server}/{room}"),
    }
}

fn key(args: &TunnelArgs) -> Result<Option<Token>, Failure> {
    let Some(file) = &args.key_file else { return Ok(args.key.clone()) };
    let refused = |error: String| Failure::Refused(format!("{}: {error}", file.display()));
    let text = fs::read_to_string(file).map_err(|error| refused(error.to_string()))?;
    Token::new(text.trim()).map(Some).map_err(|error| refused(error.to_string()))
}

/// Returns a name of 50 random bits, which cannot be guessed.
fn random_room() -> Result<RoomName, Failure> {
    let seed = mp_core::host::os_seed();
    let seed = seed.map_err(|error| Failure::Refused(format!("no randomness: {error}")))?;
    let mut rng = Rng::from_seed(seed);
    let mut letters = || char::from(LETTERS[rng.below(LETTERS.len() as u64) as usize]);
    let name: String = (0..11).map(|at| if at == 5 { '-' } else { letters() }).collect();
    RoomName::new(&name).map_err(|error| Failure::Refused(error.to_string()))
}

/// Returns whether a program listens on a UDP port. Only this machine reports that none does.
fn listens(address: SocketAddr) -> bool {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => ([0; 4], 0).into(),
        SocketAddr::V6(_) => ([0_u16; 8], 0).into(),
    };
    let refused = UdpSocket::bind(any).and_then(|socket| {
        socket.connect(address)?;
        socket.set_read_timeout(Some(PROBE_TIME))?;
        // Too short for a datagram of ENet or DTLS, which the game ignores.
        socket.send(&[0])?;
        socket.recv(&mut [0; 1])
    });
    !refused.is_err_and(|error| {
        matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionReset)
    })
}

fn line(status: &Status, args: &TunnelArgs, room: &RoomName) -> String {
    match status {
        Status::Event(LinkEvent::Hosting { is_resumed: true }) => {
            format!("the room {room} is connected again, with its players")
        }
        Status::Event(LinkEvent::Hosting { .. }) => match args.server.transport {
            BotTransport::WebSocket => format!(
                "hosting {} in the room {room}; players join it, for example at {}",
                args.to,
                page(args, room)
            ),
            _ => format!("hosting {} in the room {room}", args.to),
        },
        Status::Event(LinkEvent::Refused(refusal)) => format!("the server refuses: {refusal}"),
        Status::Event(LinkEvent::SessionExpired) => {
            "the server was not reached again in time; the players have left".to_owned()
        }
        Status::Event(LinkEvent::Joined(player)) => format!("player {player} has joined"),
        Status::Event(LinkEvent::Left(player, reason)) => format!("player {player}: {reason}"),
        Status::LinkLost { reason, retry_in } => format!(
            "not connected to {}: {reason}; trying again in {:.1} s",
            args.server.url,
            retry_in.as_secs_f64()
        ),
        Status::GameUnreachable { guest, reason } => {
            format!("player {guest} cannot be connected to the game: {reason}")
        }
        status => format!("{status:?}"),
    }
}

fn failure(error: &TunnelError, room: &RoomName) -> Failure {
    let help = match error {
        TunnelError::Setup(why) => return Failure::Refused(why.clone()),
        TunnelError::Rejected { code, .. } => match code.as_str() {
            "wrong_host_key" | "no_host" | "missing_token" => {
                "pass the server's host_key, or a token with the role host, as --key"
            }
            "unknown_room" | "unknown_template" => {
                "check --room, --template, and that its template has host = \"tunnel\"; only a host with --key creates a room"
            }
            "wrong_code" => "pass the code of the private room as --code",
            "too_many_attempts" => "wait a minute",
            _ => "the log of the server has details",
        },
        TunnelError::Refused(HostRefusal::NoTunnel) => "check --room and --template",
        TunnelError::Refused(_) => {
            "pass the server's host_key, or a token with the role host, as --key; over ENet the listener needs select = \"auth\""
        }
        _ => "the log of the server has details",
    };
    Failure::Request(format!("cannot host the room {room}: {error}; {help}"))
}

/// Returns a value of a URL's query.
fn encoded(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'_' | b'.' => char::from(byte).to_string(),
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

fn parse_key(text: &str) -> Result<Token, String> {
    Token::new(text).map_err(|error| error.to_string())
}

fn parse_code(text: &str) -> Result<Code, String> {
    Code::new(text).map_err(|error| error.to_string())
}

/// Letters of random names: 32, without those that look alike.
const LETTERS: &[u8; 32] = b"abcdefghjkmnpqrstuvwxyz023456789";
/// Time in which the operating system reports that no program listens.
const PROBE_TIME: Duration = Duration::from_millis(100);

const AFTER_HELP: &str = r#"On the server (mp-server.toml):
  [template.tunnel]
  host = "tunnel"                       # rooms whose host is a game elsewhere
  host_key = "KEY"                      # at least 16 random characters: openssl rand -base64 24
  [[listen]]
  transport = "websocket"
  address = "*:7778"
  select = "path"
  template = "tunnel"

Beside the game, which calls create_server(7777):
  mp-server tunnel --to 127.0.0.1:7777 --server wss://play.example.org --key-file key.txt

Players connect to the room that is printed:
  peer.create_client("wss://play.example.org/7fk3m-x2q9d")

All players have the address 127.0.0.1 in the game; bans and limits of addresses apply on the server. When
the connection to the server is lost, players stay for host_grace seconds, and nothing reliable is lost if it
comes back. Ctrl-C disconnects the players and exits. Exit codes: 0 after a signal, 1 if the server refuses the
host, 2 if an argument is invalid."#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_names_differ_and_are_names() {
        let (first, second) = (random_room().unwrap(), random_room().unwrap());
        assert_eq!((first.as_str().len(), &first.as_str()[5..6]), (11, "-"));
        assert_ne!(first, second);
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        assert_eq!(encoded("a-b_c.d/ä&"), "a-b_c.d%2F%C3%A4%26");
    }

    #[test]
    fn port_without_a_program_is_noticed() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(listens(socket.local_addr().unwrap()));
        // A port below 1,024, which no test binds.
        assert!(cfg!(not(target_os = "linux")) || !listens(([127, 0, 0, 1], 1).into()));
    }
}
