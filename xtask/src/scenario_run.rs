//! One run of a scenario: a server on a free port, its clients, and their results.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, result_line, wait_for_all};
use crate::suite::{Scenario, Suite};
use crate::web::WebGodot;

/// Parameters of one run.
pub(crate) struct ScenarioRun<'a> {
    pub(crate) godot: &'a Godot,
    /// Browser in which Godot's clients run, if they do. Over WebRTC Godot's server runs there,
    /// too.
    pub(crate) web: Option<&'a WebGodot>,
    /// Program that serves signaling to members of a lobby, if the server does not.
    pub(crate) signaling: Option<PathBuf>,
    pub(crate) suite: &'a Suite,
    pub(crate) scenario: &'a Scenario,
    pub(crate) sides: Sides,
    pub(crate) transport: &'a str,
    /// Certificate and key of the server, for the transport wss.
    pub(crate) tls: Option<&'a [PathBuf; 2]>,
    pub(crate) compression: Option<&'a str>,
    /// Time limit of each process in seconds.
    pub(crate) timeout: u32,
    /// Logs are written to `{logs}.{who}.log`.
    pub(crate) logs: PathBuf,
}

/// Programs that play the sides.
#[derive(Clone, Debug)]
pub(crate) struct Sides {
    pub(crate) server: Player,
    pub(crate) first_client: Player,
    pub(crate) other_clients: Player,
}

/// Program that plays a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Player {
    /// Godot.
    Godot,
    /// mp-interop at this path.
    Interop(PathBuf),
    /// mp-server at this path, only as the server. It is independent of scenarios: it is ready when
    /// it prints its address, must run until the clients have finished, and then receives SIGTERM.
    Relay(PathBuf),
}

impl Sides {
    /// Godot on all sides.
    pub(crate) const GODOT: Self =
        Self { server: Player::Godot, first_client: Player::Godot, other_clients: Player::Godot };
}

