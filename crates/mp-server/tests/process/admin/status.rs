use serde_json::json;

use super::http::Request;
use super::{AdminServer, READ, ROOMS};

#[test]
fn status_counts_rooms_and_players() {
    let server = AdminServer::start();
    let _player = super::peers::join(&server);
    let status = server.ask(READ, "GET", "/v1/status").json();
    assert_eq!((&status["ready"], &status["players"]), (&json!(true), &json!(1)));
    assert_eq!((&status["rooms"]["open"], &status["joined"]), (&json!(1), &json!(1)));
    assert_eq!(status["listening"]["websocket"], server.server.ws.to_string());
}

#[test]
fn room_is_created_changed_and_closed() {
    let server = AdminServer::start();
    let post =
        |body| Request::new("POST", "/v1/rooms").token(ROOMS).json(&body).send(server.address);
    let created = post(json!({"name": "arena", "max_players": 8, "metadata": {"map": "hill"}}));
    assert_eq!(created.status, 201, "{created:?}");
    let patch = |body| {
        Request::new("PATCH", "/v1/rooms/arena").token(ROOMS).json(&body).send(server.address)
    };
    assert_eq!(patch(json!({"locked": true, "code": "secret"})).status, 200);
    let room = server.ask(READ, "GET", "/v1/rooms/arena").json();
    let expected = [
        ("name", json!("arena")),
        ("state", json!("open")),
        ("max_players", json!(8)),
        ("locked", json!(true)),
        ("private", json!(true)),
        ("metadata", json!({"map": "hill"})),
    ];
    for (key, value) in expected {
        assert_eq!(room[key], value, "{room}");
    }
    let opened = patch(json!({"locked": false, "code": null})).json();
    assert_eq!((&opened["locked"], &opened["private"]), (&json!(false), &json!(false)));
    assert_eq!(server.ask(ROOMS, "DELETE", "/v1/rooms/arena").status, 204);
    let gone = server.ask(READ, "GET", "/v1/rooms/arena").outcome();
    assert_eq!(gone, (404, "unknown_room".to_owned()));
}

#[test]
fn rooms_are_listed_by_pages() {
    let server = AdminServer::start();
    for name in ["a", "b", "c"] {
        let body = json!({"name": name});
        Request::new("POST", "/v1/rooms").token(ROOMS).json(&body).send(server.address);
    }
    let (mut names, mut after) = (Vec::new(), Some(0));
    while let Some(last) = after {
        let page = server.ask(READ, "GET", &format!("/v1/rooms?limit=3&after={last}")).json();
        let rooms = page["rooms"].as_array().unwrap();
        assert!((1..=3).contains(&rooms.len()), "{page}");
        names.extend(rooms.iter().map(|room| room["name"].as_str().unwrap().to_owned()));
        after = page["next"].as_u64();
    }
    assert_eq!(names, ["default", "a", "b", "c"]);
}

#[test]
fn lines_join_the_room_over_the_transports_that_can_select_it() {
    let server = AdminServer::start();
    Request::new("POST", "/v1/rooms").token(ROOMS).json(&json!({"name": "b"})).send(server.address);
    let lines = |room| {
        let lines = server.ask(READ, "GET", &format!("/v1/rooms/{room}/join")).json();
        let lines = lines["lines"].as_array().unwrap().iter();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        lines.map(|it| (text(&it["transport"]), text(&it["gdscript"]))).collect::<Vec<_>>()
    };
    let [enet, websocket, webrtc] = &lines("default")[..] else { panic!("three transports") };
    let port = server.server.enet.port();
    assert!(enet.0 == "enet" && enet.1.contains(&format!("\"127.0.0.1\", {port})")), "{enet:?}");
    let url = format!("\"ws://{}\"", server.server.ws);
    assert!(websocket.0 == "websocket" && websocket.1.contains(&url), "{websocket:?}");
    assert!(webrtc.0 == "webrtc" && webrtc.1.contains("/webrtc"), "{webrtc:?}");
    assert_eq!(lines("b"), []);
}

#[test]
fn change_with_a_misspelled_name_is_refused() {
    let server = AdminServer::start();
    let patch = Request::new("PATCH", "/v1/rooms/default").token(ROOMS);
    let outcome = patch.json(&json!({"lock": true})).send(server.address).outcome();
    assert_eq!(outcome, (422, "invalid_body".to_owned()));
}

#[test]
fn invalid_requests_are_refused_with_a_stable_code() {
    let server = AdminServer::start();
    let post = |body| {
        let request = Request::new("POST", "/v1/rooms").token(ROOMS).json(&body);
        request.send(server.address).outcome()
    };
    let get = |path| server.ask(READ, "GET", path).outcome();
    let outcomes = [
        (post(json!({"name": "default"})), 409, "name_taken"),
        (post(json!({"name": "a", "template": "none"})), 400, "unknown_template"),
        (post(json!({"name": "a b"})), 400, "invalid_name"),
        (post(json!({"name": "a", "max_players": 0})), 400, "invalid_max_players"),
        (post(json!({"name": "a", "code": ""})), 400, "invalid_code"),
        (post(json!({"name": "a", "lock": true})), 422, "invalid_body"),
        (post(json!({})), 422, "invalid_body"),
        (server.ask(ROOMS, "DELETE", "/v1/rooms/default").outcome(), 409, "only_room"),
        (get("/v1/rooms?limit=0"), 400, "invalid_limit"),
        (get("/v1/rooms?limit=x"), 400, "invalid_query"),
        (get("/v1/rooms/no%20room"), 404, "unknown_room"),
        (get("/v1/nothing"), 404, "unknown_path"),
        (server.ask(READ, "PUT", "/v1/status").outcome(), 405, "unknown_method"),
    ];
    for (outcome, status, code) in outcomes {
        assert_eq!(outcome, (status, code.to_owned()));
    }
}
