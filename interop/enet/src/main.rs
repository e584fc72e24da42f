//! Sessions between mp and C ENet. mp runs in this process, C ENet in a program that receives
//! commands on standard input, and a proxy between them loses datagrams. Both sides run in virtual
//! time. `cargo xtask enet` builds and runs them.

mod c_enet;
mod coverage;
mod deliveries;
mod proxy;
mod session;
mod session_kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mp_core::host::SystemClock;

use c_enet::CEnet;
use coverage::{CoverageItem, SessionKind, Setup, setups};
use session_kinds::{Runner, SessionStats, SideStats};

/// Run sessions between mp and C ENet over a network that loses datagrams.
///
/// Covers every combination of role, compression, checksum and loss, each with packets of every
/// kind and size in both directions, and sessions with bandwidth limits, the packet throttle and
/// every kind of disconnect. Fails if a packet is lost, duplicated, changed or out of order against
/// the rules of its kind, or if a case was not covered.
#[derive(Parser)]
struct Options {
    /// Path of the C program
    #[arg(long, value_name = "PATH")]
    peer: PathBuf,
    /// Rounds in each packet session: one packet of every kind and size in both directions, and
    /// bulk
    #[arg(long, value_name = "N", default_value_t = 16)]
    rounds: usize,
    /// Seed of the losses
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let clock = SystemClock::new();
    let setups = setups();
    let mut seen: BTreeSet<CoverageItem> = BTreeSet::new();
    let mut scores: BTreeMap<u16, SessionStats> = BTreeMap::new();
    for (number, &setup) in setups.iter().enumerate() {
        print!("{:>2}/{} {:<70}", number + 1, setups.len(), label(setup));
        flush();
        let seed = options.seed * 1_000 + number as u64;
        let mut c_enet = CEnet::start(&options.peer)?;
        let started = clock.now();
        let mut runner = Runner { c_enet: &mut c_enet, seed, rounds: options.rounds };
        let (coverage, stats) =
            runner.play(setup).map_err(|why| format!("{}: {why}", label(setup)))?;
        println!("{:>5.1} s", (clock.now() - started).as_secs_f64());
        seen.extend(coverage);
        if setup.kind == SessionKind::Packets {
            add(scores.entry(setup.loss).or_default(), &stats);
        }
    }
    print_scores(&scores);
    let all: Vec<CoverageItem> = setups.iter().flat_map(|setup| setup.coverage()).collect();
    let missing: Vec<&CoverageItem> = all.iter().filter(|item| !seen.contains(item)).collect();
    if missing.is_empty() {
        println!("all {} cases of {} sessions are covered", all.len(), setups.len());
        return Ok(());
    }
    Err(format!("{} of {} cases are not covered: {missing:#?}", missing.len(), all.len()))
}

fn label(setup: Setup) -> String {
    let Setup { role, is_compressed, has_checksum, loss, kind } = setup;
    let mut text = format!("{kind:?}, mp is the {role:?}, {loss} % loss").to_lowercase();
    if is_compressed {
        text += ", range coder";
    }
    if has_checksum {
        text += ", crc-32";
    }
    text
}

fn add(sum: &mut SessionStats, stats: &SessionStats) {
    sum.seconds += stats.seconds;
    for (sum, stats) in [(&mut sum.mp, &stats.mp), (&mut sum.c, &stats.c)] {
        sum.reliable_bytes += stats.reliable_bytes;
        sum.resent += stats.resent;
        sum.unreliable_sent += stats.unreliable_sent;
        sum.unreliable_arrived += stats.unreliable_arrived;
        sum.datagrams += stats.datagrams;
    }
}

fn print_scores(scores: &BTreeMap<u16, SessionStats>) {
    println!(
        "\n{:<6}{:<8}{:>16}{:>18}{:>16}{:>20}",
        "loss", "sender", "reliable kB/s", "resent per MB", "datagrams/s", "unreliable received"
    );
    for (loss, stats) in scores {
        for (name, side) in [("mp", &stats.mp), ("C ENet", &stats.c)] {
            let SideStats {
                reliable_bytes,
                resent,
                unreliable_sent,
                unreliable_arrived,
                datagrams,
            } = *side;
            let percent = 100.0 * unreliable_arrived as f64 / unreliable_sent.max(1) as f64;
            println!(
                "{:<6}{name:<8}{:>16.0}{:>18.1}{:>16.0}{percent:>18.1} %",
                format!("{loss} %"),
                reliable_bytes as f64 / 1e3 / stats.seconds,
                resent as f64 * 1e6 / (reliable_bytes as f64).max(1.0),
                datagrams as f64 / stats.seconds,
            );
        }
    }
}

fn flush() {
    drop(std::io::stdout().flush()); // on failure the line appears later
}
