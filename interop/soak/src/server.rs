//! The server: mp-server, and statistics of its rooms on standard output.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use mp_core::host::SystemClock;
use mp_server::{RoomsHandle, ServerBuilder};
use serde_json::json;

/// Options of the server.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Configuration file
    #[arg(long)]
    config: PathBuf,
}

/// Runs the server until a signal ends it.
pub(crate) fn run(args: &Args) -> ExitCode {
    let server = ServerBuilder::new().on_start(|rooms| drop(tokio::spawn(report(rooms))));
    server.run(["mp-soak".into(), "--config".into(), args.config.clone().into_os_string()])
}

/// Prints statistics once per second until the server has ended.
async fn report(rooms: RoomsHandle) {
    let clock = SystemClock::new();
    let mut due = clock.now();
    while let Ok(stats) = rooms.stats().await {
        let now = clock.now();
        let line = json!({
            "rooms": stats.open + stats.creating + stats.closing,
            "players": stats.players + stats.waiting,
            "joined": stats.joined,
            "refused": stats.refused.total(),
            "created": stats.created_rooms,
            "failed": stats.failed_rooms,
            "ended": stats.ended_rooms,
            "bugs": mp_core::bug::count(),
            "resident": resident(),
            "late_ms": (now - due).as_millis() as u64,
            "reasons": departures(&rooms.metrics()),
        });
        println!("{line}");
        due = now + INTERVAL;
        tokio::time::sleep(due - clock.now()).await;
    }
}

/// Returns the numbers of players that left, by transport and reason, from the statistics in text
/// form.
fn departures(metrics: &str) -> BTreeMap<String, u64> {
    let lines = metrics.lines().filter_map(|line| line.strip_prefix("mp_peers_left_total"));
    let parse = |line: &str| {
        let (labels, count) = line.rsplit_once(' ')?;
        let mut values = labels.split('"').skip(1).step_by(2);
        let reason = format!("{} {}", values.next()?, values.next()?);
        Some((reason, count.parse::<f64>().ok()? as u64))
    };
    lines.filter_map(parse).filter(|(_, count)| *count > 0).collect()
}

/// Returns the resident memory of this process in bytes; `None` if the system does not report it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

const INTERVAL: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departures_are_counted_by_transport_and_reason() {
        let metrics = "# TYPE mp_peers_left counter\n\
            mp_peers_left_total{transport=\"enet\",reason=\"remote\"} 2.0\n\
            mp_peers_left_total{transport=\"enet\",reason=\"timeout\"} 0.0\n\
            mp_rooms 1.0\n";
        let expected = BTreeMap::from([("enet remote".to_owned(), 2)]);
        assert_eq!(departures(metrics), expected);
    }
}
