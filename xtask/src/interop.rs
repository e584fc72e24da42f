//! `cargo xtask interop`: runs the scenarios of a suite, and prints a table of results.

mod counts;
mod players;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::godot::{self, Godot};
use crate::process::now;
use crate::scenario_run::{MESH, Player, ROOM, ScenarioRun, Sides};
use crate::suite::{Scenario, Suite};
use crate::web::{WebGodot, over_webrtc};
use crate::workspace;

pub(crate) use counts::ScenarioCounts;
use players::Players;

/// Options of `cargo xtask interop`.
#[derive(Args, Clone, Default)]
pub(crate) struct InteropArgs {
    /// Folder with a Godot project and scenarios.txt [default: interop/godot]
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Option<PathBuf>,
    /// Transport
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transport: Transport,
    /// Sides that mp plays; Godot plays the others
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: Role,
    /// Run only this scenario (repeatable) [default: all for the transport and the role]
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Vec<String>,
    /// Compression of ENet, on both sides [default: none; the scenario `compression` runs with each
    /// mode]
    #[arg(long, value_name = "MODE", value_parser = COMPRESSION)]
    pub(crate) compression: Option<String>,
    /// Time limit of each process in seconds
    #[arg(long, value_name = "S", default_value_t = TIMEOUT)]
    pub(crate) timeout: u32,
    /// Retries of a failed scenario; shown in the table
    #[arg(long, value_name = "N", default_value_t = RETRIES)]
    pub(crate) retries: u32,
    /// Prove that mp's checks work: mp expects a wrong value in `calls` (or the given scenario),
    /// and the check must fail
    #[arg(long, conflicts_with = "self_check")]
    pub(crate) planted_fault: bool,
    /// Run Godot's clients in a browser: Chromium on PATH, else Debian's, unpacked under
    /// target/chromium, with Godot's web build, fetched with npm (default for webrtc)
    #[arg(long)]
    pub(crate) web: bool,
    /// Godot plays mp's sides too: tests the suite, not mp
    #[arg(long)]
    pub(crate) self_check: bool,
}

/// Transport of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[default]
    Enet,
    Ws,
    /// WebSocket over TLS, with a generated certificate; only for the project's own suite
    Wss,
    /// WebRTC; Godot runs in a browser, as client, server and in a mesh
    Webrtc,
}

/// Sides that mp plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    #[default]
    Server,
    /// All clients; Godot is the server
    Client,
    /// Client 0; the server and other clients are Godot. Skips scenarios with one client
    Mixed,
    /// All sides: tests mp against itself, without Godot
    Both,
}

impl InteropArgs {
    /// Returns the default options.
    pub(crate) fn new() -> Self {
        Self { timeout: TIMEOUT, retries: RETRIES, ..Self::default() }
    }
}

/// Runs the scenarios that `args` select.
///
/// # Errors
///
/// Returns an error if one fails, none was run, or a prerequisite is missing.
pub(crate) fn run(args: &InteropArgs) -> Result<ScenarioCounts, String> {
    run_with(&godot::find()?, args)
}

/// Runs the scenarios with a Godot found before.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_with(godot: &Godot, args: &InteropArgs) -> Result<ScenarioCounts, String> {
    let folder = args.suite.clone().unwrap_or_else(Suite::own_folder);
    let suite = Suite::read(&folder)?;
    let tls = match args.transport {
        Transport::Wss if !suite.own => {
            return Err(format!("{} has no scenarios for the transport wss", folder.display()));
        }
        Transport::Wss => Some(make_certificate()?),
        _ => None,
    };
    let is_webrtc = args.transport == Transport::Webrtc;
    if is_webrtc && args.self_check {
        let why = "Godot's web build loses data that Godot sends in bursts, as in `traffic`";
        return Err(format!("--self-check is not for the transport webrtc: {why}"));
    }
    let is_copied = is_webrtc && !suite.own;
    if is_copied && args.role != Role::Server {
        let folder = folder.display();
        return Err(format!("over webrtc mp is the server of {folder}; use --role server"));
    }
    let project = if is_copied { over_webrtc(&suite.folder)? } else { suite.folder.clone() };
    let web = match is_webrtc || args.web {
        true => Some(WebGodot::start(godot, &project, "")?),
        false => None,
    };
    let signaling = match is_webrtc {
        true => Some(workspace::program("mp-interop", "MP_INTEROP_BIN")?),
        false => None,
    };
    let table = Table { godot, suite, args, tls, web, signaling };
    if args.planted_fault { table.planted_fault() } else { table.play() }
}

