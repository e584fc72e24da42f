//! The program: `mp-sim --help` explains it.

mod args;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mp_sim::hunt::{Hunt, Tally};
use mp_sim::{Options, simulate};

use args::{Args, Task};

fn main() -> ExitCode {
    let args = Args::parse();
    let is_clean = match args.task() {
        Task::Replay(seed, options) => replay(seed, &options),
        Task::Hunt(hunt) => run_hunt(&hunt, &args),
    };
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, options: &Options) -> bool {
    let outcome = simulate(seed, options);
    let counts = outcome.counts;
    println!("seed {seed}: {}", outcome.plan);
    println!(
        "{:.1} s of virtual time, {} programs, {} faults, {} turns, {} datagrams ({} lost), {} messages said, \
         {} heard, {} holds; trace {:016x}",
        outcome.lasted.as_secs_f64(),
        counts.runs,
        counts.faults,
        counts.turns,
        outcome.network.sent,
        outcome.network.lost,
        counts.said,
        counts.heard,
        counts.holds,
        outcome.hash,
    );
    match outcome.violation {
        None => {
            println!("clean");
            true
        }
        Some(violation) => {
            println!("FAILED: {violation}");
            false
        }
    }
}

fn run_hunt(hunt: &Hunt, args: &Args) -> bool {
    let count = hunt.seeds.end - hunt.seeds.start;
    let is_terminal = std::io::stderr().is_terminal();
    let mut told = Duration::ZERO;
    let tally = hunt.run(|tally| {
        if is_terminal {
            eprint!("\r{}", progress(tally, count));
            let _ = std::io::stderr().flush();
        } else if tally.took - told >= Duration::from_secs(10) {
            told = tally.took;
            eprintln!("{}", progress(tally, count));
        }
    });
    if is_terminal {
        eprintln!("\r{}", progress(&tally, count));
    }
    for (seed, outcome) in &tally.failures {
        println!("seed {seed}: {}", outcome.plan);
        if let Some(violation) = &outcome.violation {
            println!("  FAILED: {violation}");
        }
        println!("  {}", args.replay_command(*seed));
    }
    println!(
        "{} of {count} seeds, {} failed: {:.1} h of virtual time in {:.1} s on {} threads; {} datagrams, {} messages, \
         {} faults, {} holds",
        tally.done,
        tally.failures.len(),
        tally.simulated.as_secs_f64() / 3_600.0,
        tally.took.as_secs_f64(),
        hunt.jobs,
        tally.datagrams,
        tally.messages,
        tally.faults,
        tally.holds,
    );
    tally.failures.is_empty()
}

fn progress(tally: &Tally, count: u64) -> String {
    let (done, failed) = (tally.done, tally.failures.len());
    let seconds = tally.took.as_secs_f64().max(0.001);
    format!("{done} of {count} seeds, {failed} failed, {:.0} per second", done as f64 / seconds)
}
