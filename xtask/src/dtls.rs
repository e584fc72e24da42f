//! ENet over DTLS between mp and Godot's own DTLS classes, in both roles. Debian's Godot has no
//! DTLS in its ENet, so a Godot script carries the datagrams.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::godot::Godot;
use crate::interop::make_certificate;
use crate::process::{PROCESS_TIMEOUT, Process, has_event, now, wait_for_all};
use crate::scenario_run::{ROOM, check_all, free_port};
use crate::suite::Suite;
use crate::workspace::{program, target};

/// Runs `room` with Godot players on `mp-server --dtls`, and `hello` with mp-interop and Godot's
/// DTLS server.
///
/// # Errors
///
/// Returns the processes that have not passed, with reasons.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let tls = make_certificate()?;
    godot_clients(godot, &tls)?;
    godot_server(godot, &tls)?;
    Ok("Godot's DTLS as client and as server".to_owned())
}

/// Godot's DTLS as client: two players of Godot on mp-server.
fn godot_clients(godot: &Godot, tls: &[PathBuf; 2]) -> Result<(), String> {
    let [inner, outer] = [free_port()?, free_port()?];
    let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
    command.args(["--enet", &format!("127.0.0.1:{inner}"), "--ws", "off", "--dtls"]);
    command.arg("--tls-cert").arg(&tls[0]).arg("--tls-key").arg(&tls[1]);
    let mut server = Process::start("server", &mut command, &log("server"))?;
    let address = format!(":{inner}");
    if !server.wait_until(now() + PROCESS_TIMEOUT, |server| server.output().contains(&address)) {
        return Err(format!("mp-server does not listen: {}", server.errors()));
    }
    let relay = start_relay(godot, "client", [outer, inner], tls)?;
    let mut players = Vec::new();
    for index in 0..PLAYERS {
        let who = format!("player{index}");
        let mut command = godot.command(&Suite::own_folder());
        command.args(["--role=client".to_owned(), format!("--scenario={ROOM}")]);
        command.args(["--transport=enet".to_owned(), format!("--port={outer}")]);
        command.args([format!("--peers={PLAYERS}"), format!("--index={index}")]);
        players.push(Process::start(&who, &mut command, &log(&who))?);
    }
    wait_for_all(&mut players, now() + PROCESS_TIMEOUT);
    check_all(&mut players)?;
    check_encrypted(&relay, PLAYERS)
}

/// Godot's DTLS as server: clients of mp on a server of Godot.
fn godot_server(godot: &Godot, tls: &[PathBuf; 2]) -> Result<(), String> {
    let [inner, outer] = [free_port()?, free_port()?];
    let args = |role: &str, port: u16| {
        let scenario = [format!("--role={role}"), "--scenario=hello".to_owned()];
        let peers = [format!("--port={port}"), format!("--peers={PLAYERS}")];
        [scenario, peers].concat()
    };
    let mut command = godot.command(&Suite::own_folder());
    command.args(args("server", inner));
    let mut server = Process::start("godot", &mut command, &log("godot"))?;
    let listens = |server: &Process| has_event(&server.output(), "listening");
    if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
        return Err(format!("Godot does not listen: {}", server.errors()));
    }
    let relay = start_relay(godot, "server", [outer, inner], tls)?;
    let mut all = vec![server];
    let interop = program("mp-interop", "MP_INTEROP_BIN")?;
    for index in 0..PLAYERS {
        let who = format!("client{index}");
        let mut command = Command::new(&interop);
        command.args(args("client", outer)).arg(format!("--index={index}"));
        command.arg(format!("--tls-cert={}", tls[0].display()));
        all.push(Process::start(&who, &mut command, &log(&who))?);
    }
    wait_for_all(&mut all, now() + PROCESS_TIMEOUT);
    check_all(&mut all)?;
    check_encrypted(&relay, PLAYERS)
}

/// Starts the script that listens on the first port and connects to the second.
fn start_relay(
    godot: &Godot,
    mode: &str,
    [listen, connect]: [u16; 2],
    [certificate, key]: &[PathBuf; 2],
) -> Result<Process, String> {
    let mut command = godot.script(&Suite::own_folder(), "dtls_relay.gd");
    command.args([format!("--mode={mode}"), format!("--listen={listen}")]);
    command.args([format!("--connect={connect}"), format!("--tls-cert={}", certificate.display())]);
    command.arg(format!("--tls-key={}", key.display()));
    let who = format!("relay-{mode}");
    let mut relay = Process::start(&who, &mut command, &log(&who))?;
    let listens = |relay: &Process| has_event(&relay.output(), "listening");
    match relay.wait_until(now() + PROCESS_TIMEOUT, listens) {
        true => Ok(relay),
        false => Err(format!("{who} does not listen: {}{}", relay.output(), relay.errors())),
    }
}

/// Checks that each player has had an encrypted connection.
fn check_encrypted(relay: &Process, players: usize) -> Result<(), String> {
    let encrypted = relay.output().matches(r#""event":"encrypted""#).count();
    match encrypted >= players {
        true => Ok(()),
        false => Err(format!("{}: {encrypted} of {players} connections encrypted", relay.who)),
    }
}

fn log(who: &str) -> PathBuf {
    target().join(Path::new("interop/dtls")).join(format!("{who}.log"))
}

const PLAYERS: usize = 2;
