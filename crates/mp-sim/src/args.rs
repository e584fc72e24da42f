//! The command line.

use std::num::NonZeroUsize;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use mp_sim::Options;
use mp_sim::hunt::Hunt;
use mp_sim::trace::Detail;

/// Whole worlds of mp in one thread, under virtual time, from one seed.
///
/// A world is a server and its clients: real branches, endpoints and ENet hosts over simulated sockets. For its minutes of virtual
/// time programs play and things go wrong (loss, partitions, crashes, full mailboxes and more, as the seed decides); then everything
/// is mended, and the world must come to rest. Checkers watch it all: what was accepted as reliable arrives once and in order or the
/// link ends, everybody who comes leaves, queues keep their bounds, and at rest all agree on who is there.
#[derive(Debug, Parser)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Args {
    /// Simulate one seed and say what became of it
    #[arg(long, value_name = "N", required_unless_present = "seeds", conflicts_with = "seeds")]
    seed: Option<u64>,

    /// Hunt: simulate this many seeds, and stop at the first that fails
    #[arg(long, value_name = "K")]
    seeds: Option<u64>,

    /// The first seed of a hunt
    #[arg(long, value_name = "N", default_value_t = 0, requires = "seeds")]
    from: u64,

    /// Minutes of virtual time that a storm lasts, 1 to 1440
    #[arg(long, value_name = "M", default_value_t = 1)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=1_440))]
    minutes: u64,

    /// Clients at a time, 1 to 200
    #[arg(long, value_name = "N", default_value_t = 8)]
    #[arg(value_parser = clap::value_parser!(u8).range(1..=200))]
    clients: u8,

    /// Print what happens in the world of --seed
    #[arg(long, value_name = "DETAIL", num_args = 0..=1, default_missing_value = "story")]
    #[arg(conflicts_with = "seeds")]
    trace: Option<TraceDetail>,

    /// Threads of a hunt [default: one per core]
    #[arg(long, value_name = "N", requires = "seeds")]
    jobs: Option<NonZeroUsize>,

    /// End a hunt after this many seconds though seeds are left
    #[arg(long, value_name = "S", requires = "seeds")]
    seconds: Option<u64>,

    /// Go on after a failure, and list all of them
    #[arg(long, requires = "seeds")]
    all: bool,
}

/// How much --trace prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum TraceDetail {
    /// What programs are told, what goes wrong, who comes and goes
    Story,
    /// And what programs say and hear, and what endpoints tell branches
    Mail,
    /// And every datagram
    Wire,
}

/// What was asked for.
#[derive(Debug)]
pub(crate) enum Task {
    /// One seed.
    Replay(u64, Options),
    /// Many.
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
        let storm = Duration::from_secs(self.minutes * 60);
        let options = Options { clients: self.clients.into(), storm, detail };
        if let Some(seed) = self.seed {
            return Task::Replay(seed, options);
        }
        let cores = || std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Task::Hunt(Hunt {
            seeds: self.from..self.from.saturating_add(self.seeds.unwrap_or(0)),
            options,
            jobs: self.jobs.map_or_else(cores, NonZeroUsize::get),
            time_limit: self.seconds.map(Duration::from_secs),
            goes_on: self.all,
        })
    }

    /// The command that shows what happened in the world of `seed`.
    pub(crate) fn replay_command(&self, seed: u64) -> String {
        let (minutes, clients) = (self.minutes, self.clients);
        let clients = if clients == 8 { String::new() } else { format!(" --clients {clients}") };
        format!(
            "cargo run --release -p mp-sim -- --seed {seed} --minutes {minutes}{clients} --trace"
        )
    }
}

const AFTER_HELP: &str = "\
Examples:
  mp-sim --seed 7                     one world; its checkers' verdict
  mp-sim --seed 7 --trace             and the story of it; `--trace wire` shows every datagram
  mp-sim --seed 7 --minutes 30        a longer storm
  mp-sim --seeds 10000                a hunt on all cores
  mp-sim --seeds 1000000 --seconds 120 --from 5000
                                      as many as two minutes allow

The same seed makes the same world, every time, as long as nothing in the simulator changes. A seed that has failed once
belongs into crates/mp-sim/tests/regressions.rs.

Exit codes: 0 when nothing was found, 1 when a checker objected (the seed and a command that replays it are printed), 2 when
the command line made no sense.";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn a_replay_says_how_it_was_found() {
        let args = Args::parse_from(["mp-sim", "--seeds=9", "--clients=3", "--minutes=2"]);
        assert!(args.replay_command(7).ends_with("--seed 7 --minutes 2 --clients 3 --trace"));
        let Task::Hunt(hunt) = args.task() else { panic!("a hunt") };
        assert_eq!((hunt.seeds, hunt.options.clients), (0..9, 3));
    }

    #[test]
    fn one_seed_or_many_but_not_both_or_none() {
        for wrong in [&["mp-sim"][..], &["mp-sim", "--seed=1", "--seeds=2"]] {
            assert!(Args::try_parse_from(wrong).is_err(), "{wrong:?}");
        }
    }
}
