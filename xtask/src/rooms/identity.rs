//! Players who authenticate, with real Godot clients: tokens, call-outs, bans, kicks, announcements
//! and the same player twice. The clients run the GDScript of the documentation.

mod client;

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use self::client::{Way, expect_lines, id_of};
use super::expect;
use crate::example::{read, write};
use crate::godot::Godot;
use crate::metrics::Metrics;
use crate::process::{PROCESS_TIMEOUT, Process, now};
use crate::scenario_run::free_port;
use crate::workspace::{program, root, target};

/// Runs servers with identities and their clients.
///
/// # Errors
///
/// Returns the first client that does not see what the documentation says, with its output.
pub(super) fn play(godot: &Godot) -> Result<(), String> {
    let players = Players { godot, program: program("mp-server", "MP_SERVER_BIN")? };
    make_project()?;
    players.make_foreign_key()?;
    let tokens = format!("method = \"token\"\nsecret = \"{SECRET}\"\nleeway = 0");
    let server = players.start("tokens", &tokens)?;
    server.refuses_tokens()?;
    server.operates()?;
    server.replaces()?;
    server.drains()?;
    players.start("spectators", &tokens)?.silences_spectators()?;
    players.start("reject", &format!("{tokens}\nsame_player = \"reject\""))?.rejects()?;
    players.plays_call_outs()
}

/// Key of the server for HS256.
const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// Token of the operator.
const OPERATOR: &str = "operator-0123456789abcdef";

/// Starts servers and clients.
struct Players<'g> {
    godot: &'g Godot,
    program: PathBuf,
}

/// A server, and the ports of its listeners.
struct Identified<'p> {
    players: &'p Players<'p>,
    name: &'static str,
    server: Process,
    enet: u16,
    websocket: u16,
    admin: u16,
}

impl Players<'_> {
    /// Makes a key for EdDSA that the servers do not have.
    fn make_foreign_key(&self) -> Result<(), String> {
        for file in [foreign_key(), foreign_key().with_extension("pub")] {
            let _ = fs::remove_file(file); // of an earlier run
        }
        let public = foreign_key().with_extension("pub");
        let args = ["--new-key", "--key", &shown(&foreign_key()), "--public-key", &shown(&public)];
        self.run("token", &args).map(drop)
    }

    /// Returns a token of a player. The server's secret signs it unless `args` have a key.
    fn token(&self, sub: &str, args: &[&str]) -> Result<String, String> {
        let own = ["--sub", sub, "--create", "--secret", SECRET];
        let own = if args.contains(&"--key") { &own[..3] } else { &own[..] };
        let token = self.run("token", &[own, args].concat())?;
        Ok(token.trim().to_owned())
    }

    /// Runs a command of mp-server. Returns its standard output.
    fn run(&self, command: &str, args: &[&str]) -> Result<String, String> {
        let mut command_line = Command::new(&self.program);
        let output = command_line.arg(command).args(args).output();
        let output = output.map_err(|error| format!("cannot run mp-server: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => {
                let error = String::from_utf8_lossy(&output.stderr);
                Err(format!("mp-server {command} {args:?}: {error}"))
            }
        }
    }

    /// Starts a server with a section `[identity]`.
    fn start(&self, name: &'static str, identity: &str) -> Result<Identified<'_>, String> {
        let [enet, websocket, admin] = [free_port()?, free_port()?, free_port()?];
        let config = format!(
            "[identity]\n{identity}\nfailures_per_minute = 0\n[template.default]\nnotify = true\n\
             [admin]\naddress = \"127.0.0.1:{admin}\"\n\
             tokens = [\"operator:read+rooms+peers+server:{OPERATOR}\"]\n\
             [shutdown]\ndrain_timeout = 5\n"
        );
        let file = folder().join(format!("{name}.toml"));
        write(&file, &config)?;
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&file).args(["--webrtc", "off"]);
        command.args(["--enet", &format!("127.0.0.1:{enet}")]);
        command.args(["--ws", &format!("127.0.0.1:{websocket}")]);
        let mut server = Process::start(name, &mut command, &log(name))?;
        let listens = |server: &Process| server.output().contains("--help");
        match server.wait_until(now() + PROCESS_TIMEOUT, listens) {
            true => Ok(Identified { players: self, name, server, enet, websocket, admin }),
            false => Err(format!("mp-server does not listen: {}", server.errors())),
        }
    }

    /// Plays a service that refuses players, one that is down, and one that does not answer.
    fn plays_call_outs(&self) -> Result<(), String> {
        let unavailable = "the game's service is not available; try again later";
        let silent = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|it| it.to_string())?;
        let silent_port = silent.local_addr().map_err(|it| it.to_string())?.port();
        for (name, port) in [("down", free_port()?), ("silent", silent_port)] {
            let url = format!("http://127.0.0.1:{port}/");
            let identity = format!("method = \"call-out\"\nurl = \"{url}\"\ntimeout = 1");
            let server = self.start(name, &identity)?;
            let mut refused = Vec::new();
            for way in Way::ALL {
                refused.push((server.join(way.name(), way, "ticket")?, way));
            }
            for (player, way) in &mut refused {
                way.expect_refusal(player, "call_out_unavailable", unavailable)?;
            }
        }
        Ok(())
    }
}

