//! `mp-server bots`: players of a scenario.

mod record;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Subcommand};
use mp_bots::scenario::ServerAddress;
use mp_bots::{RunOptions, RunReport, Scenario};

use self::record::RecordArgs;
use crate::{Failure, output};

/// Run players of a scenario against any Godot 4 server, and measure it
///
/// The players are clients without scenes: they connect, authenticate, call methods, receive
/// spawns, synchronizations and calls, and confirm paths as Godot does. They know the game only by
/// its RPC methods, which --project reads from the game's project, so that a real Godot server logs
/// no error.
#[derive(Args, Debug)]
#[command(
    after_long_help = AFTER_HELP,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct BotsArgs {
    #[command(subcommand)]
    command: Option<BotsCommand>,
    /// Scenario file
    #[arg(required = true)]
    scenario: Option<PathBuf>,
    /// Address of the server, instead of the scenario's; several are used in turn
    #[arg(long, value_name = "ADDRESS")]
    server: Vec<ServerAddress>,
    /// Folder of the game's Godot project, instead of the scenario's
    #[arg(long, value_name = "DIR")]
    project: Option<String>,
    /// Number of threads [default: one per 2,000 players, at most the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// Write the results as JSON; times are in seconds
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the results as a page with plots, which needs no other files
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Do not print a line per second
    #[arg(long, short)]
    quiet: bool,
}

/// Subcommands of `bots`.
#[derive(Debug, Subcommand)]
enum BotsCommand {
    Record(RecordArgs),
}

/// Runs the command.
pub(crate) fn run(args: &BotsArgs) -> Result<(), Failure> {
    if let Some(BotsCommand::Record(args)) = &args.command {
        return record::run(args);
    }
    let scenario = scenario(args)?;
    let stop = Arc::new(AtomicBool::new(false));
    let threads = args.threads.map(usize::from);
    stop_at_signal(Arc::clone(&stop));
    let options = RunOptions { threads, stop, ..RunOptions::default() };
    let report = mp_bots::run(scenario, &options, |report| {
        if !args.quiet {
            let _ = output::print(io::stderr(), format!("{}\n", report.progress()));
        }
    });
    let report = report.map_err(|error| Failure::Refused(error.to_string()))?;
    output::print(io::stdout(), report.table())
        .map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))?;
    write(args.json.as_deref(), &report, RunReport::json)?;
    write(args.html.as_deref(), &report, RunReport::html)?;
    let exceeded = report.checks().into_iter().filter(|check| !check.is_met);
    let exceeded: Vec<_> = exceeded
        .map(|check| format!("{} = {} exceeds {}", check.name, check.result, check.limit))
        .collect();
    match exceeded.is_empty() {
        true => Ok(()),
        false => Err(Failure::Threshold(exceeded.join(", "))),
    }
}

/// Reads the scenario, with the arguments that replace values of it.
fn scenario(args: &BotsArgs) -> Result<Scenario, Failure> {
    let file = args.scenario.clone().unwrap_or_default();
    let name = file.display().to_string();
    let text = fs::read_to_string(&file)
        .map_err(|error| Failure::Refused(format!("cannot read {name}: {error}")))?;
    let mut scenario = Scenario::parse(&name, &text)
        .map_err(|errors| Failure::Refused(format!("{name} is invalid\n{errors}")))?;
    let folder = file.parent().unwrap_or_else(|| Path::new(""));
    let beside = |path: &String| folder.join(path).to_string_lossy().into_owned();
    scenario.project = args.project.clone().or_else(|| scenario.project.as_ref().map(beside));
    scenario.tls.ca = scenario.tls.ca.as_ref().map(beside);
    if !args.server.is_empty() {
        scenario.servers.clone_from(&args.server);
    }
    Ok(scenario)
}

fn write(
    file: Option<&Path>,
    report: &RunReport,
    text: fn(&RunReport) -> String,
) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    fs::write(file, text(report))
        .map_err(|error| Failure::Unprinted(format!("cannot write {}: {error}", file.display())))
}

/// Lets the players leave at Ctrl-C; a second one ends the program.
fn stop_at_signal(stop: Arc<AtomicBool>) {
    let listen = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let Ok(runtime) = runtime else { return };
        while runtime.block_on(tokio::signal::ctrl_c()).is_ok() {
            if stop.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
        }
    };
    // Without the thread, Ctrl-C ends the program at once.
    let _ = std::thread::Builder::new().name("signals".to_owned()).spawn(listen);
}

const AFTER_HELP: &str = r#"`mp-server bots record ADDRESS` writes a scenario from what a real client does.

A scenario, for example bots.toml:

  server = "enet://127.0.0.1:7777"      # or enets:// (DTLS), ws://, wss://, webrtc://; a list is used in turn

  [[phase]]                             # players join at this rate, whether or not the server keeps up
  joins_per_second = 20
  players = 100
  for = "30s"                           # of the whole phase

  [[node]]                              # nodes that --project does not find, such as spawned ones
  path = "Main/Players/*"
  methods = ["hit", "jump"]             # all methods with @rpc; or script = "res://player.gd"

  [[do]]                                # the steps of each player, in order
  connect = "5s"                        # time limit of the join
  [[do]]
  room = "arena"                        # a room of mp-server; or authenticate = "text of the packet"
  [[do]]
  rpc = "ping"                          # on the server; or to = "all" or "random_player"
  path = "Main/Arena"
  args = [{ value = "sequence" }, { float = [0, 1] }]
  every = "200ms"                       # by the clock; in the background, unless there is `for`
  reply = "pong"                        # the server's answer, whose time is the round-trip time
  [[do]]
  expect = "spawn"                      # or sync, rpc, raw, signal (name = "peer_connected")
  within = "2s"
  [[do]]
  think = ["1s", "5s"]                  # or wait = "2s"
  [[do]]
  raw = 32                              # random bytes, or a text
  mode = "unreliable"
  [[do]]
  churn = "3s"                          # leaves and begins again; or leave = "disconnect" or "vanish"

  [thresholds]                          # also failed_joins, disconnects, unmet_expectations
  join_p99 = "500ms"
  rtt_p99 = "100ms"
  lost_reliable = 0

Texts may contain {bot} (number of the player) and {peer} (its id). [[answer]] with rpc = "ping" and
with = "pong" replies to other players. [link] sets latency, jitter and loss of the players' links (ENet
and WebRTC), [tls] sets ca, name or insecure, and first_peer_id and seed make runs repeatable.

webrtc://HOST:PORT/PATH#LOBBY is the address of signaling, on the WebSocket port of mp-server. The path is
/webrtc by default; without a lobby, the server's default is joined. webrtcs:// is signaling over TLS.

Exit codes: 0 if the run is complete, 2 if the scenario is invalid or no player could connect, 3 if a
threshold is exceeded or results could not be written. Ctrl-C ends the run early with its results."#;
