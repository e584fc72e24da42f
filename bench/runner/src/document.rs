//! docs/BENCHMARKS.md.

use std::fs;
use std::path::Path;

use crate::machine;
use crate::results::Results;
use crate::table;
use crate::workload::Workload;

/// Writes the document from the results there are. Workloads without any are named at its end.
pub(crate) fn write(path: &Path, all: &[Workload], results: &Results) -> Result<(), String> {
    let mut text = HEAD.replace("{machine}", &machine::machine());
    let versions: Vec<String> = machine::versions();
    text = text.replace("{versions}", &versions.join(", "));

    let measured: Vec<_> =
        all.iter().filter_map(|workload| Some((workload, results.of(workload.name)?))).collect();
    let verdicts = measured.iter().flat_map(|(workload, measured)| {
        workload.goals.iter().map(|goal| (workload.name, goal.verdict(measured)))
    });
    text.push_str("\n## Goals\n\n| workload | goal | measured | |\n|---|---|---|---|\n");
    for (name, verdict) in verdicts {
        let word = match verdict.met {
            Some(true) => "met",
            Some(false) => "**not met**",
            None => "open",
        };
        text.push_str(&format!("| {name} | {} | {} | {word} |\n", verdict.goal, verdict.seen));
    }

    let mut area = None;
    for (workload, measured) in &measured {
        if area != Some(workload.area) {
            area = Some(workload.area);
            text.push_str(&format!("\n## {}\n", workload.area.title()));
        }
        text.push_str(&format!("\n### {}\n\n{}. ", workload.name, workload.title));
        text.push_str(&format!("An operation is {}. ", workload.operation));
        if !workload.note.is_empty() {
            text.push_str(&format!("{} ", workload.note));
        }
        let rounds =
            measured.contenders.iter().map(|(_, samples)| samples.len()).max().unwrap_or(0);
        let rounds = match rounds {
            1 => "one round: a look rather than a measurement".to_owned(),
            rounds => format!("{rounds} rounds"),
        };
        text.push_str(&format!("({}, {rounds})\n\n", measured.when));
        text.push_str(&table::markdown(workload, measured));
    }

    let missing: Vec<&str> = all
        .iter()
        .map(|workload| workload.name)
        .filter(|name| !measured.iter().any(|(workload, _)| workload.name == *name))
        .collect();
    if !missing.is_empty() {
        text.push_str(&format!("\n## Not measured\n\n{}\n", missing.join(", ")));
    }
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    println!("wrote {}", path.display());
    Ok(())
}

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask bench`; do not edit. `cargo xtask bench --quick` gives a look in a few minutes, `--only NAME` one workload.

Machine: {machine}; loopback only. Versions: {versions}; crates as in `bench/Cargo.lock`.

- The figure that counts is **CPU time of the server per operation**, user and system, of all its threads (`/proc/PID/task/*/schedstat`): wall
  rates on one machine tell more about the players than about the server. Most of it is the kernel's, per datagram or system call.
- Each contender is a process of its own on CPU 0; the players are one process on CPU 1, the same for all contenders of a workload. They never
  sleep while there is traffic, so that no server pays for waking them; they check every byte of every delivery, its sender, and that none
  comes twice; reliable ones also for their order. A run with a wrong delivery is no result.
- Contenders alternate; tables show medians of the rounds, ratios are the median of each round's ratio. Absolute figures depend on the machine
  and move by some 10 % between runs; ratios much less.
- *delivered*: of what was sent in the measured time, however late. *allocs/op*: of mp's own servers, counted by their allocator.
  *core*: share of one core.
";
