use std::io::Read as _;
use std::process::Output;

use serde_json::Value;

use super::{ALL, AdminServer, READ};
use crate::server::command;

/// Runs `mp-server ctl` with a token.
fn run(server: &AdminServer, token: &str, args: &[&str]) -> Output {
    let mut command = command();
    command.env("MP_ADMIN_TOKEN", token).env("MP_ADMIN_SERVER", server.address.to_string());
    command.arg("ctl").args(args).output().unwrap()
}

/// Returns the standard output of a verb that succeeds.
pub(super) fn ok(server: &AdminServer, args: &[&str]) -> String {
    let output = run(server, ALL, args);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(0), "{args:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the message of a verb that fails.
pub(super) fn error(server: &AdminServer, token: &str, args: &[&str]) -> String {
    let output = run(server, token, args);
    assert_eq!(output.status.code(), Some(1), "{args:?}: {output:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn every_verb_operates_a_running_server() {
    let mut server = AdminServer::in_development();
    assert!(ok(&server, &["status"]).contains("state                ready"));
    let created = ok(&server, &["create", "arena", "--max-players", "8", "--permanent"]);
    assert_eq!(created, "arena is open\n");
    ok(&server, &["lock", "arena"]);
    let set = ok(&server, &["set", "arena", "--code", "secret", "--metadata", "map=hill"]);
    assert!(set.contains("0/8") && set.contains("locked,private"), "{set}");
    let rooms = ok(&server, &["rooms"]);
    let names: Vec<_> = rooms.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(names, ["ROOM", "default", "arena"]);
    ok(&server, &["unlock", "arena"]);
    ok(&server, &["set", "arena", "--code", ""]);
    let room: Value = serde_json::from_str(&ok(&server, &["--json", "rooms"])).unwrap();
    let arena = &room["rooms"][1];
    assert_eq!((&arena["locked"], &arena["private"]), (&false.into(), &false.into()));
    assert_eq!(arena["metadata"]["map"], "hill");
    assert_eq!(ok(&server, &["close", "arena"]), "arena is closed\n");

    let mut player = super::peers::join(&server);
    let id = player.id.to_string();
    assert!(ok(&server, &["peers", "default"]).contains(&id));
    let relay = "a relay room: the server passes packets on, and has no nodes of its own\n";
    assert_eq!(ok(&server, &["nodes", "default"]), relay);
    let link = ["link", "default", &id];
    ok(&server, &[&link[..], &["--latency", "50ms", "--rate", "100000"]].concat());
    ok(&server, &[&link[..], &["--latency", "0.2s", "--direction", "to"]].concat());
    let shown = ok(&server, &link);
    assert!(shown.contains("to      200 ms") && shown.contains("from    0 ms"), "{shown}");
    let refused = error(&server, ALL, &[&link[..], &["--loss", "5%"]].concat());
    assert!(refused.contains("ENet or WebRTC"), "{refused}");
    ok(&server, &[&link[..], &["--clear"]].concat());
    assert!(ok(&server, &link).contains("to      0 ms"));

    ok(&server, &["kick", "default", &id, "--reason", "spam"]);
    player.stream.read_to_end(&mut Vec::new()).unwrap();

    let joined = ok(&server, &["bots", "default", "--count", "2"]);
    assert_eq!(joined.split(", ").count(), 2, "{joined}");
    assert_eq!(ok(&server, &["bots", "default", "--end"]), "bots that leave: 2\n");

    let banned = ok(&server, &["ban", "192.0.2.0/24", "--seconds", "60"]);
    assert_eq!(banned, "banned; players disconnected: 0\n");
    assert!(ok(&server, &["bans"]).contains("192.0.2.0/24"));
    ok(&server, &["unban", "192.0.2.0/24"]);
    assert!(!ok(&server, &["bans"]).contains("192.0.2.0/24"));

    ok(&server, &["ban", "--sub", "kay"]);
    assert!(ok(&server, &["bans"]).contains("sub kay"));
    ok(&server, &["unban", "--sub", "kay"]);
    assert!(!ok(&server, &["bans"]).contains("kay"));

    assert_eq!(ok(&server, &["announce", "hello"]), "sent to 0 players in 0 rooms\n");
    let without = error(&server, ALL, &["announce", "hello", "--room", "default"]);
    assert!(without.contains("notify = true"), "{without}");

    assert_eq!(ok(&server, &["reload"]), "applied: none\nneed a restart: none\n");
    assert!(ok(&server, &["config"]).contains("shutdown.drain_timeout"));
    ok(&server, &["drain", "--timeout", "0"]);
    assert_eq!(server.server.wait().code(), Some(0));
}

#[test]
fn errors_say_the_way_out() {
    let server = AdminServer::start();
    let no_token = error(&server, "", &["status"]);
    assert!(no_token.contains("MP_ADMIN_TOKEN") && no_token.contains("--token-file"), "{no_token}");
    assert!(error(&server, "wrong-0123456789abcdef", &["status"]).contains("wrong token"));
    let scope = error(&server, READ, &["close", "default"]);
    assert!(scope.contains("scope rooms") && scope.contains("yours has read"), "{scope}");
    assert!(error(&server, ALL, &["lock", "none"]).contains("there is no room \"none\""));
    let address = server.address;
    drop(server);
    let output = command().args(["ctl", "status", "--server", &address.to_string()]).output();
    let unreachable = String::from_utf8(output.unwrap().stderr).unwrap();
    assert!(unreachable.contains("is the server running"), "{unreachable}");
}

#[test]
fn token_is_read_from_a_file_that_setup_has_written() {
    let mut server = AdminServer::without_tokens(|_| {});
    let code = super::setup::code(&mut server);
    let link = format!("http://{}/setup#{code}", server.address);
    let token = ok(&server, &["setup", &link, "--name", "kay"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, token).unwrap();
    let args = ["status", "--token-file", file.to_str().unwrap()];
    assert_eq!(run(&server, "", &args).status.code(), Some(0));
}

#[test]
fn new_token_is_valid_on_a_server_that_knows_its_hash() {
    let made = command().args(["ctl", "new-token", "ops", "--scopes", "read,rooms"]).output();
    let text = String::from_utf8(made.unwrap().stdout).unwrap();
    let lines: Vec<_> = text.lines().collect();
    let [_, secret, _, _, line] = lines[..] else { panic!("{text}") };
    assert!(line.starts_with("ops:read+rooms:sha256:") && !line.contains(secret), "{line}");
    let server = AdminServer::without_tokens(|command| {
        command.env("MP_ADMIN__TOKENS", line);
    });
    assert_eq!(run(&server, secret, &["rooms"]).status.code(), Some(0));
    assert!(error(&server, secret, &["bans"]).contains("scope peers"));
}
