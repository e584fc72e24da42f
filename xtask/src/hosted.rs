//! A game that one of its players hosts, through a room of mp-server: real Godot clients, one of
//! them with authority over the nodes of the server.

mod lossy;
mod migration;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs a server, a host and its guests.
///
/// # Errors
///
/// Returns the first client that does not see what it should, with its output.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let room = Room::start(godot, "server", "")?;
    let mut host = room.join("host", Way::Enet, true)?;
    let host_id = id(&mut host)?;
    let mut guests =
        [room.join("enet", Way::Enet, false)?, room.join("ws", Way::WebSocket, false)?];
    let ids = [id(&mut guests[0])?, id(&mut guests[1])?];
    guests_see_a_server(&mut host, &mut guests, &ids)?;

    // The state that a late guest receives differs from that of a new player.
    expect(&mut host, "hp 1 50")?;
    let mut late = room.join("late", Way::Enet, false)?;
    let late_id = id(&mut late)?;
    for line in ["hp 1 50", "player 1", "moved 1", "says 1 even", "says 1 odd"] {
        expect(&mut late, line)?;
    }
    expect(&mut late, &format!("player {}", ids[1]))?;

    let [enet, mut ws] = guests;
    check_errors(&enet)?;
    enet.terminate();
    expect(&mut host, &format!("gone {}", ids[0]))?;
    for guest in [&mut ws, &mut late] {
        expect(guest, &format!("gone {}", ids[0]))?;
        expect(guest, &format!("removed {}", ids[0]))?;
    }
    for player in [&host, &ws, &late] {
        check_errors(player)?;
        if player.output().contains(&format!("peer {host_id}")) {
            return Err(format!("{} sees the host as a client", player.who));
        }
    }
    expect(&mut ws, &format!("peer {late_id}"))?;

    drop(host); // SIGKILL
    for guest in [&mut ws, &mut late] {
        expect(guest, "disconnected")?;
    }
    drop(room);
    migration::play(godot)?;
    Ok("spawns, properties, calls and late guests, over ENet and WebSocket; the host is killed, and \
        a guest goes on, with 5 % of the datagrams lost"
        .to_owned())
}

/// Checks what the guests and the host receive.
fn guests_see_a_server(
    host: &mut Process,
    guests: &mut [Process; 2],
    ids: &[String; 2],
) -> Result<(), String> {
    for (guest, [own, other]) in guests.iter_mut().zip([[&ids[0], &ids[1]], [&ids[1], &ids[0]]]) {
        for line in ["says 1 odd", "says 1 even", "player 1", "hp 1 ", "moved 1"] {
            expect(guest, line)?;
        }
        for line in [
            format!("peer {other}"),
            format!("player {own}"),
            format!("player {other}"),
            format!("moved {own}"),
            format!("moved {other}"),
            format!("greets {other} odd"),
            format!("greets {other} even"),
        ] {
            expect(guest, &line)?;
        }
        for line in [
            format!("peer {own}"),
            format!("moves {own}"),
            format!("asked {own} odd"),
            format!("asked {own} even"),
        ] {
            expect(host, &line)?;
        }
    }
    Ok(())
}

/// A server with one room, and the ports of its listeners.
struct Room<'g> {
    godot: &'g Godot,
    _server: Process,
    enet: u16,
    websocket: u16,
}

#[derive(Clone, Copy)]
enum Way {
    Enet,
    WebSocket,
}

impl<'g> Room<'g> {
    /// Starts a server whose template has more `settings`. `who` is the name of its log.
    fn start(godot: &'g Godot, who: &str, settings: &str) -> Result<Self, String> {
        let (enet, websocket) = (free_port()?, free_port()?);
        let mut config = format!("[template.default]\nhost = \"first\"\n{settings}");
        for (transport, port) in [("enet", enet), ("websocket", websocket)] {
            let written = writeln!(
                config,
                "[[listen]]\ntransport = \"{transport}\"\naddress = \"127.0.0.1:{port}\""
            );
            written.map_err(|error| error.to_string())?;
        }
        let file = log(who).with_extension("toml");
        let folder = file.parent().map_or_else(target, ToOwned::to_owned);
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.arg("--config").arg(&file);
        let mut server = Process::start(who, &mut command, &log(who))?;
        let listens = |server: &Process| server.output().contains("--help");
        if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            return Err(format!("mp-server does not listen: {}", server.errors()));
        }
        Ok(Self { godot, _server: server, enet, websocket })
    }

    fn join(&self, who: &str, way: Way, is_host: bool) -> Result<Process, String> {
        self.start_player(who, way, if is_host { &["--host"] } else { &[] })
    }

    fn start_player(&self, who: &str, way: Way, args: &[&str]) -> Result<Process, String> {
        let mut command = self.godot.command(&root().join("interop/hosted"));
        match way {
            Way::Enet => command.arg(format!("--port={}", self.enet)),
            Way::WebSocket => command.arg(format!("--url=ws://127.0.0.1:{}", self.websocket)),
        };
        command.args(args);
        Process::start(who, &mut command, &log(who))
    }
}

/// Waits until a client is connected; returns its id.
fn id(player: &mut Process) -> Result<String, String> {
    expect(player, "connected ")?;
    let output = player.output();
    let id = output.lines().find_map(|line| line.strip_prefix("connected "));
    Ok(id.unwrap_or_default().to_owned())
}

/// Waits until a client has printed a line that starts with `line`.
fn expect(player: &mut Process, line: &str) -> Result<(), String> {
    let has_line = |player: &Process| player.output().lines().any(|it| it.starts_with(line));
    match player.wait_until(now() + PROCESS_TIMEOUT, has_line) {
        true => Ok(()),
        false => Err(format!(
            "{} does not print {line:?}: {}{}",
            player.who,
            player.output(),
            player.errors()
        )),
    }
}

fn check_errors(player: &Process) -> Result<(), String> {
    match player.errors().lines().find(|line| line.contains("ERROR:")) {
        None => Ok(()),
        Some(error) => Err(format!("{} reports {error}", player.who)),
    }
}

fn log(who: &str) -> PathBuf {
    target().join("interop/hosted").join(format!("{who}.log"))
}
