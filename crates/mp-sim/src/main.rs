//! Command line program of the simulator; see `mp-sim --help`.

mod args;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use mp_sim::hunt::{Hunt, HuntStats};
use mp_sim::{SimulationOptions, simulate};

use args::{Args, Task};

fn main() -> ExitCode {
    let args = Args::parse();
    let is_clean = match args.task() {
        Task::Replay(seed, options) => replay(seed, &options),
        Task::Hunt(hunt) => run_hunt(&hunt, &args),
    };
    if is_clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn replay(seed: u64, options: &SimulationOptions) -> bool {
    let outcome = simulate(seed, options);
    let counters = outcome.counters;
    println!("seed {seed}: {}", outcome.plan);
    println!(
        "{:.1} s of virtual time, {} programs, {} faults, {} turns, {} datagrams ({} lost), {} messages sent, \
         {} received, {} pauses for back-pressure; trace {:016x}",
        outcome.lasted.as_secs_f64(),
        counters.programs,
        counters.faults,
        counters.turns,
        outcome.network.sent,
        outcome.network.lost,
        counters.sent,
        counters.received,
        counters.pauses,
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
    let mut last_report = Duration::ZERO;
    let stats = hunt.run(|stats| {
        if is_terminal {
            eprint!("\r{}", progress(stats, count));
            let _ = std::io::stderr().flush();
        } else if stats.took - last_report >= Duration::from_secs(10) {
            last_report = stats.took;
            eprintln!("{}", progress(stats, count));
        }
    });
    if is_terminal {
        eprintln!("\r{}", progress(&stats, count));
    }
    for (seed, outcome) in &stats.failures {
        println!("seed {seed}: {}", outcome.plan);
        if let Some(violation) = &outcome.violation {
            println!("  FAILED: {violation}");
        }
        println!("  {}", args.replay_command(*seed));
    }
    println!(
        "{} of {count} seeds, {} failed: {:.1} h of virtual time in {:.1} s on {} threads; {} datagrams, {} messages, \
         {} faults, {} pauses for back-pressure",
        stats.done,
        stats.failures.len(),
        stats.simulated.as_secs_f64() / 3_600.0,
        stats.took.as_secs_f64(),
        hunt.jobs,
        stats.datagrams,
        stats.messages,
        stats.faults,
        stats.pauses,
    );
    stats.failures.is_empty()
}

fn progress(stats: &HuntStats, count: u64) -> String {
    let (done, failed) = (stats.done, stats.failures.len());
    let seconds = stats.took.as_secs_f64().max(0.001);
    format!("{done} of {count} seeds, {failed} failed, {:.0} per second", done as f64 / seconds)
}
