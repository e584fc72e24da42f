//! Bots of `mp-server bots` with a real Godot server, which must log no error, and with mp-server,
//! whose metrics must equal their counters; and the decoding proxy between Godot clients and their
//! server, with Wireshark.

mod compare;
mod counters;
mod wire;
mod wireshark;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

pub(crate) use self::compare::compare;
use self::wire::WireSession;
use self::wireshark::Wireshark;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs the scenarios of `interop/bots` against Godot over ENet and WebSocket, and against
/// mp-server over all transports. Godot clients play through `mp-server inspect` and `mp-server
/// bots record`.
///
/// # Errors
///
/// Returns an error if a threshold of a scenario is exceeded, if the server logs an error, if the
/// counts of a server differ from those of the bots, or if the proxies do not show or record what
/// the clients do.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let wireshark = Wireshark::new()?;
    wireshark.decode_arbitrary()?;
    let mut results = vec![counters::compare()?];
    compare::check(godot)?;
    for transport in ["enet", "ws"] {
        for scenario in ["churn", "vanish"] {
            results.push(run(godot, transport, scenario)?);
        }
        let session = WireSession { godot, wireshark: &wireshark, transport };
        results.push(session.record()?);
        session.relay()?;
    }
    Ok(format!("no error in Godot's log; {}", results.join("; ")))
}

/// Runs one scenario. Returns a summary.
fn run(godot: &Godot, transport: &str, scenario: &str) -> Result<String, String> {
    let name = format!("{transport}-{scenario}");
    let log = |who: &str| target().join("interop/bots").join(format!("{name}.{who}.log"));
    let folder = root().join("interop/bots");
    let port = free_port()?;
    let mut command = godot.command(&folder);
    command.args([format!("--transport={transport}"), format!("--port={port}")]);
    command.arg(format!("--seconds={}", SERVER_TIME.as_secs()));
    let mut server = Process::start("server", &mut command, &log("server"))?;
    let listens = |server: &Process| server.output().contains("listening");
    if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("{name}: Godot does not listen: {}", server.errors()));
    }

    let json = log("report").with_extension("json");
    let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
    command.arg("bots").arg(folder.join(format!("{scenario}.toml")));
    command.args(["--server", &format!("{transport}://127.0.0.1:{port}")]);
    command.arg("--json").arg(&json);
    let mut bots = Process::start("bots", &mut command, &log("bots"))?;
    bots.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    if !bots.ended().is_some_and(|status| status.success()) {
        return Err(format!("{name}: {}{}", bots.output(), bots.errors()));
    }
    // The server's counts are printed when it ends.
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    let errors = server.errors();
    let is_error = |line: &&str| {
        let is_known = LEAVING.iter().any(|known| line.contains(known));
        (line.contains("ERROR") || line.contains("WARNING")) && !is_known
    };
    if let Some(error) = errors.lines().find(is_error) {
        return Err(format!("{name}: the Godot server logs {error}"));
    }
    let report = report(&json)?;
    let count = |name: &str| report["counters"][name].as_u64().unwrap_or_default();
    let output = server.output();
    // Those that are joining at the end of the run may have joined for the server.
    let joined = count("joined")..=count("reached");
    if !counted(&output, "joined ").is_some_and(|counted| joined.contains(&counted)) {
        return Err(format!("{name}: the bots count {joined:?} joined, and the server {output}"));
    }
    let pings = format!("pings {}, ", count("replies"));
    if !output.contains(&pings) {
        return Err(format!("{name}: the bots count {pings}and the server {output}"));
    }
    for counter in ["spawns", "syncs", "rpcs_received", "met_expectations"] {
        if count(counter) == 0 {
            return Err(format!("{name}: the bots have no {counter}"));
        }
    }
    for counter in ["malformed", "methods_differ", "rejected_packets"] {
        if count(counter) > 0 {
            return Err(format!("{name}: the bots have {} {counter}", count(counter)));
        }
    }
    Ok(format!("{name} {} players, {} syncs", count("joined"), count("syncs")))
}

/// Returns the number after `word` in the counts of the server.
fn counted(output: &str, word: &str) -> Option<u64> {
    let (_, rest) = output.split_once(word)?;
    rest.split(',').next()?.parse().ok()
}

fn report(file: &PathBuf) -> Result<serde_json::Value, String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| format!("{}: {error}", file.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))
}

/// Errors of a Godot server that sends to a client in the frame in which the client leaves, over
/// ENet and WebSocket: the transport has closed the connection, and Godot does not know yet. For
/// example it announces the departure of one client to another that leaves in the same frame.
/// Clients that churn leave at random times.
const LEAVING: [&str; 2] = [", max channels: 0", "Condition \"ready_state != STATE_OPEN\" is true"];
/// Time for which the server runs: longer than a scenario.
const SERVER_TIME: Duration = Duration::from_secs(14);

/// The node of scenarios whose bots call `ping` of each other, and answer with `pong`.
pub(crate) const PING_NODE: &str = r#"
[[node]]
path = "Main"
methods = ["ping", "pong"]

[[answer]]
rpc = "ping"
with = "pong"
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_the_server_are_read() {
        let output = "listening\njoined 52, left 51, pings 647, steps 647, bytes 8080\n";
        assert_eq!((counted(output, "joined "), counted(output, "pings ")), (Some(52), Some(647)));
        assert_eq!(counted(output, "kicked "), None);
    }
}
