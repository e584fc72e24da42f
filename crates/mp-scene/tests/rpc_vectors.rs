//! All RPC scenarios recorded from Godot 4.6.3, with mp in the place of each peer.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod vectors;

use mp_core::variant::{FullObject, Object};
use mp_core::{ConnectionStatus, Target};
use mp_scene::GodotQuirks;
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use mp_scene::tree::NodeTree;
use serde_json::Value;
use vectors::nodes::{Event, config, script};
use vectors::world::{World, mode, peer_id, unhex};
use vectors::{Deviations, Report, recorded_packets, rewrite_packets, scenarios};

#[path = "variant/corpus.rs"]
#[allow(dead_code, reason = "it serves several tests")]
mod corpus;

/// Steps that deviate, each with its row of `docs/DEVIATIONS.md`.
const DEVIATIONS: Deviations<'static> = &[
    // "`rpc_config` without `rpc_mode`": `m_a` in the recording has none, and is not part of the
    // checksum.
    ("config_oddities", "peer 1: rpc target=2 node=A method=m_b"),
    // "Sending without a peer, and with a peer that has lost its session".
    ("misuse_return_codes", "peer 1: no multiplayer peer; rpc_id(2, B_upper) on A"),
];

#[test]
fn every_recorded_rpc_scenario_runs_as_in_godot() {
    let mut report = Report::new(DEVIATIONS);
    let scenarios = scenarios("rpc.json");
    for scenario in &scenarios {
        run(scenario, &mut report);
    }
    assert_eq!((scenarios.len(), report.steps), (26, 268));
    assert!(report.packets > 180, "{} packets", report.packets);
    report.finish();
}

#[test]
fn every_recorded_packet_is_decoded_and_encoded_to_the_same_bytes() {
    let limits = Limits { full_objects: Some(|_| true), ..Limits::default() };
    assert_eq!(rewrite_packets("rpc.json", Objects::Full, &limits), 189);
}

fn run(scenario: &Value, report: &mut Report<'_>) {
    let name = scenario["name"].as_str().unwrap();
    let mut world = set_up(name, &scenario["setup"]);
    for step in scenario["steps"].as_array().unwrap() {
        let text = step["do"].as_str().unwrap();
        let at = format!("{name}: {text}");
        let error = take_step(&mut world, name, text, &step["op"]);
        report.steps += 1;

        let (sent, events) = (world.take_sent(), world.take_events());
        report.packets += sent.len();
        if report.deviates(name, text) {
            continue;
        }
        report.compare(&at, "returned", &error, &step["returns"]["error"].as_i64());
        report.compare_sent(&at, sent, recorded_packets(step));
        report.compare(&at, "did", &events, &recorded_events(step));
    }
}

fn set_up(name: &str, setup: &Value) -> World {
    let peers: Vec<_> =
        setup["peers"].as_array().unwrap().iter().map(|id| id.as_i64().unwrap() as i32).collect();
    let mut world = World::new(peers.iter().copied(), true);
    for &peer in &peers {
        world.scene(peer).multiplayer_mut().set_quirks(GodotQuirks::ALL);
        if name == "two_and_four_byte_node_ids" {
            add_many_nodes(&mut world, peer);
            continue;
        }
        for (path, node) in setup["nodes"].as_object().unwrap() {
            let node = node.get(format!("peer {peer}")).unwrap_or(node);
            let is_plain = node.as_str() == Some("plain node");
            let table =
                if is_plain { RpcTable::new() } else { script(node["script"].as_str().unwrap()) };
            let id = world.add(peer, path, table);
            for (method, json) in node["node_rpc_config"].as_object().into_iter().flatten() {
                let tree = world.scene(peer).tree_mut();
                match config(json) {
                    Some(config) => tree.rpc_config(id, method, Some(config)).unwrap(),
                    None => tree.rpc_stub(id, method).unwrap(),
                }
            }
        }
    }
    if name == "node_missing_at_receiver" {
        free(&mut world, 2);
    }
    if name == "malformed_calls" {
        // The peers of the recording share one tree, so a path may lead to a node of the other
        // peer.
        world.scene(2).add("../P1", Group).unwrap();
        world.add_foreign(2, "../P1", "A", script("rpc_node"));
    }
    world
}

/// Makes the changes that the recordings make between two steps without listing them.
fn swap_nodes(world: &mut World, text: &str) {
    if text.ends_with("(two parameters, one argument: sent, then the local call fails)") {
        for peer in [1, 2] {
            free(world, peer);
            world.add(peer, "A", script("fixed_local"));
        }
    }
}

/// Adds nodes N1 to N65537 on both peers. [`take_step`] makes their first calls, which the
/// recording omits.
fn add_many_nodes(world: &mut World, peer: i32) {
    for number in 1..=65_537 {
        world.add(peer, &format!("N{number}"), script("one_rpc"));
    }
}

