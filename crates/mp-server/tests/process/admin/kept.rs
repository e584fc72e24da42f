//! Players whose connection was lost and whose place is kept.

use mp_core::host::SystemClock;
use serde_json::{Value, json};

use super::http::Request;
use super::{ALL, AdminServer, PEERS, READ, ctl};
use crate::players::RawPlayer;
use crate::server::PATIENCE;

/// Starts a server whose default template has moves and keeps players, and opens the room `arena`.
fn start() -> AdminServer {
    let server = AdminServer::with(|command| {
        command.env("MP_TEMPLATE__DEFAULT__MOVES", "1");
        command.env("MP_TEMPLATE__DEFAULT__RESUME", "600");
    });
    let body = json!({"name": "arena", "template": "default"});
    let created = Request::new("POST", "/v1/rooms").token(ALL).json(&body).send(server.address);
    assert_eq!(created.status, 201, "{created:?}");
    server
}

/// Joins with a query, and returns the player and its ticket.
fn join(server: &AdminServer, query: &str) -> (RawPlayer, String) {
    let mut player = RawPlayer::join_with(server.server.ws, &format!("/?{query}"));
    let ticket = ticket_of(&mut player);
    (player, ticket)
}

fn ticket_of(player: &mut RawPlayer) -> String {
    let notice = player.notice();
    assert_eq!(notice["code"], "resume");
    notice["ticket"].as_str().unwrap().to_owned()
}

/// Waits until `find` returns something.
fn wait_for<T>(mut find: impl FnMut() -> Option<T>) -> T {
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    loop {
        if let Some(found) = find() {
            return found;
        }
        assert!(clock.now() < limit, "it does not happen");
    }
}

/// Waits until a room lists a player whose state is as expected. Returns the entry.
fn listed(server: &AdminServer, room: &str, is_kept: bool) -> Value {
    wait_for(|| {
        let page = server.ask(READ, "GET", &format!("/v1/rooms/{room}/peers")).json();
        let peer = page["peers"][0].clone();
        (peer["id"].is_i64() && peer["kept_seconds"].is_u64() == is_kept).then_some(peer)
    })
}

fn move_to(server: &AdminServer, from: &str, id: i32, to: &str) -> (u16, String) {
    let path = format!("/v1/rooms/{from}/peers/{id}/move");
    let request = Request::new("POST", &path).token(PEERS).json(&json!({ "to": to }));
    request.send(server.address).outcome()
}

#[test]
fn kept_player_is_listed_as_kept_and_counted() {
    let server = start();
    let (player, ticket) = join(&server, "");
    let id = player.id;
    assert!(ctl::ok(&server, &["peers", "default"]).contains("connected"));
    drop(player);
    let kept = listed(&server, "default", true);
    assert_eq!(kept["id"], id.get());
    assert!(kept["kept_seconds"].as_u64().is_some_and(|time| time <= 600), "{kept}");
    assert_eq!((&kept["connection"], &kept["transport"]), (&Value::Null, &Value::Null));
    let printed = ctl::ok(&server, &["peers", "default"]);
    assert!(printed.contains("  kept 5") && printed.contains(" s  "), "{printed}");
    let is = |name: &str, value| (server.metric(name) == value).then_some(());
    wait_for(|| is("mp_peers_kept", 1.0));
    wait_for(|| is("mp_peers{transport=\"websocket\"}", 0.0));

    let (again, _) = join(&server, &format!("resume={ticket}"));
    assert_eq!(again.id, id);
    listed(&server, "default", false);
    let used = RawPlayer::join_with(server.server.ws, &format!("/?resume={ticket}")).close_reason();
    assert_eq!(used, "invalid_resume");
    wait_for(|| is("mp_peers_kept", 0.0));
    wait_for(|| is("mp_resumes_total{result=\"resumed\"}", 1.0));
    wait_for(|| is("mp_resumes_total{result=\"invalid_resume\"}", 1.0));
    drop(again);
    listed(&server, "default", true);
    ctl::ok(&server, &["kick", "default", &id.to_string()]);
    wait_for(|| is("mp_peers_kept", 0.0));
}

#[test]
fn kept_player_cannot_move_and_a_moved_one_resumes_in_its_new_room() {
    let server = start();
    let (player, ticket) = join(&server, "");
    let id = player.id.get();
    drop(player);
    listed(&server, "default", true);
    assert_eq!(move_to(&server, "default", id, "arena"), (409, "not_connected".to_owned()));
    let (mut player, earlier) = join(&server, &format!("resume={ticket}"));
    assert_eq!(move_to(&server, "default", id, "arena"), (204, String::new()));
    let ticket = ticket_of(&mut player);
    assert_ne!(ticket, earlier);
    drop(player);
    listed(&server, "arena", true);
    let (again, _) = join(&server, &format!("resume={ticket}"));
    assert_eq!(again.id.get(), id);
    assert_eq!(listed(&server, "arena", false)["id"], id);
    assert_eq!(move_to(&server, "arena", id, "default"), (204, String::new()));
}