struct Table<'a> {
    godot: &'a Godot,
    suite: Suite,
    args: &'a InteropArgs,
    /// Certificate and key of the server, for the transport wss.
    tls: Option<[PathBuf; 2]>,
    web: Option<WebGodot>,
    /// Program that serves WebRTC signaling.
    signaling: Option<PathBuf>,
}

/// Row of the table.
struct Row<'a> {
    scenario: &'a Scenario,
    compression: Option<&'a str>,
    sides: Sides,
}

impl Table<'_> {
    fn play(&self) -> Result<ScenarioCounts, String> {
        let rows = self.rows()?;
        let mut counts = ScenarioCounts::default();
        println!(
            "{:<24}{:<11}{:<9}{:<9}{:>7}  retries",
            "scenario", "transport", "mp", "result", "seconds"
        );
        for row in &rows {
            self.print_start(row);
            let started = now();
            let mut tries = Vec::new();
            let passed = loop {
                match self.run(row, tries.len()).play() {
                    Ok(()) => break true,
                    Err(why) => tries.push(why),
                }
                if tries.len() > self.args.retries as usize {
                    break false;
                }
            };
            let retries = if passed { tries.len() } else { tries.len() - 1 };
            let result = if passed { "pass" } else { "FAIL" };
            println!("{result:<9}{:>7.1}  {retries}", (now() - started).as_secs_f64());
            for (number, why) in tries.iter().enumerate() {
                self.print_why(row, number, why);
            }
            counts.retries += u32::try_from(retries).unwrap_or(u32::MAX);
            *(if passed { &mut counts.passed } else { &mut counts.failed }) += 1;
        }
        println!("{counts}");
        match counts {
            ScenarioCounts { failed: 0, passed: 0, .. } => {
                Err("no scenario was selected".to_owned())
            }
            ScenarioCounts { failed: 0, .. } => Ok(counts),
            _ => Err(format!("{counts}")),
        }
    }

    fn planted_fault(&self) -> Result<ScenarioCounts, String> {
        let names = &self.args.scenario;
        let name = names.first().map_or(FAULT_SCENARIO, String::as_str);
        let scenario = self.suite.scenario(name)?;
        let program = workspace::program("mp-interop", "MP_INTEROP_BIN")?;
        let compression = self.args.compression.as_deref();
        let row = Row { scenario, compression, sides: self.sides(Player::Interop(program)) };
        let role = self.args.role.name();
        print!("planted fault in {name}, {role} ... ");
        flush();
        let mut run = self.run(&row, 0);
        run.logs = self.logs("planted-fault");
        match run.play_with_planted_fault() {
            Ok(()) => {
                println!("noticed");
                Ok(ScenarioCounts { passed: 1, ..ScenarioCounts::default() })
            }
            Err(why) => {
                println!("FAIL");
                println!("    {why}\n    logs: {}.*", run.logs.display());
                Err(why)
            }
        }
    }

    /// Returns the rows to run: the suite's scenarios for the transport, or the named ones.
    fn rows(&self) -> Result<Vec<Row<'_>>, String> {
        let named = &self.args.scenario;
        let transport = self.transport_in_list().to_owned();
        let mut selected = Vec::new();
        if named.is_empty() {
            let fits = |s: &&Scenario| {
                s.transports.contains(&transport) && self.fits_role(s) && self.fits_webrtc(s)
            };
            selected.extend(self.suite.scenarios.iter().filter(fits));
        } else {
            for name in named {
                let scenario = self.suite.scenario(name)?;
                if !scenario.transports.contains(&transport) {
                    return Err(format!("{name} is not for the transport {transport}"));
                }
                selected.push(scenario);
            }
        }
        let players = Players::new(self, &selected)?;
        let mut rows = Vec::new();
        for scenario in selected {
            for compression in self.modes(scenario) {
                let sides = players.sides(self, scenario, compression).ok_or_else(|| {
                    let mode = compression.map(|mode| format!(" with --compression={mode}"));
                    let mode = mode.unwrap_or_default();
                    format!("mp-interop does not support {}{mode}", scenario.name)
                })?;
                rows.push(Row { scenario, compression, sides });
            }
        }
        Ok(rows)
    }

    /// Returns the compression modes of a scenario.
    fn modes(&self, scenario: &Scenario) -> Vec<Option<&str>> {
        match self.args.compression.as_deref() {
            None if scenario.name == "compression" => COMPRESSION.map(Some).to_vec(),
            given => vec![given],
        }
    }

    fn run<'a>(&'a self, row: &Row<'a>, tries: usize) -> ScenarioRun<'a> {
        let name = row.label("-");
        let name = if tries == 0 { name } else { format!("{name}.retry{tries}") };
        ScenarioRun {
            godot: self.godot,
            web: self.web.as_ref(),
            signaling: self
                .signaling
                .clone()
                .filter(|_| row.sides.server == Player::Godot || row.scenario.name == MESH),
            suite: &self.suite,
            scenario: row.scenario,
            sides: row.sides.clone(),
            transport: self.args.transport.name(),
            tls: self.tls.as_ref(),
            compression: row.compression,
            timeout: self.args.timeout,
            logs: self.logs(&name),
        }
    }

    fn print_start(&self, row: &Row<'_>) {
        let mp = if self.args.self_check { "none" } else { self.args.role.name() };
        print!("{:<24}{:<11}{mp:<9}", row.label(" "), self.args.transport.name());
        flush();
    }

    /// Assigns `player` to the sides of mp's role, and Godot to the others.
    fn sides(&self, player: Player) -> Sides {
        match self.args.role {
            Role::Server => Sides { server: player, ..Sides::GODOT },
            Role::Client => {
                Sides { first_client: player.clone(), other_clients: player, ..Sides::GODOT }
            }
            Role::Mixed => Sides { first_client: player, ..Sides::GODOT },
            Role::Both => Sides {
                server: player.clone(),
                first_client: player.clone(),
                other_clients: player,
            },
        }
    }

    fn fits_role(&self, scenario: &Scenario) -> bool {
        // In `room`, mp's server side is mp-server.
        let is_room = self.suite.own && scenario.name == ROOM;
        let has_no_player = is_room && self.args.role != Role::Server && !self.args.self_check;
        (self.args.role != Role::Mixed || scenario.clients > 1) && !has_no_player
    }

    /// Returns the transport's name in scenarios.txt. Of another suite, the scenarios for WebSocket
    /// are played over WebRTC.
    fn transport_in_list(&self) -> &'static str {
        match self.args.transport {
            Transport::Wss => Transport::Ws.name(),
            Transport::Webrtc if !self.suite.own => Transport::Ws.name(),
            transport => transport.name(),
        }
    }

    fn fits_webrtc(&self, scenario: &Scenario) -> bool {
        let is_other = self.args.transport == Transport::Webrtc && !self.suite.own;
        !is_other || !NOT_OVER_WEBRTC.contains(&&*scenario.name)
    }

    fn print_why(&self, row: &Row<'_>, number: usize, why: &str) {
        let name = row.label("-");
        let name = if number == 0 { name } else { format!("{name}.retry{number}") };
        for line in why.lines() {
            println!("    {line}");
        }
        println!("    logs: {}.*", self.logs(&name).display());
    }

    fn logs(&self, name: &str) -> PathBuf {
        let web = if self.web.is_some() { "-web" } else { "" };
        let folder = format!("{}-{}{web}", self.suite.name(), self.args.role.name());
        workspace::target().join("interop").join(folder).join(name)
    }
}

