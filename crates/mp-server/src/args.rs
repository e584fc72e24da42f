//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::bots::BotsArgs;
use crate::cert::CertArgs;
use crate::config::flags;
use crate::config::{Flags, Sources};
use crate::config_command::ConfigArgs;
use crate::ctl::CtlArgs;
use crate::doctor::DoctorArgs;
use crate::inspect::InspectArgs;
use crate::record::{ReplayArgs, WatchArgs};
use crate::token::TokenArgs;
use crate::tunnel::TunnelArgs;
use crate::wireshark::WiresharkArgs;

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

    #[command(flatten)]
    pub(crate) settings: SettingArgs,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Bots(BotsArgs),
    Cert(CertArgs),
    Config(ConfigArgs),
    Ctl(CtlArgs),
    Doctor(DoctorArgs),
    Inspect(InspectArgs),
    Replay(ReplayArgs),
    Watch(Box<WatchArgs>),
    Token(TokenArgs),
    Tunnel(Box<TunnelArgs>),
    Wireshark(WiresharkArgs),
    /// Print a Grafana dashboard for the metrics of the server
    ///
    /// Import it in Grafana: mp-server dashboard > grafana.json
    Dashboard,
    /// Print the script with which a Godot game joins over WebRTC
    ///
    /// Save it in the game's project: mp-server gdscript > mp_webrtc_client.gd
    Gdscript,
}

/// The file and the flags of the settings.
#[derive(Clone, Debug, Default)]
pub(crate) struct SettingArgs {
    /// File that was given.
    pub(crate) file: Option<PathBuf>,
    flags: Flags,
}

impl SettingArgs {
    /// Returns the layers over the defaults, with the environment variables of this process.
    pub(crate) fn sources(&self, file: Option<PathBuf>) -> Sources {
        let variables = std::env::vars_os().map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        });
        Sources { file, variables: variables.collect(), flags: self.flags.clone() }
    }
}

impl clap::Args for SettingArgs {
    fn augment_args(command: clap::Command) -> clap::Command {
        let file = clap::Arg::new(CONFIG)
            .long(CONFIG)
            .value_name("FILE")
            .env("MP_CONFIG")
            .value_parser(clap::value_parser!(PathBuf))
            .help("Configuration file [default: mp-server.toml in the working directory, if it exists]");
        command.arg(file).args(flags::args())
    }

    fn augment_args_for_update(command: clap::Command) -> clap::Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingArgs {
    fn from_arg_matches(matches: &clap::ArgMatches) -> Result<Self, clap::Error> {
        let file = matches.get_one::<PathBuf>(CONFIG).filter(|path| !path.as_os_str().is_empty());
        Ok(Self { file: file.cloned(), flags: flags::given(matches) })
    }

    fn update_from_arg_matches(&mut self, matches: &clap::ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args {
    /// Parses a command line. Exits with a message if it is invalid.
    pub(crate) fn from_command_line(
        args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Self {
        let matches = Self::command().get_matches_from(args);
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }
}

/// Name of the flag for the file.
const CONFIG: &str = "config";

const AFTER_HELP: &str = r#"Examples:
  mp-server                                  a room on UDP port 7777 (ENet), TCP port 7778 (WebSocket)
                                             and UDP port 7779 (WebRTC)
  mp-server --enet 0.0.0.0:7777 --ws off     on all IPv4 addresses, without WebSocket
  mp-server --enet 127.0.0.1:0 --ws off      for this machine, on a free port
  mp-server --webrtc-advertise 203.0.113.7   behind a NAT that forwards the three ports
  mp-server --max-clients 16 --log debug     a small room with detailed logs
  mp-server config > mp-server.toml          write a configuration file with all settings
  mp-server doctor                           check this machine and the configuration
  mp-server inspect 127.0.0.1:9000 --to enet://127.0.0.1:7777
                                             show the packets of a game, decoded
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

Each setting can be set in the configuration file, by an environment variable, and by a flag. A flag takes
precedence over a variable, and a variable over the file. `mp-server config --effective` shows the result.
SIGHUP reloads the file. Systems other than Unix have no SIGHUP; restart the server there.

Ctrl-C (SIGINT) delivers accepted packets, disconnects the players and exits. SIGTERM first refuses new players
and waits until the others have left, for at most shutdown.drain_timeout (30 s). A second signal exits
immediately. Exit codes: 0 after a signal, 1 if the room failed, 2 if it could not start, 3 if the result could
not be written to standard output, 130 after a second signal."#;

#[cfg(test)]
mod documented;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Args::command().debug_assert();
    }

    #[test]
    fn command_lines_of_the_documentation_are_valid() {
        let starts = [
            ("cargo run --release -p mp-server --", "mp-server"),
            ("mp-server", "mp-server"),
            ("ctl", "mp-server ctl"),
        ];
        documented::check(&Args::command(), &starts);
    }
}
