use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::http::Request;
use super::{ALL, AdminServer, READ};
use crate::players::RawPlayer;

/// A viewer.
pub(super) struct Viewer(BufReader<TcpStream>);

impl Viewer {
    pub(super) fn open(server: &AdminServer) -> Self {
        Self::of(server, "/v1/events")
    }

    fn of(server: &AdminServer, path: &str) -> Self {
        let stream = Request::new("GET", path).token(READ).open(server.address);
        let mut viewer = Self(BufReader::new(stream));
        viewer.line_with("HTTP/1.1 200");
        viewer.line_with("content-type: text/event-stream");
        viewer
    }

    fn line_with(&mut self, part: &str) -> String {
        super::line_with(&mut self.0, part)
    }

    /// Waits for an event. Returns its data.
    pub(super) fn next(&mut self, event: &str) -> Value {
        serde_json::from_str(&self.next_text(event)).unwrap()
    }

    /// Waits for an event. Returns its data with a line break after each line.
    fn next_text(&mut self, event: &str) -> String {
        self.line_with(&format!("event: {event}"));
        let mut data = String::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            match line.strip_prefix("data: ") {
                Some(text) => data += text,
                None => return data,
            }
        }
    }
}

#[test]
fn viewer_receives_the_changes_of_rooms_and_the_players_who_join_and_leave() {
    let server = AdminServer::start();
    let mut viewer = Viewer::open(&server);
    let body = json!({"name": "arena"});
    Request::new("POST", "/v1/rooms").token(ALL).json(&body).send(server.address);
    let mut room = viewer.next("room");
    while room["state"] != "open" {
        room = viewer.next("room");
    }
    assert_eq!(room["name"], "arena");
    let lock = Request::new("PATCH", "/v1/rooms/arena").token(ALL);
    lock.json(&json!({"locked": true})).send(server.address);
    assert_eq!(viewer.next("room")["locked"], true);
    server.ask(ALL, "DELETE", "/v1/rooms/arena");
    assert_eq!(viewer.next("closed")["id"], room["id"]);
    let player = RawPlayer::join(server.server.ws);
    assert_eq!(viewer.next("room")["players"], 1);
    drop(player);
    assert_eq!(viewer.next("room")["players"], 0);
}

#[test]
fn viewer_of_statistics_receives_status_and_metrics_every_second() {
    let server = AdminServer::start();
    let mut viewer = Viewer::of(&server, "/v1/events?statistics=true");
    assert_eq!(viewer.next("status")["players"], 0);
    assert!(viewer.next_text("metrics").contains("mp_peers{transport=\"websocket\"} 0.0\n"));
    let _player = RawPlayer::join(server.server.ws);
    while viewer.next("status")["players"] != 1 {}
    while !viewer.next_text("metrics").contains("mp_peers{transport=\"websocket\"} 1.0\n") {}
    let names = |text: &str| {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        samples.map(|line| line.split(' ').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let metrics = Request::new("GET", "/metrics").send(server.address).body;
    assert_eq!(names(&viewer.next_text("metrics")), names(&metrics));
}

#[test]
fn viewer_of_a_room_receives_its_players_and_its_end() {
    let server = AdminServer::start();
    let mut viewer = Viewer::of(&server, "/v1/rooms/default/events");
    assert_eq!(viewer.next("room")["name"], "default");
    assert_eq!(viewer.next("peers"), json!({"peers": []}));
    let player = RawPlayer::join(server.server.ws);
    let mut page = viewer.next("peers");
    while page["peers"] == json!([]) {
        page = viewer.next("peers");
    }
    let peer = &page["peers"][0];
    assert_eq!((&peer["id"], &peer["transport"]), (&json!(player.id.get()), &json!("websocket")));
    let body = json!({"name": "other"});
    Request::new("POST", "/v1/rooms").token(ALL).json(&body).send(server.address);
    let mut viewer = Viewer::of(&server, "/v1/rooms/other/events");
    let room = viewer.next("room");
    server.ask(ALL, "DELETE", "/v1/rooms/other");
    assert_eq!(viewer.next("closed"), json!({"id": room["id"]}));
    while viewer.0.read_line(&mut String::new()).is_ok_and(|read| read > 0) {}
}

#[test]
fn viewer_of_a_relay_room_receives_its_traffic_which_ends_with_the_viewer() {
    let server = AdminServer::start();
    let nodes = || server.ask(READ, "GET", "/v1/rooms/default/nodes").json();
    assert_eq!(nodes(), json!({"relay": true, "nodes": [], "omitted": 0}));
    let mut viewer = Viewer::of(&server, "/v1/rooms/default/events");
    let sys = |nodes: &Value| {
        let kinds = nodes["traffic"]["kinds"].as_array()?.iter();
        let sys =
            kinds.filter(|kind| kind["kind"] == "sys").map(|kind| kind["packets_sent"].as_u64());
        sys.flatten().next()
    };
    assert_eq!(sys(&viewer.next("nodes")), Some(0));
    let _players = [RawPlayer::join(server.server.ws), RawPlayer::join(server.server.ws)];
    // Both are announced to each other.
    while sys(&viewer.next("nodes")) != Some(2) {}
    assert_eq!(sys(&nodes()), Some(2));
    drop(viewer);
    // The server notices the end of a connection a moment later.
    while !nodes()["traffic"].is_null() {}
    let unknown = server.ask(READ, "GET", "/v1/rooms/other/nodes");
    assert_eq!(unknown.outcome(), (404, "unknown_room".to_owned()));
}

#[test]
fn number_of_viewers_is_bounded_and_a_viewer_who_leaves_makes_place() {
    let server = AdminServer::start();
    let mut viewers: Vec<_> = (0..16).map(|_| Viewer::open(&server)).collect();
    let refused = || server.ask(READ, "GET", "/v1/events").outcome();
    assert_eq!(refused(), (503, "too_many_viewers".to_owned()));
    viewers.pop();
    // The server notices the end of a connection a moment later.
    let open = || Request::new("GET", "/v1/events").token(READ).open(server.address);
    let is_open = || {
        let mut line = String::new();
        BufReader::new(open()).read_line(&mut line).unwrap();
        line.contains("200")
    };
    while !is_open() {}
}

#[test]
fn viewers_do_not_delay_the_end_of_the_server() {
    let mut server = AdminServer::start();
    let mut viewer = Viewer::open(&server);
    assert_eq!(server.server.terminate(), Some(0));
    while viewer.0.read_line(&mut String::new()).is_ok_and(|read| read > 0) {}
}
