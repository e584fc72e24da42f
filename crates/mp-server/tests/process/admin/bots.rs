//! Bots that the server lets join its rooms.

use mp_actor::prelude::*;
use serde_json::{Value, json};

use super::http::{Request, Response};
use super::{ALL, AdminServer, PEERS, READ};
use crate::players::{self, until};

const PATH: &str = "/v1/rooms/default/bots";

fn post(server: &AdminServer, path: &str, bots: &Value) -> Response {
    Request::new("POST", path).token(PEERS).json(bots).send(server.address)
}

/// Returns the players of a room by id.
fn players_of(server: &AdminServer, room: &str) -> Vec<Value> {
    let path = format!("/v1/rooms/{room}/peers");
    server.ask(READ, "GET", &path).json()["peers"].as_array().unwrap().clone()
}

fn ids(players: &[Value]) -> Vec<i64> {
    players.iter().map(|player| player["id"].as_i64().unwrap()).collect()
}

#[actix::test]
async fn bots_join_a_room_as_players_and_leave_when_they_are_ended() {
    let server = AdminServer::start();
    let response = post(&server, PATH, &json!({"count": 3}));
    assert_eq!(response.status, 201);
    let mut joined: Vec<_> = response.json()["ids"].as_array().unwrap().clone();
    joined.sort_by_key(Value::as_i64);
    // The room may admit a bot a moment after the bot is connected.
    until(|| players_of(&server, "default").len() == 3).await;
    let players = players_of(&server, "default");
    assert_eq!(ids(&players), joined.iter().filter_map(Value::as_i64).collect::<Vec<_>>());
    assert!(players.iter().all(|player| player["transport"] == "enet"), "{players:?}");

    let ended = server.ask(PEERS, "DELETE", PATH);
    assert_eq!((ended.status, &ended.json()["count"]), (200, &json!(3)));
    until(|| players_of(&server, "default").is_empty()).await;
}

#[actix::test]
async fn bots_leave_by_themselves() {
    let server = AdminServer::start();
    assert_eq!(post(&server, PATH, &json!({"count": 2, "seconds": 1})).status, 201);
    until(|| players_of(&server, "default").is_empty()).await;
}

#[actix::test]
async fn bots_that_send_reach_other_players() {
    let server = AdminServer::start();
    let (sender, mut received) = tokio::sync::mpsc::channel(16);
    let build = move || {
        let note = move |_: &mut Scene, from: PeerId, data: &[u8]| {
            let _ = sender.try_send((from, data.len()));
        };
        Branch::builder("/root").on_peer_packet(note).build()
    };
    let _player = players::join(server.server.enet, build).await;
    let response = post(&server, PATH, &json!({"send": true}));
    let id = response.json()["ids"][0].as_i64().unwrap();
    let (from, len) = received.recv().await.unwrap();
    assert_eq!((i64::from(from.get()), len), (id, 8));
}

/// Listeners for ENet and WebSocket with further settings.
fn listeners(enet: &str, websocket: &str) -> String {
    let listen = |transport, more: &str| {
        format!("[[listen]]\ntransport = {transport:?}\naddress = \"127.0.0.1:0\"\n{more}\n")
    };
    listen("enet", enet) + &listen("websocket", websocket)
}

#[test]
fn bots_select_the_room_as_the_listener_requires() {
    let selections = [
        (listeners("select = \"auth\"", ""), "enet"),
        (listeners("", "select = \"auth\""), "websocket"),
        (listeners("", "select = \"path\""), "websocket"),
        (listeners("", "select = \"query\""), "websocket"),
    ];
    for (config, transport) in selections {
        let server = AdminServer::with_listeners(&config);
        let created = Request::new("POST", "/v1/rooms").token(ALL).json(&json!({"name": "arena"}));
        assert_eq!(created.send(server.address).status, 201);
        let joined = post(&server, "/v1/rooms/arena/bots", &json!({"count": 2}));
        assert_eq!(joined.status, 201, "{config}{joined:?}");
        let players = players_of(&server, "arena");
        assert_eq!(players.len(), 2, "{config}");
        assert!(players.iter().all(|player| player["transport"] == transport), "{config}");
    }
}

#[test]
fn room_without_a_listener_has_no_bots() {
    let server = AdminServer::start();
    Request::new("POST", "/v1/rooms").token(ALL).json(&json!({"name": "b"})).send(server.address);
    let outcome = post(&server, "/v1/rooms/b/bots", &json!({})).outcome();
    assert_eq!(outcome, (409, "no_listener".to_owned()));
}

#[test]
fn rooms_that_bots_cannot_join_and_invalid_numbers_are_refused() {
    let server = AdminServer::start();
    let refused = |bots| post(&server, PATH, &bots).outcome();
    assert_eq!(refused(json!({"count": 17})), (400, "invalid_count".to_owned()));
    assert_eq!(refused(json!({"count": 0})), (400, "invalid_count".to_owned()));
    assert_eq!(refused(json!({"seconds": 3601})), (400, "invalid_seconds".to_owned()));
    let unknown = post(&server, "/v1/rooms/none/bots", &json!({})).outcome();
    assert_eq!(unknown, (404, "unknown_room".to_owned()));

    let set = |settings| {
        let request = Request::new("PATCH", "/v1/rooms/default").token(ALL).json(&settings);
        assert_eq!(request.send(server.address).status, 200);
    };
    set(json!({"code": "secret"}));
    assert_eq!(refused(json!({})), (409, "needs_code".to_owned()));
    set(json!({"code": null, "locked": true}));
    assert_eq!(refused(json!({})), (409, "room_locked".to_owned()));
    set(json!({"locked": false, "max_players": 1}));
    assert_eq!(post(&server, PATH, &json!({})).status, 201);
    assert_eq!(refused(json!({})), (409, "room_full".to_owned()));
}

#[test]
fn server_has_at_most_16_bots() {
    let server = AdminServer::start();
    assert_eq!(post(&server, PATH, &json!({"count": 16})).status, 201);
    assert_eq!(post(&server, PATH, &json!({})).outcome(), (409, "too_many_bots".to_owned()));
}

#[test]
fn server_drains_without_waiting_for_its_bots() {
    let mut server = AdminServer::start();
    assert_eq!(post(&server, PATH, &json!({"seconds": 3600})).status, 201);
    let drain = Request::new("POST", "/v1/drain").token(ALL);
    let drain = drain.json(&json!({"timeout_seconds": 600})).send(server.address);
    assert_eq!(drain.status, 202);
    assert_eq!(server.server.wait().code(), Some(0));
}
