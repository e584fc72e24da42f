//! The command line.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mp_transport_enet::proto::CompressionMode;

use crate::scenario::Scenario;
use crate::{conformance, own};

/// mp's side of a scenario whose other side is real Godot.
#[derive(Clone, Debug, Parser)]
#[command(name = "mp-interop", version)]
pub(crate) struct Options {
    /// Whose scenarios
    #[arg(long, value_enum, default_value = "own")]
    pub(crate) suite: Suite,
    /// Print the scenarios of the suite, one on each line, and exit
    #[arg(long)]
    pub(crate) list: bool,
    /// Which scenario
    #[arg(long, default_value = "")]
    pub(crate) scenario: String,
    /// Which side of it
    #[arg(long, value_enum, default_value = "server")]
    pub(crate) role: Role,
    #[arg(long, value_enum, default_value = "enet")]
    pub(crate) transport: Transport,
    /// The server's address, for a client
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    pub(crate) host: IpAddr,
    /// The server's port
    #[arg(long, default_value_t = 0)]
    pub(crate) port: u16,
    /// How many clients there are [default: as many as the scenario is made for]
    #[arg(long)]
    pub(crate) peers: Option<usize>,
    /// Which of the clients this is, from 0
    #[arg(long, default_value_t = 0)]
    pub(crate) index: usize,
    /// Seconds after which the process ends in any case
    #[arg(long, default_value_t = 300.0)]
    timeout: f64,
    /// ENet's compression, which must be the other side's too
    #[arg(long, value_enum, default_value = "none")]
    pub(crate) compression: Compression,
    /// The server's certificate, which clients trust
    #[arg(long)]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key that goes with it
    #[arg(long)]
    pub(crate) tls_key: Option<PathBuf>,
    /// Expect one wrong value, so that the run must fail
    #[arg(long)]
    pub(crate) plant_fault: bool,
}

/// A set of scenarios with a Godot project that plays the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Suite {
    /// Those of `interop/godot`
    Own,
    /// Those of the conformance project
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
    /// The mode's name in mp.
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
    /// Reads the command line; the error is one line.
    pub(crate) fn read() -> Result<Self, String> {
        let options = Self::try_parse().map_err(|error| {
            if !error.use_stderr() {
                error.exit(); // --help and --version
            }
            one_line(&error.to_string())
        })?;
        if !options.list {
            options.check()?;
        }
        Ok(options)
    }

    /// The scenario.
    pub(crate) fn chosen(&self) -> Option<&'static Scenario> {
        self.suite.scenarios().iter().find(|scenario| scenario.name == self.scenario)
    }

    /// How many clients there are.
    pub(crate) fn peers(&self) -> usize {
        self.peers.or_else(|| Some(self.chosen()?.peers)).unwrap_or(0)
    }

    /// How long the process may take.
    pub(crate) fn timeout(&self) -> Duration {
        Duration::try_from_secs_f64(self.timeout).unwrap_or(Duration::MAX)
    }

    fn check(&self) -> Result<(), String> {
        let Some(scenario) = self.chosen() else {
            let known: Vec<_> = self.suite.scenarios().iter().map(|known| known.name).collect();
            let (name, known) = (&self.scenario, known.join(" "));
            return Err(format!("there is no --scenario={name}; there are {known}"));
        };
        if self.transport != Transport::Enet && self.compression != Compression::None {
            return Err("--compression is ENet's; leave it at none".into());
        }
        if self.port == 0 {
            return Err("--port=P is missing: the server's port, not 0".into());
        }
        let fits = match scenario.takes_more {
            true => self.peers() >= scenario.peers,
            false => self.peers() == scenario.peers,
        };
        if !fits {
            let (name, peers) = (scenario.name, scenario.peers);
            return Err(format!("--peers={}: {name} is made for {peers}", self.peers()));
        }
        if self.index >= self.peers() {
            let (index, last) = (self.index, self.peers() - 1);
            return Err(format!("--index={index}: the clients are numbered from 0 to {last}"));
        }
        if self.timeout.is_nan() || self.timeout <= 0.0 {
            return Err(format!("--timeout={}: it must be more than 0 seconds", self.timeout));
        }
        if self.plant_fault && !scenario.has_fault {
            let known = self.suite.scenarios().iter().filter(|known| known.has_fault);
            let known: Vec<_> = known.map(|known| known.name).collect();
            let (name, known) = (scenario.name, known.join(" "));
            return Err(format!("--plant-fault: {name} has no fault to plant, but {known} has"));
        }
        Ok(())
    }
}

impl Suite {
    /// Its scenarios.
    pub(crate) fn scenarios(self) -> &'static [Scenario] {
        match self {
            Self::Own => own::SCENARIOS,
            Self::Conformance => conformance::SCENARIOS,
        }
    }

    /// Whether a failed check ends the scenario; otherwise the verdict is part of its ending.
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

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enet => "enet",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// Whether packets arrive with the mode and on the channel they were sent with.
    pub(crate) fn has_modes(self) -> bool {
        self == Self::Enet
    }
}

/// What clap says, without its paragraphs on usage.
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
    fn what_is_wrong_with_the_command_line_is_said_in_one_line() {
        for (args, part) in [
            (&["--scenario=hello"][..], "--port=P is missing"),
            (&["--scenario=hullo", "--port=1"], "there are hello calls"),
            (&["--scenario=hello", "--port=1", "--role=client", "--index=2"], "from 0 to 1"),
            (&["--scenario=hello", "--port=1", "--host=nowhere"], "invalid IP address"),
            (
                &["--scenario=hello", "--port=1", "--compression=lzma"],
                "possible values: none, range",
            ),
            (&["--scenario=hello", "--port=1", "--peers=3"], "made for 2"),
            (&["--scenario=hello", "--port=1", "--timeout=0"], "more than 0"),
            (&["--scenario=hello", "--port=1", "--plant-fault"], "calls has"),
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
