//! `cargo xtask instructions`: counts the instructions and allocations of `bench/instructions` with
//! callgrind, and compares them with the committed baseline.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::debian::{self, VALGRIND};
use crate::godot::on_path;
use crate::workspace::{cargo, root, run, shown, target};

/// Options of `cargo xtask instructions`.
#[derive(Args, Default)]
pub(crate) struct InstructionsArgs {
    /// Write the counts as the new baseline, bench/instructions/baseline.json
    #[arg(long)]
    accept: bool,
    /// Only this workload (repeatable)
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
}

/// Counts of all workloads, by their names.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Baseline {
    /// Compiler of the counts. Other compilers count differently.
    rustc: String,
    workloads: BTreeMap<String, Count>,
}

/// Work of one operation.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
struct Count {
    instructions: f64,
    allocations: f64,
    /// Encoded bytes; 0 if the workload has none.
    bytes: f64,
}

/// Output of a run.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Printed {
    allocations: f64,
    bytes: f64,
}

/// The program that counts.
struct Valgrind {
    path: PathBuf,
    /// Folder of its tools, if it is not installed.
    tools: Option<PathBuf>,
}

impl Valgrind {
    /// Returns the one on PATH, else Debian's.
    fn find() -> Result<Self, String> {
        if let Some(path) = on_path("valgrind") {
            return Ok(Self { path, tools: None });
        }
        let folder = target().join("valgrind");
        let path = debian::unpacked(VALGRIND, &folder)?;
        Ok(Self { path, tools: Some(folder.join("root/usr/libexec/valgrind")) })
    }

    fn callgrind(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        if let Some(tools) = &self.tools {
            command.env("VALGRIND_LIB", tools);
        }
        command
    }
}

/// Counts, and compares with the baseline, or writes it.
///
/// # Errors
///
/// Returns a table with the workloads whose counts differ by more than the tolerance. Counts of
/// another compiler are shown and not compared.
pub(crate) fn instructions(args: &InstructionsArgs) -> Result<String, String> {
    let valgrind = Valgrind::find()?;
    let program = build()?;
    let accepted = read()?;
    let names = names(&program)?;
    let names = names.into_iter().filter(|name| args.only.is_empty() || args.only.contains(name));
    let mut counted = Baseline { rustc: rustc()?, workloads: BTreeMap::new() };
    for name in names {
        let count = count(&valgrind, &program, &name)?;
        counted.workloads.insert(name, count);
    }
    if args.accept {
        let mut baseline = accepted;
        if baseline.rustc != counted.rustc || args.only.is_empty() {
            baseline.workloads.clear();
        }
        baseline.rustc = counted.rustc;
        baseline.workloads.extend(counted.workloads);
        let text = serde_json::to_string_pretty(&baseline).map_err(|error| error.to_string())?;
        fs::write(file(), text + "\n").map_err(|error| format!("{}: {error}", file().display()))?;
        return Ok(format!("{} workloads accepted", baseline.workloads.len()));
    }
    let (table, differing) = compare(&accepted, &counted);
    println!("{table}");
    if accepted.rustc != counted.rustc {
        let (old, new) = (&accepted.rustc, &counted.rustc);
        return Ok(format!("not compared: the baseline is of {old}, this compiler is {new}"));
    }
    match differing {
        0 => Ok(format!("{} workloads as in the baseline", counted.workloads.len())),
        _ => Err(format!(
            "{differing} workloads differ from bench/instructions/baseline.json by more than \
             {TOLERANCE_PERCENT} %; if that is intended: cargo xtask instructions --accept"
        )),
    }
}

/// Returns a table, and the number of workloads that differ.
fn compare(accepted: &Baseline, counted: &Baseline) -> (String, usize) {
    let mut table = format!(
        "{:<18} {:>12} {:>12} {:>8} {:>12} {:>8}\n",
        "workload", "instructions", "baseline", "ratio", "allocations", "bytes"
    );
    let mut differing = 0;
    for (name, count) in &counted.workloads {
        let old = accepted.workloads.get(name);
        let differs = old.is_none_or(|old| old.differs_from(count));
        differing += usize::from(differs);
        let (shown, ratio) = match old {
            Some(old) => {
                let ratio = count.instructions / old.instructions;
                (format!("{:.0}", old.instructions), format!("{ratio:.3}"))
            }
            None => ("none".to_owned(), "-".to_owned()),
        };
        let Count { instructions, allocations, bytes } = count;
        let mark = match (differs, old) {
            (true, Some(old)) if old.allocations != count.allocations => {
                format!("  differs (allocations: {})", old.allocations)
            }
            (true, _) => "  differs".to_owned(),
            (false, _) => String::new(),
        };
        let _ = writeln!(
            table,
            "{name:<18} {instructions:>12.0} {shown:>12} {ratio:>8} {allocations:>12.2} {bytes:>8.1}{mark}"
        );
    }
    (table, differing)
}

