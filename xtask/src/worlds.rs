//! `cargo xtask worlds` and `sim-faults`: run mp-sim, and check that it finds faults planted in a
//! copy of the sources.

mod faults;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::Args;

use crate::workspace::{binary, cargo, root, run, shown, target};
use faults::{FAULTS, Fault};

/// Options of `cargo xtask worlds`.
#[derive(Args)]
pub(crate) struct WorldsArgs {
    /// Number of worlds, one per seed
    #[arg(long, value_name = "N", default_value_t = SEEDS)]
    seeds: u64,

    /// First seed
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
}

/// Options of `cargo xtask sim-faults`.
#[derive(Args)]
pub(crate) struct FaultsArgs {
    /// Only this fault (repeatable) [default: all]
    #[arg(long, value_name = "NAME")]
    fault: Vec<String>,

    /// Number of seeds within which each fault must be found
    #[arg(long, value_name = "K", default_value_t = 1_000)]
    seeds: u64,
}

impl WorldsArgs {
    /// Returns the options of `ci`.
    pub(crate) fn ci() -> Self {
        Self { seeds: SEEDS, from: 0 }
    }
}

/// Simulates a number of worlds. The number is fixed, so that slow and fast machines find the same
/// violations.
///
/// # Errors
///
/// Returns an error on a violation, or if mp-sim cannot be built.
pub(crate) fn worlds(args: &WorldsArgs) -> Result<String, String> {
    run(cargo().args(["build", "--release", "--quiet", "--package", "mp-sim"]))?;
    let mut command = Command::new(target().join("release/mp-sim"));
    command.args(["--seeds", &args.seeds.to_string(), "--from", &args.from.to_string()]);
    let (is_clean, last) = hunt(&mut command)?;
    if is_clean { Ok(last) } else { Err(last) }
}

/// Plants all faults in a copy of the workspace, and runs mp-sim with each of them.
///
/// # Errors
///
/// Returns an error if a fault is not found, or cannot be planted.
pub(crate) fn sim_faults(args: &FaultsArgs) -> Result<(), String> {
    let chosen: Vec<&Fault> = match &args.fault[..] {
        [] => FAULTS.iter().collect(),
        names => names.iter().map(|name| faults::named(name)).collect::<Result<_, _>>()?,
    };
    let program = build_with_faults()?;
    println!("== no fault");
    let (is_clean, last) = hunt(Command::new(&program).args(["--seeds", "100"]))?;
    if !is_clean {
        return Err(format!("mp-sim reports a violation without a planted fault: {last}"));
    }
    let mut missed = Vec::new();
    let mut table = Vec::new();
    for fault in chosen {
        println!("== {}: {}", fault.name, fault.what);
        let mut command = Command::new(&program);
        command.args(["--seeds", &args.seeds.to_string(), "--only", fault.part]);
        let (is_clean, last) = hunt(command.env(faults::CHOSEN, fault.name))?;
        table.push(format!(
            "{:<8}{:<32}{last}",
            if is_clean { "MISSED" } else { "found" },
            fault.name
        ));
        if is_clean {
            missed.push(fault.name);
        }
    }
    println!("== summary\n{}", table.join("\n"));
    if missed.is_empty() {
        println!("all {} planted faults were found", table.len());
        return Ok(());
    }
    Err(format!("not found within {} seeds: {}", args.seeds, missed.join(", ")))
}

/// Number of worlds of CI: about 80 s on two cores, and the build of mp-sim.
const SEEDS: u64 = 1_480;

/// Runs a hunt with its output on the terminal. Returns whether it was clean, and its last line or
/// first violation.
fn hunt(command: &mut Command) -> Result<(bool, String), String> {
    let shown = shown(command);
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run {shown}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    let failed = text.lines().find(|line| line.trim_start().starts_with("FAILED"));
    match output.status.code() {
        Some(0) => Ok((true, text.lines().last().unwrap_or_default().to_owned())),
        Some(1) => {
            let seed = text.lines().next().and_then(|line| line.split(':').next());
            let why = failed.unwrap_or_default().trim();
            Ok((false, format!("{}: {why}", seed.unwrap_or_default())))
        }
        _ => Err(format!("{shown}: {}", output.status)),
    }
}

/// Copies the sources with all faults planted under the target folder, and builds mp-sim of them.
/// Returns the program. Writes only files that have changed, to keep incremental builds.
fn build_with_faults() -> Result<PathBuf, String> {
    let [tree, build] = ["tree", "build"].map(|it| target().join("sim-faults").join(it));
    let mut list = Command::new("git");
    list.current_dir(root()).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let listed = list.output().map_err(|error| format!("cannot run git: {error}"))?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    let is_source = |path: &&str| [".rs", ".toml", ".lock"].iter().any(|end| path.ends_with(end));
    for path in listed.lines().filter(is_source) {
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        write_if_changed(&tree.join(path), &faults::planted_in(path, text)?)?;
    }
    let mut command = cargo();
    command.current_dir(&tree).env("CARGO_TARGET_DIR", &build);
    // A planted fault may leave unused code.
    command.env("RUSTFLAGS", "--cap-lints=allow");
    run(command.args(["build", "--release", "--quiet", "--package", "mp-sim"]))?;
    let name = binary("mp-sim");
    Ok(build.join("release").join(name.file_name().unwrap_or_default()))
}

fn write_if_changed(path: &Path, text: &str) -> Result<(), String> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(path);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("{}: {error}", path.display()))
}
