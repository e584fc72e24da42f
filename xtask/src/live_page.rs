//! The live page of mp-server: its scripts under node, and the page in a headless browser with bots
//! and Godot clients as players.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::bots::PING_NODE;
use crate::godot::Godot;
use crate::links::Session;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::web::browser;
use crate::web_page::node;
use crate::workspace::{MP_SERVER_FEATURES, binary, cargo, program, root, run, target};

/// Runs the tests of the page's scripts.
///
/// # Errors
///
/// Returns an error without node, or if a test fails.
pub(crate) fn scripts() -> Result<String, String> {
    let mut command = Command::new(node()?);
    command.args(["--test", "--test-reporter=dot"]);
    command.arg(root().join("crates/mp-server/tests/page/logic.test.mjs"));
    run(&mut command)?;
    Ok("passed".to_owned())
}

/// Opens the page of a server with bots, and that of a server with Godot clients.
///
/// # Errors
///
/// Returns the failed check of the page.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let folder = target().join("live-page");
    drop(fs::remove_dir_all(&folder)); // fails if there was no run before
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let results = [operate(&folder)?, simulate_link(godot, &folder)?];
    Ok(format!("{}; screenshots in {}", results.join("; "), folder.display()))
}

/// Compares values of the page with `/metrics`, and simulates a bad link of a Godot client by
/// slider. The round trip that the game measures grows by the latency.
fn simulate_link(godot: &Godot, folder: &Path) -> Result<String, String> {
    Session::start(godot, "ENet")?.measure(|session, latency| {
        let mut command = Command::new(node()?);
        command.arg(root().join("interop/web/live_page_link.js")).arg(browser()?);
        command.arg(folder.join("link-profile")).arg(format!("http://{}", session.admin()));
        command.args([session.id(), &latency.to_string()]);
        let mut page = Process::start("page", &mut command, &folder.join("link.log"))?;
        page.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        match page.ended() {
            Some(status) if status.success() => Ok(()),
            _ => Err(format!("{}{}", page.output(), page.errors())),
        }
    })
}

/// Opens the page of a server with players. It signs in, compares values with `/metrics`, kicks a
/// player, lists 1,000 rooms, shows markup as text, and sees the server drain and end. Writes
/// screenshots.
fn operate(folder: &Path) -> Result<String, String> {
    let server = program("mp-server", "MP_SERVER_BIN")?;
    let browser = browser()?; // may take minutes, once
    let game = Game::start(&server, folder)?;
    let log = |who: &str| folder.join(format!("{who}.log"));
    let [enet, ws, admin] = [free_port()?, free_port()?, free_port()?];
    let mut command = Command::new(&server);
    command.args(["--enet", &format!("127.0.0.1:{enet}"), "--ws", &format!("127.0.0.1:{ws}")]);
    command.args(["--webrtc", "off", "--admin", &format!("127.0.0.1:{admin}")]);
    command.env("MP_SHUTDOWN__DRAIN_TIMEOUT", "120");
    let mut running = Process::start("server", &mut command, &log("server"))?;
    let limit = now() + PROCESS_TIMEOUT;
    if !running.wait_until(limit, |server| server.output().contains("ctl setup")) {
        return Err(format!("the server prints no link: {}", running.errors()));
    }
    let output = running.output();
    let link = output.split_whitespace().find(|word| word.contains("/setup#"));
    let link = link.ok_or("the server prints no link")?;

    let scenario = folder.join("players.toml");
    let text = format!("server = \"enet://127.0.0.1:{enet}\"\n{SCENARIO}{PING_NODE}");
    fs::write(&scenario, text).map_err(|e| format!("{}: {e}", scenario.display()))?;
    let mut command = Command::new(&server);
    command.arg("bots").arg(&scenario).arg("--quiet");
    let bots = Process::start("players", &mut command, &log("players"))?;

    let mut command = Command::new(node()?);
    command.arg(root().join("interop/web/live_page.js")).arg(browser);
    command.arg(folder.join("profile")).args([link, &folder.to_string_lossy(), PLAYERS]);
    command.arg(&game.page);
    let mut page = Process::start("page", &mut command, &log("page"))?;
    let has_printed = |line: &'static str| {
        move |page: &Process| page.output().lines().any(|printed| printed == line)
    };
    if page.wait_until(limit, has_printed("drain")) {
        running.interrupt();
    }
    page.wait_until(limit, has_printed("draining"));
    bots.interrupt();
    page.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    if !page.ended().is_some_and(|status| status.success()) {
        let players = [bots.errors(), game.players.errors()].concat();
        return Err(format!("{}{}{players}", page.output(), page.errors()));
    }
    running.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    if !running.errors().contains("test of the page") {
        return Err("the server has not logged the reason of the kick".to_owned());
    }
    Ok(page.output().lines().last().unwrap_or_default().to_owned())
}

/// A server whose room has nodes, with players. It ends with this value.
struct Game {
    _server: Process,
    players: Process,
    /// Address of its page, which needs no token.
    page: String,
}

impl Game {
    /// Starts the example `game_room` of mp-server, and bots of `program` as players.
    fn start(program: &Path, folder: &Path) -> Result<Self, String> {
        let example = ["--package", "mp-server", "--example", "game_room"];
        run(cargo().args(["build", "--quiet"]).args(example).args(MP_SERVER_FEATURES))?;
        let [enet, ws, admin] = [free_port()?, free_port()?, free_port()?];
        let mut command = Command::new(binary("examples/game_room"));
        command.args(["--dev", "--webrtc", "off", "--enet", &format!("127.0.0.1:{enet}")]);
        command.args([
            "--ws",
            &format!("127.0.0.1:{ws}"),
            "--admin",
            &format!("127.0.0.1:{admin}"),
        ]);
        let mut server = Process::start("game", &mut command, &folder.join("game.log"))?;
        let is_listening = |server: &Process| server.errors().contains("admin API address=");
        if !server.wait_until(now() + PROCESS_TIMEOUT, is_listening) {
            return Err(format!("the server with nodes does not listen: {}", server.errors()));
        }
        let scenario = folder.join("game.toml");
        let text = format!("server = \"enet://127.0.0.1:{enet}\"\n{GAME}");
        fs::write(&scenario, text).map_err(|e| format!("{}: {e}", scenario.display()))?;
        let mut command = Command::new(program);
        command.arg("bots").arg(&scenario).arg("--quiet");
        let players =
            Process::start("game players", &mut command, &folder.join("game-players.log"))?;
        let page = format!("http://127.0.0.1:{admin}/#/rooms/default");
        Ok(Self { _server: server, players, page })
    }
}

const PLAYERS: &str = "3";

/// Players who call a node of the server, and each other.
const GAME: &str = r#"
[[phase]]
joins_per_second = 10
players = 2
for = "600s"

[[node]]
path = "Log"
methods = ["note", "noted"]

[[do]]
connect = "10s"

[[do]]
rpc = "note"
path = "Log"
args = [{ letters = 20 }]
per_second = 5
for = "600s"
"#;

/// Players who call each other until they are interrupted.
const SCENARIO: &str = r#"
[[phase]]
joins_per_second = 10
players = 3
for = "600s"

[[do]]
connect = "10s"

[[do]]
rpc = "ping"
path = "Main"
args = [{ value = "sequence" }, { letters = 20 }]
to = "random_player"
per_second = 5
mode = "unreliable"
reply = "pong"
within = "5s"
for = "600s"
"#;