impl Count {
    fn differs_from(&self, other: &Self) -> bool {
        let differ = |a: f64, b: f64, tolerance: f64| (a - b).abs() > a * tolerance / 100.0 + 0.5;
        differ(self.instructions, other.instructions, TOLERANCE_PERCENT)
            || (self.allocations - other.allocations).abs() > ALLOCATIONS_TOLERANCE
            || differ(self.bytes, other.bytes, 0.0)
    }
}

/// Counts one operation: the difference of two runs.
fn count(valgrind: &Valgrind, program: &Path, workload: &str) -> Result<Count, String> {
    let (few, few_printed) = measure(valgrind, program, workload, OPERATIONS)?;
    let (many, many_printed) = measure(valgrind, program, workload, 3 * OPERATIONS)?;
    let per_operation = |few: f64, many: f64| (many - few) / f64::from(2 * OPERATIONS);
    Ok(Count {
        instructions: per_operation(few, many).round(),
        allocations: hundredths(per_operation(few_printed.allocations, many_printed.allocations)),
        bytes: hundredths(per_operation(few_printed.bytes, many_printed.bytes)),
    })
}

fn hundredths(number: f64) -> f64 {
    (number * 100.0).round() / 100.0
}

/// Returns the number of instructions of a run, and what it printed.
fn measure(
    valgrind: &Valgrind,
    program: &Path,
    workload: &str,
    operations: u32,
) -> Result<(f64, Printed), String> {
    let mut command = valgrind.callgrind();
    command.arg(program).args([workload, &operations.to_string()]);
    let line = shown(&command);
    let failed = |why: &dyn std::fmt::Display| format!("{line}: {why}");
    let output = command.output().map_err(|error| failed(&error))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(failed(&errors));
    }
    let collected = errors.lines().find_map(|line| line.split_once("Collected :"));
    let instructions = collected.and_then(|(_, number)| number.trim().parse().ok());
    let instructions = instructions.ok_or_else(|| failed(&"prints no number of instructions"))?;
    let printed = serde_json::from_slice(&output.stdout).map_err(|error| failed(&error))?;
    Ok((instructions, printed))
}

/// Returns the names of the workloads, from the program's help.
fn names(program: &Path) -> Result<Vec<String>, String> {
    let output = Command::new(program).arg("--help").output();
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    let help = String::from_utf8_lossy(&output.stdout).into_owned();
    let name = |line: &str| {
        let (name, _) = line.trim_start().strip_prefix("- ")?.split_once(':')?;
        Some(name.to_owned())
    };
    let names: Vec<_> = help.lines().filter_map(name).collect();
    if names.is_empty() {
        return Err(format!("the help of {} lists no workloads: {help}", program.display()));
    }
    Ok(names)
}

fn build() -> Result<PathBuf, String> {
    let folder = target().join("bench");
    let mut build = cargo();
    build.current_dir(root().join("bench")).args(["build", "--quiet", "--release"]);
    build.args(["--package", "mp-bench-instructions", "--target-dir"]).arg(&folder);
    run(&mut build)?;
    Ok(folder.join("release/instructions"))
}

fn read() -> Result<Baseline, String> {
    let Ok(text) = fs::read_to_string(file()) else { return Ok(Baseline::default()) };
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file().display()))
}

fn file() -> PathBuf {
    root().join("bench/instructions/baseline.json")
}

fn rustc() -> Result<String, String> {
    let output = Command::new("rustc").arg("--version").output();
    let output = output.map_err(|error| format!("cannot run rustc: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Operations of the shorter of two runs.
const OPERATIONS: u32 = 2_000;
/// Maximum difference of the instructions of an operation.
const TOLERANCE_PERCENT: f64 = 3.0;
/// Maximum difference of the allocations of an operation.
const ALLOCATIONS_TOLERANCE: f64 = 0.02;

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(instructions: f64, allocations: f64) -> Baseline {
        let count = Count { instructions, allocations, bytes: 34.0 };
        let workloads = BTreeMap::from([("encode-rpc".to_owned(), count)]);
        Baseline { rustc: "rustc".to_owned(), workloads }
    }

    #[test]
    fn counts_within_the_tolerance_are_as_in_the_baseline() {
        let baseline = counts(1_000.0, 2.0);
        for (instructions, allocations, differing) in [
            (1_030.0, 2.0, 0),
            (970.0, 2.0, 0),
            (1_032.0, 2.0, 1),
            (968.0, 2.0, 1),
            (1_000.0, 3.0, 1),
        ] {
            let (table, found) = compare(&baseline, &counts(instructions, allocations));
            assert_eq!(found, differing, "{table}");
        }
        assert_eq!(
            compare(&Baseline::default(), &baseline).1,
            1,
            "a new workload is accepted first"
        );
    }
}
