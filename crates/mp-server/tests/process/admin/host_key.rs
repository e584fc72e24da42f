use mp_core::host::SystemClock;
use serde_json::json;

use super::{AdminServer, PEERS, ROOMS};
use crate::players::RawPlayer;
use crate::server::PATIENCE;

#[test]
fn host_key_of_a_room_replaces_that_of_its_template() {
    let key = "0123456789abcdef";
    let config = format!("[template.default]\nhost = \"tunnel\"\nhost_key = \"{key}\"\n");
    let server = AdminServer::configured(&config);
    let path = "/v1/rooms/default/host-key";
    assert_eq!(server.ask(PEERS, "POST", path).status, 403);
    let made = server.ask(ROOMS, "POST", path);
    let own = made.json()["key"].as_str().unwrap().to_owned();
    assert_eq!((made.status, own.len()), (201, 22));
    let join = |key: &str| RawPlayer::join_with(server.server.ws, &format!("/?token={key}"));
    assert_eq!(join(key).close_reason(), "wrong_host_key");
    // A host that has not sent its first frame yet.
    join(&own).ping();
}

#[test]
fn key_for_one_host_expires_when_the_host_has_left() {
    let server = AdminServer::configured(
        "[template.default]\nhost = \"tunnel\"\nhost_grace = 0\ndeparture_timeout = 60\n",
    );
    let path = "/v1/rooms/default/host-key";
    assert_eq!(server.ask(ROOMS, "POST", &format!("{path}?once=maybe")).status, 400);
    let made = server.ask(ROOMS, "POST", &format!("{path}?once=true"));
    let key = made.json()["key"].as_str().unwrap().to_owned();
    let join = || RawPlayer::join_with(server.server.ws, &format!("/?token={key}"));
    join().ping();
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    // The server has not noticed yet that the host has left.
    while join().is_connected() {
        assert!(clock.now() < limit, "the key does not expire");
    }
    assert_eq!(join().close_reason(), "wrong_host_key");
}

#[test]
fn room_without_a_tunnel_has_no_host_key() {
    let server = AdminServer::start();
    let refused = server.ask(ROOMS, "POST", "/v1/rooms/default/host-key");
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("no_tunnel")));
    assert_eq!(server.ask(ROOMS, "POST", "/v1/rooms/none/host-key").status, 404);
}
