//! Command line options.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mp_core::TransferMode;
use mp_transport_enet::proto::CompressionMode;

use crate::scenario::Scenario;
use crate::{conformance, own};

/// Play mp's side of a scenario with real Godot.
#[derive(Clone, Debug, Parser)]
#[command(name = "mp-interop", version)]
pub(crate) struct Options {
    /// Suite of the scenario
    #[arg(long, value_enum, default_value = "own")]
    pub(crate) suite: Suite,
    /// List the scenarios of the suite, one per line, and exit
    #[arg(long)]
    pub(crate) list: bool,
    /// Serve WebRTC signaling on --port for a Godot server or a mesh, until the time limit
    #[arg(long)]
    pub(crate) signaling: bool,
    /// Scenario
    #[arg(long, default_value = "")]
    pub(crate) scenario: String,
    /// Side
    #[arg(long, value_enum, default_value = "server")]
    pub(crate) role: Role,
    #[arg(long, value_enum, default_value = "enet")]
    pub(crate) transport: Transport,
    /// Address of the server, for a client
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) host: IpAddr,
    /// Port of the server
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// Number of clients [default: that of the scenario]
    #[arg(long)]
    pub(crate) peers: Option<usize>,
    /// Index of this client, from 0
    #[arg(long, default_value_t = 0)]
    pub(crate) index: usize,
    /// Time limit of the process in seconds
    #[arg(long, default_value_t = 300.0)]
    timeout: f64,
    /// Compression of ENet; must be equal on both sides
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) compression: Compression,
    /// Certificate of the server, which clients trust; with it an ENet client uses DTLS
    #[arg(long)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Private key of the certificate
    #[arg(long)]
    pub(crate) tls_key: Option<PathBuf>,
    /// Expect a wrong value, so that the run must fail
    #[arg(long)]
    pub(crate) plant_fault: bool,
}

/// A set of scenarios with a Godot project that plays the remote side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Scenarios of `interop/godot`
    Own,
    /// Scenarios of the conformance project
    Conformance,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    Server,
    Client,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    Enet,
    /// WebSocket
    Ws,
    /// WebSocket over TLS, with --tls-cert and --tls-key
    Wss,
    /// WebRTC, on any UDP port; signaling on --port at the path /webrtc: a server serves it, a
    /// client and the peers of a mesh use that of another process
    Webrtc,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Compression {
    None,
    Range,
    Fastlz,
    Zlib,
    Zstd,
}

impl Compression {
    /// Returns the mode's name in mp.
    pub(crate) const fn mode(self) -> CompressionMode {
        match self {
            Self::None => CompressionMode::None,
            Self::Range => CompressionMode::RangeCoder,
            Self::Fastlz => CompressionMode::FastLz,
            Self::Zlib => CompressionMode::Zlib,
            Self::Zstd => CompressionMode::Zstd,
        }
    }
}

impl Options {
    /// Parses the command line. The error is one line.
    pub(crate) fn read() -> Result<Self, String> {
        let options = Self::try_parse().map_err(|error| {
            if !error.use_stderr() {
                error.exit(); // --help or --version
            }
            one_line(&error.to_string())
        })?;
        if !options.list {
            options.check()?;
        }
        Ok(options)
    }