impl ScenarioRun<'_> {
    /// Runs the scenario.
    ///
    /// # Errors
    ///
    /// Returns the sides that have not passed, with reasons.
    pub(crate) fn play(&self) -> Result<(), String> {
        let limit = now() + Duration::from_secs(u64::from(self.timeout)) + KILL_DELAY;
        let (_signaling, server, port) = self.start_server(false)?;
        let mut all = vec![server];
        for index in 0..self.scenario.clients {
            all.push(self.start_client(index, port, false)?);
        }
        if matches!(self.sides.server, Player::Relay(_)) {
            return self.end_relay(all, limit);
        }
        wait_for_all(&mut all, limit);
        check_all(&mut all)?;
        self.check_quiet(&all)
    }

    /// Checks in a quiet scenario that Godot clients of an mp server have printed no error.
    fn check_quiet(&self, all: &[Process]) -> Result<(), String> {
        if !self.scenario.is_quiet || self.sides.server == Player::Godot {
            return Ok(());
        }
        let is_godot = |index: usize| *self.player(index) == Player::Godot;
        let errors = all.iter().enumerate().filter(|(index, _)| is_godot(*index)).filter_map(
            |(_, godot)| {
                let errors = godot.errors();
                Some(format!("{}: {}", godot.who, first_error(&errors, self.transport)?))
            },
        );
        let lines: Vec<String> = errors.collect();
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }

    /// Runs the scenario with a wrong expectation on mp's side, whose check must fail.
    ///
    /// # Errors
    ///
    /// Returns an error if it does not.
    pub(crate) fn play_with_planted_fault(&self) -> Result<(), String> {
        let limit = now() + Duration::from_secs(u64::from(self.timeout)) + KILL_DELAY;
        let (_signaling, server, port) = self.start_server(true)?;
        let mut all = vec![server];
        for index in 0..self.scenario.clients {
            all.push(self.start_client(index, port, true)?);
        }
        let is_mp = |index: usize| matches!(self.player(index), Player::Interop(_));
        for (_, mp) in all.iter_mut().enumerate().filter(|(index, _)| is_mp(*index)) {
            mp.wait_until(limit, |_| false);
            let who = mp.who.clone();
            let Some(status) = mp.ended() else {
                return Err(format!("{who} is still running at the time limit"));
            };
            if status.success() {
                let why = "passed with a wrong expectation: its check is ineffective";
                return Err(format!("{who} {why}"));
            }
            let output = mp.output();
            if !has_event(&output, "check_failed") {
                let why = "but without a check_failed line";
                return Err(format!("{who} failed ({status}), {why}"));
            }
            let Some((false, _)) = result_line(&output) else {
                return Err(format!("{who} has no result line with \"fail\""));
            };
        }
        Ok(())
    }

    /// Starts signaling, if it needs a process of its own, and the server, and waits until they
    /// listen. Retries with another port if the server exits early: another program may have taken
    /// the port.
    fn start_server(&self, plant_fault: bool) -> Result<(Option<Process>, Process, u16), String> {
        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let signaling = self.start_signaling(port)?;
            let mut command = self.server_command(port, plant_fault)?;
            let mut server = Process::start("server", &mut command, &self.log("server"))?;
            let relay = matches!(self.sides.server, Player::Relay(_));
            let address = format!(":{port}");
            let listens = server.wait_until(now() + PROCESS_TIMEOUT, |server| {
                let output = server.output();
                if relay {
                    output.contains(&address) || server.errors().contains(&address)
                } else {
                    has_event(&output, "listening")
                }
            });
            if listens {
                return Ok((signaling, server, port));
            }
            if server.ended().is_none() {
                return Err(format!(
                    "the server does not listen after {} s",
                    PROCESS_TIMEOUT.as_secs()
                ));
            }
            last = server
                .check_result()
                .err()
                .unwrap_or_else(|| "it passed without listening".to_owned());
        }
        Err(format!("the server ends before it listens: {last}"))
    }

    fn start_signaling(&self, port: u16) -> Result<Option<Process>, String> {
        let Some(program) = &self.signaling else { return Ok(None) };
        let mut command = Command::new(program);
        command.arg("--signaling").arg(format!("--port={port}"));
        let mut signaling = Process::start("signaling", &mut command, &self.log("signaling"))?;
        let limit = now() + PROCESS_TIMEOUT;
        match signaling.wait_until(limit, |it| has_event(&it.output(), "listening")) {
            true => Ok(Some(signaling)),
            false => Err(format!("signaling does not listen: {}", signaling.errors())),
        }
    }

    fn start_client(&self, index: u32, port: u16, plant_fault: bool) -> Result<Process, String> {
        let who = format!("client{index}");
        let player = self.player(index as usize + 1);
        let mut command = self.command(player, "client", port, plant_fault)?;
        command.arg(format!("--index={index}"));
        let in_room = self.suite.own && self.scenario.name == ROOM;
        if *player == Player::Godot && (in_room || matches!(self.sides.server, Player::Relay(_))) {
            command.arg("--expect-close");
        }
        Process::start(&who, &mut command, &self.log(&who))
    }

    fn server_command(&self, port: u16, plant_fault: bool) -> Result<Command, String> {
        if let Player::Relay(path) = &self.sides.server {
            let mut command = Command::new(path);
            let (on, off) = match self.transport {
                "enet" => ("--enet", "--ws"),
                _ => ("--ws", "--enet"),
            };
            command.arg(on).arg(format!("127.0.0.1:{port}")).args([off, "off"]);
            match self.transport {
                "webrtc" => command.args(WEBRTC_ARGS),
                _ => command.args(["--webrtc", "off"]),
            };
            if let Some([certificate, key]) = self.tls {
                command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
            }
            return Ok(command);
        }
        self.command(&self.sides.server, "server", port, plant_fault)
    }

    /// Returns the command that starts a side. A fault is planted in mp's sides only.
    fn command(
        &self,
        player: &Player,
        role: &str,
        port: u16,
        plant_fault: bool,
    ) -> Result<Command, String> {
        let mut command = match player {
            Player::Interop(path) | Player::Relay(path) => {
                let mut command = Command::new(path);
                command.arg(self.suite.option());
                if plant_fault {
                    command.arg("--plant-fault");
                }
                command
            }
            Player::Godot => match self.web.filter(|_| role == "client" || self.is_webrtc()) {
                Some(web) => web.command(),
                None => self.godot.command(&self.suite.folder),
            },
        };
        command.args(self.scenario_args(self.transport_of(player), role, port));
        Ok(command)
    }

    /// Returns the transport of a player's options. Another suite has no option for WebRTC; its
    /// clients play as over WebSocket.
    fn transport_of(&self, player: &Player) -> &str {
        let is_other = self.is_webrtc() && !self.suite.own && *player == Player::Godot;
        if is_other { "ws" } else { self.transport }
    }

    fn is_webrtc(&self) -> bool {
        self.transport == "webrtc"
    }

    /// Returns the program of a process: 0 is the server, clients start at 1.
    fn player(&self, process: usize) -> &Player {
        match process {
            0 => &self.sides.server,
            1 => &self.sides.first_client,
            _ => &self.sides.other_clients,
        }
    }

    fn scenario_args(&self, transport: &str, role: &str, port: u16) -> Vec<String> {
        let mut args = vec![
            format!("--role={role}"),
            format!("--transport={transport}"),
            format!("--port={port}"),
            format!("--scenario={}", self.scenario.name),
            format!("--peers={}", self.scenario.clients),
            format!("--timeout={}", self.timeout),
        ];
        args.extend(self.compression.map(|mode| format!("--compression={mode}")));
        if let Some([certificate, key]) = self.tls {
            args.push(format!("--tls-cert={}", certificate.display()));
            args.push(format!("--tls-key={}", key.display()));
        }
        args
    }

    /// Waits until the clients report that they have finished, then stops the relay server with
    /// SIGTERM.
    fn end_relay(&self, mut all: Vec<Process>, limit: Instant) -> Result<(), String> {
        let ready = all[1..].iter_mut().all(|client| {
            client.wait_until(limit, |client| has_event(&client.output(), "ready_for_close"))
        });
        if !ready {
            wait_for_all(&mut all[1..], limit.min(now() + KILL_DELAY));
            check_all(&mut all[1..])?;
            return Err("a client exited before it reported that it had finished".to_owned());
        }
        let mut server = all.remove(0);
        if let Some(status) = server.ended() {
            return Err(format!("server: exited before SIGTERM, {status}"));
        }
        server.interrupt();
        server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        let status = server.ended();
        wait_for_all(&mut all, limit);
        match status {
            None => {
                Err(format!("server: still running {} s after SIGTERM", PROCESS_TIMEOUT.as_secs()))
            }
            Some(status) if !status.success() => Err(format!("server: {status} after SIGTERM")),
            Some(_) => check_all(&mut all),
        }
    }

    fn log(&self, who: &str) -> PathBuf {
        let mut name = self.logs.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{who}.log"));
        self.logs.with_file_name(name)
    }
}

