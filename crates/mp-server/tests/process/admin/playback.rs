//! The playback of a recording by an operator, as a client that watches it sees it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mp_actor::BranchRef;
use mp_core::host::SystemClock;
use mp_scene::BuildError;
use mp_scene::prelude::*;
use serde_json::{Value, json};

use super::ctl::{error, ok};
use super::http::Request;
use super::{ALL, AdminServer, READ, ROOMS, tokens};
use crate::players::join;
use crate::server::{FREE_PORTS, PATIENCE, Server, command};

#[derive(Default)]
struct Counter {
    value: i64,
}

impl Node for Counter {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("value", |counter: &mut Self| &mut counter.value)
    }
}

/// Builds a client whose node `Counter` is synchronized by its authority, peer 1.
fn game() -> Result<Branch, BuildError> {
    let config = ReplicationConfig::new().on_change(".:value");
    let sync = Instance::new("Sync", MultiplayerSynchronizer::new(config));
    let counter = Instance::new("Counter", Counter::default()).child(sync);
    Branch::builder("/root").tick_rate(100).setup(|scene| scene.add_instance(".", counter)).build()
}

/// Returns the counter of a client.
fn counter(scene: &mut Scene) -> &mut Counter {
    let node = scene.find("Counter").unwrap();
    scene.get_mut(NodeRef::<Counter>::new(node)).unwrap()
}

/// Waits until the client has this value.
async fn until_value(client: &BranchRef, expected: i64) {
    let clock = SystemClock::new();
    let limit = clock.now() + PATIENCE;
    loop {
        let value = client.with(|scene| counter(scene).value).await.unwrap();
        if value == expected {
            return;
        }
        assert!(clock.now() < limit, "{value} in place of {expected}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A recording of a game of two players, the host of which has set its counter to 1 and to 2.
struct Recorded {
    file: PathBuf,
    /// Times in the recording at which the counter is 1, and 2.
    times: [Duration; 2],
}

fn recorded(folder: &Path) -> Recorded {
    let directory = folder.join("recordings");
    let config = format!("[template.default]\nrecord = {directory:?}\nhost = \"first\"\n");
    let settings = folder.join("mp-server.toml");
    std::fs::write(&settings, config).unwrap();
    let clock = SystemClock::new();
    let earliest = clock.now();
    let mut server =
        Server::of(command().args(FREE_PORTS).arg("--config").arg(settings).stderr(Stdio::null()));
    let times = actix::System::new().block_on(async {
        let host = join(server.enet, game).await;
        // The recording began after `earliest`, and before `latest`.
        let latest = clock.now();
        let uncertainty = latest - earliest;
        let guest = join(server.enet, game).await;
        let set = |value| {
            host.with(move |scene| {
                let (id, node) = (scene.unique_id(), scene.find("Counter").unwrap());
                scene.tree_mut().set_multiplayer_authority(node, id, true).unwrap();
                counter(scene).value = value;
            })
        };
        let mut times = [Duration::ZERO; 2];
        for (time, value) in times.iter_mut().zip([1, 2]) {
            set(value).await.unwrap();
            until_value(&guest, value).await;
            *time = clock.now() - earliest;
            // At this time of the recording, whenever it has begun, the counter has the value.
            tokio::time::sleep(2 * uncertainty).await;
        }
        times
    });
    assert_eq!(server.terminate(), Some(0));
    let files = std::fs::read_dir(&directory).unwrap();
    let [file] = &files.map(|file| file.unwrap().path()).collect::<Vec<_>>()[..] else {
        panic!("one recording")
    };
    Recorded { file: file.clone(), times }
}

/// Starts a server that shows a recording.
fn watch(file: &Path) -> AdminServer {
    let mut command = command();
    command.arg("watch").arg(file).args(FREE_PORTS).stdin(Stdio::null());
    command.env("MP_ADMIN__TOKENS", tokens()).env("MP_ADMIN__ADDRESS", "127.0.0.1:0");
    AdminServer::of(command)
}

const PATH: &str = "/v1/rooms/default/playback";

fn playback(server: &AdminServer) -> Value {
    let response = server.ask(READ, "GET", PATH);
    assert_eq!(response.status, 200);
    response.json()
}

#[test]
fn operator_pauses_seeks_and_speeds_up_what_a_watcher_sees() {
    let folder = tempfile::tempdir().unwrap();
    let Recorded { file, times: [one, two] } = recorded(folder.path());
    let server = watch(&file);
    actix::System::new().block_on(async {
        let watcher = join(server.enet(), game).await;
        for (time, value) in [(one, 1), (two, 2), (one, 1)] {
            let time = time.as_secs_f64().to_string();
            let shown = ok(&server, &["watch", "default", "--pause", "--seek", &time]);
            assert!(shown.contains("paused"), "{shown}");
            until_value(&watcher, value).await;
        }
        let paused = playback(&server);
        assert_eq!((&paused["paused"], &paused["seeking"]), (&json!(true), &json!(false)));
        let position = paused["position_seconds"].as_f64().unwrap();
        assert!((position - one.as_secs_f64()).abs() < 1e-6, "{paused}");

        let change = Request::new("PATCH", PATH).token(ROOMS);
        let response = change.json(&json!({"paused": false, "speed": 50})).send(server.address);
        assert_eq!((response.status, &response.json()["speed"]), (200, &json!(50.0)));
        until_value(&watcher, 2).await;
        let clock = SystemClock::new();
        let limit = clock.now() + PATIENCE;
        while playback(&server)["ended"] != true {
            assert!(clock.now() < limit, "{}", playback(&server));
        }
        assert!(ok(&server, &["watch", "default"]).contains("ended"));
    });
}

#[test]
fn playback_of_other_rooms_and_invalid_changes_are_refused() {
    let server = AdminServer::start();
    let missing = server.ask(READ, "GET", PATH);
    assert_eq!(missing.outcome(), (409, "no_recording".to_owned()));
    assert!(error(&server, ALL, &["watch", "default", "--pause"]).contains("mp-server watch"));
    let change = |body: Value| {
        Request::new("PATCH", PATH).token(READ).json(&body).send(server.address).status
    };
    assert_eq!(change(json!({"paused": true})), 403);
    let output = command().args(["ctl", "watch", "default", "--speed", "0"]).output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("is not a speed; use a number from 0.1 to 100"), "{text}");
}
