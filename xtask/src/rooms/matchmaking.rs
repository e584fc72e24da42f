//! Matchmaking of players who authenticate, with real Godot clients: they request seats with their
//! tokens, and join with tickets.

use std::path::Path;
use std::process::Command;

use super::{expect, log, matched};
use crate::example::write;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs a server with identities and matchmaking, and its clients: two meet in the room of their
/// seats over different transports, one without a token has no seat.
///
/// # Errors
///
/// Returns the first client that does not see what the documentation says, with its output.
pub(super) fn play(godot: &Godot) -> Result<(), String> {
    let program = program("mp-server", "MP_SERVER_BIN")?;
    let [enet, websocket, http] = [free_port()?, free_port()?, free_port()?];
    let config = format!(
        "[identity]\nmethod = \"token\"\nsecret = \"{SECRET}\"\n\
         [match]\naddress = \"127.0.0.1:{http}\"\n\
         [[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:{enet}\"\nselect = \"auth\"\n\
         [[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{websocket}\"\n\
         [template.arena]\nmax_players = 2\n"
    );
    let file = target().join("interop/rooms/matchmaking.toml");
    write(&file, &config)?;
    let mut command = Command::new(&program);
    command.arg("--config").arg(&file);
    let mut server = Process::start("match", &mut command, &log("match"))?;
    let listens = |server: &Process| server.output().contains("--help");
    if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }

    let join = |who: &str, transport: &str, token: &str| {
        let mut command = godot.command(&root().join("interop/rooms"));
        let url = format!("http://127.0.0.1:{http}/v1/match/join_or_create/arena");
        command.args([format!("--match={url}"), format!("--over={transport}")]);
        command.args([format!("--token={token}"), format!("--greeting=from {who}")]);
        Process::start(who, &mut command, &log(who))
    };
    let mut without = join("without a token", "enet", "")?;
    match &*matched(&mut without)? {
        "missing_token" => {}
        other => return Err(format!("a seat without a token: {other}")),
    }
    let mut ann = join("ann", "websocket", &token(&program, "ann", &["--create"])?)?;
    let room = matched(&mut ann)?;
    expect(&mut ann, "connected")?;
    let mut bob = join("bob", "enet", &token(&program, "bob", &[])?)?;
    expect(&mut bob, "receives from ann")?;
    expect(&mut ann, "receives from bob")?;
    if matched(&mut bob)? != room {
        return Err(format!("players are not in one room: {}", bob.output()));
    }
    // The full room has no place for another player, who may not create one.
    let mut third = join("third", "enet", &token(&program, "cleo", &[])?)?;
    match &*matched(&mut third)? {
        "may_not_create" => {}
        other => return Err(format!("a room of a player who may not create one: {other}")),
    }
    // The same player has a seat in its own place, though the room is full.
    let mut again = join("bob again", "websocket", &token(&program, "bob", &[])?)?;
    expect(&mut again, "connected")?;
    expect(&mut bob, "disconnected")?;
    for player in [&ann, &again] {
        if let Some(error) = player.errors().lines().find(|line| line.contains("ERROR:")) {
            return Err(format!("{} reports {error}", player.who));
        }
    }
    Ok(())
}

/// Returns a token of a player.
fn token(program: &Path, sub: &str, args: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(["token", "--sub", sub, "--secret", SECRET]).args(args);
    let output = command.output().map_err(|error| format!("cannot run mp-server: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

/// Key of the tokens.
const SECRET: &str = "0123456789abcdef0123456789abcdef";