    /// Returns the selected scenario.
    pub(crate) fn chosen(&self) -> Option<&'static Scenario> {
        self.suite.scenarios().iter().find(|scenario| scenario.name == self.scenario)
    }

    /// Returns the number of clients.
    pub(crate) fn peers(&self) -> usize {
        self.peers.or_else(|| Some(self.chosen()?.peers)).unwrap_or(0)
    }

    /// Returns the time limit of the process.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.timeout).unwrap_or(Duration::MAX)
    }

    fn check(&self) -> Result<(), String> {
        if self.port == 0 {
            return Err("--port=P is required: the server's port, not 0".into());
        }
        if self.signaling {
            return Ok(());
        }
        let Some(scenario) = self.chosen() else {
            let known: Vec<_> = self.suite.scenarios().iter().map(|known| known.name).collect();
            let (name, known) = (&self.scenario, known.join(" "));
            return Err(format!("unknown --scenario={name}; available: {known}"));
        };
        if self.transport != Transport::Enet && self.compression != Compression::None {
            return Err("--compression is for ENet only; use none".into());
        }
        let fits = match scenario.takes_more {
            true => self.peers() >= scenario.peers,
            false => self.peers() == scenario.peers,
        };
        if !fits {
            let (name, peers) = (scenario.name, scenario.peers);
            return Err(format!("--peers={}: {name} needs {peers} clients", self.peers()));
        }
        if self.index >= self.peers() {
            let (index, last) = (self.index, self.peers() - 1);
            return Err(format!("--index={index}: clients have indexes from 0 to {last}"));
        }
        if self.timeout.is_nan() || self.timeout <= 0.0 {
            return Err(format!("--timeout={}: must be more than 0 seconds", self.timeout));
        }
        if self.plant_fault && !scenario.has_fault {
            let known = self.suite.scenarios().iter().filter(|known| known.has_fault);
            let known: Vec<_> = known.map(|known| known.name).collect();
            let (name, known) = (scenario.name, known.join(" "));
            return Err(format!("--plant-fault: {name} has no fault to plant; use {known}"));
        }
        Ok(())
    }
}

impl Suite {
    /// Returns the scenarios of the suite.
    pub(crate) fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Own => own::SCENARIOS,
            Self::Conformance => conformance::SCENARIOS,
        }
    }

    /// Returns whether a failed check ends the scenario at once. Otherwise its ending exchanges the
    /// results.
    pub(crate) fn fails_at_once(self) -> bool {
        self == Self::Own
    }
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
        }
    }
}

/// Modes of the transfer channels 1, 2, … of WebRTC, as in `scenario.gd`.
pub(crate) const WEBRTC_CHANNELS: [TransferMode; 4] = [TransferMode::Reliable; 4];

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enet => "enet",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Webrtc => "webrtc",
        }
    }

    /// Returns mode and channel with which a packet is received.
    pub(crate) fn arrival(self, mode: TransferMode, channel: u8) -> (TransferMode, u8) {
        match (self, channel) {
            (Self::Enet, _) | (Self::Webrtc, 0) => (mode, channel),
            (Self::Ws | Self::Wss, _) => (TransferMode::Reliable, 0),
            (Self::Webrtc, _) => (WEBRTC_CHANNELS[usize::from(channel) - 1], channel),
        }
    }
}

/// Returns clap's error without usage paragraphs.
fn one_line(error: &str) -> String {
    let lines = error.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:"));
    let lines: Vec<_> = lines
        .filter(|line| !line.is_empty() && !line.starts_with("For more information"))
        .collect();
    lines.join(" ").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str]) -> Result<(), String> {
        let args = std::iter::once("mp-interop").chain(args.iter().copied());
        Options::try_parse_from(args).map_err(|error| one_line(&error.to_string()))?.check()
    }

    #[test]
    fn command_line_errors_are_one_line() {
        for (args, part) in [
            (&["--scenario=hello"][..], "--port=P is required"),
            (&["--scenario=hullo", "--port=1"], "available: hello calls"),
            (&["--scenario=hello", "--port=1", "--role=client", "--index=2"], "from 0 to 1"),
            (&["--scenario=hello", "--port=1", "--host=nowhere"], "invalid IP address"),
            (
                &["--scenario=hello", "--port=1", "--compression=lzma"],
                "possible values: none, range",
            ),
            (&["--scenario=hello", "--port=1", "--peers=3"], "needs 2 clients"),
            (&["--scenario=hello", "--port=1", "--timeout=0"], "more than 0"),
            (&["--scenario=hello", "--port=1", "--plant-fault"], "use calls"),
            (
                &["--scenario=hello", "--port=1", "--role=judge"],
                "[possible values: server, client]",
            ),
            (&["--scenario=hello", "--port=x"], "invalid digit"),
            (&["--senario=hello"], "--senario"),
        ] {
            let why = check(args).unwrap_err();
            assert!(why.contains(part) && !why.contains('\n'), "{args:?}: {why}");
        }
        assert_eq!(check(&["--scenario=calls", "--port=1", "--peers=1", "--plant-fault"]), Ok(()));
        assert_eq!(check(&["--scenario=hello", "--port=1", "--role=client", "--index=1"]), Ok(()));
    }
}
