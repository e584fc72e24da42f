//! The command line.

use std::net::SocketAddr;

use clap::{Parser, Subcommand, ValueEnum};
use mp_transport_enet::ServerOptions;

use crate::cert::CertArgs;

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

    /// Where to listen for ENet players: an IP address and a UDP port
    #[arg(long_help = ENET_HELP)]
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "0.0.0.0:7777", env = "MP_ENET")]
    enet: String,

    /// Most players at a time, 1 to 4095
    ///
    /// The next ones are refused. Each player is told of all others, so that the traffic of a lively room grows with the
    /// square of this.
    #[arg(long, value_name = "N", default_value_t = 256, env = "MP_MAX_CLIENTS")]
    #[arg(value_parser = clap::value_parser!(u16).range(1..=4095))]
    max_clients: u16,

    /// Most players from one IP address, 1 to 4095 [default: as many as there may be]
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
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object per line, for programs
    Json,
}

impl Args {
    /// Where to listen, or a line that says what is wrong with it.
    pub(crate) fn enet_address(&self) -> Result<SocketAddr, String> {
        self.enet.parse().map_err(|_| {
            format!(
                "cannot listen on {:?}: --enet takes an IP address and a port, such as 0.0.0.0:7777 or [::]:7777",
                self.enet
            )
        })
    }

    /// The transport's options, or a line that says what is wrong with them.
    pub(crate) fn enet_options(&self) -> Result<ServerOptions, String> {
        let (packet, queue) = (self.max_packet_size, self.max_reliable_queue);
        if packet > queue {
            return Err(format!(
                "--max-packet-size {packet} does not fit --max-reliable-queue {queue}: who is sent such a packet \
                 would be disconnected; lower the first or raise the second"
            ));
        }
        let mut options = ServerOptions::with_max_clients(self.max_clients);
        if let Some(most) = self.max_clients_per_address {
            options.host.max_peers_per_address = most;
        }
        options.host.max_packet_size = packet as usize;
        options.host.reliable_queue_bytes = queue as usize;
        Ok(options)
    }

    pub(crate) fn max_clients(&self) -> u16 {
        self.max_clients
    }
}

const ENET_HELP: &str = "Where to listen for ENet players: an IP address and a UDP port

0.0.0.0 is every IPv4 address of this machine, [::] every IPv6 and IPv4 address. Port 0 lets the system choose; the \
port is printed.";

const AFTER_HELP: &str = r#"Examples:
  mp-server                                  a room on UDP port 7777 of every IPv4 address
  mp-server --enet [::]:7777                 of every IPv6 address as well
  mp-server --enet 127.0.0.1:0               for this machine, on a free port
  mp-server --max-clients 16 --log debug     a small one that tells who does what
  mp-server cert                             a certificate to try TLS with

In the game, on every player's side (GDScript):
  var peer = ENetMultiplayerPeer.new()
  peer.create_client("127.0.0.1", 7777)
  multiplayer.multiplayer_peer = peer

Ctrl-C (SIGINT) and SIGTERM let what was accepted arrive, say goodbye to the players and end; a second one ends at once.
Exit codes: 0 after a goodbye, 1 when the room broke, 2 when it could not start, 130 after a second signal."#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
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
        let host = args.enet_options().unwrap().host;
        assert_eq!((host.max_peers, host.max_peers_per_address), (3, 2));
        assert_eq!((host.max_packet_size, host.reliable_queue_bytes), (4_096, 65_536));
    }
}
