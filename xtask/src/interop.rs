//! `cargo xtask interop`: plays the scenarios of a suite one after another and prints a table.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;

use clap::{Args, ValueEnum};

use crate::godot::{self, Godot};
use crate::process::now;
use crate::round::{Cast, Player, ROOM, Round};
use crate::suite::{Played, Scenario, Suite, played_by};
use crate::workspace;

/// Options of `cargo xtask interop`.
#[derive(Args, Clone, Default)]
pub(crate) struct InteropArgs {
    /// The folder of the Godot project and its scenarios.txt [default: interop/godot]
    #[arg(long, value_name = "DIR")]
    pub(crate) suite: Option<PathBuf>,
    /// What the packets travel over
    #[arg(long, value_enum, default_value_t)]
    pub(crate) transport: Transport,
    /// What mp plays; Godot plays the rest
    #[arg(long, value_enum, default_value_t)]
    pub(crate) role: Role,
    /// Play only this scenario; may be given several times [default: all that are for the transport and the role]
    #[arg(long, value_name = "NAME")]
    pub(crate) scenario: Vec<String>,
    /// ENet's compression, on both sides [default: none; the scenario `compression` is played with each]
    #[arg(long, value_name = "MODE", value_parser = COMPRESSION)]
    pub(crate) compression: Option<String>,
    /// Seconds that one process may take
    #[arg(long, value_name = "S", default_value_t = TIMEOUT)]
    pub(crate) timeout: u32,
    /// How often a scenario that fails is played again; the table shows it
    #[arg(long, value_name = "N", default_value_t = RETRIES)]
    pub(crate) retries: u32,
    /// Show that mp's checks are real: mp's side expects a wrong value in `calls` (or the given scenario) and must notice
    #[arg(long, conflicts_with = "self_check")]
    pub(crate) planted_fault: bool,
    /// Godot plays mp's side too: proves the suite right, and says nothing about mp
    #[arg(long)]
    pub(crate) self_check: bool,
}

/// What the packets travel over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Transport {
    #[default]
    Enet,
    Ws,
    /// WebSocket over TLS, with a certificate made for it; only the project's own suite knows it
    Wss,
}

/// mp's side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    #[default]
    Server,
    /// All clients of a Godot server
    Client,
    /// Client 0 of a Godot server; the others are Godot too. Leaves out scenarios of one client
    Mixed,
    /// Everybody: proves that mp's sides fit each other, and says nothing about Godot
    Both,
}

/// How the scenarios went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) retries: u32,
}

impl InteropArgs {
    /// The options of `cargo xtask interop` without any.
    pub(crate) fn new() -> Self {
        Self { timeout: TIMEOUT, retries: RETRIES, ..Self::default() }
    }
}

/// Plays what `args` select.
///
/// # Errors
///
/// When one fails, none was played, or something that is needed is missing.
pub(crate) fn run(args: &InteropArgs) -> Result<Tally, String> {
    run_with(&godot::find()?, args)
}

/// The same with a Godot that was found before.
///
/// # Errors
///
/// As [`run`].
pub(crate) fn run_with(godot: &Godot, args: &InteropArgs) -> Result<Tally, String> {
    let folder = args.suite.clone().unwrap_or_else(Suite::own_folder);
    let suite = Suite::read(&folder)?;
    let tls = match args.transport {
        Transport::Wss if !suite.own => {
            return Err(format!("{} does not know the transport wss", folder.display()));
        }
        Transport::Wss => Some(make_certificate()?),
        _ => None,
    };
    let table = Table { godot, suite, args, tls };
    if args.planted_fault { table.planted_fault() } else { table.play() }
}

struct Table<'a> {
    godot: &'a Godot,
    suite: Suite,
    args: &'a InteropArgs,
    /// The server's certificate and its key, for the transport wss.
    tls: Option<[PathBuf; 2]>,
}

/// A line of the table.
struct Row<'a> {
    scenario: &'a Scenario,
    compression: Option<&'a str>,
    cast: Cast,
}