impl Row<'_> {
    fn label(&self, separator: &str) -> String {
        let mode = self.compression.map(|mode| format!("{separator}{mode}")).unwrap_or_default();
        format!("{}{mode}", self.scenario.name)
    }
}

impl Role {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Client => "client",
            Self::Mixed => "mixed",
            Self::Both => "both",
        }
    }
}

impl Transport {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Enet => "enet",
            Self::Ws => "ws",
            Self::Wss => "wss",
            Self::Webrtc => "webrtc",
        }
    }
}

/// Creates a certificate and key with `mp-server cert`, and returns their paths.
///
/// # Errors
///
/// Returns an error if mp-server fails.
pub(crate) fn make_certificate() -> Result<[PathBuf; 2], String> {
    let folder = workspace::target().join("interop/tls");
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    }
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let files = ["server.crt", "server.key"].map(|name| folder.join(name));
    let mut command = Command::new(workspace::program("mp-server", "MP_SERVER_BIN")?);
    command.arg("cert").arg("--tls-cert").arg(&files[0]).arg("--tls-key").arg(&files[1]);
    workspace::quiet(&mut command)?;
    Ok(files)
}

fn flush() {
    drop(io::stdout().flush()); // on failure the line appears later
}

/// Compression modes of ENet, by Godot's names.
const COMPRESSION: [&str; 5] = ["none", "range", "fastlz", "zlib", "zstd"];

/// Scenarios of the additional suite that its clients cannot play over WebRTC: a web client
/// receives no packet of 200 KiB, and `drop` uses the WebSocket itself.
const NOT_OVER_WEBRTC: [&str; 2] = ["big", "drop"];

/// Default scenario for a planted fault.
const FAULT_SCENARIO: &str = "calls";

/// Default time limit of a process in seconds; generous for slow machines.
const TIMEOUT: u32 = 300;
const RETRIES: u32 = 1;
