use std::io::Write as _;

use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{ALL, AdminServer, PEERS, READ, ctl, events::Viewer};
use crate::players::RawPlayer;

impl AdminServer {
    /// Starts a server whose default template has moves, and opens the room `arena`.
    fn with_arena() -> Self {
        let server = Self::with(|command| {
            command.env("MP_TEMPLATE__DEFAULT__MOVES", "1");
            command.env("MP_TEMPLATE__FIXED__MAX_PLAYERS", "8");
        });
        server.create("arena", "default");
        server
    }

    fn create(&self, name: &str, template: &str) {
        let body = json!({"name": name, "template": template});
        let created = Request::new("POST", "/v1/rooms").token(ALL).json(&body).send(self.address);
        assert_eq!(created.status, 201, "{created:?}");
    }

    fn move_peer(&self, from: &str, peer: i32, to: &str) -> Response {
        self.move_by(from, peer, &json!({"to": to}))
    }

    fn move_by(&self, from: &str, peer: i32, body: &Value) -> Response {
        let path = format!("/v1/rooms/{from}/peers/{peer}/move");
        Request::new("POST", &path).token(PEERS).json(body).send(self.address)
    }

    fn peers(&self, room: &str) -> Vec<i64> {
        let page = self.ask(READ, "GET", &format!("/v1/rooms/{room}/peers")).json();
        page["peers"].as_array().unwrap().iter().map(|peer| peer["id"].as_i64().unwrap()).collect()
    }
}

/// Sends a raw packet of Godot's protocol in a masked frame.
fn send_raw(player: &mut RawPlayer) {
    player.stream.write_all(&[0x82, 0x82, 0, 0, 0, 0, 3, b'x']).unwrap();
}

#[test]
fn player_moves_to_another_room_and_back_over_one_connection() {
    let mut server = AdminServer::with_arena();
    let mut viewer = Viewer::open(&server);
    let mut player = super::peers::join(&server);
    let id = player.id.get();
    assert_eq!(server.move_peer("default", id, "arena").status, 204);
    assert_eq!((server.peers("default"), server.peers("arena")), (vec![], vec![i64::from(id)]));
    let line = server.line_with("an operator has moved a player");
    assert!(line.contains("room=\"default\"") && line.contains("to=\"arena\""), "{line}");
    let mut changed = viewer.next("room");
    while changed["name"] != "arena" || changed["players"] != 1 {
        changed = viewer.next("room");
    }

    // The player does not confirm that it has received the move, so its packets are late ones.
    send_raw(&mut player);
    let moved =
        "mp_packets_dropped_total{transport=\"any\",direction=\"received\",reason=\"moved\"}";
    while server.metric(moved) == 0.0 {}
    assert_eq!(server.metric("mp_packets_malformed_total"), 0.0);

    assert_eq!(server.move_peer("arena", id, "default").status, 204);
    assert_eq!((server.peers("default"), server.peers("arena")), (vec![i64::from(id)], vec![]));
    while server.metric("mp_room_moves_total{result=\"moved\"}") != 2.0 {}
    let left = server.metric("mp_peers_left_total{transport=\"websocket\",reason=\"moved\"}");
    assert_eq!(left, 0.0, "the player has not left the server");
    let joined = server.metric("mp_peers_joined_total{transport=\"websocket\"}");
    assert_eq!(joined, 1.0, "a player who moves joins the server once");
}

#[test]
fn refused_move_says_why_and_the_player_stays() {
    let server = AdminServer::with_arena();
    server.create("fixed", "fixed");
    let player = super::peers::join(&server);
    let id = player.id.get();
    let outcome = |from, peer, to| {
        let (status, code) = server.move_peer(from, peer, to).outcome();
        assert_eq!(server.peers("default"), [i64::from(id)], "{code}");
        (status, code)
    };
    assert_eq!(outcome("default", id, "none"), (404, "unknown_room".to_owned()));
    assert_eq!(outcome("none", id, "arena"), (404, "unknown_room".to_owned()));
    assert_eq!(outcome("default", 1, "arena"), (404, "unknown_peer".to_owned()));
    assert_eq!(outcome("default", -1, "arena"), (404, "unknown_peer".to_owned()));
    assert_eq!(outcome("default", id, "default"), (409, "same_room".to_owned()));
    assert_eq!(outcome("default", id, "fixed"), (409, "no_moves_to_room".to_owned()));
    for (settings, refusal) in [
        (json!({"locked": true}), "room_locked"),
        (json!({"locked": false, "code": "1"}), "room_private"),
        (json!({"code": null, "max_players": 1}), "room_full"),
    ] {
        let patch = Request::new("PATCH", "/v1/rooms/arena").token(ALL).json(&settings);
        assert_eq!(patch.send(server.address).status, 200, "{settings}");
        let _other = (refusal == "room_full").then(|| {
            let other = super::peers::join(&server);
            assert_eq!(server.move_peer("default", other.id.get(), "arena").status, 204);
            other
        });
        assert_eq!(outcome("default", id, "arena"), (409, refusal.to_owned()));
    }
}

#[test]
fn player_moves_to_a_private_room_with_its_code_and_by_no_invalid_seat() {
    let server = AdminServer::with_arena();
    let player = super::peers::join(&server);
    let id = player.id.get();
    let patch = |settings: Value| {
        let patch = Request::new("PATCH", "/v1/rooms/arena").token(ALL).json(&settings);
        assert_eq!(patch.send(server.address).status, 200, "{settings}");
    };
    patch(json!({"code": "1"}));
    let ticket = format!("mpt_{}", "A".repeat(22));
    for (entry, status, code) in [
        (json!({"to": "arena", "code": ""}), 400, "invalid_code"),
        (json!({"to": "arena", "code": "2"}), 409, "wrong_code"),
        (json!({"to": "arena", "seat": "x"}), 400, "invalid_ticket"),
        (json!({"to": "arena", "seat": ticket}), 409, "invalid_ticket"),
    ] {
        let outcome = server.move_by("default", id, &entry).outcome();
        assert_eq!(outcome, (status, code.to_owned()), "{entry}");
    }
    assert_eq!(server.move_by("default", id, &json!({"to": "arena", "code": "1"})).status, 204);
    assert_eq!(server.peers("arena"), [i64::from(id)]);
}

#[test]
fn ctl_moves_a_player() {
    let server = AdminServer::with_arena();
    let player = super::peers::join(&server);
    let id = player.id.to_string();
    let moved = ctl::ok(&server, &["move", "default", &id, "arena"]);
    assert_eq!(moved, format!("{id} is in arena now\n"));
    ctl::ok(&server, &["lock", "default"]);
    let locked = ctl::error(&server, PEERS, &["move", "arena", &id, "default"]);
    assert!(locked.contains("stays in arena: the room is locked"), "{locked}");
    let ticket = format!("mpt_{}", "A".repeat(22));
    let by_seat = ["move", "arena", &id, "default", "--seat", &ticket];
    let unknown = ctl::error(&server, PEERS, &by_seat);
    assert!(unknown.contains("stays in arena: the ticket is unknown"), "{unknown}");
    ctl::ok(&server, &["unlock", "default"]);
    ctl::ok(&server, &["set", "default", "--code", "1"]);
    ctl::ok(&server, &["move", "arena", &id, "default", "--code", "1"]);
    let scope = ctl::error(&server, READ, &["move", "default", &id, "arena"]);
    assert!(scope.contains("scope peers"), "{scope}");
}
