//! One scenario played once: a server on a free port, its clients, and what all of them say.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::godot::Godot;
use crate::process::{PATIENCE, Process, has_event, now, result_line, wait_for_all};
use crate::suite::{Scenario, Suite};

/// What a round needs to know.
pub(crate) struct Round<'a> {
    pub(crate) godot: &'a Godot,
    pub(crate) suite: &'a Suite,
    pub(crate) scenario: &'a Scenario,
    pub(crate) cast: Cast,
    pub(crate) transport: &'a str,
    /// The server's certificate and its key, for the transport wss.
    pub(crate) tls: Option<&'a [PathBuf; 2]>,
    pub(crate) compression: Option<&'a str>,
    /// What one process may take, seconds.
    pub(crate) timeout: u32,
    /// The logs are `{logs}.{who}.log`.
    pub(crate) logs: PathBuf,
}

/// Who plays whom.
#[derive(Clone, Debug)]
pub(crate) struct Cast {
    pub(crate) server: Player,
    pub(crate) first_client: Player,
    pub(crate) other_clients: Player,
}

/// Who plays a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Player {
    /// Godot.
    Godot,
    /// mp-interop at this path.
    Interop(PathBuf),
    /// mp-server at this path, as a server only. It knows nothing of scenarios: it is ready when it prints its address, must
    /// outlive its clients' talk, and is then asked to end.
    Relay(PathBuf),
}

impl Cast {
    /// Godot on all sides.
    pub(crate) const GODOT: Self =
        Self { server: Player::Godot, first_client: Player::Godot, other_clients: Player::Godot };
}

