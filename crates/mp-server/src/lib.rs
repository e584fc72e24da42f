//! The program `mp-server`, a relay room for Godot 4 games. `mp-server --help` describes its use.
//!
//! [`ServerBuilder`] adds rooms of other types: the program has the same options, logs, signals and
//! exit codes.
//!
//! ```text
//!  Network: endpoints (listeners) with a RoomRouter each ── joins ──► RoomsHost: mp_rooms::Rooms
//!      one thread ◄──────────── assign, decide ─────────────────────    │  on the same thread
//!           ▲ packets                                                   ▼ starts, closes
//!           └──────────────────────────────────────────► branches: the only room on the same
//!                                                         thread, several on the least loaded ones
//! ```

//!
//! # Selecting a room in Godot
//!
//! | listener's `select` | the client |
//! |---|---|
//! | `fixed` | connects to the port of the room |
//! | `path` | `peer.create_client("ws://HOST:PORT/arena")`, or `/TEMPLATE/arena?code=CODE` |
//! | `query` | `peer.create_client("ws://HOST:PORT/?room=arena&code=CODE")` |
//! | `path` or `query`, WebRTC | `client.room = "arena"`, or `TEMPLATE/arena?code=CODE` (script of `mp-server gdscript`) |
//! | `auth` | sends `arena` or `room=arena&code=CODE` as first authentication packet, see below |
//!
//! ```gdscript
//! multiplayer.auth_callback = func(_id, _data): pass
//! multiplayer.peer_authenticating.connect(func(id):
//!     multiplayer.send_auth(id, "arena".to_utf8_buffer())
//!     multiplayer.complete_auth(id))
//! ```
//!
//! A client that is refused, because the room is full, locked, private or unknown, receives
//! `peer_authentication_failed` if it authenticates, and before, in its `auth_callback`, the
//! reason: `{"code": "room_full", "text": "the room is full"}`. Otherwise it receives
//! `connection_failed`, or `connected_to_server` and then `server_disconnected`. Over WebSocket,
//! the close reason is the code (`get_close_reason` of `WebSocketPeer`). The codes are the labels
//! of [`JoinRefusal`](mp_rooms::JoinRefusal). `cargo xtask rooms` plays these cases with real Godot
//! clients.

mod acme;
mod addresses;
mod admin;
mod agones;
mod args;
mod banner;
mod bans;
mod bots;
mod cert;
mod certificates;
mod cluster;
pub mod config;
mod config_command;
mod ctl;
mod doctor;
mod durable_file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzz;
mod http;
mod http_client;
mod identity;
mod inspect;
mod join_script;
mod link;
mod listeners;
mod live_limits;
mod live_rooms;
mod log_queue;
mod logs;
mod matchmaking;
mod memory;
mod metrics;
mod network;
mod open_files;
mod options;
mod output;
mod page;
mod plan;
mod program;
mod protection;
mod query;
mod record;
mod relay;
mod reload;
mod remote;
mod resident_bots;
mod rooms;
mod server;
mod service;
mod shutdown;
mod snapshots;
mod token;
mod tunnel;
mod webrtc;
mod wireshark;

use std::ffi::OsString;
use std::process::ExitCode;
use std::{fmt, io};

use args::{Args, Command};
use config::Config;
use log_queue::LogQueue;
use logs::SetFilter;
use metrics::Metrics;
use reload::{Hangup, Reloader};
use service::ServiceManager;

pub use bans::BanError;
pub use cluster::{ClusterNode, WithoutSnapshot};
pub use mp_cluster;
pub use mp_core::UnixSeconds;
pub use mp_identity;
pub use mp_record;
pub use mp_rooms;
pub use record::{ReplayError, Replayed, replay_recording};
pub use relay::relay;
pub use rooms::{
    Announced, CreateRoomError, MovePlayerError, RoomContext, RoomsHandle, ServerEnded,
};
pub use server::ServerBuilder;

/// Runs the program `mp-server` with the command line `args`.
fn run(
    builder: ServerBuilder,
    args: impl IntoIterator<Item = impl Into<OsString> + Clone>,
) -> ExitCode {
    let args = Args::from_command_line(args);
    match start(builder, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = output::print(io::stderr(), format!("mp-server: {failure}\n"));
            failure.exit_code()
        }
    }
}

