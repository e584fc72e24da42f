use std::io::Read as _;

use super::http::Request;
use super::{AdminServer, line_with};
use crate::server::PATIENCE;

fn health(server: &AdminServer, path: &str) -> (u16, String) {
    let response = Request::new("GET", path).send(server.address);
    (response.status, response.body)
}

#[test]
fn server_that_accepts_players_is_live_and_ready_for_clients_without_a_token() {
    let server = AdminServer::start();
    assert_eq!(health(&server, "/livez"), (200, "live\n".to_owned()));
    assert_eq!(health(&server, "/healthz"), (200, "live\n".to_owned()));
    assert_eq!(health(&server, "/readyz"), (200, "ready\n".to_owned()));
}

#[test]
fn draining_server_is_live_but_not_ready() {
    let mut server = AdminServer::with(|command| {
        command.env("MP_SHUTDOWN__DRAIN_TIMEOUT", PATIENCE.as_secs().to_string());
    });
    let player = super::peers::join(&server);
    server.server.signal("TERM");
    line_with(&mut server.log, "waiting for players to leave");
    assert_eq!(health(&server, "/readyz"), (503, "draining\n".to_owned()));
    assert_eq!(health(&server, "/livez").0, 200);
    drop(player);
    assert_eq!(server.server.wait().code(), Some(0));
}

#[test]
fn server_without_memory_for_players_is_not_ready() {
    let server = AdminServer::with(|command| {
        command.env("MP_LIMITS__MAX_MEMORY", "1");
    });
    loop {
        match health(&server, "/readyz") {
            (200, _) => std::thread::sleep(std::time::Duration::from_millis(50)),
            not_ready => return assert_eq!(not_ready, (503, "out of memory\n".to_owned())),
        }
    }
}

#[test]
fn stopping_server_does_not_wait_for_idle_clients() {
    let mut server = AdminServer::start();
    let mut idle = std::net::TcpStream::connect(server.address).unwrap();
    assert_eq!(health(&server, "/livez").0, 200);
    assert_eq!(server.server.terminate(), Some(0));
    assert_eq!(idle.read(&mut [0]).unwrap_or_default(), 0);
}
