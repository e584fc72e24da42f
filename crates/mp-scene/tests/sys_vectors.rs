//! All scenarios of SYS commands, relay, raw packets and authentication recorded from Godot 4.6.3,
//! with mp in the place of each peer.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod vectors;

use std::collections::BTreeMap;
use std::time::Duration;

use mp_core::{ConnectionStatus, Target};
use mp_scene::GodotQuirks;
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use serde_json::Value;
use vectors::nodes::{Event, script};
use vectors::world::{World, mode, peer_id, unhex};
use vectors::{Deviations, Report, recorded_packets, rewrite_packets, scenarios};

/// Steps that deviate, each with its row of `docs/DEVIATIONS.md`.
const DEVIATIONS: Deviations<'static> = &[
    // "ADD_PEER with the receiver's own id".
    ("sys_validation", "inject at peer 2, as if sent by 1: ADD_PEER of the client itself"),
    ("sys_validation", "get_peers() of each"),
    // "Ids that are not positive".
    ("sys_validation", "inject at peer 2, as if sent by 1: RELAY with source -1"),
    // "`disconnect_peer` of an unknown id": the transport receives no command.
    ("disconnect_peer", "peer 1: disconnect_peer(77) (unknown)"),
    // "Sending without a peer, and with a peer that has lost its session".
    ("status_changes", "without a peer: get_unique_id"),
];

/// The result of a step: an error code, or ids by peer.
type Returned = Value;

#[test]
fn every_recorded_sys_scenario_runs_as_in_godot() {
    let mut report = Report::new(DEVIATIONS);
    let mut played = 0;
    for scenario in scenarios("sys.json") {
        // Rust's types exclude spawners without a type, invalid root paths, and callbacks that
        // cannot be called.
        if !["config_misuse", "auth_callback_error"].contains(&scenario["name"].as_str().unwrap()) {
            run(&scenario, &mut report);
            played += 1;
        }
    }
    assert_eq!((played, report.steps), (17, 244));
    report.finish();
}

#[test]
fn every_recorded_packet_is_decoded_and_encoded_to_the_same_bytes() {
    assert_eq!(rewrite_packets("sys.json", Objects::Ids, &Limits::default()), 107);
}

fn run(scenario: &Value, report: &mut Report<'_>) {
    let name = scenario["name"].as_str().unwrap();
    let mut world = set_up(name, &scenario["setup"]);
    for step in scenario["steps"].as_array().unwrap() {
        let text = step["do"].as_str().unwrap();
        let at = format!("{name}: {text}");
        let returned = match step["op"]["op"].as_str() {
            Some(op) => take_step(&mut world, op, step),
            None => take_described_step(&mut world, text),
        };
        report.steps += 1;

        let (sent, events) = (world.take_sent(), world.take_events());
        let asked = world.take_disconnected();
        if report.deviates(name, text) {
            continue;
        }
        let (recorded, transport) = recorded_events(step);
        report.compare(&at, "returned", &returned, &step["returns"]);
        report.compare_sent(&at, sent, recorded_packets(step));
        report.compare(&at, "did", &events, &recorded);
        report.compare(&at, "disconnected", &asked, &transport);
    }
}

fn set_up(name: &str, setup: &Value) -> World {
    let peers = setup["peers"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap() as i32);
    let relay_supported = setup["relay_supported_by_transport"].as_bool().unwrap();
    let mut world = World::new(peers, relay_supported);
    let authenticates = setup["auth_callback"].as_str().unwrap_or_default();
    for peer in world.ids() {
        let server_relay = setup["server_relay"].as_bool().unwrap();
        let multiplayer = world.scene(peer).multiplayer_mut();
        multiplayer.set_server_relay(server_relay);
        multiplayer.set_quirks(GodotQuirks::ALL);
        let all = authenticates == "on all";
        multiplayer.set_authentication(all || authenticates == "on 1 only" && peer == 1);
        if name == "auth_timeout" {
            multiplayer.set_auth_timeout(Duration::from_millis(50));
        }
        if name == "relay_rpc" {
            world.add(peer, "A", script("rpc_node"));
        }
    }
    world
}

