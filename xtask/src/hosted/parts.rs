//! The parts of a game of `interop/hosted`: mp-server, Godot games and players, and their lines.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::web::WebGodot;
use crate::workspace::{program, root, target};

/// The ports of a server, which outlive its process, and the folder of all logs.
pub(crate) struct Parts<'g> {
    godot: &'g Godot,
    /// Folder below `target/interop`.
    folder: &'static str,
    config: PathBuf,
    /// Port to which players connect over ENet.
    pub(crate) enet: u16,
    pub(crate) websocket: u16,
}

/// The program and transport of a player.
#[derive(Clone, Copy)]
pub(crate) enum Way<'w> {
    Enet,
    WebSocket,
    /// Godot in a browser, over WebSocket.
    BrowserWebSocket(&'w WebGodot),
    /// Godot in a browser, over WebRTC.
    BrowserWebRtc(&'w WebGodot),
}

impl<'g> Parts<'g> {
    /// Writes the configuration of a server with a template that has these `settings`. `who` is
    /// the name of its file.
    pub(crate) fn new(
        godot: &'g Godot,
        folder: &'static str,
        who: &str,
        settings: &str,
    ) -> Result<Self, String> {
        let [enet, websocket, webrtc] = [free_port()?, free_port()?, free_port()?];
        let mut text = format!("[template.default]\n{settings}");
        for (transport, port) in [("enet", enet), ("websocket", websocket), ("webrtc", webrtc)] {
            let address = format!("address = \"127.0.0.1:{port}\"");
            let written = writeln!(text, "[[listen]]\ntransport = \"{transport}\"\n{address}");
            written.map_err(|error| error.to_string())?;
        }
        let mut parts = Self { godot, folder, config: PathBuf::new(), enet, websocket };
        parts.config = parts.log(who).with_extension("toml");
        let created = fs::create_dir_all(parts.log("").parent().unwrap_or(&parts.config));
        created
            .and_then(|()| fs::write(&parts.config, text))
            .map_err(|error| format!("{}: {error}", parts.config.display()))?;
        Ok(parts)
    }

    /// Starts the server.
    pub(crate) fn server(&self, who: &str) -> Result<Process, String> {
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.arg("--config").arg(&self.config);
        let mut server = Process::start(who, &mut command, &self.log(who))?;
        let listens = |server: &Process| server.output().contains("--help");
        match server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            true => Ok(server),
            false => Err(format!("mp-server does not listen: {}", server.errors())),
        }
    }

    /// Starts a player with more arguments.
    pub(crate) fn player(&self, who: &str, way: Way<'_>, args: &[&str]) -> Result<Process, String> {
        let socket = format!("ws://127.0.0.1:{}", self.websocket);
        let (mut command, address) = match way {
            Way::Enet => (self.command(), format!("--port={}", self.enet)),
            Way::WebSocket => (self.command(), format!("--url={socket}")),
            Way::BrowserWebSocket(web) => (web.command(), format!("--url={socket}")),
            Way::BrowserWebRtc(web) => (web.command(), format!("--webrtc={socket}/webrtc")),
        };
        command.arg(address).args(args);
        Process::start(who, &mut command, &self.log(who))
    }

    /// Returns a command that runs the project.
    pub(crate) fn command(&self) -> Command {
        self.godot.command(&root().join(PROJECT))
    }

    /// Starts a browser that runs the project.
    pub(crate) fn browser(&self) -> Result<WebGodot, String> {
        WebGodot::start(self.godot, &root().join(PROJECT), LARGE_BUFFER)
    }

    /// Returns the path of a log.
    pub(crate) fn log(&self, who: &str) -> PathBuf {
        let name = format!("{}.log", who.replace(' ', "-"));
        target().join("interop").join(self.folder).join(name)
    }
}

/// Waits until a client is connected; returns its id.
pub(crate) fn id(player: &mut Process) -> Result<String, String> {
    expect(player, "connected ")?;
    let output = player.output();
    let id = output.lines().find_map(|line| line.strip_prefix("connected "));
    Ok(id.unwrap_or_default().to_owned())
}

/// Waits until a process has printed a line that starts with `line`, on either output.
pub(crate) fn expect(process: &mut Process, line: &str) -> Result<(), String> {
    let has_line = |process: &Process| {
        [process.output(), process.errors()]
            .iter()
            .any(|text| text.lines().any(|it| it.starts_with(line)))
    };
    match process.wait_until(now() + PROCESS_TIMEOUT, has_line) {
        true => Ok(()),
        false => Err(format!(
            "{} does not print {line:?}: {}{}",
            process.who,
            process.output(),
            process.errors()
        )),
    }
}

/// Checks that Godot has reported no error.
pub(crate) fn check_errors(process: &Process) -> Result<(), String> {
    match process.errors().lines().find(|line| line.contains("ERROR:")) {
        None => Ok(()),
        Some(error) => Err(format!("{} reports {error}", process.who)),
    }
}

const PROJECT: &str = "interop/hosted";

/// Setting for a web client that receives while a frame takes long.
const LARGE_BUFFER: &str = "[network]\n\nlimits/webrtc/max_channel_in_buffer_kb=4096\n";
