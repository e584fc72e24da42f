//! One scenario against a headless Godot server and a room of mp-server, with the reports side by
//! side.

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::report;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{cargo, program, root, run, target};

/// Runs `interop/bots/compare.toml` against both servers, with a release build of mp-server or the
/// program that `MP_SERVER_BIN` names, and returns the table.
///
/// # Errors
///
/// Returns an error if a server does not listen, or the bots fail.
pub(crate) fn compare(godot: &Godot) -> Result<String, String> {
    let program = match env::var_os("MP_SERVER_BIN") {
        Some(path) => path.into(),
        None => {
            run(cargo().args(["build", "--quiet", "--release", "--package", "mp-server"]))?;
            target().join("release/mp-server")
        }
    };
    Comparison { godot, program: &program, edit: str::to_owned }.table()
}

/// Runs two seconds of the scenario, with ten players, against both servers. Each of them must
/// answer all calls.
///
/// # Errors
///
/// As [`compare`], and if a server loses a call or rejects a player.
pub(super) fn check(godot: &Godot) -> Result<(), String> {
    let program = program("mp-server", "MP_SERVER_BIN")?;
    let edit = |scenario: &str| {
        let scenario =
            scenario.replace("players = 100\nfor = \"30s\"", "players = 10\nfor = \"2s\"");
        format!("{scenario}[thresholds]\nfailed_joins = 0\ndisconnects = 0\nlost_reliable = 0\n")
    };
    let table = Comparison { godot, program: &program, edit }.table()?;
    match table.contains("| players joined | 10 | 10 |") {
        true => Ok(()),
        false => Err(format!("not all players joined:\n{table}")),
    }
}

/// A comparison, with the program of mp-server and a change of the scenario.
struct Comparison<'c> {
    godot: &'c Godot,
    program: &'c Path,
    edit: fn(&str) -> String,
}

/// The results against one server.
struct Results {
    name: String,
    report: Value,
    usage: Option<Usage>,
}

/// Resources of a server.
#[derive(Clone, Copy)]
struct Usage {
    /// User and system time of all threads.
    cpu: Duration,
    resident_bytes: u64,
}

impl Comparison<'_> {
    fn table(&self) -> Result<String, String> {
        let godot = self.godot_relay()?;
        let godot = self.run(&format!("Godot {}", short(&self.godot.version)), godot)?;
        let mp = self.run("mp-server", self.mp_server()?)?;
        Ok(table(&[godot, mp]))
    }

    /// Starts a Godot server that only relays, at 60 frames per second.
    fn godot_relay(&self) -> Result<(Process, u16), String> {
        let mut command = self.godot.script(&root().join("bench/godot"), "res://relay.gd");
        command.args(["--fps", "60"]);
        let mut server = Process::start("Godot", &mut command, &log("godot"))?;
        let port = |server: &Process| {
            let output = server.output();
            let (_, port) = output.split_once("ready ")?;
            port.lines().next()?.parse::<u16>().ok()
        };
        server.wait_until(now() + PROCESS_TIMEOUT, |server| port(server).is_some());
        let port = port(&server).ok_or_else(|| format!("Godot fails: {}", server.errors()))?;
        Ok((server, port))
    }

    fn mp_server(&self) -> Result<(Process, u16), String> {
        let port = free_port()?;
        let mut command = Command::new(self.program);
        command.args(["--enet", &format!("127.0.0.1:{port}"), "--ws", "off", "--webrtc", "off"]);
        let mut server = Process::start("mp-server", &mut command, &log("mp-server"))?;
        let listens = |server: &Process| server.output().contains("--help");
        if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            return Err(format!("mp-server does not listen: {}", server.errors()));
        }
        Ok((server, port))
    }

    /// Runs the bots against a server.
    fn run(&self, name: &str, (server, port): (Process, u16)) -> Result<Results, String> {
        let source = root().join("interop/bots/compare.toml");
        let text = fs::read_to_string(&source);
        let text = text.map_err(|error| format!("{}: {error}", source.display()))?;
        let (scenario, json) = (log("scenario").with_extension("toml"), log(&server.who));
        let json = json.with_extension("json");
        fs::write(&scenario, (self.edit)(&text)).map_err(|error| error.to_string())?;
        let mut command = Command::new(self.program);
        command.arg("bots").arg(&scenario).arg("--quiet").arg("--json").arg(&json);
        command.args(["--server", &format!("enet://127.0.0.1:{port}")]);
        let who = format!("bots-{}", server.who);
        let before = usage(&server);
        let mut bots = Process::start(&who, &mut command, &log(&who))?;
        bots.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        let after = usage(&server);
        if !bots.ended().is_some_and(|status| status.success()) {
            return Err(format!("{name}: {}{}", bots.output(), bots.errors()));
        }
        let usage = before
            .zip(after)
            .map(|(before, after)| Usage { cpu: after.cpu.saturating_sub(before.cpu), ..after });
        Ok(Results { name: name.to_owned(), report: report(&json)?, usage })
    }
}