fn take_step(world: &mut World, op: &str, step: &Value) -> Returned {
    let op_value = &step["op"];
    let number = |key: &str| op_value[key].as_i64().unwrap() as i32;
    let bytes = || unhex(op_value["hex"].as_str().unwrap());
    let error = |code: i32| serde_json::json!({ "error": code });
    match op {
        "link" => {
            for pair in op_value["pairs"].as_array().unwrap() {
                let id = |at: usize| pair[at].as_i64().unwrap() as i32;
                world.link(id(0), id(1));
            }
        }
        "link_at" => world.link_at(number("peer"), number("new")),
        "unlink_at" if op_value["peer"].is_null() => {
            for side in [1, 2] {
                world.unlink(side, number("gone"));
            }
        }
        "unlink_at" => world.unlink(number("peer"), number("gone")),
        "poll" => {
            for id in op_value["peers"].as_array().unwrap() {
                world.poll(id.as_i64().unwrap() as i32);
            }
        }
        "wait_ms" => world.pass(Duration::from_millis(op_value["ms"].as_u64().unwrap())),
        "inject" => {
            let mode = mode(op_value["mode"].as_str().unwrap());
            let channel = Channel(number("channel") as u8);
            world.receive(number("to"), number("from"), mode, channel, bytes());
        }
        "send_bytes" => {
            let (peer, target) = (number("peer"), Target::from_raw(number("to")));
            let mode = mode(op_value["mode"].as_str().unwrap());
            let channel = Channel(number("channel") as u8);
            let sent = world.scene(peer).send_bytes(&bytes(), target, mode, channel);
            world.collect(peer);
            return error(sent.err().map_or(0, |error| error.godot_code()));
        }
        "send_auth" => {
            let (peer, to) = (number("peer"), peer_id(number("to")));
            let sent = world.scene(peer).multiplayer_mut().send_auth(to, &bytes());
            world.collect(peer);
            return error(sent.err().map_or(0, |error| error.godot_code()));
        }
        "complete_auth" => {
            let (peer, to) = (number("peer"), peer_id(number("to")));
            let done = world.scene(peer).multiplayer_mut().complete_auth(to);
            world.flush(peer);
            return error(done.err().map_or(0, |error| error.godot_code()));
        }
        "disconnect_peer" => {
            let peer = number("peer");
            world.scene(peer).multiplayer_mut().disconnect_peer(peer_id(number("id")));
            world.flush(peer);
        }
        "rpc" => {
            let peer = number("peer");
            let scene = world.scene(peer);
            let node = scene.find(op_value["node"].as_str().unwrap()).unwrap();
            let method = op_value["method"].as_str().unwrap();
            let args: Vec<_> = op_value["args"].as_array().unwrap().iter().map(value).collect();
            let called = scene.rpc_id(Target::from_raw(number("target")), node, method, args);
            world.collect(peer);
            return error(called.err().map_or(0, |error| error.godot_code()));
        }
        "get_peers" => return ids_of(world, step, |scene| scene.peers()),
        "get_authenticating_peers" => {
            return ids_of(world, step, |scene| {
                scene.multiplayer().authenticating_peers().collect()
            });
        }
        unknown => panic!("unknown op {unknown:?}"),
    }
    Value::Null
}

/// Runs a step that the recording describes in words.
fn take_described_step(world: &mut World, text: &str) -> Returned {
    let connecting = ConnectionStatus::Connecting;
    match text {
        "peer 1: transport connecting, then send_bytes(06, 2)" => {
            world.close(1);
            world.open(1, connecting, true);
            let sent =
                world.scene(1).send_bytes(&[6], peer_id(2), TransferMode::Reliable, Channel(0));
            return serde_json::json!({ "error": sent.unwrap_err().godot_code() });
        }
        "server_relay = false at peer 2" => {
            world.scene(2).multiplayer_mut().set_server_relay(false)
        }
        "server_relay = false at the server" => {
            world.scene(1).multiplayer_mut().set_server_relay(false);
        }
        "transport reports 2 gone at the server (late): ignored"
        | "transport reports 2 gone at the server" => world.unlink(1, 2),
        text if text.starts_with("peer 1: disconnect_peer(77) (unknown)") => {
            world.scene(1).multiplayer_mut().disconnect_peer(peer_id(77));
            world.flush(1);
        }
        "peer 1: disconnect_peer(3) while pending (no signal)" => {
            world.scene(1).multiplayer_mut().disconnect_peer(peer_id(3));
            world.flush(1);
        }
        "refuse_new_connections = true at 1 is handed to the transport" => {
            let multiplayer = world.scene(1).multiplayer_mut();
            multiplayer.set_refuse_new_connections(true);
            let get = multiplayer.is_refusing_new_connections();
            world.flush(1);
            assert!(world.take_refusing(), "the transport refuses connections");
            return serde_json::json!({ "get": get });
        }
        "transport of 2 goes disconnected (its peer_disconnected(1) is emitted first by real transports or not at all)"
        | "transport of 2 goes disconnected while connecting" => world.close_at_next_poll(2),
        "transport of 2 goes connecting" => world.open(2, connecting, true),
        "peer 3: clear()" => world.scene(3).multiplayer_mut().clear(),
        "peer 3: multiplayer_peer = null" | "transport of 1 disconnected" => {
            let peer = if text.starts_with("peer 3") { 3 } else { 1 };
            world.close(peer);
        }
        // A disconnected transport is not opened.
        "peer 3: assign a transport whose status is disconnected" => {
            return serde_json::json!({ "peer_is_null": true });
        }
        "without a peer: get_unique_id, get_peers, is_server, has_multiplayer_peer, send_bytes, poll, refuse_new_connections" =>
        {
            assert!(world.scene(3).peers().is_empty());
        }
        "fresh SceneMultiplayer: defaults" => return defaults(),
        "transport of 1 disconnected; disconnect_peer(2)" => {
            world.close(1);
            world.scene(1).multiplayer_mut().disconnect_peer(peer_id(2));
            world.flush(1);
        }
        "peer 2: auth_timeout = 0" => {
            world.scene(2).multiplayer_mut().set_auth_timeout(Duration::ZERO);
        }
        // A `Duration` cannot be negative; zero stays.
        "peer 2: auth_timeout = -1" => {
            let timeout = world.scene(2).multiplayer().auth_timeout().as_secs_f64();
            return serde_json::json!({ "auth_timeout": timeout });
        }
        unknown => panic!("unknown step {unknown:?}"),
    }
    Value::Null
}