impl Table<'_> {
    fn play(&self) -> Result<Tally, String> {
        let rows = self.rows()?;
        let mut tally = Tally::default();
        println!(
            "{:<24}{:<11}{:<9}{:<9}{:>7}  retries",
            "scenario", "transport", "mp", "result", "seconds"
        );
        for row in &rows {
            self.print_start(row);
            let started = now();
            let mut tries = Vec::new();
            let passed = loop {
                match self.round(row, tries.len()).play() {
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
            tally.retries += u32::try_from(retries).unwrap_or(u32::MAX);
            *(if passed { &mut tally.passed } else { &mut tally.failed }) += 1;
        }
        println!("{tally}");
        match tally {
            Tally { failed: 0, passed: 0, .. } => Err("no scenario was played".to_owned()),
            Tally { failed: 0, .. } => Ok(tally),
            _ => Err(format!("{tally}")),
        }
    }

    fn planted_fault(&self) -> Result<Tally, String> {
        let names = &self.args.scenario;
        let name = names.first().map_or(FAULT_SCENARIO, String::as_str);
        let scenario = self.suite.scenario(name)?;
        let program = workspace::program("mp-interop", "MP_INTEROP_BIN")?;
        let compression = self.args.compression.as_deref();
        let row = Row { scenario, compression, cast: self.cast(Player::Interop(program)) };
        let role = self.args.role.name();
        print!("planted fault in {name}, {role} ... ");
        flush();
        let mut round = self.round(&row, 0);
        round.logs = self.logs("planted-fault");
        match round.play_with_planted_fault() {
            Ok(()) => {
                println!("noticed");
                Ok(Tally { passed: 1, ..Tally::default() })
            }
            Err(why) => {
                println!("FAIL");
                println!("    {why}\n    logs: {}.*", round.logs.display());
                Err(why)
            }
        }
    }

    /// What to play: the suite's scenarios for this transport, or those named.
    fn rows(&self) -> Result<Vec<Row<'_>>, String> {
        let named = &self.args.scenario;
        let transport = self.args.transport.listed().to_owned();
        let mut selected = Vec::new();
        if named.is_empty() {
            let fits = |s: &&Scenario| s.transports.contains(&transport) && self.fits_role(s);
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
                let cast = players.cast(self, scenario, compression).ok_or_else(|| {
                    let mode = compression.map(|mode| format!(" with --compression={mode}"));
                    let mode = mode.unwrap_or_default();
                    format!("mp-interop does not play {}{mode}", scenario.name)
                })?;
                rows.push(Row { scenario, compression, cast });
            }
        }
        Ok(rows)
    }

    /// The compression modes to play it with.
    fn modes(&self, scenario: &Scenario) -> Vec<Option<&str>> {
        match self.args.compression.as_deref() {
            None if scenario.name == "compression" => COMPRESSION.map(Some).to_vec(),
            given => vec![given],
        }
    }

    fn round<'a>(&'a self, row: &Row<'a>, tries: usize) -> Round<'a> {
        let name = row.label("-");
        let name = if tries == 0 { name } else { format!("{name}.retry{tries}") };
        Round {
            godot: self.godot,
            suite: &self.suite,
            scenario: row.scenario,
            cast: row.cast.clone(),
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

    /// mp's `player` in its role, and Godot.
    fn cast(&self, player: Player) -> Cast {
        match self.args.role {
            Role::Server => Cast { server: player, ..Cast::GODOT },
            Role::Client => {
                Cast { first_client: player.clone(), other_clients: player, ..Cast::GODOT }
            }
            Role::Mixed => Cast { first_client: player, ..Cast::GODOT },
            Role::Both => {
                Cast { server: player.clone(), first_client: player.clone(), other_clients: player }
            }
        }
    }

    fn fits_role(&self, scenario: &Scenario) -> bool {
        // mp's part in `room` is its server.
        let is_room = self.suite.own && scenario.name == ROOM;
        let has_no_player = is_room && self.args.role != Role::Server && !self.args.self_check;
        (self.args.role != Role::Mixed || scenario.clients > 1) && !has_no_player
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
        let folder = format!("{}-{}", self.suite.name(), self.args.role.name());
        workspace::target().join("interop").join(folder).join(name)
    }
}

impl Row<'_> {
    fn label(&self, separator: &str) -> String {
        let mode = self.compression.map(|mode| format!("{separator}{mode}")).unwrap_or_default();
        format!("{}{mode}", self.scenario.name)
    }
}

/// The programs that play mp's side.
struct Players {
    interop: Option<(PathBuf, Played)>,
    relay: Option<PathBuf>,
}

impl Players {
    /// Builds what `selected` needs.
    fn new(table: &Table<'_>, selected: &[&Scenario]) -> Result<Self, String> {
        let mut players = Self { interop: None, relay: None };
        if table.args.self_check {
            return Ok(players);
        }
        let by_relay = |scenario: &Scenario| {
            table.suite.own && scenario.name == ROOM && table.args.role == Role::Server
        };
        if selected.iter().any(|scenario| by_relay(scenario)) {
            players.relay = Some(workspace::program("mp-server", "MP_SERVER_BIN")?);
        }
        if selected.iter().any(|scenario| !by_relay(scenario)) {
            let program = workspace::program("mp-interop", "MP_INTEROP_BIN")?;
            let played = played_by(&program, &table.suite)?;
            players.interop = Some((program, played));
        }
        Ok(players)
    }

    fn cast(
        &self,
        table: &Table<'_>,
        scenario: &Scenario,
        compression: Option<&str>,
    ) -> Option<Cast> {
        if table.args.self_check {
            return Some(Cast::GODOT);
        }
        if let (Some(relay), ROOM) = (&self.relay, scenario.name.as_str()) {
            return Some(table.cast(Player::Relay(relay.clone())));
        }
        let (program, played) = self.interop.as_ref()?;
        let modes = played.get(&scenario.name)?;
        let plays = |mode: &str| modes.is_empty() || modes.iter().any(|m| m == mode);
        compression.is_none_or(plays).then(|| table.cast(Player::Interop(program.clone())))
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
        }
    }

    /// Its name in a suite's table.
    fn listed(self) -> &'static str {
        if self == Self::Wss { Self::Ws.name() } else { self.name() }
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)?;
        if self.retries > 0 {
            write!(f, ", {} retried", self.retries)?;
        }
        Ok(())
    }
}

/// What `mp-server cert` makes: a certificate and its key.
///
/// # Errors
///
/// When it makes none.
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
    drop(io::stdout().flush()); // the table is only shown later without it
}

/// ENet's compression modes, by Godot's names.
const COMPRESSION: [&str; 5] = ["none", "range", "fastlz", "zlib", "zstd"];

/// The scenario in which a fault is planted.
const FAULT_SCENARIO: &str = "calls";

/// Longer than any side takes, however slow the machine is.
const TIMEOUT: u32 = 300;
const RETRIES: u32 = 1;
