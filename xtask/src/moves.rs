//! Players whom an operator moves between rooms: real Godot clients over ENet and WebSocket, and
//! `mp-server ctl move`, which sends `POST /v1/rooms/ROOM/peers/PEER/move`.

use std::path::PathBuf;
use std::process::Command;
use std::thread;

use crate::example::write;
use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs a server with a lobby and a match, and moves two players to and fro.
///
/// # Errors
///
/// Returns the first player that does not have the nodes of its room, with its output, or reports
/// an error.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    let mut server = Server::start()?;
    let [enet, websocket] = server.ports;
    let players = [
        server.join(godot, "enet", &enet.to_string())?,
        server.join(godot, "websocket", &format!("ws://127.0.0.1:{websocket}"))?,
    ];
    let moved = thread::scope(|scope| {
        let both = players.map(|player| scope.spawn(|| move_to_and_fro(&server, player)));
        both.map(|it| it.join().unwrap_or_else(|_| Err("panicked".to_owned())))
    });
    let mut players = moved.into_iter().collect::<Result<Vec<_>, _>>()?;
    for player in &players {
        check_player(player)?;
    }
    for player in &mut players {
        server.move_to_private_room(player)?;
    }
    server.check(players)?;
    Ok(format!("players over ENet and WebSocket moved {ROUNDS} times to and fro, and by a code"))
}

/// Number of times that each player moves from the lobby to the match and back.
const ROUNDS: usize = 10;
/// Token of the operator.
const OPERATOR: &str = "operator-0123456789abcdef";
const ROOMS: [&str; 2] = ["lobby", "match"];

/// A server, and the ports of ENet and WebSocket.
struct Server {
    program: PathBuf,
    process: Process,
    ports: [u16; 2],
    admin: u16,
}

/// A player in a room.
struct Player {
    process: Process,
    id: String,
}

impl Server {
    fn start() -> Result<Self, String> {
        let [enet, websocket, admin] = [free_port()?, free_port()?, free_port()?];
        let config = format!(
            "[admin]\naddress = \"127.0.0.1:{admin}\"\n\
             tokens = [\"operator:read+rooms+peers+server:{OPERATOR}\"]\n{SETTINGS}\
             [[listen]]\ntransport = \"enet\"\naddress = \"127.0.0.1:{enet}\"\nroom = \"lobby\"\n\
             [[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:{websocket}\"\n\
             room = \"lobby\"\n"
        );
        let file = log("server").with_extension("toml");
        write(&file, &config)?;
        let program = program("mp-moves", "MP_MOVES_BIN")?;
        let mut command = Command::new(&program);
        command.arg("--config").arg(&file);
        let mut process = Process::start("server", &mut command, &log("server"))?;
        let listens = |server: &Process| server.output().contains("--help");
        match process.wait_until(now() + PROCESS_TIMEOUT, listens) {
            true => Ok(Self { program, process, ports: [enet, websocket], admin }),
            false => Err(format!("the server does not listen: {}", process.errors())),
        }
    }

    /// Starts a player, who joins the lobby.
    fn join(&self, godot: &Godot, who: &str, address: &str) -> Result<Player, String> {
        let mut command = godot.command(&root().join("interop/moves"));
        let mut process = Process::start(who, command.arg(address), &log(who))?;
        let id = expect(&mut process, "connected ")?;
        Ok(Player { process, id })
    }

