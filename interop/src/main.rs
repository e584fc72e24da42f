//! mp's side of interop scenarios with real Godot: a server for Godot clients, or a client of a
//! Godot server, on `mp-scene` and a transport.
//!
//!     mp-interop --role=server --port=20000 --scenario=hello
//!     mp-interop --role=client --port=20000 --scenario=hello --index=0
//!
//! Prints JSON lines: `listening` when a server accepts connections, then events and failed checks,
//! and `result` last. Exit codes: 0 pass, 1 fail, 2 invalid command line.

mod conformance;
mod exact;
mod lobby;
mod lobby_member;
mod options;
mod own;
mod report;
mod scenario;
mod signal_recorder;
mod spawns;
mod tap;
mod transport;
mod webrtc;
mod world;

use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use crate::options::{Options, Role};
use crate::report::Report;
use crate::scenario::Scenario;
use crate::world::{ScenarioError, ScenarioResult, World};

fn main() -> ExitCode {
    let options = match Options::read() {
        Ok(options) => options,
        Err(why) => {
            eprintln!("mp-interop: {why}");
            return ExitCode::from(2);
        }
    };
    if options.list {
        for scenario in options.suite.scenarios() {
            println!("{}", scenario.name);
        }
        return ExitCode::SUCCESS;
    }
    let report = Report::default();
    if options.signaling {
        return match lobby::serve(&options, &report) {
            Ok(()) => ExitCode::SUCCESS,
            Err(ScenarioError(why)) => {
                eprintln!("mp-interop: signaling: {why}");
                ExitCode::FAILURE
            }
        };
    }
    let Some(scenario) = options.chosen() else { return ExitCode::from(2) };
    watch_over(&options);

    let played = std::panic::catch_unwind(AssertUnwindSafe(|| play(&options, &report, scenario)))
        .unwrap_or_else(|_| Err(ScenarioError("panic; see standard error".into())));
    let stopped = played.err().map(|ScenarioError(why)| why);
    let failed = Some(report.summary()).filter(|why| !why.is_empty());
    let why = failed.into_iter().chain(stopped).collect::<Vec<_>>().join("; ");
    report.say(&result(&options, &why));
    if why.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn play(options: &Options, report: &Report, scenario: &Scenario) -> ScenarioResult {
    let mut world = World::new(options.clone(), report.clone())?;
    let side = match options.role {
        Role::Server => scenario.serve,
        Role::Client => scenario.play,
    };
    let played = side(&mut world);
    world.leave();
    played
}

/// Returns the last line of a run.
fn result(options: &Options, why: &str) -> Value {
    json!({
        "result": if why.is_empty() { "pass" } else { "fail" },
        "why": why,
        "scenario": options.scenario,
        "role": options.role.name(),
        "index": options.index,
        "transport": options.transport.name(),
    })
}

/// Ends the process if the loop hangs, and cannot end it itself.
fn watch_over(options: &Options) {
    const GRACE: Duration = Duration::from_secs(3);
    let options = options.clone();
    std::thread::spawn(move || {
        std::thread::sleep(options.timeout().saturating_add(GRACE));
        Report::default().say(&result(&options, "the main loop hangs"));
        std::process::exit(1);
    });
}