fn take_step(world: &mut World, name: &str, text: &str, op: &Value) -> Option<i64> {
    swap_nodes(world, text);
    let number = |key: &str| op[key].as_i64().unwrap() as i32;
    match op["op"].as_str() {
        Some("link") => {
            for pair in op["pairs"].as_array().unwrap() {
                let id = |at: usize| pair[at].as_i64().unwrap() as i32;
                world.link(id(0), id(1));
            }
            settle(world);
            if name == "two_and_four_byte_node_ids" {
                call_many_nodes(world);
            }
            None
        }
        Some("poll") => {
            for id in op["peers"].as_array().unwrap() {
                world.poll(id.as_i64().unwrap() as i32);
            }
            None
        }
        Some("rpc") => {
            let args = op["args"].as_array().unwrap().iter().map(from_json).collect();
            let (peer, method) = (number("peer"), op["method"].as_str().unwrap());
            Some(call(world, peer, number("target"), op["node"].as_str().unwrap(), method, args))
        }
        Some("inject") => {
            let mode = mode(op["mode"].as_str().unwrap());
            let channel = Channel(number("channel") as u8);
            let bytes = unhex(op["hex"].as_str().unwrap());
            world.receive(number("to"), number("from"), mode, channel, bytes);
            None
        }
        Some("reconnect") => {
            world.unlink(1, 2);
            world.close(2);
            world.open(2, ConnectionStatus::Connecting, true);
            None
        }
        Some(unknown) => panic!("{name}: unknown op {unknown:?}"),
        None => take_described_step(world, name, text),
    }
}

/// Polls all peers twice after linking, as the recordings do without listing it.
fn settle(world: &mut World) {
    let (sent, events) = (world.take_sent(), world.take_events());
    for _ in 0..2 {
        for peer in world.ids() {
            world.poll(peer);
        }
    }
    world.take_sent();
    *world.log.borrow_mut() = events;
    world.put_sent(sent);
}

/// Makes the first call of each of the many nodes, and delivers the confirmations.
fn call_many_nodes(world: &mut World) {
    let recorded = world.take_events();
    for number in 1..=65_537 {
        call(world, 1, 2, &format!("N{number}"), "b_any_remote", vec![]);
    }
    world.poll(2);
    world.poll(1);
    world.take_sent();
    *world.log.borrow_mut() = recorded;
}

#[test]
fn an_rpc_config_always_has_a_mode() {
    let mut world = World::new([1].into_iter(), true);
    let node = world.add(1, "A", script("plain"));
    let tree = world.scene(1).tree_mut();
    tree.rpc_stub(node, "m_a").unwrap();
    tree.rpc_config(node, "m_b", Some(RpcConfig::disabled())).unwrap();
    let ids = tree.rpc_ids(node).unwrap();
    // MD5 of "m_am_b": a stub counts, since it stands for a method of the remote peer.
    assert_eq!(ids.checksum(), b"8d482caa4be5d42a352734adab9d685c");
    assert_eq!(ids.by_name("m_b").unwrap().0, 0x8001);
    assert_eq!((ids.by_id(0x8000), ids.by_name("m_a")), (None, None));
}

#[test]
fn no_peer_and_no_session_are_the_same() {
    let mut world = World::new([1].into_iter(), true);
    let node = world.add(1, "A", script("rpc_node"));
    world.close(1);
    let outcome = world.scene(1).rpc_id(peer_id(2), node, "B_upper", ());
    assert_eq!(outcome, Err(mp_scene::RpcError::NotConnected));
}

/// Runs a step that the recording describes in words.
fn take_described_step(world: &mut World, name: &str, text: &str) -> Option<i64> {
    let a = |world: &mut World, peer: i32| world.scene(peer).find("A").unwrap();
    let authority = |world: &mut World, peer: i32| {
        let node = a(world, peer);
        world.scene(peer).tree_mut().set_multiplayer_authority(node, peer_id(2), true).unwrap();
    };
    match text {
        "the held packets arrive at 2" => {}
        "peer 1: authority of A set to 2 (only here)" => authority(world, 1),
        "peer 2: authority of A set to 2" => authority(world, 2),
        "node A appears at peer 2" | "peer 2 adds a new A" => {
            world.add(2, "A", script("rpc_node"));
        }
        "peer 2 frees A" => free(world, 2),
        "peer 1 frees A and adds a new A" => {
            free(world, 1);
            world.add(1, "A", script("rpc_node"));
        }
        // In mp a node that is added again is a new node, and Godot handles it like one here.
        "peer 1 takes A out of the tree and puts it back (same object)" => {
            free(world, 1);
            world.add(1, "A", script("rpc_node"));
        }
        "peer 1 renames A to A2 (same object, stays in the tree)" => {
            let node = a(world, 1);
            world.scene(1).tree_mut().rename(node, "A2").unwrap();
        }
        "both peers: rpc_config(m_a, null) and a new method config on A after first use" => {
            for peer in [1, 2] {
                let node = a(world, peer);
                let tree = world.scene(peer).tree_mut();
                tree.rpc_config(node, "m_a", None).unwrap();
                tree.rpc_config(node, "lg", Some(RpcConfig::any_peer())).unwrap();
            }
        }
        "peer 1: allow_object_decoding = true" => allow_objects(world, 1),
        "peer 2: allow_object_decoding = true" => allow_objects(world, 2),
        other => return take_misuse_step(world, name, other),
    }
    None
}