impl Identified<'_> {
    /// Starts a client with a token.
    fn join(&self, who: &str, way: Way, token: &str) -> Result<Process, String> {
        let log = log(&format!("{}-{who}", self.name));
        Process::start(who, &mut self.command(way, token), &log)
    }

    fn command(&self, way: Way, token: &str) -> Command {
        let mut command = self.players.godot.command(&project());
        command.arg(format!("--token={token}"));
        let url = format!("--url=ws://127.0.0.1:{}/", self.websocket);
        match way {
            Way::Enet => command.args(["--auth=1", &format!("--port={}", self.enet)]),
            Way::WebSocket => command.args(["--auth=1", &url]),
            Way::Url => command.arg(format!("{url}?token={token}")),
        };
        command
    }

    /// Starts a client of a player, and waits until it is connected.
    fn admit(&self, who: &str, way: Way, sub: &str) -> Result<Process, String> {
        let mut player = self.join(who, way, &self.players.token(sub, &[])?)?;
        expect(&mut player, "connected ")?;
        Ok(player)
    }

    /// Runs a verb of `mp-server ctl`.
    fn operate(&self, args: &[&str]) -> Result<String, String> {
        let mut command = Command::new(&self.players.program);
        command.env("MP_ADMIN_TOKEN", OPERATOR);
        command.env("MP_ADMIN_SERVER", format!("127.0.0.1:{}", self.admin));
        let output = command.arg("ctl").args(args).output();
        let output = output.map_err(|error| format!("cannot run mp-server ctl: {error}"))?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(format!("ctl {args:?}: {}", String::from_utf8_lossy(&output.stderr))),
        }
    }

    /// Refuses tokens that are not valid here, and banned players; accepts a valid one.
    fn refuses_tokens(&self) -> Result<(), String> {
        let players = self.players;
        self.operate(&["ban", "--sub", "mallory"])?;
        let expired = players.token("kay", &["--ttl", "1s"])?;
        // Its claim exp has whole seconds.
        std::thread::sleep(Duration::from_secs(2));
        let foreign_secret = "fedcba9876543210fedcba9876543210";
        let key = shown(&foreign_key());
        let own_key = ["--sub", "kay", "--secret", foreign_secret];
        let wrong_signature = players.run("token", &own_key)?.trim().to_owned();
        let refused = [
            (wrong_signature, "wrong_signature", "the token's signature is invalid"),
            (expired, "expired", "the token has expired"),
            (
                players.token("kay", &["--aud", "other"])?,
                "wrong_audience",
                "the token is for another server",
            ),
            (
                players.token("kay", &["--key", &key])?,
                "wrong_algorithm",
                "the token is signed with another algorithm",
            ),
            (players.token("mallory", &[])?, "banned", "you are banned from this server"),
        ];
        for way in Way::ALL {
            let mut valid =
                self.join(&format!("{}-valid", way.name()), way, &players.token("kay", &[])?)?;
            let mut all = Vec::new();
            for (token, code, text) in &refused {
                let who = format!("{}-{code}", way.name());
                all.push((self.join(&who, way, token)?, code, text));
            }
            for (player, code, text) in &mut all {
                way.expect_refusal(player, code, text)?;
            }
            expect_lines(&mut valid, &[])?;
        }
        Ok(())
    }

    /// Announces, kicks with a reason, and bans players who are connected.
    fn operates(&self) -> Result<(), String> {
        for way in [Way::Enet, Way::WebSocket] {
            let (kicked, banned) =
                (format!("kicked-{}", way.name()), format!("banned-{}", way.name()));
            let mut to_kick = self.admit(&kicked, way, &kicked)?;
            let mut to_ban = self.admit(&banned, way, &banned)?;
            self.operate(&["announce", "The arena opens soon", "--room", "default"])?;
            let announcement = ["announcement: The arena opens soon".to_owned()];
            for player in [&mut to_kick, &mut to_ban] {
                expect_lines(player, &announcement)?;
            }
            let id = id_of(&to_kick)?;
            self.operate(&["kick", "default", &id, "--reason", "be nice"])?;
            let removal = way.kick("be nice");
            expect_lines(&mut to_kick, &[&announcement[..], &removal].concat())?;
            self.operate(&["ban", "--sub", &banned])?;
            let removal = way.removal("banned", "you are banned from this server");
            expect_lines(&mut to_ban, &[&announcement[..], &removal].concat())?;
        }
        Ok(())
    }

    /// The later connection of a player replaces the earlier one.
    fn replaces(&self) -> Result<(), String> {
        let mut first = self.admit("first", Way::Enet, "twice")?;
        let mut second = self.admit("second", Way::WebSocket, "twice")?;
        let text = "you have connected from elsewhere";
        expect_lines(&mut first, &Way::Enet.removal("replaced", text))?;
        let _third = self.admit("third", Way::Enet, "twice")?;
        expect_lines(&mut second, &Way::WebSocket.removal("replaced", text))
    }

    /// A spectator receives the packets of a player, who receives none of the spectator.
    fn silences_spectators(&self) -> Result<(), String> {
        let token = self.players.token("watcher", &["--role", "spectator"])?;
        for (of_spectator, of_player) in [(Way::Enet, Way::WebSocket), (Way::WebSocket, Way::Enet)]
        {
            let refused = self.refused_relays()?;
            let name = of_spectator.name();
            let mut spectator = self.greet(&format!("spectator-{name}"), of_spectator, &token)?;
            expect(&mut spectator, "connected ")?;
            let token = self.players.token("player", &[])?;
            let mut player = self.greet(&format!("player-{name}"), of_player, &token)?;
            expect_lines(&mut spectator, &[format!("receives from player-{name}")])?;
            let limit = now() + PROCESS_TIMEOUT;
            let is_counted = |_: &Process| self.refused_relays().is_ok_and(|it| it > refused);
            if !player.wait_until(limit, is_counted) {
                return Err("the packet of a spectator is not counted as refused".to_owned());
            }
            expect_lines(&mut player, &[])?;
        }
        Ok(())
    }

    /// Starts a client that sends a greeting to the others.
    fn greet(&self, who: &str, way: Way, token: &str) -> Result<Process, String> {
        let mut command = self.command(way, token);
        command.arg(format!("--greeting=from {who}"));
        Process::start(who, &mut command, &log(&format!("{}-{who}", self.name)))
    }

    /// Returns the number of refused packets of spectators, from the server's metrics.
    fn refused_relays(&self) -> Result<f64, String> {
        let metrics = Metrics::read(self.admin)?;
        Ok(metrics.sum("mp_packets_dropped_total", "reason=\"may_not_relay\""))
    }

    /// A server with `same_player = "reject"` refuses the later connection of a player.
    fn rejects(&self) -> Result<(), String> {
        let mut first = self.admit("first", Way::Enet, "twice")?;
        let token = self.players.token("twice", &[])?;
        for way in Way::ALL {
            let mut second = self.join(way.name(), way, &token)?;
            way.expect_refusal(&mut second, "already_connected", "you are connected already")?;
        }
        expect_lines(&mut first, &[])
    }

    /// Announces the deadline of a drain, and disconnects the players at it.
    fn drains(mut self) -> Result<(), String> {
        let mut player = self.admit("stays", Way::WebSocket, "stays")?;
        self.server.terminate();
        let announcement = "draining: the server shuts down in 5 s".to_owned();
        expect_lines(&mut player, &[announcement])?;
        expect(&mut player, "disconnected")?;
        self.server.wait_until(now() + PROCESS_TIMEOUT, |_| false);
        match self.server.ended() {
            Some(status) if status.success() => Ok(()),
            status => Err(format!("the server ends with {status:?}: {}", self.server.errors())),
        }
    }
}