/// Returns the results as a table of Markdown.
fn table(all: &[Results]) -> String {
    let mut out = String::from("| |");
    for results in all {
        let _ = write!(out, " {} |", results.name);
    }
    out += "\n|---|";
    out += &"---:|".repeat(all.len());
    for (row, value) in ROWS {
        let _ = write!(out, "\n| {row} |");
        for results in all {
            let _ = write!(out, " {} |", value(results).unwrap_or_else(|| "–".to_owned()));
        }
    }
    out + "\n"
}

/// Returns the text of a row for the results against one server; `None` if it was not measured.
type RowValue = fn(&Results) -> Option<String>;

const ROWS: [(&str, RowValue); 10] = [
    ("players joined", |it| it.count("joined")),
    ("time to join, p50", |it| it.time("join", "p50")),
    ("time to join, p99", |it| it.time("join", "p99")),
    ("calls answered", |it| it.count("replies")),
    ("calls lost", |it| it.count("lost_reliable")),
    ("round trip, p50", |it| it.time("rtt", "p50")),
    ("round trip, p99", |it| it.time("rtt", "p99")),
    ("round trip, p99.9", |it| it.time("rtt", "p99.9")),
    ("CPU time of the server", |it| Some(format!("{:.2} s", it.usage?.cpu.as_secs_f64()))),
    ("resident memory of the server", |it| Some(format!("{} MiB", it.usage?.resident_bytes >> 20))),
];

impl Results {
    fn count(&self, counter: &str) -> Option<String> {
        Some(self.report["counters"][counter].as_u64()?.to_string())
    }

    fn time(&self, timing: &str, quantile: &str) -> Option<String> {
        let seconds = self.report["times"][timing][quantile].as_f64()?;
        Some(format!("{:.1} ms", seconds * 1e3))
    }
}

/// Returns the resources of a process that it has used so far; `None` on systems without `/proc`.
fn usage(process: &Process) -> Option<Usage> {
    let folder = format!("/proc/{}", process.id());
    let mut nanoseconds = 0;
    for task in fs::read_dir(format!("{folder}/task")).ok()? {
        // A thread may have just ended.
        let stat = fs::read_to_string(task.ok()?.path().join("schedstat")).unwrap_or_default();
        nanoseconds += stat.split(' ').next()?.parse().unwrap_or(0);
    }
    let status = fs::read_to_string(format!("{folder}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(Usage { cpu: Duration::from_nanos(nanoseconds), resident_bytes: kib << 10 })
}

/// Returns a version without the kind of the build.
fn short(version: &str) -> String {
    let numbers = version.split('.').take_while(|part| part.bytes().all(|it| it.is_ascii_digit()));
    numbers.collect::<Vec<_>>().join(".")
}

fn log(who: &str) -> PathBuf {
    target().join("interop/bots").join(format!("compare.{who}.log"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn results_are_columns_and_what_was_not_measured_is_a_dash() {
        let report = json!({
            "counters": { "joined": 3, "replies": 70 },
            "times": { "rtt": { "p50": 0.0012 } },
        });
        let usage = Usage { cpu: Duration::from_millis(340), resident_bytes: 15 << 20 };
        let results = [("Godot 4.6.3", None), ("mp-server", Some(usage))];
        let results = results.map(|(name, usage)| Results {
            name: name.to_owned(),
            report: report.clone(),
            usage,
        });
        let table = table(&results);
        for line in [
            "| | Godot 4.6.3 | mp-server |\n|---|---:|---:|\n| players joined | 3 | 3 |\n",
            "| time to join, p50 | – | – |",
            "| round trip, p50 | 1.2 ms | 1.2 ms |",
            "| CPU time of the server | – | 0.34 s |",
            "| resident memory of the server | – | 15 MiB |\n",
        ] {
            assert!(table.contains(line), "{line} is not in {table}");
        }
    }

    #[test]
    fn version_has_no_kind_of_build() {
        assert_eq!(short("4.6.3.stable.official.abc"), "4.6.3");
    }
}
