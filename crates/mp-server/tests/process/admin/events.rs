use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::http::Request;
use super::{ALL, AdminServer, READ};
use crate::players::RawPlayer;

/// A viewer.
struct Viewer(BufReader<TcpStream>);

impl Viewer {
    fn open(server: &AdminServer) -> Self {
        let stream = Request::new("GET", "/v1/events").token(READ).open(server.address);
        let mut viewer = Self(BufReader::new(stream));
        viewer.line_with("HTTP/1.1 200");
        viewer.line_with("content-type: text/event-stream");
        viewer
    }

    fn line_with(&mut self, part: &str) -> String {
        super::line_with(&mut self.0, part)
    }

    /// Waits for an event. Returns its data.
    fn next(&mut self, event: &str) -> Value {
        self.line_with(&format!("event: {event}"));
        let mut data = String::new();
        self.0.read_line(&mut data).unwrap();
        serde_json::from_str(data.trim_start_matches("data: ")).unwrap()
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
