//! A Godot game that hosts with `create_server`, and players who join it through mp-server: real
//! Godot processes, none of which knows of the tunnel. Each part is killed and started again.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs a game, a server, the program between, and players.
///
/// # Errors
///
/// Returns the first process that does not print what it should, with its output.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let parts = Parts::new(godot)?;
    let server = parts.server()?;
    let game = parts.game()?;
    let mut tunnel = parts.tunnel()?;
    expect(&mut tunnel, "hosting ")?;
    let mut players = [parts.join("enet", Way::Enet)?, parts.join("ws", Way::WebSocket)?];
    let ids = [id(&mut players[0])?, id(&mut players[1])?];
    let game = game_is_played(game, &mut players, &ids)?;
    for player in &players {
        check_errors(player)?;
    }
    check_errors(&game)?;

    drop(game); // SIGKILL
    for player in &mut players {
        expect(player, "disconnected")?;
    }
    let mut game = parts.game()?;
    joins(&parts, &mut game, "after the game")?;

    drop(tunnel);
    let mut tunnel = parts.tunnel()?;
    expect(&mut tunnel, "hosting ")?;
    joins(&parts, &mut game, "after the tunnel")?;

    drop(server);
    expect(&mut tunnel, "not connected to")?;
    let _server = parts.server()?;
    // The second session of this program.
    let hosts = |tunnel: &Process| tunnel.errors().matches("hosting ").count() == 2;
    if !tunnel.wait_until(now() + PROCESS_TIMEOUT, hosts) {
        return Err(format!("the tunnel does not come back: {}", tunnel.errors()));
    }
    joins(&parts, &mut game, "after the server")?;

    let mut refused = parts.program("--key=0123456789abcdef", "refused")?;
    expect(&mut refused, "(wrong_host_key)")?;
    Ok("an unmodified host, players over ENet and WebSocket; each part killed and started again"
        .to_owned())
}

/// Checks what the game and two players receive.
fn game_is_played(
    mut game: Process,
    players: &mut [Process; 2],
    ids: &[String; 2],
) -> Result<Process, String> {
    for (player, [own, other]) in players.iter_mut().zip([[&ids[0], &ids[1]], [&ids[1], &ids[0]]]) {
        for line in [
            "says 1 odd".to_owned(),
            "player 1".to_owned(),
            "hp 1 ".to_owned(),
            "moved 1".to_owned(),
            format!("peer {other}"),
            format!("player {own}"),
            format!("player {other}"),
            format!("moved {own}"),
            format!("moved {other}"),
            format!("greets {other} odd"),
            format!("greets {other} even"),
        ] {
            expect(player, &line)?;
        }
        for line in [format!("peer {own}"), format!("moves {own}"), format!("asked {own} odd")] {
            expect(&mut game, &line)?;
        }
    }
    Ok(game)
}

/// Checks that a new player joins the game.
fn joins(parts: &Parts<'_>, game: &mut Process, who: &str) -> Result<(), String> {
    let mut player = parts.join(who, Way::WebSocket)?;
    let own = id(&mut player)?;
    expect(game, &format!("peer {own}"))?;
    for line in [format!("player {own}"), "says 1 ".to_owned()] {
        expect(&mut player, &line)?;
    }
    check_errors(&player)
}

/// The ports of the game and of the server, which outlive both.
struct Parts<'g> {
    godot: &'g Godot,
    config: PathBuf,
    game: u16,
    enet: u16,
    websocket: u16,
}

#[derive(Clone, Copy)]
enum Way {
    Enet,
    WebSocket,
}

impl<'g> Parts<'g> {
    fn new(godot: &'g Godot) -> Result<Self, String> {
        let (game, enet, websocket) = (free_port()?, free_port()?, free_port()?);
        let text = format!(
            r#"[template.default]
host = "tunnel"
host_key = "{KEY}"
host_grace = 1
[[listen]]
transport = "enet"
address = "127.0.0.1:{enet}"
[[listen]]
transport = "websocket"
address = "127.0.0.1:{websocket}"
"#
        );
        let config = log("mp-server").with_extension("toml");
        let folder = config.parent().map_or_else(target, ToOwned::to_owned);
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::write(&config, text).map_err(|error| format!("{}: {error}", config.display()))?;
        Ok(Self { godot, config, game, enet, websocket })
    }

    fn server(&self) -> Result<Process, String> {
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.arg("--config").arg(&self.config);
        let mut server = Process::start("server", &mut command, &log("server"))?;
        let listens = |server: &Process| server.output().contains("--help");
        match server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            true => Ok(server),
            false => Err(format!("mp-server does not listen: {}", server.errors())),
        }
    }

    fn game(&self) -> Result<Process, String> {
        let mut command = self.godot.command(&root().join("interop/hosted"));
        let mut game =
            Process::start("game", command.arg(format!("--serve={}", self.game)), &log("game"))?;
        expect(&mut game, "connected 1")?;
        Ok(game)
    }

    fn tunnel(&self) -> Result<Process, String> {
        self.program(&format!("--key={KEY}"), "tunnel")
    }

    fn program(&self, key: &str, who: &str) -> Result<Process, String> {
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.args(["tunnel", "--insecure", "--room", "default", key]);
        command.args(["--to", &format!("127.0.0.1:{}", self.game)]);
        command.args(["--server", &format!("ws://127.0.0.1:{}", self.websocket)]);
        Process::start(who, &mut command, &log(who))
    }

    fn join(&self, who: &str, way: Way) -> Result<Process, String> {
        let mut command = self.godot.command(&root().join("interop/hosted"));
        match way {
            Way::Enet => command.arg(format!("--port={}", self.enet)),
            Way::WebSocket => command.arg(format!("--url=ws://127.0.0.1:{}", self.websocket)),
        };
        Process::start(who, &mut command, &log(&who.replace(' ', "-")))
    }
}

/// Waits until a client is connected; returns its id.
fn id(player: &mut Process) -> Result<String, String> {
    expect(player, "connected ")?;
    let output = player.output();
    let id = output.lines().find_map(|line| line.strip_prefix("connected "));
    Ok(id.unwrap_or_default().to_owned())
}

/// Waits until a process has printed `text`.
fn expect(process: &mut Process, text: &str) -> Result<(), String> {
    let has_text =
        |process: &Process| process.output().contains(text) || process.errors().contains(text);
    match process.wait_until(now() + PROCESS_TIMEOUT, has_text) {
        true => Ok(()),
        false => Err(format!(
            "{} does not print {text:?}: {}{}",
            process.who,
            process.output(),
            process.errors()
        )),
    }
}

fn check_errors(process: &Process) -> Result<(), String> {
    match process.errors().lines().find(|line| line.contains("ERROR:")) {
        None => Ok(()),
        Some(error) => Err(format!("{} reports {error}", process.who)),
    }
}

fn log(who: &str) -> PathBuf {
    target().join("interop/tunnel").join(format!("{who}.log"))
}

const KEY: &str = "key of the tunnel that CI plays";
