//! Simulated links of mp-server with real Godot clients: a latency that an operator sets shows in
//! the round trip that the game measures.

use std::process::Command;
use std::time::Duration;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Measures the round trip of a player over ENet and over WebSocket, without a simulated link, with
/// one, and after its end.
///
/// # Errors
///
/// Returns the first measurement that is not as expected.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let mut results = Vec::new();
    for transport in ["ENet", "WebSocket"] {
        let session = Session::start(godot, transport)?;
        results.push(session.measure(Session::ctl)?);
    }
    Ok(results.join("; "))
}

/// A server, a player whose link is simulated, and one who returns its packets.
pub(crate) struct Session<'t> {
    transport: &'t str,
    /// Address of the admin API, which needs no token.
    admin: String,
    /// Peer id of the player.
    id: String,
    player: Process,
    _others: [Process; 2],
}

impl<'t> Session<'t> {
    /// Starts the server and both players, over `ENet` or `WebSocket`.
    ///
    /// # Errors
    ///
    /// Returns an error if the server does not listen or the player does not join.
    pub(crate) fn start(godot: &Godot, transport: &'t str) -> Result<Self, String> {
        let [enet, ws, admin] = [free_port()?, free_port()?, free_port()?];
        let admin = format!("127.0.0.1:{admin}");
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.args(["--dev", "--admin", &admin]);
        command.args(["--enet", &format!("127.0.0.1:{enet}"), "--ws", &format!("127.0.0.1:{ws}")]);
        command.env("MP_ADMIN__TOKENS", format!("xtask:read+peers:{TOKEN}"));
        let log = |who: &str| target().join("interop/link").join(format!("{transport}-{who}.log"));
        let mut server = Process::start("server", &mut command, &log("server"))?;
        let listens = |server: &Process| server.output().contains("--help");
        if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            return Err(format!("mp-server does not listen: {}", server.errors()));
        }
        let join = |who: &str, options: &[String]| {
            let mut command = godot.command(&root().join("interop/link"));
            command.args(options);
            Process::start(who, &mut command, &log(who))
        };
        let way = match transport {
            "ENet" => format!("--port={enet}"),
            _ => format!("--url=ws://127.0.0.1:{ws}"),
        };
        let mut player = join("player", &[way, "--measures=yes".to_owned()])?;
        let id = expect(&mut player, "id ", |_| true)?;
        let echo = join("echo", &[format!("--port={enet}")])?;
        Ok(Self { transport, admin, id, player, _others: [server, echo] })
    }

    /// Returns the address of the admin API.
    pub(crate) fn admin(&self) -> &str {
        &self.admin
    }

    /// Returns the peer id of the player.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Measures the round trip before, while and after `set` gives each direction of the player's
    /// link a latency in milliseconds.
    ///
    /// # Errors
    ///
    /// Returns the first measurement that is not as expected, and errors of `set`.
    pub(crate) fn measure(
        mut self,
        set: impl Fn(&Self, f64) -> Result<(), String>,
    ) -> Result<String, String> {
        let before = self.round_trip(|millis| millis < LATENCY_MILLIS)?;
        set(&self, LATENCY_MILLIS)?;
        let range = 2.0 * LATENCY_MILLIS..3.0 * LATENCY_MILLIS;
        let during = self.round_trip(|millis| range.contains(&millis))?;
        set(&self, 0.0)?;
        let after = self.round_trip(|millis| millis < LATENCY_MILLIS)?;
        if self.player.output().lines().any(|line| line == "disconnected") {
            return Err(format!("{}: the player is disconnected", self.transport));
        }
        Ok(format!(
            "{}: {before:.0} ms, {during:.0} ms with {LATENCY_MILLIS} ms in each direction, \
             {after:.0} ms afterwards",
            self.transport
        ))
    }

    /// Waits for a round trip from now on that is as expected.
    fn round_trip(&mut self, is_expected: impl Fn(f64) -> bool) -> Result<f64, String> {
        let printed = self.player.output().len();
        let is_new = |line: &Line<'_>| line.offset >= printed;
        let text = expect(&mut self.player, "round_trip ", |line| {
            is_new(line) && line.rest.parse().is_ok_and(&is_expected)
        });
        text?.parse().map_err(|error| format!("round_trip: {error}"))
    }

    /// Runs `mp-server ctl link`.
    fn ctl(&self, latency: f64) -> Result<(), String> {
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.args(["ctl", "link", "default", &self.id, "--server", &self.admin]);
        match latency {
            0.0 => command.arg("--clear"),
            _ => command.args(["--latency", &format!("{latency}ms")]),
        };
        let output = command.env("MP_ADMIN_TOKEN", TOKEN).output();
        let output = output.map_err(|error| format!("cannot run mp-server ctl: {error}"))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(format!("ctl link: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// A line of a process.
struct Line<'l> {
    /// Its start in the output.
    offset: usize,
    /// The part after its prefix.
    rest: &'l str,
}

/// Waits for a line with this prefix that is as expected. Returns the part after the prefix.
fn expect(
    process: &mut Process,
    prefix: &str,
    is_expected: impl Fn(&Line<'_>) -> bool,
) -> Result<String, String> {
    let find = |process: &Process| {
        let output = process.output();
        let mut offset = 0;
        for line in output.split_inclusive('\n') {
            // The last line may be incomplete.
            let rest = line.strip_suffix('\n').and_then(|line| line.strip_prefix(prefix));
            if let Some(rest) = rest
                && is_expected(&Line { offset, rest })
            {
                return Some(rest.to_owned());
            }
            offset += line.len();
        }
        None
    };
    process.wait_until(now() + WAIT, |process| find(process).is_some());
    find(process).ok_or_else(|| {
        let output = process.output();
        let last: Vec<_> = output.lines().rev().take(5).collect();
        format!("{} prints no {prefix:?} as expected; last {last:?}", process.who)
    })
}

/// Latency of each direction.
const LATENCY_MILLIS: f64 = 200.0;
/// Time for a measurement. A loaded machine needs several.
const WAIT: Duration = Duration::from_secs(60);
const TOKEN: &str = "xtask-0123456789abcdef";
