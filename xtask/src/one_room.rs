//! Scenario `room` across transports: Godot players over ENet and WebSocket, players of Godot's web
//! build over WebRTC and WebSocket, and Rust clients meet in one mp-server.

use std::process::Command;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, wait_for_all};
use crate::scenario_run::{ROOM, WEBRTC_ARGS, check_all, free_port};
use crate::suite::Suite;
use crate::web::WebGodot;
use crate::workspace::{program, target};

/// Runs the scenario `room`: players on three transports see, call and send bytes to each other.
///
/// # Errors
///
/// Returns the players that have not passed, with reasons.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let (server, interop) =
        (program("mp-server", "MP_SERVER_BIN")?, program("mp-interop", "MP_INTEROP_BIN")?);
    let [enet, ws] = [free_port()?, free_port()?];
    let log = |who: &str| target().join("interop/one-room").join(format!("{who}.log"));
    let mut command = Command::new(server);
    command.args(["--enet", &format!("127.0.0.1:{enet}"), "--ws", &format!("127.0.0.1:{ws}")]);
    command.args(WEBRTC_ARGS);
    let mut server = Process::start("server", &mut command, &log("server"))?;
    let last = format!(":{ws}");
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&last)) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }

    let project = Suite::own_folder();
    let web = WebGodot::start(godot, &project, LARGE_BUFFER)?;
    let players = [
        ("godot-enet", godot.command(&project), "enet", enet),
        ("godot-ws", godot.command(&project), "ws", ws),
        ("godot-web-webrtc", web.command(), "webrtc", ws),
        ("godot-web-ws", web.command(), "ws", ws),
        ("rust-ws", Command::new(&interop), "ws", ws),
        ("rust-enet", Command::new(&interop), "enet", enet),
    ];
    let peers = players.len();
    let mut clients = Vec::new();
    for (index, (who, mut command, transport, port)) in players.into_iter().enumerate() {
        command.args(["--role=client".to_owned(), format!("--scenario={ROOM}")]);
        command.args([format!("--transport={transport}"), format!("--port={port}")]);
        command.args([format!("--peers={peers}"), format!("--index={index}")]);
        if who.starts_with("godot") {
            command.arg("--expect-close");
        }
        clients.push(Process::start(who, &mut command, &log(who))?);
    }
    let limit = now() + PROCESS_TIMEOUT;
    let is_ready = |client: &mut Process| {
        client.wait_until(limit, |client| has_event(&client.output(), "ready_for_close"))
    };
    let ready = clients.iter_mut().map(is_ready).filter(|ready| *ready).count();
    server.interrupt();
    server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
    wait_for_all(&mut clients, now() + PROCESS_TIMEOUT);
    check_all(&mut clients)?;
    match server.ended() {
        Some(status) if status.success() && ready == peers => {
            Ok(format!("{peers} players on three transports"))
        }
        Some(status) if !status.success() => Err(format!("server: {status} after SIGTERM")),
        Some(_) => Err(format!("only {ready} of {peers} players have seen each other")),
        None => Err("server: still running after SIGTERM".to_owned()),
    }
}

/// Setting for a web client that receives while a frame takes long: the players of the browser
/// share a thread, and one of them starts while the others play.
const LARGE_BUFFER: &str = "[network]\n\nlimits/webrtc/max_channel_in_buffer_kb=4096\n";
