//! `cargo xtask bench`: builds what is compared, in the workspace `bench/`, and lets its runner measure.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::godot;
use crate::workspace::{cargo, root, run, target};

/// Benchmarks.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// One short round of everything: figures to look at in a few minutes, not to keep
    #[arg(long)]
    quick: bool,
    /// One very short round of mp's own contenders, built without optimisation: only shows that everything still runs
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Only workloads whose names begin so (again for more); --list prints them
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only contenders of this name (again for more); nothing is kept
    #[arg(long, value_name = "NAME")]
    contender: Vec<String>,
    /// Rounds of each workload [default: 3, or 1 when quick]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// Print the workloads
    #[arg(long)]
    list: bool,
    /// Write docs/BENCHMARKS.md anew from the results of earlier runs, without measuring
    #[arg(long)]
    document: bool,
}

impl BenchArgs {
    /// What continuous integration runs.
    pub(crate) fn smoke() -> Self {
        Self {
            quick: false,
            smoke: true,
            only: Vec::new(),
            contender: Vec::new(),
            rounds: None,
            list: false,
            document: false,
        }
    }
}

/// Builds and measures.
///
/// # Errors
///
/// When something cannot be built, or a run went wrong: a delivery that was lost where none may be, or a wrong one.
pub(crate) fn bench(args: &BenchArgs) -> Result<(), String> {
    let programs = build(args)?;
    let mut runner = Command::new(programs.join("runner"));
    runner
        .arg("--programs")
        .arg(&programs)
        .arg("--write")
        .arg(root().join("docs/BENCHMARKS.md"))
        .arg("--results")
        .arg(target().join("bench/results"))
        .env("MP_BENCH_GODOT", root().join("bench/godot"))
        .current_dir(root());
    if !args.list && !args.smoke {
        // Without it the workloads have one contender less, and say so.
        match godot::find() {
            Ok(godot) => drop(runner.env("GODOT", godot.path)),
            Err(why) => eprintln!("without Godot: {why}"),
        }
    }
    let flags = [
        ("--quick", args.quick),
        ("--smoke", args.smoke),
        ("--list", args.list),
        ("--document", args.document),
    ];
    runner.args(flags.into_iter().filter(|(_, is_set)| *is_set).map(|(flag, _)| flag));
    for only in &args.only {
        runner.args(["--only", only]);
    }
    for contender in &args.contender {
        runner.args(["--contender", contender]);
    }
    if let Some(rounds) = args.rounds {
        runner.args(["--rounds", &rounds.to_string()]);
    }
    run(&mut runner)
}

/// Builds the contenders; returns their folder.
fn build(args: &BenchArgs) -> Result<PathBuf, String> {
    let folder = target().join("bench");
    let profile: &[&str] = if args.smoke { &[] } else { &["--release"] };
    let programs = folder.join(if args.smoke { "debug" } else { "release" });
    eprintln!("building the contenders (the first time takes some minutes) ...");
    let mut build = cargo();
    build.current_dir(root().join("bench")).args(["build", "--quiet", "--workspace"]);
    if args.smoke {
        build.args(["--exclude", HEAVY_PEER]);
    }
    run(build.args(profile).arg("--target-dir").arg(&folder))?;
    if args.list || args.document {
        return Ok(programs);
    }
    let mut server = cargo();
    server.args(["build", "--quiet", "--package", "mp-server"]).args(profile);
    run(server.arg("--target-dir").arg(&folder))?;
    if !args.smoke
        && let Err(why) = build_c(&programs)
    {
        eprintln!("without C ENet (apt-get install gcc libenet-dev): {why}");
    }
    Ok(programs)
}

fn build_c(programs: &Path) -> Result<(), String> {
    let (source, program) = (root().join("bench/enet/c/enet.c"), programs.join("enet-c"));
    // One that is left from before would be taken for this one.
    if program.exists() {
        fs::remove_file(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    }
    run(Command::new("cc").args(["-O2", "-o"]).arg(program).arg(source).arg("-lenet"))
}

/// A peer that takes longer to compile than all others together.
const HEAVY_PEER: &str = "mp-bench-replicon";
