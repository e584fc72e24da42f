//! `cargo xtask cluster`: three processes of mp-server that NATS connects, with Godot players and
//! bots.

mod bots;
mod death;
mod nats_server;
mod node;
mod nodes;
mod outage;
mod partition;
mod remote_game;
mod shared_room;
mod upgrade;

use std::thread;

use clap::{Args, ValueEnum};

use crate::godot::Godot;
use crate::process::now;
use crate::workspace::program;

/// Options of `cargo xtask cluster`.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct ClusterArgs {
    /// Run only this scenario (repeatable) [default: all]
    #[arg(long, value_enum)]
    scenario: Vec<ClusterScenario>,
    /// Cut a node off for 30 s instead of 8 s, play more scenarios of the conformance project, and
    /// require that rooms are adopted within 5 s
    #[arg(long)]
    long: bool,
}

/// A scenario, with nodes of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ClusterScenario {
    /// Players of one room are on three nodes
    SharedRoom,
    /// The server of interop scenarios is behind one node, its players are on others
    RemoteGame,
    /// A node with rooms is killed
    Death,
    /// A node is cut off from NATS for a while
    Partition,
    /// NATS is restarted
    Outage,
    /// All nodes are replaced, one after the other
    Upgrade,
}

impl ClusterScenario {
    fn play(self, godot: &Godot, is_long: bool) -> Result<String, String> {
        match self {
            Self::SharedRoom => shared_room::play(godot),
            Self::RemoteGame => remote_game::play(godot, is_long),
            Self::Death => death::play(is_long),
            Self::Partition => partition::play(is_long),
            Self::Outage => outage::play(),
            Self::Upgrade => upgrade::play(),
        }
    }
}

/// Runs the scenarios of `args`. Returns what they have measured.
///
/// # Errors
///
/// Returns the first difference from docs/operating/cluster.md.
pub(crate) fn run(godot: &Godot, args: &ClusterArgs) -> Result<String, String> {
    program("mp-server", "MP_SERVER_BIN")?;
    let play = |scenarios: &[ClusterScenario]| -> Result<String, String> {
        let results = scenarios.iter().map(|scenario| {
            let started = now();
            let result = scenario.play(godot, args.long);
            let result = result.map_err(|why| format!("{scenario:?}: {why}"))?;
            println!("{scenario:?}, {:.1} s: {result}", (now() - started).as_secs_f64());
            Ok(result)
        });
        Ok(results.collect::<Result<Vec<_>, String>>()?.join("; "))
    };
    if !args.scenario.is_empty() {
        return play(&args.scenario);
    }
    // Most of the time is that of leases.
    thread::scope(|scope| {
        let second = scope.spawn(|| play(&SECOND));
        let first = play(&FIRST)?;
        let second = second.join().unwrap_or_else(|_| Err("panicked".to_owned()))?;
        Ok(format!("{first}; {second}"))
    })
}

/// The scenarios of two threads, which take as long.
const FIRST: [ClusterScenario; 3] =
    [ClusterScenario::Death, ClusterScenario::RemoteGame, ClusterScenario::Partition];
const SECOND: [ClusterScenario; 3] =
    [ClusterScenario::SharedRoom, ClusterScenario::Outage, ClusterScenario::Upgrade];
