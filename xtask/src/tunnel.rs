//! A Godot game that hosts with `create_server`, and players who join it through mp-server: real
//! Godot processes, none of which knows of the tunnel. Each part is killed and started again.

use std::process::Command;

use crate::godot::Godot;
use crate::hosted::parts::{Parts, Way, check_errors, expect, id};
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::web::WebGodot;
use crate::workspace::program;

/// Runs a game, a server, the program between, and players.
///
/// # Errors
///
/// Returns the first process that does not print what it should, with its output.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let settings = format!("host = \"tunnel\"\nhost_key = \"{KEY}\"\nhost_grace = 1\n");
    let parts = Parts::new(godot, "tunnel", "mp-server", &settings)?;
    let parts = Tunnel { parts, game: free_port()? };
    let server = parts.parts.server("server")?;
    let game = parts.game()?;
    let mut tunnel = parts.tunnel()?;
    expect(&mut tunnel, "hosting ")?;
    let mut players = [parts.join("enet", Way::Enet)?, parts.join("ws", Way::WebSocket)?];
    let ids = [id(&mut players[0])?, id(&mut players[1])?];
    let mut game = game_is_played(game, &mut players, &ids)?;
    for player in &players {
        check_errors(player)?;
    }
    let browser = parts.parts.browser()?;
    browsers_play(&parts, &browser, &mut game, &mut players)?;
    drop(browser);
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
    let _server = parts.parts.server("server")?;
    // The second session of this program.
    let hosts = |tunnel: &Process| tunnel.errors().matches("hosting ").count() == 2;
    if !tunnel.wait_until(now() + PROCESS_TIMEOUT, hosts) {
        return Err(format!("the tunnel does not come back: {}", tunnel.errors()));
    }
    joins(&parts, &mut game, "after the server")?;

    let mut refused = parts.program("--key=0123456789abcdef", "refused")?;
    let is_refused = |refused: &Process| refused.errors().contains("(wrong_host_key)");
    if !refused.wait_until(now() + PROCESS_TIMEOUT, is_refused) {
        return Err(format!("a wrong key is not refused: {}", refused.errors()));
    }
    Ok("an unmodified host, players over ENet and WebSocket and in a browser over WebRTC and \
        WebSocket; each part killed and started again"
        .to_owned())
}

/// Checks that Godot in a browser plays with the host and with another player.
fn browsers_play(
    parts: &Tunnel<'_>,
    browser: &WebGodot,
    game: &mut Process,
    others: &mut [Process; 2],
) -> Result<(), String> {
    for way in [Way::BrowserWebRtc(browser), Way::BrowserWebSocket(browser)] {
        let who = match way {
            Way::BrowserWebRtc(_) => "browser-webrtc",
            _ => "browser-ws",
        };
        let mut player = parts.join(who, way)?;
        let own = id(&mut player)?;
        let other = id(&mut others[0])?;
        for line in [
            "says 1 odd".to_owned(),
            "player 1".to_owned(),
            "hp 1 ".to_owned(),
            format!("player {own}"),
            format!("player {other}"),
            format!("moved {other}"),
            format!("greets {other} even"),
        ] {
            expect(&mut player, &line)?;
        }
        for line in [format!("moves {own}"), format!("asked {own} odd")] {
            expect(game, &line)?;
        }
        expect(&mut others[0], &format!("greets {own} odd"))?;
        expect(&mut others[1], &format!("moved {own}"))?;
    }
    Ok(())
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
fn joins(parts: &Tunnel<'_>, game: &mut Process, who: &str) -> Result<(), String> {
    let mut player = parts.join(who, Way::WebSocket)?;
    let own = id(&mut player)?;
    expect(game, &format!("peer {own}"))?;
    for line in [format!("player {own}"), "says 1 ".to_owned()] {
        expect(&mut player, &line)?;
    }
    check_errors(&player)
}

/// The parts of a game behind a tunnel, and the port of the game.
struct Tunnel<'g> {
    parts: Parts<'g>,
    game: u16,
}

impl Tunnel<'_> {
    fn game(&self) -> Result<Process, String> {
        let mut command = self.parts.command();
        command.arg(format!("--serve={}", self.game));
        let mut game = Process::start("game", &mut command, &self.parts.log("game"))?;
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
        command.args(["--server", &format!("ws://127.0.0.1:{}", self.parts.websocket)]);
        Process::start(who, &mut command, &self.parts.log(who))
    }

    fn join(&self, who: &str, way: Way<'_>) -> Result<Process, String> {
        self.parts.player(who, way, &[])
    }
}

const KEY: &str = "key of the tunnel that CI plays";