/// Returns an error with one line per process that has not passed.
///
/// # Errors
///
/// Returns an error if there is one.
pub(crate) fn check_all(processes: &mut [Process]) -> Result<(), String> {
    let not_passed = |process: &mut Process| {
        let why = process.check_result().err()?;
        Some(format!("{}: {why}", process.who))
    };
    let lines: Vec<String> = processes.iter_mut().filter_map(not_passed).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}

/// Returns the first error that Godot has printed on standard error, other than those that its own
/// games print over this transport.
fn first_error<'a>(errors: &'a str, transport: &str) -> Option<&'a str> {
    let is_error = |line: &&str| ERRORS.iter().any(|kind| line.starts_with(kind));
    let is_known = |line: &&str| UNORDERED.iter().any(|error| line.contains(error));
    let is_usual = |line: &&str| transport == "webrtc" && is_known(line);
    errors.lines().find(|line| is_error(line) && !is_usual(line))
}

/// Returns a port that is currently free for UDP and TCP.
pub(crate) fn free_port() -> Result<u16, String> {
    for _ in 0..PORT_ATTEMPTS {
        let address =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = address.map_err(|e| format!("no free UDP port: {e}"))?.port();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port is free for both UDP and TCP".to_owned())
}

/// Scenario of the project's own suite that mp-server serves.
pub(crate) const ROOM: &str = "room";

/// Scenario of the project's own suite in which all peers connect to each other over WebRTC.
pub(crate) const MESH: &str = "mesh";

/// Arguments of mp-server over WebRTC: the channels are those of the project.
pub(crate) const WEBRTC_ARGS: [&str; 4] =
    ["--webrtc", "127.0.0.1:0", "--webrtc-channels", "reliable,reliable,reliable,reliable"];

/// Godot's errors for unreliable packets that are received before the reliable ADD_PEER of their
/// peer, or after the reliable DESPAWN of their node. WebRTC's channels are independent, and Godot
/// reads the reliable one first.
const UNORDERED: [&str; 2] =
    ["Parameter \"pinfo\" is null", "Ignoring sync data from non-authority or for missing node"];

/// Prefixes of errors of Godot's engine and scripts.
const ERRORS: [&str; 3] = ["ERROR:", "SCRIPT ERROR:", "USER ERROR:"];

const PORT_ATTEMPTS: u32 = 3;

/// Time from the processes' own limit until they are killed.
const KILL_DELAY: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_error_finds_errors_of_the_engine_and_of_scripts() {
        let engine = "WARNING: old\nERROR: Node not found.\n   at: get_node (node.cpp:1)\n";
        assert_eq!(first_error(engine, "enet"), Some("ERROR: Node not found."));
        let script = "SCRIPT ERROR: Invalid call.\n";
        assert_eq!(first_error(script, "webrtc"), Some("SCRIPT ERROR: Invalid call."));
        assert_eq!(first_error("WARNING: an ERROR: of others\n", "enet"), None);
        for known in UNORDERED {
            let errors = format!("ERROR: {known}.\nERROR: other\n");
            assert!(first_error(&errors, "enet").is_some_and(|error| error.contains(known)));
            assert_eq!(first_error(&errors, "webrtc"), Some("ERROR: other"));
        }
    }
}
