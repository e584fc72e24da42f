//! All replication scenarios recorded from Godot 4.6.3, with mp in the place of each peer.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod described_steps;
#[path = "../vectors/mod.rs"]
mod vectors;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use mp_core::Target;
use mp_scene::GodotQuirks;
use mp_scene::codec::{Limits, Objects};
use mp_scene::prelude::*;
use serde_json::{Value, json};
use vectors::entities::{Entity, ent_config, made_of, scene};
use vectors::nodes::Event;
use vectors::world::{World, mode, peer_id, unhex};
use vectors::{Deviations, Report, recorded_packets, rewrite_packets, scenarios};

#[path = "../variant/corpus.rs"]
#[allow(dead_code, reason = "it serves several tests")]
mod corpus;

/// Steps that deviate, each with its row of `docs/DEVIATIONS.md`.
const DEVIATIONS: Deviations<'static> = &[
    // "Packets that contain only headers".
    ("packet_size_first_element", "poll 1"),
    // "A node that moves to another parent".
    ("reparent_and_readd", "peer 1: reparent e"),
    ("reparent_and_readd", "poll"),
    // "Order in which nodes are announced to late joiners": in mp, nodes enter the tree when they
    // are created.
    ("late_join_order", "poll 1"),
    ("nested_spawn_older_child", "transport connects 1-3"),
    ("nested_spawn_older_child", "poll 3, 1"),
    // "A synchronizer with a spawn property that cannot be read".
    ("bad_property", "peer 1: add bad_prop named b to Ents"),
    ("bad_property", "poll 2"),
    ("bad_property", "peer 1: free b"),
    // "SYNC and DELTA of a node that … whose spawner has left".
    ("spawner_leaves_tree", "poll 1"),
    // "NaN within containers".
    ("change_detection", "poll 1 (16)"),
];

/// The prefix of steps whose bytes differ between runs of Godot itself.
const VOLATILE: &str = "peer 1: spawn(RefCounted.new())";

#[test]
fn every_recorded_replication_scenario_runs_as_in_godot() {
    let mut report = Report::new(DEVIATIONS);
    let scenarios = scenarios("replication.json");
    for scenario in &scenarios {
        run(scenario, &mut report);
    }
    assert_eq!((scenarios.len(), report.steps), (34, 462));
    assert!(report.packets > 250, "{} packets", report.packets);
    report.finish();
}

#[test]
fn every_recorded_packet_is_decoded_and_encoded_to_the_same_bytes() {
    assert_eq!(rewrite_packets("replication.json", Objects::Ids, &Limits::default()), 440);
}

fn run(scenario: &Value, report: &mut Report<'_>) {
    let name = scenario["name"].as_str().unwrap();
    if matches!(name, "many_watched" | "getters_and_names") {
        return;
    }
    let mut play = Play::new(name, &scenario["setup"]);
    let mut times = BTreeMap::new();
    for step in scenario["steps"].as_array().unwrap() {
        let text = step["do"].as_str().unwrap();
        let nth = times.entry(text).and_modify(|nth| *nth += 1).or_insert(1);
        let nth = if *nth == 1 { text.to_owned() } else { format!("{text} ({nth})") };
        let at = format!("{name}: {nth}");
        let returned = play.take_step(text, step);
        report.steps += 1;

        let (sent, events) = (play.world.take_sent(), play.world.take_events());
        report.packets += sent.len();
        if text.starts_with(VOLATILE) || report.deviates(name, &nth) {
            continue;
        }
        if let Some(returned) = returned {
            report.compare(&at, "returned", &returned, &step["returns"]);
        }
        report.compare_sent(&at, sent, recorded_packets(step));
        report.compare(&at, "did", &events, &recorded_events(step));
    }
}

/// A scenario that is being run.
struct Play {
    world: World,
    scenario: String,
    /// Peers that the filter of `visibility_filter` accepts; 0 for all peers.
    allowed: Rc<RefCell<BTreeSet<i32>>>,
}

