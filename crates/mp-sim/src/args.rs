//! Command line arguments.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mp_sim::hunt::Hunt;
use mp_sim::trace::Detail;
use mp_sim::{Part, SimulationOptions};

/// Simulate whole worlds of mp in one thread and in virtual time, from one seed.
///
/// A world is a server and its clients: real branches, endpoints and ENet hosts over simulated
/// sockets. In the active phase programs act and the seed injects faults: loss, partitions,
/// crashes, full mailboxes and more. Then all faults end, and the world must settle. Checkers
/// verify that reliable messages are received once and in order or the connection closes, that
/// queues keep their bounds, and that all programs finally agree on the connected peers.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Simulate one seed and print the result
    #[arg(long, value_name = "N", required_unless_present = "seeds", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Simulate this many seeds, and stop at the first failure
    #[arg(long, value_name = "K")]
    seeds: Option<u64>,

    /// First seed of a hunt
    #[arg(long, value_name = "N", default_value_t = 0, requires = "seeds")]
    from: u64,

    /// Duration of the active phase in minutes of virtual time, 1 to 1440
    #[arg(long, value_name = "M", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,

    /// Concurrent clients, 1 to 200
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=200))]
    clients: u8,

    /// Simulate only this part of each seed
    #[arg(long, value_name = "PART")]
    only: Option<OnlyPart>,

    /// Print the events of the world of --seed
    #[arg(long, value_name = "DETAIL", num_args = 0..=1, default_missing_value = "story")]
    #[arg(conflicts_with = "seeds")]
    trace: Option<TraceDetail>,

    /// Number of threads of a hunt [default: one per core]
    #[arg(long, value_name = "N", requires = "seeds")]
    jobs: Option<NonZeroUsize>,

    /// Stop a hunt after this many seconds
    #[arg(long, value_name = "S", requires = "seeds")]
    seconds: Option<u64>,

    /// Continue after a failure, and list all failures
    #[arg(long, requires = "seeds")]
    all: bool,
}

/// Amount of output of `--trace`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TraceDetail {
    /// Signals, faults, programs that start and end
    Story,
    /// Also messages of programs, and messages from endpoints to branches
    Mail,
    /// Also every datagram
    Wire,
}

/// Value of `--only`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnlyPart {
    /// The world that every seed has
    Main,
    /// Rooms behind one endpoint
    Rooms,
    /// Players who move between rooms
    Moves,
    /// Nodes of a cluster
    Cluster,
    /// A room whose host is a client
    Hosted,
    /// Players who lose their connection and resume
    Resumes,
}

impl From<OnlyPart> for Part {
    fn from(part: OnlyPart) -> Self {
        match part {
            OnlyPart::Main => Self::Main,
            OnlyPart::Rooms => Self::Rooms,
            OnlyPart::Moves => Self::Moves,
            OnlyPart::Cluster => Self::Cluster,
            OnlyPart::Hosted => Self::Hosted,
            OnlyPart::Resumes => Self::Resumes,
        }
    }
}

/// Command to run.
#[derive(Debug)]
pub(crate) enum Task {
    /// Simulates one seed.
    Replay(u64, SimulationOptions),
    /// Simulates a range of seeds.
    Hunt(Hunt),
}

impl Args {
    pub(crate) fn task(&self) -> Task {
        let detail = match self.trace {
            None => Detail::Nothing,
            Some(TraceDetail::Story) => Detail::Story,
            Some(TraceDetail::Mail) => Detail::Mail,
            Some(TraceDetail::Wire) => Detail::Wire,
        };
        let active_time = Duration::from_secs(self.minutes * 60);
        let (clients, only) = (self.clients.into(), self.only.map(Part::from));
        let options = SimulationOptions { clients, active_time, detail, only };
        if let Some(seed) = self.seed {
            return Task::Replay(seed, options);
        }
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Task::Hunt(Hunt {
            seeds: self.from..self.from.saturating_add(self.seeds.unwrap_or(0)),
            options,
            jobs: self.jobs.map_or_else(cores, NonZeroUsize::get),
            time_limit: self.seconds.map(Duration::from_secs),
            continue_after_failure: self.all,
        })
    }

    /// Returns the command that replays `seed` with a trace.
    pub(crate) fn replay_command(&self, seed: u64) -> String {
        let (minutes, clients) = (self.minutes, self.clients);
        let clients = if clients == 8 { String::new() } else { format!(" --clients {clients}") };
        let only = self.only.and_then(|only| only.to_possible_value());
        let only = only.map_or_else(String::new, |only| format!(" --only {}", only.get_name()));
        format!(
            "cargo run --release -p mp-sim -- --seed {seed} --minutes {minutes}{clients}{only} --trace"
        )
    }
}

const AFTER_HELP: &str = "\
Examples:
  mp-sim --seed 7                     one world
  mp-sim --seed 7 --trace             with signals and faults; `--trace wire` adds datagrams
  mp-sim --seed 7 --minutes 30        a longer active phase
  mp-sim --seeds 10000                many seeds, on all cores
  mp-sim --seeds 1000 --only hosted   one part of each seed
  mp-sim --seeds 1000000 --seconds 120 --from 5000
                                      stop after two minutes

The same seed always produces the same world until the simulator changes. Add a seed that has failed to
crates/mp-sim/tests/worlds/regressions.rs.

Exit codes: 0 no violation, 1 violation (prints the seed and a command that replays it), 2 invalid
command line.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn replay_command_repeats_the_options_of_the_hunt() {
        let args = ["mp-sim", "--seeds=9", "--clients=3", "--minutes=2", "--only=hosted"];
        let args = Args::parse_from(args);
        let options = "--seed 7 --minutes 2 --clients 3 --only hosted --trace";
        assert!(args.replay_command(7).ends_with(options));
        let Task::Hunt(hunt) = args.task() else { panic!("--seeds must start a hunt") };
        assert_eq!((hunt.seeds, hunt.options.clients), (0..9, 3));
    }

    #[test]
    fn exactly_one_of_seed_and_seeds_is_required() {
        for wrong in [&["mp-sim"][..], &["mp-sim", "--seed=1", "--seeds=2"]] {
            assert!(Args::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
