//! `mp-server inspect` and `mp-server bots record` with real Godot clients and servers.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::wireshark::Wireshark;
use super::{LEAVING, report};
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// A session of the project in `interop/bots` over one transport.
pub(super) struct WireSession<'a> {
    pub(super) godot: &'a Godot,
    pub(super) wireshark: &'a Wireshark,
    pub(super) transport: &'a str,
}

impl WireSession<'_> {
    /// A Godot client plays on a Godot server through both proxies. Then bots play what was
    /// recorded, on the same server, which must log no error.
    pub(super) fn record(&self) -> Result<String, String> {
        let transport = self.transport;
        let port = free_port()?;
        let mut server =
            self.game("server", &[format!("--port={port}"), "--seconds=600".into()])?;
        expect(&mut server, "listening", |it| it.output().contains("listening"))?;

        let scenario = self.log("recorded").with_extension("toml");
        let _ = fs::remove_file(&scenario);
        let [recording, inspecting] = [free_port()?, free_port()?];
        let mut recorder = self.mp_server("recorder", |command| {
            command.args(["bots", "record", &format!("{transport}://127.0.0.1:{port}")]);
            command.args(["--listen", &format!("127.0.0.1:{recording}"), "--out"]);
            command.arg(&scenario);
        })?;
        let mut inspector = self.inspect("inspector", inspecting, recording)?;
        for proxy in [&mut recorder, &mut inspector] {
            expect(proxy, "its address", |it| it.errors().contains(" connect to "))?;
        }
        let mut client = self.game("client", &[format!("--port={inspecting}"), client()])?;
        let output = ended(&mut client)?;
        if !output.contains("pongs 10,") {
            return Err(format!("{transport}: the client behind both proxies prints {output}"));
        }
        ended(&mut recorder)?;
        let lines = self.check_lines(
            &mut inspector,
            &[
                "rpc ",
                "Main/Arena.ping(number: 9, _position: Vector2(9, 1), _name: \"godot\")",
                "Main/Arena.pong(_number: 9)",
                " from res://player.tscn as ",
                "/Sync position=Vector2(",
                "/Sync steps=",
                "\"raw text\"",
                "… (11 bytes)",
                "closed by the client",
            ],
        )?;

        self.check_capture(
            "inspector",
            &[
                "SIMPLIFY_PATH Main/Arena as ",
                "CONFIRM_PATH Main/Arena",
                "RPC Main/Arena.ping(number: 9, _position: Vector2(9, 1), _name: \"godot\")",
                "RPC Main/Arena.pong(_number: 9)",
                " by Main/Spawner as ",
                "/Sync position = Vector2(",
                "/Sync steps = ",
                ": position = Vector2(0, 0), steps = 0",
                "Property: position",
                "RAW \"raw text\"",
                "AUTH (11 bytes)",
            ],
        )?;

        let text = fs::read_to_string(&scenario);
        let text = text.map_err(|error| format!("{}: {error}", scenario.display()))?;
        for part in ["rpc = \"ping\"", "path = \"Main/Players/{peer}\"", "raw = \"raw text\""] {
            if !text.contains(part) {
                return Err(format!("{transport}: no {part} in the recorded {text}"));
            }
        }
        if text.contains("hunter2") {
            return Err(format!("{transport}: a secret is in the recorded {text}"));
        }
        let edited = text.replace("MASKED", "bot-{bot}");
        fs::write(&scenario, edited).map_err(|error| error.to_string())?;
        let json = self.log("replayed").with_extension("json");
        let mut bots = self.mp_server("replay", |command| {
            command.arg("bots").arg(&scenario).arg("--json").arg(&json);
        })?;
        ended(&mut bots)?;
        let report = report(&json)?;
        let count = |name: &str| report["counters"][name].as_u64().unwrap_or_default();
        let calls = count("rpcs_sent");
        if count("joined") != 1 || calls < 20 || count("methods_differ") > 0 {
            return Err(format!("{transport}: the replay has {report}"));
        }
        let errors = server.errors();
        let is_error = |line: &&str| {
            let is_known = LEAVING.iter().any(|known| line.contains(known));
            (line.contains("ERROR") || line.contains("WARNING")) && !is_known
        };
        if let Some(error) = errors.lines().find(is_error) {
            return Err(format!("{transport}: the Godot server logs {error}"));
        }
        Ok(format!("{transport}-wire {lines} packets, {calls} recorded calls"))
    }

    /// Two Godot clients call each other in a room of mp-server, through the proxy.
    pub(super) fn relay(&self) -> Result<(), String> {
        let [port, other, inspecting] = [free_port()?, free_port()?, free_port()?];
        let mut server = self.mp_server("room", |command| {
            let (on, off) =
                if self.transport == "ws" { ("--ws", "--enet") } else { ("--enet", "--ws") };
            command.args([on, &format!("127.0.0.1:{port}"), off, &format!("127.0.0.1:{other}")]);
            command.args(["--webrtc", "off"]);
        })?;
        expect(&mut server, "--help", |it| it.output().contains("--help"))?;
        let mut inspector = self.inspect("relay-inspector", inspecting, port)?;
        expect(&mut inspector, "its address", |it| it.errors().contains(" connect to "))?;
        let args = |who: &str| {
            let args = [
                client(),
                "--auth=no".into(),
                "--players=1".into(),
                format!("--port={inspecting}"),
            ];
            self.game(who, &args)
        };
        let mut clients = [args("player-1")?, args("player-2")?];
        for client in &mut clients {
            let output = ended(client)?;
            if !output.contains("shouts 1") {
                return Err(format!("{}: {} prints {output}", self.transport, client.who));
            }
        }
        self.check_lines(
            &mut inspector,
            &[
                "] Main/Arena.shout(_text: \"hello\")",
                "] announce Main/Arena as ",
                " joined",
                "2 clients",
            ],
        )?;
        self.check_capture(
            "relay-inspector",
            &["] RPC Main/Arena.shout(_text: \"hello\")", "ADD_PEER ", "] CONFIRM_PATH Main/Arena"],
        )
    }

    fn inspect(&self, who: &str, listen: u16, to: u16) -> Result<Process, String> {
        let capture = self.capture(who);
        let _ = fs::remove_file(&capture);
        self.mp_server(who, |command| {
            command.args(["inspect", &format!("127.0.0.1:{listen}"), "--to"]);
            command.arg(format!("{}://127.0.0.1:{to}", self.transport));
            command.arg("--pcap").arg(&capture);
        })
    }

    /// Ends the inspector. Its lines must contain these parts and no secret, and its totals must be
    /// the number of lines. Returns that number.
    fn check_lines(&self, inspector: &mut Process, parts: &[&str]) -> Result<u64, String> {
        inspector.interrupt();
        let output = ended(inspector)?;
        let missing = parts.iter().find(|part| !output.contains(**part));
        if let Some(part) = missing {
            return Err(format!("{}: the inspector prints no {part}: {output}", self.transport));
        }
        if output.contains("hunter2") || output.contains("malformed") {
            return Err(format!("{}: a secret or malformed packet: {output}", self.transport));
        }
        let is_packet = |line: &&str| matches!(line.split_whitespace().nth(2), Some("->" | "<-"));
        let lines = output.lines().filter(is_packet).count() as u64;
        let all = output.lines().find_map(|line| line.strip_prefix("all "));
        let all: Vec<u64> = all
            .into_iter()
            .flat_map(|counts| counts.split_whitespace().filter_map(|count| count.parse().ok()))
            .collect();
        match all[..] {
            [up, _, down, _] if up + down == lines && up > 0 && down > 0 => Ok(lines),
            _ => Err(format!("{}: {lines} lines and totals {all:?}: {output}", self.transport)),
        }
    }

    /// Checks the lines that Wireshark prints for the capture of the inspector.
    fn check_capture(&self, who: &str, parts: &[&str]) -> Result<(), String> {
        let lines = self.wireshark.decode(&self.capture(who), &[])?;
        let missing = parts.iter().find(|part| !lines.contains(**part));
        if let Some(part) = missing {
            return Err(format!("{}: tshark prints no {part}: {lines}", self.transport));
        }
        if lines.contains("malformed") || lines.contains("not decoded") {
            return Err(format!("{}: tshark prints a malformed packet: {lines}", self.transport));
        }
        let capture = fs::read(self.capture(who)).map_err(|error| error.to_string())?;
        match capture.windows(7).any(|window| window == b"hunter2") {
            true => Err(format!("{}: a secret is in the capture", self.transport)),
            false => Ok(()),
        }
    }

    fn capture(&self, who: &str) -> PathBuf {
        self.log(who).with_extension("pcapng")
    }

    fn game(&self, who: &str, args: &[String]) -> Result<Process, String> {
        let mut command = self.godot.command(&root().join("interop/bots"));
        command.arg(format!("--transport={}", self.transport)).args(args);
        Process::start(who, &mut command, &self.log(who))
    }

    /// Starts mp-server. Its proxies know the project.
    fn mp_server(&self, who: &str, add: impl FnOnce(&mut Command)) -> Result<Process, String> {
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        add(&mut command);
        let is_proxy = command.get_args().any(|arg| arg == "inspect" || arg == "record");
        if is_proxy {
            command.arg("--project").arg(root().join("interop/bots"));
        }
        Process::start(who, &mut command, &self.log(who))
    }

    fn log(&self, who: &str) -> PathBuf {
        target().join("interop/bots").join(format!("{}-wire.{who}.log", self.transport))
    }
}

fn client() -> String {
    "--role=client".to_owned()
}

/// Waits until a process has printed something.
fn expect(process: &mut Process, what: &str, has: impl Fn(&Process) -> bool) -> Result<(), String> {
    if process.wait_until(now() + PROCESS_TIMEOUT, has) {
        return Ok(());
    }
    let (output, errors) = (process.output(), process.errors());
    Err(format!("{} does not print {what}: {output}{errors}", process.who))
}

/// Waits until a process has ended with success. Returns its output.
fn ended(process: &mut Process) -> Result<String, String> {
    process.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    let (output, errors) = (process.output(), process.errors());
    match process.ended() {
        Some(status) if status.success() => Ok(output),
        status => Err(format!("{} ends with {status:?}: {output}{errors}", process.who)),
    }
}
