//! Configuration files, and the command `mp-server config`.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Output, Stdio};

use mp_tls::ClientTlsOptions;

use crate::players::{RawPlayer, connect, join_by_url};
use crate::server::{FREE_PORTS, Server, command};
use crate::several_rooms::assert_refused;

#[test]
fn file_in_the_working_directory_is_read_and_logged() {
    let folder = folder("[template.default]\nmax_players = 7\n");
    let mut command = command();
    command.args(FREE_PORTS).current_dir(folder.path()).stderr(Stdio::piped());
    let mut server = Server::of(&mut command);
    assert!(server.banner.contains("for up to 7 players"), "{}", server.banner);
    let mut line = String::new();
    BufReader::new(server.stderr()).read_line(&mut line).unwrap();
    assert!(line.contains("configuration read") && line.contains("file=mp-server.toml"), "{line}");
}

#[test]
fn flags_take_precedence_over_the_environment_and_that_over_the_file() {
    let folder =
        folder("[limits]\nmax_clients = 5\n[log]\nfilter = \"warn\"\n[enet]\nshards = 2\n");
    let mut command = command();
    command.env("MP_LIMITS__MAX_CLIENTS", "6").env("MP_LOG", "error").current_dir(folder.path());
    let output = command.args(["config", "--effective", "--max-clients", "8"]).output().unwrap();
    let text = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{text}");
    for (value, origin) in [
        ("max_clients = 8", "# flag --max-clients"),
        ("max_players = 8", "# flag --max-clients"),
        ("filter = \"error\"", "# environment MP_LOG"),
        ("shards = 2", "# mp-server.toml:6"),
        ("max_rooms = 10_000", "# default"),
    ] {
        let is_there = |line: &str| line.starts_with(value) && line.ends_with(origin);
        assert!(text.lines().any(is_there), "{value} {origin} is not in\n{text}");
    }
}

#[test]
fn printed_configuration_passes_the_check() {
    let printed = run(&["config"], Path::new("."));
    assert_eq!(printed.status.code(), Some(0));
    let folder = folder(&text(&printed.stdout));
    let checked = run(&["config", "check"], folder.path());
    assert_eq!(checked.status.code(), Some(0), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).starts_with("mp-server.toml is valid"));
}

#[test]
fn check_prints_all_errors_and_fails() {
    let folder = folder("[limits]\nmax_clinets = 5\n[enet]\nshards = 0\n");
    let checked = run(&["config", "check", "mp-server.toml"], folder.path());
    assert_eq!(checked.status.code(), Some(2));
    let errors = text(&checked.stderr);
    for part in ["has 2 errors", "mp-server.toml:2:1", "`max_clients`?", "mp-server.toml:4:10"] {
        assert!(errors.contains(part), "{part} is not in\n{errors}");
    }
}

#[test]
fn server_does_not_start_with_an_invalid_or_missing_file() {
    let folder = folder("[limits]\nmax_clinets = 5\n");
    let invalid = run(&[], folder.path());
    assert_eq!(invalid.status.code(), Some(2));
    assert!(text(&invalid.stderr).contains("did you mean `max_clients`?"));
    let missing = run(&["--config", "missing.toml"], folder.path());
    assert_eq!(missing.status.code(), Some(2));
    let errors = text(&missing.stderr);
    assert!(errors.lines().count() == 1 && errors.contains("missing.toml"), "{errors}");
}

#[test]
fn sighup_reloads_the_file_and_a_bad_file_changes_nothing() {
    let folder = folder("");
    let file = folder.path().join("mp-server.toml");
    let mut command = command();
    command.args(FREE_PORTS).current_dir(folder.path()).stderr(Stdio::piped());
    let mut server = Server::of(&mut command);
    let mut log = BufReader::new(server.stderr());
    let mut next = |part: &str| {
        let mut line = String::new();
        while !line.contains(part) {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "no line with {part}");
        }
        line
    };
    next("listening");
    assert_eq!(status(server.ws), "101");

    fs::write(
        &file,
        "[websocket]\nallowed_origins = [\"https://b.example\"]\n[enet]\nshards = 2\n",
    )
    .unwrap();
    server.signal("HUP");
    let line = next("configuration reloaded");
    let answer = r#"applied="websocket.allowed_origins" needs_restart="enet.shards""#;
    assert!(line.contains(answer), "{line}");
    // The endpoint's thread may see the new list a moment later than the log line.
    while status(server.ws) != "403" {}

    fs::write(&file, "[websocket]\nallowed_origin = []\n").unwrap();
    server.signal("HUP");
    let line = next("invalid configuration");
    assert!(line.contains("mp-server.toml:2: unknown key"), "{line}");
    next("the previous one stays in use");
    assert_eq!(status(server.ws), "403");

    fs::write(&file, "[log]\nfilter = \"debug\"\n").unwrap();
    server.signal("HUP");
    next("configuration reloaded");
    while status(server.ws) != "101" {}
    next("DEBUG");
    assert_eq!(server.terminate(), Some(0));
}