fn start(builder: ServerBuilder, args: &Args) -> Result<(), Failure> {
    match &args.command {
        Some(Command::Bots(args)) => return bots::run(args),
        Some(Command::Cert(args)) => return cert::make(args),
        Some(Command::Token(args)) => return token::run(args),
        Some(Command::Tunnel(args)) => return tunnel::run(args),
        Some(Command::Config(args)) => return config_command::run(args),
        Some(Command::Ctl(args)) => return ctl::run(args.clone()),
        Some(Command::Doctor(args)) => return doctor::run(args),
        Some(Command::Inspect(args)) => return inspect::run(args),
        Some(Command::Replay(args)) => return record::run_replay(args),
        Some(Command::Wireshark(args)) => return wireshark::run(args),
        Some(Command::Dashboard) => return print(metrics::dashboard()),
        Some(Command::Gdscript) => return print(WEBRTC_CLIENT),
        Some(Command::Watch(_)) | None => {}
    }
    let (builder, settings) = match &args.command {
        Some(Command::Watch(args)) => (record::watch_server(builder, args)?, &args.settings),
        _ => (builder, &args.settings),
    };
    let config = Config::load(settings.sources(config::find(settings.file.clone())));
    let config = config.map_err(|errors| Failure::Refused(errors.to_string()))?;
    let (logs, set_filter) = logs::start(&config.log).map_err(Failure::Refused)?;
    if let Some(file) = config.file() {
        tracing::info!(file = %file.display(), "configuration read");
    }
    let result = open(builder, config, &logs, set_filter);
    logs.flush_bounded();
    result
}

/// Prints a file of the program to standard output.
fn print(text: &str) -> Result<(), Failure> {
    let printed = output::print(io::stdout(), text.to_owned());
    printed.map_err(|error| Failure::Unprinted(format!("cannot print: {error}")))
}

fn open(
    builder: ServerBuilder,
    config: Config,
    logs: &LogQueue,
    set_filter: SetFilter,
) -> Result<(), Failure> {
    let needed = options::open_files(&config);
    if let Some(limit) = open_files::raise(needed).filter(|&limit| limit < needed) {
        if limit < open_files::OWN {
            return Err(Failure::Refused(format!(
                "the limit of {limit} open files is too low; at least {} are needed, and {needed} for all players: ulimit -n {needed}",
                open_files::OWN
            )));
        }
        tracing::warn!(limit, needed, "too few open files for --max-clients; raise ulimit -n");
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Refused(format!("cannot start: {error}")))?;
    actix::System::with_tokio_rt(|| runtime).block_on(async {
        // Before any output shows that the program runs.
        let hangup = Hangup::new()
            .map_err(|error| Failure::Refused(format!("cannot listen for signals: {error}")))?;
        let metrics = Metrics::default();
        let service = ServiceManager::from_environment().map_err(Failure::Refused)?;
        let (reloader, live) = Reloader::new(config, metrics.clone(), service.clone());
        actix::spawn(reload::run(hangup, reloader.clone()));
        reload::follow(live.clone(), move |config| set_filter(&config.log.filter));
        actix::spawn(logs::report_lost(logs.clone()));
        program::run(builder, &live, reloader, logs, &metrics, service).await
    })
}

/// The script for Godot games that join over WebRTC.
const WEBRTC_CLIENT: &str = include_str!("../mp_webrtc_client.gd");

/// The reason why the program fails. It is printed as one line, except errors of a configuration.
#[derive(Debug)]
enum Failure {
    /// The program cannot start as requested (exit code 2).
    Refused(String),
    /// The room ended by itself (exit code 1).
    Ended(String),
    /// A running server refused a request, or was not reached (exit code 1).
    Request(String),
    /// The result cannot be printed (exit code 3).
    Unprinted(String),
    /// The results of bots exceed a threshold (exit code 3).
    Threshold(String),
    /// The machine or the configuration does not fit the server (exit code 1).
    Unfit(String),
}

impl Failure {
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Refused(_) => ExitCode::from(2),
            Self::Ended(_) | Self::Request(_) | Self::Unfit(_) => ExitCode::FAILURE,
            Self::Unprinted(_) | Self::Threshold(_) => ExitCode::from(3),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(why)
            | Self::Request(why)
            | Self::Unprinted(why)
            | Self::Threshold(why)
            | Self::Unfit(why) => f.write_str(why),
            Self::Ended(why) => write!(f, "the room has ended: {why}"),
        }
    }
}