fn take_misuse_step(world: &mut World, name: &str, text: &str) -> Option<i64> {
    if text.starts_with("peer 1: SceneMultiplayer.rpc(2, node /root/Outside") {
        for peer in [1, 2] {
            world.add_foreign(peer, "..", "Outside", script("rpc_node"));
        }
        return Some(call(world, 1, 2, "../Outside", "B_upper", vec![]));
    }
    match text {
        "peer 1: transport status connecting" => {
            world.close(1);
            world.open(1, ConnectionStatus::Connecting, true);
            None
        }
        "peer 1: transport status disconnected" => {
            world.close(1);
            world.take_events();
            None
        }
        // Without a transport mp is not connected: there is no third state.
        "peer 1: no multiplayer peer; rpc_id(2, B_upper) on A" => {
            Some(call(world, 1, 2, "A", "B_upper", vec![1.into()]))
        }
        "a node outside the tree; rpc_id(2, B_upper)" => {
            let gone = world.add(1, "Gone", script("rpc_node"));
            world.scene(1).remove(gone).unwrap();
            Some(code(world.scene(1).rpc_id(peer_id(2), gone, "B_upper", (1,))))
        }
        // In Rust a call can only name a node.
        "SceneMultiplayer.rpc(2, <not a node>, ...) with an OfflineMultiplayerPeer" => {
            world.go_offline(1);
            world.add(1, "A", script("rpc_node"));
            Some(31)
        }
        "OfflineMultiplayerPeer: rpc (target 0) of a call_local method" => {
            Some(call(world, 1, 0, "A", "b_any_local", vec![1.into()]))
        }
        "OfflineMultiplayerPeer: rpc_id(2)" => {
            Some(call(world, 1, 2, "A", "B_upper", vec![1.into()]))
        }
        unknown => panic!("{name}: unknown step {unknown:?}"),
    }
}

/// Makes a call and collects the packets. Returns Godot's code for the outcome.
fn call(
    world: &mut World,
    peer: i32,
    target: i32,
    path: &str,
    method: &str,
    args: Vec<Variant>,
) -> i64 {
    let scene = world.scene(peer);
    let node = scene.tree().find(path).unwrap_or_else(|| panic!("peer {peer} has no {path}"));
    let outcome = scene.rpc_id(Target::from_raw(target), node, method, args);
    world.collect(peer);
    code(outcome)
}

fn code(outcome: Result<(), mp_scene::RpcError>) -> i64 {
    outcome.err().map_or(0, |error| i64::from(error.godot_code()))
}

fn free(world: &mut World, peer: i32) {
    let scene = world.scene(peer);
    let node = scene.find("A").unwrap();
    scene.remove(node).unwrap();
}

fn allow_objects(world: &mut World, peer: i32) {
    world.scene(peer).multiplayer_mut().set_allow_object_decoding(true);
}

/// Converts a value of the recording. Its only objects are new `RefCounted`s, whose only property
/// is the null script.
fn from_json(json: &Value) -> Variant {
    let Some(class) = json["value"]["class"].as_str() else { return corpus::value_of(json) };
    let properties = vec![("script".into(), Variant::Nil)];
    Variant::Object(Object::Full(FullObject { class: class.into(), properties }.into()))
}

/// Returns the events of a step, without the errors that Godot logged.
fn recorded_events(step: &Value) -> Vec<Event> {
    let events = step["events"].as_array().unwrap().iter();
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events
        .filter(|event| event["event"] != "engine_error")
        .map(|event| {
            let peer = event["peer"].as_i64().unwrap() as i32;
            let args = event["args"].as_array().unwrap().iter();
            if event["event"] == "call" {
                let sender = event["sender"].as_i64().unwrap() as i32;
                let (node, method) = (text(event, "node"), text(event, "method"));
                Event::Call { peer, node, method, args: args.map(from_json).collect(), sender }
            } else {
                let args = args.map(|arg| arg.as_i64().unwrap() as i32).collect();
                Event::Signal { peer, name: text(event, "event"), args }
            }
        })
        .collect()
}