#[test]
fn reload_changes_the_limits_of_connections() {
    let folder = folder("[limits]\nmax_clients_per_address = 1\n");
    let mut command = command();
    command.args(FREE_PORTS).current_dir(folder.path()).stderr(Stdio::piped());
    let mut server = Server::of(&mut command);
    let mut log = BufReader::new(server.stderr()).lines().map(Result::unwrap);
    let _player = RawPlayer::join(server.ws);
    assert_eq!(status(server.ws), "503");
    let limits = "[limits]\nmax_clients_per_address = 9\npackets_per_second = 100\n";
    fs::write(folder.path().join("mp-server.toml"), limits).unwrap();
    server.signal("HUP");
    let line = log.find(|line| line.contains("configuration reloaded")).unwrap();
    let applied = "limits.max_clients_per_address, limits.packets_per_second";
    let answer = format!("applied=\"{applied}\" needs_restart=\"none\"");
    assert!(line.contains(&answer), "{line}");
    // The limits may change a moment later than the log line.
    while status(server.ws) != "101" {}
}

#[test]
fn reload_changes_the_room_and_new_rooms() {
    let most = |players: u8| {
        format!(
            "[[listen]]\ntransport = \"websocket\"\naddress = \"127.0.0.1:0\"\nselect = \"path\"\n\
             [[room]]\nname = \"lobby\"\n[template.default]\nmax_players = {players}\n"
        )
    };
    let folder = folder(&most(1));
    let mut command = command();
    command.args(["--enet", "127.0.0.1:0"]).current_dir(folder.path()).stderr(Stdio::piped());
    let mut server = Server::of(&mut command);
    let mut log = BufReader::new(server.stderr());
    let mut reloaded = || {
        let mut line = String::new();
        while !line.contains("configuration reloaded") {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0);
        }
        line
    };
    let ws = server.ws;
    let url = |room: &str| format!("ws://{ws}/{room}");
    actix::System::new().block_on(async {
        let join = async |room: &str| join_by_url(&url(room), ClientTlsOptions::new()).await;
        let first = join("lobby").await.unwrap();
        assert_refused(join("lobby").await).await;

        fs::write(folder.path().join("mp-server.toml"), most(2)).unwrap();
        server.signal("HUP");
        let line = reloaded();
        let answer = r#"applied="template.default.max_players" needs_restart="none""#;
        assert!(line.contains(answer), "{line}");
        // The thread of the rooms may apply the new settings a moment later than the log line.
        let mut attempts = 0;
        let _second = loop {
            attempts += 1;
            assert!(attempts < 1_000, "the room is still full");
            let Ok(player) = join("lobby").await else { continue };
            let Ok(id) = player.with(|scene| scene.unique_id()).await else { continue };
            let is_seen = first.until(move |scene| scene.multiplayer().peers().any(|it| it == id));
            tokio::select! {
                seen = is_seen => {
                    seen.unwrap();
                    break player;
                }
                _ = player.closed() => {}
            }
        };
        assert_refused(join("lobby").await).await;
        let _of_new = [join("new").await.unwrap(), join("new").await.unwrap()];
        assert_refused(join("new").await).await;
    });
}

/// Opens a WebSocket as a page of `https://a.example` does. Returns the status.
fn status(ws: SocketAddr) -> String {
    let mut stream = connect(ws);
    let request = "GET / HTTP/1.1\r\nHost: localhost\r\nOrigin: https://a.example\r\n\
        Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).unwrap();
    String::from_utf8_lossy(&answer[9..]).into_owned()
}

/// Creates a folder with the file `mp-server.toml`.
fn folder(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mp-server.toml"), config).unwrap();
    folder
}

fn run(args: &[&str], folder: &Path) -> Output {
    command().args(args).current_dir(folder).output().expect("the program starts")
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}