impl Play {
    fn new(name: &str, setup: &Value) -> Self {
        let peers: Vec<_> = setup["peers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|id| id.as_i64().unwrap() as i32)
            .collect();
        let mut world = World::new(peers.iter().copied(), true);
        for &peer in &peers {
            world.scene(peer).multiplayer_mut().set_quirks(GodotQuirks::ALL);
            if setup["tree_of_each_peer"]["St"].is_string() {
                add_static(&mut world, peer, setup);
            } else {
                add_spawner(&mut world, peer, setup);
            }
        }
        Self { world, scenario: name.to_owned(), allowed: Rc::default() }
    }

    fn take_step(&mut self, text: &str, step: &Value) -> Option<Value> {
        if text.starts_with("state of ") {
            return Some(self.state(text, &step["returns"]));
        }
        let op = &step["op"];
        let number = |key: &str| op[key].as_i64().unwrap() as i32;
        let word = |key: &str| op[key].as_str().unwrap();
        match op["op"].as_str() {
            Some("link") => {
                for pair in op["pairs"].as_array().unwrap() {
                    let id = |at: usize| pair[at].as_i64().unwrap() as i32;
                    self.world.link(id(0), id(1));
                }
            }
            Some("poll") => {
                for id in op["peers"].as_array().unwrap() {
                    self.world.poll(id.as_i64().unwrap() as i32);
                }
            }
            Some("add_entity") => {
                let set = text.split_once(" with ").map(|(_, set)| set.to_owned());
                self.add(number("peer"), word("scene"), word("name"), |entity| {
                    if let Some(set) = &set {
                        set_from_text(entity, set);
                    }
                });
            }
            Some("set") => {
                let value = corpus::value_of(&op["value"]);
                let entity = self.entity(number("peer"), word("entity"));
                match word("property") {
                    "hp" => entity.hp = value.to().unwrap(),
                    "tag" => entity.tag = value.to().unwrap(),
                    "pos" => entity.pos = value.to().unwrap(),
                    "extra" => entity.extra = value,
                    unknown => panic!("unknown property {unknown:?}"),
                }
            }
            Some("free") => self.free(number("peer"), &format!("Ents/{}", word("entity"))),
            Some("inject") => {
                let (mode, channel) = (mode(word("mode")), Channel(number("channel") as u8));
                let bytes = unhex(word("hex"));
                self.world.receive(number("to"), number("from"), mode, channel, bytes);
                self.world.flush(number("to"));
            }
            Some("wait_ms") => self.world.pass(Duration::from_millis(number("ms") as u64)),
            Some(unknown) => panic!("unknown op {unknown:?}"),
            None => return self.take_described_step(text),
        }
        // The first "poll 2" is part of the setup.
        if self.scenario.starts_with("sync_time_wrap") && text == "poll 2" {
            self.scenario.push('+');
            if self.scenario == "sync_time_wrap++" {
                self.let_time_wrap();
            }
        }
        None
    }

    /// Polls the server 65532 times, which the recording contains as one step.
    fn let_time_wrap(&mut self) {
        let (sent, events) = (self.world.take_sent(), self.world.take_events());
        // The confirmation is received at the first of these polls.
        for _ in 0..65_532 {
            self.world.poll(1);
            self.world.take_sent();
        }
        self.world.lose_inbox(2);
        self.world.put_sent(sent);
        *self.world.log.borrow_mut() = events;
    }

    fn add(&mut self, peer: i32, kind: &str, name: &str, change: impl FnOnce(&mut Entity)) {
        let log = self.world.log.clone();
        let instance = scene(kind, peer, &log).instantiate().named(name);
        let tree_scene = self.world.scene(peer);
        let node = tree_scene.add_instance("Ents", instance).unwrap();
        change(tree_scene.get_mut(NodeRef::new(node)).unwrap());
        if kind == "nest" && peer == 1 {
            let kid = scene("plain", peer, &log).instantiate().named("kid");
            tree_scene.add_instance(&format!("Ents/{name}/Inner"), kid).unwrap();
        }
        self.settle(peer);
    }

    /// Announces the changes of the program now, as Godot does.
    fn settle(&mut self, peer: i32) {
        self.world.scene(peer).flush_changes();
        self.world.collect(peer);
    }

    fn entity(&mut self, peer: i32, name: &str) -> &mut Entity {
        let scene = self.world.scene(peer);
        let path = if name == "St" { name.to_owned() } else { format!("Ents/{name}") };
        let node = scene.find(&path).unwrap();
        scene.get_mut(NodeRef::new(node)).unwrap()
    }

    fn sync(&mut self, peer: i32, path: &str) -> &mut MultiplayerSynchronizer {
        let scene = self.world.scene(peer);
        let node = scene.find(path).unwrap();
        scene.get_mut(NodeRef::new(node)).unwrap()
    }

    fn free(&mut self, peer: i32, path: &str) {
        let scene = self.world.scene(peer);
        let node = scene.find(path).unwrap();
        scene.remove(node).unwrap();
        self.settle(peer);
    }

    fn spawner(&mut self, peer: i32) -> NodeId {
        self.world.scene(peer).find("Spawner").unwrap()
    }

    fn change_spawner(&mut self, peer: i32, change: impl FnOnce(&mut MultiplayerSpawner)) {
        let spawner = self.spawner(peer);
        change(self.world.scene(peer).get_mut(NodeRef::new(spawner)).unwrap());
    }

    /// Spawns from data. Returns the name of the new node, or null if there is none.
    fn spawn(&mut self, peer: i32, data: impl Into<Variant>) -> Value {
        let spawner = self.spawner(peer);
        let spawned = self.world.scene(peer).spawn(spawner, data);
        self.settle(peer);
        match spawned {
            Ok(node) => json!({"name": self.world.scene(peer).tree().name(node).unwrap()}),
            Err(_) => json!({"null": true}),
        }
    }

    fn hit(&mut self, peer: i32, path: &str, target: i32, n: i64) -> Value {
        let scene = self.world.scene(peer);
        let node = scene.find(path).unwrap();
        let outcome = scene.rpc_id(Target::from_raw(target), node, "hit", (n,));
        self.world.collect(peer);
        json!({"error": outcome.err().map_or(0, |error| error.godot_code())})
    }

    fn children(&mut self, peer: i32, path: &str) -> Vec<String> {
        let scene = self.world.scene(peer);
        let node = scene.find(path).unwrap();
        let tree = scene.tree();
        tree.children(node).map(|child| tree.name(child).unwrap().to_owned()).collect()
    }

    /// Returns the state of an entity at the peers that the recording lists.
    fn state(&mut self, text: &str, recorded: &Value) -> Value {
        let name = text.strip_prefix("state of ").unwrap().strip_suffix(" at each").unwrap();
        let mut state = serde_json::Map::new();
        for id in recorded.as_object().unwrap().keys() {
            let peer = id.parse().unwrap();
            let Entity { hp, tag, pos, once, extra, .. } = self.entity(peer, name);
            let (hp, once, pos) = (*hp, *once, [f64::from(pos.x), f64::from(pos.y)]);
            let (tag, extra) = (tag.clone(), extra.to_string());
            let value = json!({"hp": hp, "tag": tag, "pos": pos, "once": once, "extra": extra});
            state.insert(id.clone(), value);
        }
        Value::Object(state)
    }

    /// Runs a step that the recording describes in words.
    fn take_described_step(&mut self, text: &str) -> Option<Value> {
        match self.scenario.clone().as_str() {
            "custom_spawn" | "spawn_function_failures" | "client_authority_entity" => {
                self.take_spawn_step(text)
            }
            name if name.starts_with("visibility") => self.take_visibility_step(text),
            name if name.starts_with("static") || name == "intervals" => {
                self.take_static_step(text)
            }
            "malformed" => self.take_malformed_step(text),
            _ => self.take_other_step(text),
        }
    }
}

/// Adds `Ents` and `Spawner`, as `world()` of the recordings does.
fn add_spawner(world: &mut World, peer: i32, setup: &Value) {
    let log = world.log.clone();
    let mut spawner = MultiplayerSpawner::new("../Ents");
    let scenes = &setup["tree_of_each_peer"]["Spawner"]["spawnable_scenes"];
    for name in scenes.as_array().unwrap() {
        spawner.add_spawnable_scene(scene(name.as_str().unwrap(), peer, &log));
    }
    spawner.set_spawn_function(move |data| {
        let (what, node) = ("spawn_function".to_owned(), String::new());
        log.borrow_mut().push(Event::Emitted { peer, what, node });
        Some(made_of(data, peer, &log))
    });
    let scene = world.scene(peer);
    scene.add("Ents", Group).unwrap();
    scene.add("Spawner", spawner).unwrap();
    scene.flush_changes();
}

/// Adds `St`, an entity that is part of the scene on all peers.
fn add_static(world: &mut World, peer: i32, setup: &Value) {
    let seconds = |key: &str| Duration::from_secs_f64(setup[key].as_f64().unwrap());
    let authority = setup["authority_of_St_and_Sync"].as_i64().unwrap() as i32;
    let sync = MultiplayerSynchronizer::new(ent_config())
        .with_replication_interval(seconds("replication_interval"))
        .with_delta_interval(seconds("delta_interval"))
        .with_signals();
    let log = world.log.clone();
    let node = scene("plain", peer, &log).instantiate().named("St");
    let node = node.child(Instance::new("Sync", sync)).authority(peer_id(authority));
    world.scene(peer).add_instance(".", node).unwrap();
    world.scene(peer).flush_changes();
}

/// Sets properties from a text such as `{ "hp": 250, "tag": "hello" }`.
fn set_from_text(entity: &mut Entity, text: &str) {
    let set: Value = serde_json::from_str(text).expect("the text is JSON");
    for (property, value) in set.as_object().unwrap() {
        match property.as_str() {
            "hp" => entity.hp = value.as_i64().unwrap(),
            "tag" => entity.tag = value.as_str().unwrap().to_owned(),
            "once" => entity.once = value.as_i64().unwrap(),
            unknown => panic!("unknown property {unknown:?}"),
        }
    }
}

/// Returns the events that are visible from outside, without the life cycle of Godot's nodes and
/// the calls of filters.
fn recorded_events(step: &Value) -> Vec<Event> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut events = Vec::new();
    for event in step["events"].as_array().unwrap() {
        let what = event["event"].as_str().unwrap();
        let peer = event["peer"].as_i64().unwrap_or_default() as i32;
        let args = event["args"].as_array();
        match what {
            "engine_error" | "filter" | "entity_enter_tree" | "entity_ready"
            | "entity_exit_tree" => {}
            "entity_rpc_hit" => {
                let args = args.unwrap();
                events.push(Event::Call {
                    peer,
                    node: text(&args[0]),
                    method: "hit".into(),
                    args: vec![args[1].as_i64().unwrap().into()],
                    sender: args[2].as_i64().unwrap() as i32,
                });
            }
            "spawn_function" => {
                events.push(Event::Emitted { peer, what: what.to_owned(), node: String::new() });
            }
            described if described.contains('.') => {
                let node = args.and_then(|args| args.first()).map(text).unwrap_or_default();
                events.push(Event::Emitted { peer, what: what.to_owned(), node });
            }
            signal => {
                let args = args.unwrap().iter().map(|arg| arg.as_i64().unwrap() as i32).collect();
                events.push(Event::Signal { peer, name: signal.to_owned(), args });
            }
        }
    }
    events
}
