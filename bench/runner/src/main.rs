//! Runner of the benchmarks. Runs the contenders of each workload alternately, each in a process of
//! its own, with the same load, and compares medians. `cargo xtask bench` builds and starts it.

mod cluster;
mod document;
mod goal;
mod machine;
mod measure;
mod process;
mod recordings;
mod results;
mod sample;
mod table;
mod tunnel;
mod workload;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use measure::Timing;
use process::Programs;
use results::Results;

/// Run the benchmarks.
#[derive(Parser)]
struct Args {
    /// One short round each: quick results that are not stored
    #[arg(long)]
    quick: bool,
    /// One very short round of mp's own contenders: only a smoke test
    #[arg(long)]
    smoke: bool,
    /// Workloads whose names have this prefix (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only contenders of this name (repeatable)
    #[arg(long, value_name = "NAME")]
    contender: Vec<String>,
    /// Number of rounds of each workload [default: 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// List the workloads and exit
    #[arg(long)]
    list: bool,
    /// Write the document from stored results and exit
    #[arg(long)]
    document: bool,
    /// Folder of the programs
    #[arg(long, env = "MP_BENCH_BIN")]
    programs: PathBuf,
    /// Document to write
    #[arg(long, env = "MP_BENCH_DOCUMENT")]
    write: PathBuf,
    /// Folder of stored results
    #[arg(long, env = "MP_BENCH_RESULTS")]
    results: PathBuf,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    let all = workloads::all();
    let is_asked =
        |name: &str| args.only.is_empty() || args.only.iter().any(|only| name.starts_with(only));
    let fits = |name: &str| !args.smoke || !workload::NOT_IN_SMOKE.contains(&name);
    let chosen: Vec<_> = all.iter().filter(|it| is_asked(it.name) && fits(it.name)).collect();
    if args.list {
        for workload in &all {
            println!("{:<28}{}", workload.name, workload.title);
        }
        return Ok(());
    }
    if chosen.is_empty() {
        return Err(format!("unknown workload {:?}; --list prints the names", args.only));
    }
    let kept = Results::new(&args.results);
    if args.document {
        return document::write(&args.write, &all, &kept);
    }
    let timing = Timing::choose(args.quick, args.smoke, args.rounds);
    let programs = Programs::new(&args.programs);
    let mut failures = Vec::new();
    for (number, workload) in chosen.iter().enumerate() {
        println!("[{}/{}] {}: {}", number + 1, chosen.len(), workload.name, workload.title);
        let is_chosen = |name: &str| {
            let is_named =
                args.contender.is_empty() || args.contender.iter().any(|only| only == name);
            is_named && fits(name) && (!args.smoke || workload::is_own(name))
        };
        let result = measure::workload(workload, &programs, &timing, &is_chosen);
        print!("{}", table::terminal(workload, &result));
        failures.extend(result.own_failures().map(|why| format!("{}: {why}", workload.name)));
        if timing.is_full && args.contender.is_empty() {
            kept.keep(workload.name, &result)?;
        }
    }
    if timing.is_full {
        document::write(&args.write, &all, &kept)?;
    }
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n")) }
}
