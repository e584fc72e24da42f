//! Rooms of mp-server with real Godot clients: selection by port, path, query and authentication
//! packet, matchmaking, isolation, refusals, drain, players who authenticate, and who resume.

mod cut;
mod identity;
mod matchmaking;
mod resume;

use std::fmt::Write as _;
use std::fs;
use std::process::Command;
use std::thread;

use crate::godot::Godot;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs a server with several rooms and its clients.
///
/// # Errors
///
/// Returns the first client that does not see what it should, with its output.
pub(crate) fn play(godot: &Godot) -> Result<String, String> {
    // Most of the time of the first is that in which packets are lost.
    thread::scope(|scope| {
        let cut = scope.spawn(|| cut::play(godot));
        play_others(godot)?;
        cut.join().unwrap_or_else(|_| Err("panicked".to_owned()))
    })?;
    Ok("selection by port, path, query and authentication; matchmaking; refusals; drain; tokens, call-outs, bans, kicks, announcements and spectators; resumed sessions, also after 10 s without packets".to_owned())
}

fn play_others(godot: &Godot) -> Result<(), String> {
    resume::play(godot)?;
    let server = Rooms::start(godot)?;
    server.players_meet_in_their_rooms()?;
    server.players_meet_by_matchmaking()?;
    server.rooms_refuse_players()?;
    server.drain()?;
    matchmaking::play(godot)?;
    identity::play(godot)
}

/// The server, and the ports of its listeners.
struct Rooms<'g> {
    godot: &'g Godot,
    server: Process,
    /// ENet clients that select by authentication packet.
    auth: u16,
    /// ENet clients of the room `lobby`.
    lobby: u16,
    /// WebSocket clients that select by path.
    path: u16,
    /// WebSocket clients that select by query.
    query: u16,
    /// HTTP port of matchmaking.
    matchmaking: u16,
}