    /// Runs a command of the operator. Returns its output, or its error.
    fn ctl(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.program);
        command.env("MP_ADMIN_TOKEN", OPERATOR).arg("ctl").args(args);
        command.env("MP_ADMIN_SERVER", format!("127.0.0.1:{}", self.admin));
        let output = command.output().map_err(|error| format!("cannot run ctl: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }

    fn move_player(&self, player: &Player, from: &str, to: &str) -> Result<(), String> {
        let moved = self.ctl(&["move", from, &player.id, to]);
        moved.map(drop).map_err(|error| format!("{} is not moved: {error}", player.process.who))
    }

    /// Moves a player to a private room, which refuses players without the code.
    fn move_to_private_room(&self, player: &mut Player) -> Result<(), String> {
        self.ctl(&["set", "match", "--code", "1234"])?;
        let refused = self.move_player(player, "lobby", "match").err().unwrap_or_default();
        if !refused.contains("the room is private") {
            return Err(format!("a move without a code: {refused:?}"));
        }
        self.ctl(&["move", "lobby", &player.id, "match", "--code", "1234"])?;
        expect(&mut player.process, &format!("ready match {ROUNDS} "))?;
        no_errors(player)
    }

    /// Checks what the rooms have received, after the players have left.
    fn check(&mut self, players: Vec<Player>) -> Result<(), String> {
        drop(players);
        self.process.terminate();
        self.process.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        let (output, errors) = (self.process.output(), self.process.errors());
        if let Some(line) = output.lines().find(|line| line.starts_with("misrouted")) {
            return Err(format!("a call was made in the wrong room: {line}"));
        }
        let sum = |key: &str| {
            let values = output.split(key).skip(1);
            values.filter_map(|it| it.split_whitespace().next()?.parse::<u64>().ok()).sum::<u64>()
        };
        match (sum(" calls="), sum(" inputs=")) {
            (calls, inputs) if calls > 100 && inputs > 10 => Ok(()),
            (calls, inputs) => {
                Err(format!("the rooms received {calls} calls, {inputs} inputs: {output}{errors}"))
            }
        }
    }
}

/// Moves a player from room to room whenever it has the nodes of one.
fn move_to_and_fro(server: &Server, mut player: Player) -> Result<Player, String> {
    for round in 0..ROUNDS {
        for [from, to] in [ROOMS, [ROOMS[1], ROOMS[0]]] {
            expect(&mut player.process, &format!("ready {from} {round} "))?;
            server.move_player(&player, from, to)?;
        }
    }
    expect(&mut player.process, &format!("ready lobby {ROUNDS} "))?;
    Ok(player)
}

/// Checks the nodes that a player had in each room, and that it reports no error.
fn check_player(player: &Player) -> Result<(), String> {
    let (who, output) = (&player.process.who, player.process.output());
    let is_visit = |line: &&str| ROOMS.iter().any(|room| line.starts_with(room));
    let visits: Vec<_> = output.lines().filter(is_visit).map(without_other).collect();
    let expected: Vec<_> = (0..=2 * ROUNDS).map(nodes_of_visit).map(Ok).collect();
    if visits != expected {
        return Err(format!("{who} has other nodes than those of its rooms: {visits:#?}"));
    }
    // A change that a client has sent is sent again to no room: the guide says so.
    let teams: Vec<_> = output.lines().filter_map(|line| line.split_once(" team=")).collect();
    let is_known = |(visit, &(_, team)): (usize, &(&str, &str))| (team == "7") == (visit == 0);
    if teams.len() != expected.len() || !teams.iter().enumerate().all(is_known) {
        return Err(format!("the rooms have other values of the node of {who}: {teams:?}"));
    }
    no_errors(player)
}

fn no_errors(player: &Player) -> Result<(), String> {
    let errors = player.process.errors();
    match errors.lines().find(|line| line.contains("ERROR") || line.contains("WARNING")) {
        Some(error) => Err(format!("{} reports {error}", player.process.who)),
        None => Ok(()),
    }
}

/// Returns the line of a player about the nodes of its visit to a room.
fn nodes_of_visit(visit: usize) -> String {
    let (room, hp) = [("lobby", 10), ("match", 20)][visit % 2];
    let (round, made, inner) = (visit / 2, hp + 1, hp + 2);
    format!("{room} {round}: Unit={hp} Made={made} Crate=0 Crate/Inner={inner} self")
}

/// Returns a line of a player without what depends on whether the other player is in its room: that
/// player's node, and the number of peers, which must fit.
fn without_other(line: &str) -> Result<String, String> {
    let (text, peers) = line.split_once(" peers=").unwrap_or((line, ""));
    let others = text.matches(" other").count();
    match peers == (1 + others).to_string() {
        true => Ok(text.replace(" other", "")),
        false => Err(line.to_owned()),
    }
}

/// Waits until a player has printed a line that starts with `start`. Returns the rest of the line.
fn expect(player: &mut Process, start: &str) -> Result<String, String> {
    let found = |player: &Process| {
        player.output().lines().find_map(|line| line.strip_prefix(start).map(str::to_owned))
    };
    player.wait_until(now() + PROCESS_TIMEOUT, |player| found(player).is_some());
    found(player).ok_or_else(|| {
        let (output, errors) = (player.output(), player.errors());
        format!("{} does not print {start:?}: {output}{errors}", player.who)
    })
}

fn log(who: &str) -> PathBuf {
    target().join("interop/moves").join(format!("{who}.log"))
}

const SETTINGS: &str = r#"
[template.default]
type = "game"
moves = true

[[room]]
name = "lobby"

[[room]]
name = "match"
"#;
