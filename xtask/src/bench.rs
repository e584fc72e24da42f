//! `cargo xtask bench`: builds the contenders in the workspace `bench/`, and starts its runner.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;

use crate::godot;
use crate::nats;
use crate::workspace::{MP_SERVER_FEATURES, cargo, root, run, run_guarded, target};

/// Options of `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct BenchArgs {
    /// One short round of everything: quick results that are not stored
    #[arg(long)]
    quick: bool,
    /// One very short round of mp's own contenders, without optimization: only a smoke test
    #[arg(long, conflicts_with = "quick")]
    smoke: bool,
    /// Only workloads whose names have this prefix (repeatable); --list prints the names
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Only contenders of this name (repeatable); results are not stored
    #[arg(long, value_name = "NAME")]
    contender: Vec<String>,
    /// Number of rounds of each workload [default: 3, or 1 with --quick]
    #[arg(long, value_name = "N")]
    rounds: Option<u32>,
    /// List the workloads
    #[arg(long)]
    list: bool,
    /// Write docs/BENCHMARKS.md from stored results, without measuring
    #[arg(long)]
    document: bool,
}

impl BenchArgs {
    /// Returns the options of continuous integration.
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

    /// Returns whether a workload of clusters may be chosen.
    fn includes_clusters(&self) -> bool {
        let is_chosen = |only: &String| CLUSTERS.starts_with(&**only) || only.starts_with(CLUSTERS);
        !self.smoke && (self.only.is_empty() || self.only.iter().any(is_chosen))
    }
}

/// Builds the contenders, and measures.
///
/// # Errors
///
/// Returns an error if something cannot be built, or a run fails: a lost delivery where none may be
/// lost, or a wrong one.
pub(crate) fn bench(args: &BenchArgs) -> Result<(), String> {
    let programs = build(args)?;
    let mut runner = Command::new(programs.join("runner"));
    runner
        .arg("--programs")
        .arg(&programs)
        .arg("--write")
        .arg(root().join("docs/BENCHMARKS.md"))
        .arg("--results")
        .arg(root().join("bench/results"))
        .env("MP_BENCH_GODOT", root().join("bench/godot"))
        .current_dir(root());
    if !args.list && !args.smoke {
        // Optional: without Godot the workloads have one contender less; the output mentions it.
        match godot::find() {
            Ok(godot) => drop(runner.env("GODOT", godot.path)),
            Err(why) => eprintln!("skipping Godot: {why}"),
        }
        if args.includes_clusters() {
            match nats::server() {
                Ok(path) => drop(runner.env("NATS_SERVER", path)),
                Err(why) => eprintln!("skipping clusters: {why}"),
            }
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
    run_guarded(&mut runner)
}

/// Builds the contenders, and returns their folder.
///
/// The smoke test uses the folder of the workspace, which has mp-server and most dependencies.
fn build(args: &BenchArgs) -> Result<PathBuf, String> {
    let folder = if args.smoke { target() } else { target().join("bench") };
    let profile: &[&str] = if args.smoke { &[] } else { &["--release"] };
    let programs = folder.join(if args.smoke { "debug" } else { "release" });
    eprintln!("building the contenders (several minutes the first time) ...");
    let mut build = cargo();
    build.current_dir(root().join("bench")).args(["build", "--quiet", "--workspace"]);
    if args.smoke {
        build.args(["--exclude", HEAVY_PEER]);
    }
    run(build.args(profile).arg("--target-dir").arg(&folder))?;
    if args.list || args.document {
        return Ok(programs);
    }
    let server = |features: &[&str]| {
        let mut server = cargo();
        server.args(["build", "--quiet", "--package", "mp-server"]).args(profile).args(features);
        run(server.arg("--target-dir").arg(&folder))
    };
    if args.includes_clusters() {
        server(&MP_SERVER_FEATURES)?;
        let (built, kept) = (programs.join("mp-server"), programs.join("mp-server-cluster"));
        fs::copy(&built, &kept).map_err(|error| format!("{}: {error}", built.display()))?;
    }
    server(if args.smoke { &MP_SERVER_FEATURES } else { &[] })?;
    if !args.smoke
        && let Err(why) = build_c(&programs)
    {
        eprintln!("skipping C ENet: {why}; apt-get install gcc libenet-dev");
    }
    Ok(programs)
}

fn build_c(programs: &Path) -> Result<(), String> {
    let (source, program) = (root().join("bench/enet/c/enet.c"), programs.join("enet-c"));
    // Remove a stale binary, so that a failed build is noticed.
    if program.exists() {
        fs::remove_file(&program).map_err(|error| format!("{}: {error}", program.display()))?;
    }
    run(Command::new("cc").args(["-O2", "-o"]).arg(program).arg(source).arg("-lenet"))
}

/// First part of the names of workloads with mp-server's feature `cluster`.
const CLUSTERS: &str = "cluster";
/// Package that takes longer to compile than all others together.
const HEAVY_PEER: &str = "mp-bench-replicon";
