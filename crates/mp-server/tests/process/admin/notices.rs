use serde_json::{Value, json};

use super::http::Request;
use super::peers::join;
use super::{AdminServer, PEERS, ROOMS, SERVER};

const NOTIFY: &str = "[template.default]\nnotify = true\n";

/// Sends a JSON body with a token.
fn send(server: &AdminServer, token: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let response = Request::new(method, path).token(token).json(body).send(server.address);
    (response.status, if response.body.is_empty() { Value::Null } else { response.json() })
}

#[test]
fn announcement_reaches_the_players_of_a_room_and_of_all_rooms() {
    let mut server = AdminServer::configured(NOTIFY);
    let mut players = [join(&server), join(&server)];
    for (path, text) in [("/v1/rooms/default/announce", "to one"), ("/v1/announce", "to \"all\"")] {
        let sent = send(&server, ROOMS, "POST", path, &json!({"text": text}));
        assert_eq!(sent, (200, json!({"rooms": 1, "players": 2})));
        for player in &mut players {
            assert_eq!(player.notice(), json!({"code": "announcement", "text": text}));
        }
    }
    let line = server.line_with("an operator has announced to all rooms");
    assert!(line.contains("players=2") && line.contains(r#"text="to \"all\"""#), "{line}");
}

#[test]
fn announcements_are_bounded_and_need_a_room_that_notifies() {
    let server = AdminServer::start();
    let announce = |room: &str, text: &str| {
        let path = format!("/v1/rooms/{room}/announce");
        let (status, body) = send(&server, ROOMS, "POST", &path, &json!({"text": text}));
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    };
    for text in ["", "\u{1b}[2J", &"x".repeat(1_025)] {
        assert_eq!(announce("default", text), (400, "invalid_text".to_owned()));
    }
    assert_eq!(announce("none", "hello"), (404, "unknown_room".to_owned()));
    assert_eq!(announce("default", "hello"), (409, "not_announced".to_owned()));
    let to_all = send(&server, ROOMS, "POST", "/v1/announce", &json!({"text": "hello"}));
    assert_eq!(to_all, (200, json!({"rooms": 0, "players": 0})));
}

#[test]
fn kicked_player_receives_the_reason_and_then_the_code() {
    let server = AdminServer::configured(NOTIFY);
    let (mut kicked, mut other) = (join(&server), join(&server));
    let path = format!("/v1/rooms/default/peers/{}", kicked.id);
    let (status, _) = send(&server, PEERS, "DELETE", &path, &json!({"reason": "be nice"}));
    assert_eq!(status, 204);
    assert_eq!(kicked.notice(), json!({"code": "kicked", "text": "be nice"}));
    assert_eq!(kicked.close_reason(), "kicked: be nice");

    let path = format!("/v1/rooms/default/peers/{}", other.id);
    assert_eq!(server.ask(PEERS, "DELETE", &path).status, 204);
    assert_eq!(other.notice()["text"], "you were disconnected by the server");
}

#[test]
fn banned_players_receive_the_reason_and_then_the_code() {
    let server = AdminServer::configured(NOTIFY);
    let mut players = [join(&server), join(&server)];
    let mut ban = json!({"address": "127.0.0.1", "reason": "x".repeat(257)});
    assert_eq!(send(&server, PEERS, "POST", "/v1/bans", &ban).1["code"], "invalid_reason");
    ban["reason"] = json!("be nice");
    let banned = send(&server, PEERS, "POST", "/v1/bans", &ban);
    assert_eq!(banned, (200, json!({"disconnected": 2})));
    for player in &mut players {
        assert_eq!(player.notice(), json!({"code": "banned", "text": "be nice"}));
        assert_eq!(player.close_reason(), "banned: be nice");
    }
}

#[test]
fn drain_announces_the_time_until_the_players_are_disconnected() {
    let server = AdminServer::configured(NOTIFY);
    let mut player = join(&server);
    let drain = json!({"timeout_seconds": 2});
    assert_eq!(send(&server, SERVER, "POST", "/v1/drain", &drain).0, 202);
    let expected =
        json!({"code": "draining", "text": "the server shuts down in 2 s", "seconds": 2});
    assert_eq!(player.notice(), expected);
}
