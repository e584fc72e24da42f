//! The web page of examples/web: its `mp.js` under node, and the page in a browser, in the example
//! `arena` with Godot players.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::example::start_arena;
use crate::godot::{Godot, on_path};
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::web::{WebGodot, browser};
use crate::workspace::{root, run, target};

/// Runs the tests of `mp.js`, which compare it with recordings of Godot.
///
/// # Errors
///
/// Returns an error without node, or if a test fails.
pub(crate) fn recordings() -> Result<String, String> {
    let mut command = Command::new(node()?);
    command.args(["--test", "--test-reporter=dot"]).arg(root().join("examples/web/mp.test.js"));
    run(&mut command)?;
    Ok("sends and does what Godot did".to_owned())
}

/// Opens the page in a browser. It joins the example `arena` over WebRTC, beside Godot over ENet
/// and Godot's web build over WebRTC, and must see both move and leave. Writes screenshots.
///
/// # Errors
///
/// Returns the failed check of the page, or of a player.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let folder = target().join("web-page");
    drop(fs::remove_dir_all(&folder)); // fails if there was no run before
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let log = |who: &str| folder.join(format!("{who}.log"));
    let port = free_port()?;
    let mut server = start_arena(port, &[], &log("server"))?;
    let signaling = format!("ws://127.0.0.1:{port}/webrtc");

    let html = root().join("examples/web/index.html");
    let url = format!("file://{}?name=Page&server={signaling}", html.display());
    let mut command = Command::new(node()?);
    command.arg(root().join("interop/web/page.js")).arg(browser()?).arg(folder.join("profile"));
    command.arg(url).arg(&folder).args([ENET_NAME, WEB_NAME]);
    let mut page = Process::start("page", &mut command, &log("page"))?;
    let limit = now() + PROCESS_TIMEOUT;
    if !page.wait_until(limit, |page| page.output().contains("joined")) {
        return Err(format!("the page does not join: {}{}", page.errors(), server.errors()));
    }

    let project = root().join("examples/arena/godot");
    let web = WebGodot::start(godot, &project, "")?;
    let mut web_player = start_player(web.command(), WEB_NAME, &signaling, port, &log("web"))?;
    let entered = format!("welcome, {WEB_NAME}");
    if !web_player.wait_until(limit, |player| player.output().contains(&entered)) {
        return Err(format!("Godot's web build does not enter: {}", web_player.errors()));
    }
    let command = godot.command(&project);
    let mut enet_player = start_player(command, ENET_NAME, "", port, &log("enet"))?;

    page.wait_until(limit, |_| false);
    for player in [&mut page, &mut web_player, &mut enet_player] {
        player.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        if !player.ended().is_some_and(|status| status.success()) {
            return Err(format!("{}: {}{}", player.who, player.output(), player.errors()));
        }
    }
    server.interrupt();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    let seen = page.output().lines().last().unwrap_or_default().to_owned();
    Ok(format!("{seen}; screenshots in {}", folder.display()))
}

/// Starts a Godot player that walks in circles; over WebRTC if there is a `url`.
fn start_player(
    mut command: Command,
    name: &str,
    url: &str,
    port: u16,
    log: &Path,
) -> Result<Process, String> {
    command.args([format!("--name={name}"), format!("--wander={WANDER_SECONDS}")]);
    command.args([format!("--url={url}"), format!("--port={port}")]);
    Process::start(name, &mut command, log)
}

/// Returns the path of node.
pub(crate) fn node() -> Result<PathBuf, String> {
    on_path("node").ok_or_else(|| {
        "no node on PATH, which runs mp.js and its page; install it: apt-get install nodejs"
            .to_owned()
    })
}

const ENET_NAME: &str = "Enet";
const WEB_NAME: &str = "Web";

/// Time for which the Godot players stay: they start one after the other on a busy machine.
const WANDER_SECONDS: u32 = 12;
