//! `cargo xtask soak` and `overload`: mp-server with many players who come and go, and with more
//! players than it admits.

mod checks;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{cargo, run, target};

/// Options of `cargo xtask soak`.
#[derive(Args)]
pub(crate) struct SoakArgs {
    /// Minutes that the players play
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// Number of players, half of them over ENet, half of them over WebSocket
    #[arg(long, default_value_t = 500)]
    players: u64,
    /// Use a debug build, which checks more and holds less
    #[arg(long)]
    debug: bool,
}

impl SoakArgs {
    /// Returns the options of continuous integration, which has a debug build.
    pub(crate) fn ci() -> Self {
        Self { minutes: 2, players: 500, debug: true }
    }
}

/// Lets players join, play, leave and join again, over ENet with loss and over WebSocket, so that
/// rooms are created and closed all the time.
///
/// # Errors
///
/// Returns an error if a reliable message is lost, repeated or reordered, a player is disconnected,
/// counters of the server do not add up, the server reports a bug, or its memory grows.
pub(crate) fn soak(args: &SoakArgs) -> Result<String, String> {
    let folder = target().join("soak");
    let program = build(args.debug)?;
    let mut server = Server::start(&program, &folder, 2 * args.players, None)?;
    let options = Players {
        count: args.players,
        rooms: args.players / 2,
        loss_permille: 50,
        stay: 20,
        seconds: 60 * args.minutes,
        ..Players::default()
    };
    let mut players = server.players(&program, &folder, "players", &options, None)?;
    let limit = now() + Duration::from_secs(options.seconds) + PROCESS_TIMEOUT;
    while players.ended().is_none() && now() < limit {
        if let Some(status) = server.process.ended() {
            return Err(format!("the server has ended: {status}\n{}", server.process.errors()));
        }
        std::thread::sleep(Duration::from_secs(1));
    }
    if !players.ended().is_some_and(|status| status.success()) {
        return Err(format!("the players have failed: {}", players.errors()));
    }
    let rooms_close = |server: &Process| {
        let last = lines(&server.output()).pop().unwrap_or_default();
        last["players"] == 0 && last["rooms"] == 0
    };
    let has_closed = server.process.wait_until(now() + ROOMS_CLOSE_TIME, rooms_close);
    let (reports, stats) = (lines(&players.output()), lines(&server.process.output()));
    let result = checks::soak(&reports, &stats, args.minutes)?;
    match has_closed {
        true => Ok(result),
        false => {
            Err(format!("players or rooms are left: {}", stats.last().unwrap_or(&Value::Null)))
        }
    }
}

/// Options of `cargo xtask overload`.
#[derive(Args)]
pub(crate) struct OverloadArgs {
    /// Players that the server admits; twice as many others try to join
    #[arg(long, default_value_t = 200)]
    players: u64,
    /// Seconds of each of the two measurements
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Use a debug build, which is slower
    #[arg(long)]
    debug: bool,
}

/// Measures the latency of a full server's players, alone and while twice as many others try to
/// join all the time.
///
/// # Errors
///
/// Returns an error if a player is disconnected, or the 99th percentile of the latency is more than
/// twice as large as before.
pub(crate) fn overload(args: &OverloadArgs) -> Result<String, String> {
    let folder = target().join("overload");
    let program = build(args.debug)?;
    let mut server = Server::start(&program, &folder, args.players, Some(SERVER_CPU))?;
    let (count, rooms, frame) = (args.players, args.players / 10, 2);
    // They join in the first interval, and others in the third.
    let seconds = 5 * args.seconds + 60;
    let report = args.seconds;
    let options = Players { count, rooms, frame, seconds, report, ..Players::default() };
    let mut players = server.players(&program, &folder, "players", &options, Some(PLAYERS_CPU))?;
    let limit = Duration::from_secs(seconds) + PROCESS_TIMEOUT;
    let wait_for = |players: &mut Process, count: usize| {
        let has = |players: &Process| lines(&players.output()).len() >= count;
        match players.wait_until(now() + limit, has) {
            true => Ok(()),
            false => Err(format!("the players have ended: {}", players.errors())),
        }
    };
    wait_for(&mut players, 2)?;
    let others = Players { count: 2 * args.players, seed: 2, ..options };
    let mut others = server.players(&program, &folder, "others", &others, Some(PLAYERS_CPU))?;
    // The interval in which the others start is not measured.
    wait_for(&mut players, 4)?;
    if let Some(status) = others.ended() {
        return Err(format!("the other players have ended: {status}\n{}", others.errors()));
    }
    drop(others);
    if let Some(status) = server.process.ended() {
        return Err(format!("the server has ended: {status}\n{}", server.process.errors()));
    }
    let others = lines(&read(&folder.join("others.log")));
    checks::overload(&lines(&players.output()), &others, args.players)
}

