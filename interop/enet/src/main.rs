//! Sessions of mp with C ENet: mp in this process, C ENet in a program of its own that is led over its standard input, and between
//! them a proxy that loses datagrams. `cargo xtask enet` builds and runs both. Both sides run in virtual time.

mod ledger;
mod matrix;
mod proxy;
mod session;
mod theirs;
mod themes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use mp_core::host::SystemClock;

use matrix::{Cell, Setup, Theme, setups};
use theirs::Theirs;
use themes::{Score, SideScore, Stage};

/// Sessions of mp with C ENet over a network that loses datagrams.
///
/// Plays every combination of role, compression, checksum and loss, each with packets of every kind and size both ways, and sessions
/// with bandwidth limits, the packet throttle and every kind of goodbye. Fails when a packet is lost, repeated, changed or out of order
/// against the rules of its kind, and when something of that did not happen.
#[derive(Parser)]
struct Options {
    /// The C program
    #[arg(long, value_name = "PATH")]
    peer: PathBuf,
    /// Rounds in each session of packets: one packet of every kind and size each way, and bulk
    #[arg(long, value_name = "N", default_value_t = 16)]
    rounds: usize,
    /// What the losses come from
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
    let mut seen: BTreeSet<Cell> = BTreeSet::new();
    let mut scores: BTreeMap<u16, Score> = BTreeMap::new();
    for (number, &setup) in setups.iter().enumerate() {
        print!("{:>2}/{} {:<70}", number + 1, setups.len(), label(setup));
        flush();
        let seed = options.seed * 1_000 + number as u64;
        let mut theirs = Theirs::start(&options.peer)?;
        let started = clock.now();
        let mut stage = Stage { theirs: &mut theirs, seed, rounds: options.rounds };
        let (cells, score) = stage.play(setup).map_err(|why| format!("{}: {why}", label(setup)))?;
        println!("{:>5.1} s", (clock.now() - started).as_secs_f64());
        seen.extend(cells);
        if setup.theme == Theme::Packets {
            add(scores.entry(setup.loss).or_default(), &score);
        }
    }
    print_scores(&scores);
    let all: Vec<Cell> = setups.iter().flat_map(|setup| setup.cells()).collect();
    let missing: Vec<&Cell> = all.iter().filter(|cell| !seen.contains(cell)).collect();
    if missing.is_empty() {
        println!("all {} cells of {} sessions were exercised", all.len(), setups.len());
        return Ok(());
    }
    Err(format!("{} of {} cells were not exercised: {missing:#?}", missing.len(), all.len()))
}

fn label(setup: Setup) -> String {
    let Setup { role, is_compressed, has_checksum, loss, theme } = setup;
    let mut text = format!("{theme:?}, mp is the {role:?}, {loss} % loss").to_lowercase();
    if is_compressed {
        text += ", range coder";
    }
    if has_checksum {
        text += ", crc-32";
    }
    text
}

fn add(sum: &mut Score, score: &Score) {
    sum.seconds += score.seconds;
    for (sum, score) in [(&mut sum.mp, &score.mp), (&mut sum.c, &score.c)] {
        sum.reliable_bytes += score.reliable_bytes;
        sum.resent += score.resent;
        sum.unreliable_sent += score.unreliable_sent;
        sum.unreliable_arrived += score.unreliable_arrived;
        sum.datagrams += score.datagrams;
    }
}

fn print_scores(scores: &BTreeMap<u16, Score>) {
    println!(
        "\n{:<6}{:<8}{:>16}{:>18}{:>16}{:>20}",
        "loss", "sender", "reliable kB/s", "resent per MB", "datagrams/s", "unreliable arrived"
    );
    for (loss, score) in scores {
        for (name, side) in [("mp", &score.mp), ("C ENet", &score.c)] {
            let SideScore {
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
                reliable_bytes as f64 / 1e3 / score.seconds,
                resent as f64 * 1e6 / (reliable_bytes as f64).max(1.0),
                datagrams as f64 / score.seconds,
            );
        }
    }
}

fn flush() {
    drop(std::io::stdout().flush()); // a line is only shown later without it
}