/// Returns the defaults of a new SceneMultiplayer, without those of replication and of the absent
/// root path.
fn defaults() -> Value {
    let mut branch = Branch::builder("/root").build().unwrap();
    let multiplayer = branch.scene().multiplayer();
    let ids: [i32; 0] = [];
    assert_eq!(multiplayer.peers().len() + multiplayer.authenticating_peers().len(), 0);
    serde_json::json!({
        "peer_class": "OfflineMultiplayerPeer",
        "unique_id": multiplayer.unique_id().get(),
        "is_server": multiplayer.is_server(),
        "root_path": "",
        "auth_callback_null": !multiplayer.authentication(),
        "auth_timeout": multiplayer.auth_timeout().as_secs_f64(),
        "allow_object_decoding": multiplayer.is_object_decoding_allowed(),
        "refuse_new_connections": multiplayer.is_refusing_new_connections(),
        "server_relay": multiplayer.server_relay(),
        "max_sync_packet_size": 1350,
        "max_delta_packet_size": 65535,
        "peers": ids,
        "authenticating": ids,
    })
}

/// Returns a list of ids of each peer that the recording lists.
fn ids_of(world: &mut World, step: &Value, list: impl Fn(&Scene) -> Vec<PeerId>) -> Value {
    let asked = step["returns"].as_object().unwrap().keys();
    let answers: BTreeMap<_, Vec<i32>> = asked
        .map(|peer| {
            let ids = list(world.scene(peer.parse().unwrap()));
            (peer.clone(), ids.into_iter().map(PeerId::get).collect())
        })
        .collect();
    serde_json::to_value(answers).unwrap()
}

/// Converts a value of these recordings.
fn value(json: &Value) -> Variant {
    match json["type"].as_str().unwrap() {
        "int" => json["value"].as_str().unwrap().parse::<i64>().unwrap().into(),
        "String" => json["value"].as_str().unwrap().into(),
        unknown => panic!("unknown type {unknown:?}"),
    }
}

/// Returns the events of a step and the requested disconnects, without the errors that Godot
/// logged.
fn recorded_events(step: &Value) -> (Vec<Event>, Vec<(i32, i32)>) {
    let (mut done, mut disconnected) = (Vec::new(), Vec::new());
    for event in step["events"].as_array().unwrap() {
        let name = event["event"].as_str().unwrap();
        let id = |value: &Value| value.as_i64().unwrap() as i32;
        let peer = || id(&event["peer"]);
        let args = event["args"].as_array();
        match name {
            "engine_error" | "transport:set_refuse_new_connections" => {}
            "transport:disconnect_peer" => disconnected.push((peer(), id(&event["args"][0]))),
            "call" => done.push(Event::Call {
                peer: peer(),
                node: event["node"].as_str().unwrap().to_owned(),
                method: event["method"].as_str().unwrap().to_owned(),
                args: args.unwrap().iter().map(value).collect(),
                sender: id(&event["sender"]),
            }),
            "peer_packet" | "auth_callback" => done.push(Event::Bytes {
                peer: peer(),
                what: if name == "peer_packet" { "peer_packet" } else { "auth_callback" },
                from: id(&event["args"][0]),
                hex: event["args"][1].as_str().unwrap().to_owned(),
            }),
            signal => done.push(Event::Signal {
                peer: peer(),
                name: signal.to_owned(),
                args: args.unwrap().iter().map(id).collect(),
            }),
        }
    }
    (done, disconnected)
}