/// Writes the Godot project with the GDScript of the documentation.
fn make_project() -> Result<(), String> {
    let source = root().join("interop/identity");
    for file in ["project.godot", "main.tscn"] {
        write(&project().join(file), &read(&source.join(file))?)?;
    }
    let mut script = read(&source.join("main.gd"))?;
    for (page, part) in [
        ("crates/mp/guide/authentication.md", "\"token=\""),
        ("docs/operating/admin.md", "peer_packet"),
    ] {
        let text = read(&root().join(page))?;
        let code =
            gdscript(&text, part).ok_or_else(|| format!("{page} has no GDScript with {part}"))?;
        let indented = code.lines().map(|line| format!("\t{line}\n")).collect::<String>();
        let place = format!("\t# code of {page}\n\tpass\n");
        if !script.contains(&place) {
            return Err(format!("interop/identity/main.gd has no place for the code of {page}"));
        }
        script = script.replace(&place, &indented);
    }
    write(&project().join("main.gd"), &script)
}

/// Returns the first block of GDScript of a page that contains `part`.
fn gdscript<'p>(page: &'p str, part: &str) -> Option<&'p str> {
    let blocks = page.split("```gdscript\n").skip(1);
    let mut codes = blocks.filter_map(|block| block.split("```").next());
    codes.find(|code| code.contains(part))
}

fn folder() -> PathBuf {
    target().join("interop/identity")
}

fn project() -> PathBuf {
    folder().join("project")
}

fn foreign_key() -> PathBuf {
    folder().join("foreign.key")
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn log(who: &str) -> PathBuf {
    folder().join(format!("{who}.log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gdscript_with_a_part_is_found_after_other_blocks() {
        let page = "```gdscript\na\n```\n```sh\nb\n```\n```gdscript\nc b\n```\n";
        assert_eq!((gdscript(page, "b"), gdscript(page, "d")), (Some("c b\n"), None));
    }
}
