//! The server: mp-server, and statistics of its rooms on standard output.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

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
    while let Ok(stats) = rooms.stats().await {
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
        });
        println!("{line}");
        tokio::time::sleep(INTERVAL).await;
    }
}

/// Returns the resident memory of this process in bytes; `None` if the system does not report it.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1_024)
}

const INTERVAL: Duration = Duration::from_secs(1);
