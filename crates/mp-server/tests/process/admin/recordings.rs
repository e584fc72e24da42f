use std::fs;
use std::io::Write as _;
use std::path::Path;

use mp_core::host::SystemClock;
use mp_server::replay_recording;
use serde_json::{Value, json};

use super::{AdminServer, PEERS, READ, ROOMS};
use crate::players::RawPlayer;
use crate::server::PATIENCE;

fn server(folder: &Path, settings: &str) -> AdminServer {
    let directory = folder.join("recordings");
    AdminServer::configured(&format!("[template.default]\nrecord = {directory:?}\n{settings}"))
}

fn list(server: &AdminServer) -> Vec<Value> {
    let response = server.ask(READ, "GET", "/v1/recordings");
    assert_eq!(response.status, 200);
    response.json()["recordings"].as_array().unwrap().clone()
}

/// Lets `player` send until the list of recordings satisfies `condition`.
fn until(
    server: &AdminServer,
    player: &mut RawPlayer,
    condition: impl Fn(&[Value]) -> bool,
) -> Vec<Value> {
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    loop {
        // A binary frame, masked with zeros, with a raw packet.
        player.stream.write_all(&[0x82, 0x82, 0, 0, 0, 0, 3, b'a']).unwrap();
        player.ping();
        let list = list(server);
        if condition(&list) {
            return list;
        }
        assert!(clock.now() < limit, "{list:?}");
    }
}

#[test]
fn operator_starts_and_stops_the_recording_of_a_room_that_has_players() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), "record_on_demand = true\n");
    let mut player = RawPlayer::join(server.server.ws);
    player.ping();
    assert_eq!(list(&server), [] as [Value; 0]);
    let path = "/v1/rooms/default/recording";
    assert_eq!(server.ask(PEERS, "POST", path).status, 403);
    let refused = server.ask(ROOMS, "DELETE", path);
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not_recorded")));
    assert_eq!(server.ask(ROOMS, "POST", path).status, 204);
    let again = server.ask(ROOMS, "POST", path);
    assert_eq!((again.status, &again.json()["code"]), (409, &json!("recorded")));
    // A packet of the player is a turn, with which the recording begins. A block has a second.
    let recordings = until(&server, &mut player, |list| {
        list.iter().any(|it| it["state"] == "recording" && it["seconds"].as_u64() > Some(0))
    });
    assert_eq!((recordings.len(), &recordings[0]["room"]), (1, &json!("default")));
    assert_eq!(recordings[0].get("kept_minutes"), None);
    assert_eq!(server.ask(ROOMS, "DELETE", path).status, 204);
    let recordings = until(&server, &mut player, |list| list[0]["state"] == "stopped");
    let file = recordings[0]["file"].as_str().unwrap();
    let replayed = replay_recording(fs::File::open(file).unwrap()).unwrap();
    assert!(replayed.difference.is_none() && replayed.end.is_some(), "{replayed:?}");
    assert!(replayed.turns > 2, "{replayed:?}");
    assert_eq!(server.ask(ROOMS, "POST", path).status, 204, "another one");
    assert_eq!(server.ask(ROOMS, "POST", "/v1/rooms/none/recording").status, 404);
}

#[test]
fn rooms_are_listed_that_are_recorded_from_their_start() {
    let folder = tempfile::tempdir().unwrap();
    let server = server(folder.path(), "record_minutes = 5\n");
    let mut player = RawPlayer::join(server.server.ws);
    let recordings = until(&server, &mut player, |list| !list.is_empty());
    assert_eq!(recordings[0]["kept_minutes"], 5);
    assert_eq!(recordings[0]["state"], "recording");

    let server = AdminServer::start();
    let refused = server.ask(ROOMS, "POST", "/v1/rooms/default/recording");
    assert_eq!((refused.status, &refused.json()["code"]), (409, &json!("not_recordable")));
}