impl Round<'_> {
    /// Plays it.
    ///
    /// # Errors
    ///
    /// Who has not passed, and why.
    pub(crate) fn play(&self) -> Result<(), String> {
        let limit = now() + Duration::from_secs(u64::from(self.timeout)) + SPARE;
        let (server, port) = self.start_server(false)?;
        let mut all = vec![server];
        for index in 0..self.scenario.clients {
            all.push(self.start_client(index, port, false)?);
        }
        if matches!(self.cast.server, Player::Relay(_)) {
            return self.end_relay(all, limit);
        }
        wait_for_all(&mut all, limit);
        complaints(&mut all)?;
        self.check_quiet(&all)
    }

    /// Checks in a quiet scenario that the Godot clients of an mp server have printed no error.
    fn check_quiet(&self, all: &[Process]) -> Result<(), String> {
        if !self.scenario.is_quiet || self.cast.server == Player::Godot {
            return Ok(());
        }
        let is_godot = |index: usize| *self.player(index) == Player::Godot;
        let errors = all.iter().enumerate().filter(|(index, _)| is_godot(*index)).filter_map(
            |(_, godot)| Some(format!("{}: {}", godot.who, first_error(&godot.errors())?)),
        );
        let lines: Vec<String> = errors.collect();
        if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
    }

    /// Plays it with an mp side that expects a wrong value, which it must notice.
    ///
    /// # Errors
    ///
    /// When it has not noticed.
    pub(crate) fn play_with_planted_fault(&self) -> Result<(), String> {
        let limit = now() + Duration::from_secs(u64::from(self.timeout)) + SPARE;
        let (server, port) = self.start_server(true)?;
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
                let why = "has passed with a wrong expectation: its checks check nothing";
                return Err(format!("{who} {why}"));
            }
            let output = mp.output();
            if !has_event(&output, "check_failed") {
                let why = "but not by a check: no check_failed line";
                return Err(format!("{who} has failed ({status}), {why}"));
            }
            let Some((false, _)) = result_line(&output) else {
                return Err(format!("{who} has no result line that says fail"));
            };
        }
        Ok(())
    }

    /// Starts the server and waits until it listens. Another program may have taken the free port in between, so an early
    /// end is tried again with another port.
    fn start_server(&self, plant_fault: bool) -> Result<(Process, u16), String> {
        let mut last = String::new();
        for _ in 0..PORT_ATTEMPTS {
            let port = free_port()?;
            let mut command = self.server_command(port, plant_fault);
            let mut server = Process::start("server", &mut command, &self.log("server"))?;
            let relay = matches!(self.cast.server, Player::Relay(_));
            let address = format!(":{port}");
            let listens = server.wait_until(now() + PATIENCE, |server| {
                let output = server.output();
                if relay {
                    output.contains(&address) || server.errors().contains(&address)
                } else {
                    has_event(&output, "listening")
                }
            });
            if listens {
                return Ok((server, port));
            }
            if server.ended().is_none() {
                return Err(format!("the server does not listen after {} s", PATIENCE.as_secs()));
            }
            last = server.verdict().err().unwrap_or_else(|| "it passed at once".to_owned());
        }
        Err(format!("the server ends before it listens: {last}"))
    }

    fn start_client(&self, index: u32, port: u16, plant_fault: bool) -> Result<Process, String> {
        let who = format!("client{index}");
        let player = self.player(index as usize + 1);
        let mut command = self.command(player, "client", port, plant_fault);
        command.arg(format!("--index={index}"));
        let in_room = self.suite.own && self.scenario.name == ROOM;
        if *player == Player::Godot && (in_room || matches!(self.cast.server, Player::Relay(_))) {
            command.arg("--expect-goodbye");
        }
        Process::start(&who, &mut command, &self.log(&who))
    }

    fn server_command(&self, port: u16, plant_fault: bool) -> Command {
        if let Player::Relay(path) = &self.cast.server {
            let mut command = Command::new(path);
            let (on, off) = match self.transport {
                "enet" => ("--enet", "--ws"),
                _ => ("--ws", "--enet"),
            };
            command.arg(on).arg(format!("127.0.0.1:{port}")).args([off, "off"]);
            if let Some([certificate, key]) = self.tls {
                command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key);
            }
            return command;
        }
        self.command(&self.cast.server, "server", port, plant_fault)
    }

    /// What starts a side of the scenario. A fault is planted in mp's sides only.
    fn command(&self, player: &Player, role: &str, port: u16, plant_fault: bool) -> Command {
        let mut command = match player {
            Player::Interop(path) | Player::Relay(path) => {
                let mut command = Command::new(path);
                command.arg(self.suite.option());
                if plant_fault {
                    command.arg("--plant-fault");
                }
                command
            }
            Player::Godot => self.godot.command(&self.suite.folder),
        };
        command.args(self.scenario_args(role, port));
        command
    }

    /// Who plays the server (0), and the clients (from 1).
    fn player(&self, process: usize) -> &Player {
        match process {
            0 => &self.cast.server,
            1 => &self.cast.first_client,
            _ => &self.cast.other_clients,
        }
    }

    fn scenario_args(&self, role: &str, port: u16) -> Vec<String> {
        let mut args = vec![
            format!("--role={role}"),
            format!("--transport={}", self.transport),
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

    /// The clients say when they have talked; then the relay server is asked to end, with a goodbye to them.
    fn end_relay(&self, mut all: Vec<Process>, limit: Instant) -> Result<(), String> {
        let ready = all[1..].iter_mut().all(|client| {
            client.wait_until(limit, |client| has_event(&client.output(), "ready_for_goodbye"))
        });
        if !ready {
            wait_for_all(&mut all[1..], limit.min(now() + SPARE));
            complaints(&mut all[1..])?;
            return Err("a client has ended too early".to_owned());
        }
        let mut server = all.remove(0);
        if let Some(status) = server.ended() {
            return Err(format!("server: ended before it was asked to, {status}"));
        }
        server.terminate();
        server.wait_until(now() + PATIENCE, |_| false);
        let status = server.ended();
        wait_for_all(&mut all, limit);
        match status {
            None => Err(format!("server: still running {} s after SIGTERM", PATIENCE.as_secs())),
            Some(status) if !status.success() => Err(format!("server: {status} after SIGTERM")),
            Some(_) => complaints(&mut all),
        }
    }

    fn log(&self, who: &str) -> PathBuf {
        let mut name = self.logs.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{who}.log"));
        self.logs.with_file_name(name)
    }
}

/// All that have not passed, one line each.
///
/// # Errors
///
/// When there are some.
pub(crate) fn complaints(processes: &mut [Process]) -> Result<(), String> {
    let not_passed = |process: &mut Process| {
        let why = process.verdict().err()?;
        Some(format!("{}: {why}", process.who))
    };
    let lines: Vec<String> = processes.iter_mut().filter_map(not_passed).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}

/// The first error that Godot has printed on standard error.
fn first_error(errors: &str) -> Option<&str> {
    errors.lines().find(|line| ERRORS.iter().any(|kind| line.starts_with(kind)))
}

/// A port that is free now, for UDP and TCP.
pub(crate) fn free_port() -> Result<u16, String> {
    for _ in 0..PORT_ATTEMPTS {
        let address =
            UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = address.map_err(|e| format!("no free UDP port: {e}"))?.port();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err("no port that is free for UDP and TCP".to_owned())
}

/// The scenario of the project's own suite that is played with mp-server.
pub(crate) const ROOM: &str = "room";

/// How the errors of Godot's engine and of its scripts begin.
const ERRORS: [&str; 3] = ["ERROR:", "SCRIPT ERROR:", "USER ERROR:"];

const PORT_ATTEMPTS: u32 = 3;

/// After the processes' own time limit, before they are killed.
const SPARE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_engine_and_of_scripts_are_found_among_other_lines() {
        let engine = "WARNING: old\nERROR: Node not found.\n   at: get_node (node.cpp:1)\n";
        assert_eq!(first_error(engine), Some("ERROR: Node not found."));
        let script = "SCRIPT ERROR: Invalid call.\n";
        assert_eq!(first_error(script), Some("SCRIPT ERROR: Invalid call."));
        assert_eq!(first_error("WARNING: an ERROR: of others\n"), None);
    }
}