/// The way in which a client joins.
enum Way<'w> {
    Lobby,
    Auth(&'w str),
    AuthPortWithoutAuth,
    Path(&'w str),
    Query(&'w str),
    /// By a seat in a room of a template, over a transport.
    Match(&'w str, &'w str),
}

impl<'g> Rooms<'g> {
    fn start(godot: &'g Godot) -> Result<Self, String> {
        let [auth, lobby, path, query] = [free_port()?, free_port()?, free_port()?, free_port()?];
        let mut config = String::new();
        for (transport, port, rest) in [
            ("enet", auth, "select = \"auth\""),
            ("enet", lobby, "room = \"lobby\""),
            ("websocket", path, "select = \"path\""),
            ("websocket", query, "select = \"query\""),
        ] {
            let address = format!("127.0.0.1:{port}");
            let written = writeln!(
                config,
                "[[listen]]\ntransport = \"{transport}\"\naddress = \"{address}\"\n{rest}"
            );
            written.map_err(|error| error.to_string())?;
        }
        let matchmaking = free_port()?;
        config += &format!("[match]\naddress = \"127.0.0.1:{matchmaking}\"\n");
        config += TEMPLATES;
        let file = target().join("interop/rooms/mp-server.toml");
        let folder = file.parent().map_or_else(target, ToOwned::to_owned);
        fs::create_dir_all(folder).map_err(|error| error.to_string())?;
        fs::write(&file, config).map_err(|error| format!("{}: {error}", file.display()))?;

        let mut command = Command::new(program("mp-server", "MP_SERVER_BIN")?);
        command.arg("--config").arg(&file);
        let mut server = Process::start("server", &mut command, &log("server"))?;
        let listens = |server: &Process| server.output().contains("--help");
        if !server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            return Err(format!("mp-server does not listen: {}", server.errors()));
        }
        Ok(Self { godot, server, auth, lobby, path, query, matchmaking })
    }

    fn join(&self, who: &str, way: &Way<'_>) -> Result<Process, String> {
        let mut command = self.godot.command(&root().join("interop/rooms"));
        command.arg(format!("--greeting=from {who}"));
        match way {
            Way::Lobby => command.arg(format!("--port={}", self.lobby)),
            Way::Auth(data) => {
                command.args([format!("--port={}", self.auth), format!("--auth={data}")])
            }
            Way::AuthPortWithoutAuth => command.arg(format!("--port={}", self.auth)),
            Way::Path(path) => command.arg(format!("--url=ws://127.0.0.1:{}{path}", self.path)),
            Way::Query(query) => {
                command.arg(format!("--url=ws://127.0.0.1:{}/{query}", self.query))
            }
            Way::Match(template, transport) => {
                let path = format!("v1/match/join_or_create/{template}");
                let url = format!("http://127.0.0.1:{}/{path}", self.matchmaking);
                command.args([format!("--match={url}"), format!("--over={transport}")])
            }
        };
        Process::start(who, &mut command, &log(who))
    }

    /// Joins two clients per room: each sees and receives only the other.
    fn players_meet_in_their_rooms(&self) -> Result<(), String> {
        let pairs = [
            [("a1", Way::Path("/a")), ("a2", Way::Auth("a"))],
            [("b1", Way::Query("?room=b")), ("b2", Way::Auth("template=default&room=b"))],
            [("l1", Way::Lobby), ("l2", Way::Path("/lobby"))],
            [
                ("p1", Way::Path("/private/p?code=1234")),
                ("p2", Way::Auth("template=private&room=p&code=1234")),
            ],
        ];
        let mut players = Vec::new();
        for [(first, way), (second, other_way)] in &pairs {
            players.push((self.join(first, way)?, *second));
            players.push((self.join(second, other_way)?, *first));
        }
        for (player, other) in &mut players {
            expect(player, &format!("receives from {other}"))?;
        }
        for (player, _) in &players {
            let output = player.output();
            let of = |start: &str| output.lines().filter(|line| line.starts_with(start)).count();
            if (of("peer"), of("receives"), of("connected")) != (1, 1, 1) {
                return Err(format!("{} sees other players: {output}", player.who));
            }
            if let Some(error) = player.errors().lines().find(|line| line.contains("ERROR:")) {
                return Err(format!("{} reports {error}", player.who));
            }
        }
        Ok(())
    }

    /// Gives seats to clients: two meet in a room over different transports, and the third, for
    /// whom that room has no place, has another one.
    fn players_meet_by_matchmaking(&self) -> Result<(), String> {
        let mut first = self.join("m1", &Way::Match("small", "websocket"))?;
        let room = matched(&mut first)?;
        expect(&mut first, "connected")?;
        let mut second = self.join("m2", &Way::Match("small", "enet"))?;
        expect(&mut second, "receives from m1")?;
        expect(&mut first, "receives from m2")?;
        let mut third = self.join("m3", &Way::Match("small", "enet"))?;
        expect(&mut third, "connected")?;
        if matched(&mut second)? != room || matched(&mut third)? == room {
            return Err(format!("seats are not in the rooms that fit: {}", third.output()));
        }
        let mut refused = self.join("m4", &Way::Match("locked", "enet"))?;
        match &*matched(&mut refused)? {
            "room_locked" => {}
            other => return Err(format!("a seat of a locked template: {other}")),
        }
        for player in [&first, &second, &third] {
            if let Some(error) = player.errors().lines().find(|line| line.contains("ERROR:")) {
                return Err(format!("{} reports {error}", player.who));
            }
        }
        Ok(())
    }

    /// Refuses clients of full, locked, private and unknown rooms.
    fn rooms_refuse_players(&self) -> Result<(), String> {
        let mut inside = [
            self.join("full1", &Way::Path("/small/full"))?,
            self.join("full2", &Way::Path("/small/full"))?,
        ];
        for player in &mut inside {
            expect(player, "peer ")?;
        }
        let refused = [
            ("full-auth", Way::Auth("small/full"), "room_full"),
            ("full-path", Way::Path("/small/full"), "room_full"),
            ("locked-auth", Way::Auth("locked/x"), "room_locked"),
            ("locked-path", Way::Path("/locked/x"), "room_locked"),
            ("private-auth", Way::Auth("private/p"), "wrong_code"),
            ("private-path", Way::Path("/private/p?code=1"), "wrong_code"),
            ("unknown-auth", Way::Auth("fixed/none"), "unknown_room"),
            ("malformed-auth", Way::Auth("a b"), "invalid_name"),
            ("no-auth", Way::AuthPortWithoutAuth, ""),
        ];
        let mut players = Vec::new();
        for (who, way, code) in &refused {
            players.push((self.join(who, way)?, way, *code));
        }
        for (player, way, code) in &mut players {
            expect_refusal(player, way, code)?;
            if player.output().contains("peer ") {
                return Err(format!("{} sees a player: {}", player.who, player.output()));
            }
        }
        Ok(())
    }

    /// Drains the server: newcomers are refused, and players stay until the deadline.
    fn drain(mut self) -> Result<(), String> {
        let mut players =
            [self.join("stays1", &Way::Path("/stays"))?, self.join("stays2", &Way::Auth("stays"))?];
        for player in &mut players {
            expect(player, "peer ")?;
        }
        self.server.terminate();
        let waits = |server: &Process| server.errors().contains("waiting for players to leave");
        if !self.server.wait_until(now() + PROCESS_TIMEOUT, waits) {
            return Err(format!("the server does not drain: {}", self.server.errors()));
        }
        let mut late = self.join("late", &Way::Path("/stays"))?;
        expect(&mut late, "connection failed")?;
        for player in &mut players {
            expect(player, "disconnected")?;
        }
        let ends = |_: &Process| false;
        self.server.wait_until(now() + PROCESS_TIMEOUT, ends);
        match self.server.ended() {
            Some(status) if status.success() => Ok(()),
            status => Err(format!("the server ends with {status:?}: {}", self.server.errors())),
        }
    }
}

/// Waits until a refused client is disconnected, and checks that it has received `code`: in an
/// authentication packet if it has sent one, else over WebSocket in the close frame.
fn expect_refusal(player: &mut Process, way: &Way<'_>, code: &str) -> Result<(), String> {
    match way {
        Way::Auth(_) => {
            expect(player, "authentication failed")?;
            expect(player, &format!("auth {{\"code\":\"{code}\",\"text\":"))
        }
        // A client that does not authenticate may count itself as connected until it is refused.
        Way::Path(_) | Way::Query(_) => expect(player, &format!("reason {code}")),
        Way::Lobby | Way::AuthPortWithoutAuth | Way::Match(..) => {
            expect(player, "disconnected|connection failed")
        }
    }?;
    match player.errors().lines().find(|line| line.contains("ERROR:")) {
        None => Ok(()),
        Some(error) => Err(format!("{} reports {error}", player.who)),
    }
}

/// Waits until a client has the response of the matchmaking. Returns its room, or the reason why it
/// has none.
fn matched(player: &mut Process) -> Result<String, String> {
    expect(player, "match ")?;
    let output = player.output();
    let room = output.lines().find_map(|line| line.strip_prefix("match "));
    Ok(room.unwrap_or_default().to_owned())
}

/// Waits until a client has printed a line that starts with `line`, or with one of several that `|`
/// separates.
fn expect(player: &mut Process, line: &str) -> Result<(), String> {
    let is_expected = |printed: &str| line.split('|').any(|it| printed.starts_with(it));
    let has_line = |player: &Process| player.output().lines().any(is_expected);
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

fn log(who: &str) -> std::path::PathBuf {
    target().join("interop/rooms").join(format!("{who}.log"))
}

const TEMPLATES: &str = r#"
[template.small]
max_players = 2

[template.locked]
locked = true

[template.private]
private = true
code = "1234"

[template.fixed]
auto_create = false

[[room]]
name = "lobby"

[shutdown]
drain_timeout = 10
"#;