/// A running server, and its addresses.
struct Server {
    process: Process,
    enet: u16,
    ws: u16,
}

/// Options of the program that runs players.
#[derive(Clone, Copy)]
struct Players {
    count: u64,
    rooms: u64,
    loss_permille: u64,
    /// Maximum seconds in a room; 0: until the end.
    stay: u64,
    /// Milliseconds between two turns.
    frame: u64,
    /// Seconds between two reports.
    report: u64,
    seconds: u64,
    seed: u64,
}

impl Default for Players {
    fn default() -> Self {
        let (count, rooms, loss_permille, stay) = (0, 0, 0, 0);
        Self { count, rooms, loss_permille, stay, frame: 16, report: 5, seconds: 0, seed: 1 }
    }
}

impl Server {
    fn start(
        program: &Path,
        folder: &Path,
        max_clients: u64,
        cpu: Option<&str>,
    ) -> Result<Self, String> {
        let (enet, ws) = (free_port()?, free_port()?);
        let config = format!(
            "[[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:{enet}\"\nselect = \"auth\"\n\
            [[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{ws}\"\nselect = \"path\"\n\
            [limits]\nmax_clients = {max_clients}\n{SETTINGS}"
        );
        let file = folder.join("mp-server.toml");
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&file, config))
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let mut command = pinned(program, cpu);
        command.args(["server", "--config"]).arg(&file);
        let mut process = Process::start("server", &mut command, &folder.join("server.log"))?;
        let listens = |server: &Process| !lines(&server.output()).is_empty();
        if !process.wait_until(now() + PROCESS_TIMEOUT, listens) {
            return Err(format!("the server does not listen: {}", process.errors()));
        }
        Ok(Self { process, enet, ws })
    }

    fn players(
        &self,
        program: &Path,
        folder: &Path,
        who: &str,
        options: &Players,
        cpu: Option<&str>,
    ) -> Result<Process, String> {
        let mut command = pinned(program, cpu);
        command.arg("players");
        for (flag, port) in [("--enet", self.enet), ("--ws", self.ws)] {
            command.args([flag.to_owned(), format!("127.0.0.1:{port}")]);
        }
        let Players { count, rooms, loss_permille, stay, frame, report, seconds, seed } = *options;
        for (flag, value) in [
            ("--players", count),
            ("--rooms", rooms),
            ("--loss-permille", loss_permille),
            ("--stay", stay),
            ("--frame", frame),
            ("--report", report),
            ("--seconds", seconds),
            ("--seed", seed),
        ] {
            command.args([flag.to_owned(), value.to_string()]);
        }
        Process::start(who, &mut command, &folder.join(who).with_extension("log"))
    }
}

/// Builds the server and the players, and returns their program.
fn build(is_debug: bool) -> Result<PathBuf, String> {
    let mut command = cargo();
    command.args(["build", "--quiet", "--package", "mp-soak"]);
    if !is_debug {
        command.arg("--release");
    }
    run(&mut command)?;
    Ok(target().join(if is_debug { "debug" } else { "release" }).join("mp-soak"))
}

/// Returns the command of a program on one CPU, or on all.
fn pinned(program: &Path, cpu: Option<&str>) -> Command {
    let Some(cpu) = cpu else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.args(["-c", cpu]).arg(program);
    command
}

/// Returns the complete lines that are JSON objects.
fn lines(output: &str) -> Vec<Value> {
    let complete = output.rsplit_once('\n').map_or("", |(complete, _)| complete);
    let objects = complete.lines().filter(|line| line.starts_with('{'));
    objects.filter_map(|line| serde_json::from_str(line).ok()).collect()
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Time in which the last rooms close.
const ROOMS_CLOSE_TIME: Duration = Duration::from_secs(20);
const SERVER_CPU: &str = "0";
const PLAYERS_CPU: &str = "1";
const SETTINGS: &str = "\
[template.default]
empty_timeout = 5
departure_timeout = 1

[log]
filter = \"warn\"

[shutdown]
drain_timeout = 0
";
