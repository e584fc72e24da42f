//! Every replication scenario recorded from Godot 4.6.3, all sides played by mp.
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod vectors;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use mp_core::variant::{Dictionary, Object, Vector2};
use mp_core::{ConnectionStatus, Target};
use mp_scene::GodotQuirks;
use mp_scene::prelude::*;
use mp_scene::replication::VisibilityUpdateMode;
use serde_json::{Value, json};
use vectors::entities::{Child, Entity, ent_config, made_of, scene, text_of};
use vectors::nodes::Event;
use vectors::world::{World, mode, peer_id, unhex};
use vectors::{Deviations, Report, recorded_packets, scenarios};

#[path = "variant/corpus.rs"]
#[allow(dead_code, reason = "it serves several tests")]
mod corpus;

/// Rows of `docs/DEVIATIONS.md`.
const DEVIATIONS: Deviations<'static> = &[
    // "Packets of headers only".
    ("packet_size_first_element", "poll 1"),
    // "A node that is taken to another parent".
    ("reparent_and_readd", "peer 1: reparent e"),
    ("reparent_and_readd", "poll"),
    // "Late joiners are told in the order of …": mp's nodes enter the tree when they are made.
    ("late_join_order", "poll 1"),
    ("nested_spawn_older_child", "transport connects 1-3"),
    ("nested_spawn_older_child", "poll 3, 1"),
    // "A synchronizer of which a property cannot be read".
    ("bad_property", "peer 1: add bad_prop named b to Ents"),
    ("bad_property", "poll 2"),
    ("bad_property", "peer 1: free b"),
    // "NaN within containers".
    ("change_detection", "poll 1 (16)"),
];

/// Steps whose bytes differ from run to run in Godot itself.
const VOLATILE: &str = "peer 1: spawn(RefCounted.new())";

#[test]
fn every_recorded_replication_scenario_comes_out_as_in_godot() {
    let mut report = Report::new(DEVIATIONS);
    let scenarios = scenarios("replication.json");
    for scenario in &scenarios {
        run(scenario, &mut report);
    }
    assert_eq!((scenarios.len(), report.steps), (34, 462));
    assert!(report.packets > 250, "{} packets", report.packets);
    report.finish();
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
        report.compare(&at, "sent", &sent, &recorded_packets(step));
        report.compare(&at, "did", &events, &recorded_events(step));
    }
}

/// A scenario while it is played.
struct Play {
    world: World,
    scenario: String,
    /// The peers that the filter of `visibility_filter` lets, and 0 for everybody.
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
            None => return self.take_told_step(text),
        }
        // The first "poll 2" is that of the beginning.
        if self.scenario.starts_with("sync_time_wrap") && text == "poll 2" {
            self.scenario.push('+');
            if self.scenario == "sync_time_wrap++" {
                self.let_time_wrap();
            }
        }
        None
    }

    /// The recording polls the server 65532 times, once, without a word.
    fn let_time_wrap(&mut self) {
        let (sent, events) = (self.world.take_sent(), self.world.take_events());
        // The confirmation arrives with the first of them.
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

    /// What the program did is told now, as in Godot.
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

    /// Spawns out of data; the name of what came of it, or that nothing did.
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

    /// The state of an entity at the peers that the recording asks.
    fn state(&mut self, text: &str, recorded: &Value) -> Value {
        let name = text.strip_prefix("state of ").unwrap().strip_suffix(" at each").unwrap();
        let mut state = serde_json::Map::new();
        for id in recorded.as_object().unwrap().keys() {
            let peer = id.parse().unwrap();
            let Entity { hp, tag, pos, once, extra, .. } = self.entity(peer, name);
            let (hp, once, pos) = (*hp, *once, [f64::from(pos.x), f64::from(pos.y)]);
            let (tag, extra) = (tag.clone(), text_of(extra));
            let value = json!({"hp": hp, "tag": tag, "pos": pos, "once": once, "extra": extra});
            state.insert(id.clone(), value);
        }
        Value::Object(state)
    }

    /// Steps that the recording describes in words.
    fn take_told_step(&mut self, text: &str) -> Option<Value> {
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

impl Play {
    fn take_spawn_step(&mut self, text: &str) -> Option<Value> {
        Some(match text {
            "peer 1: spawn({\"k\": 1})" => self.spawn(1, Dictionary::from([("k", 1)])),
            "peer 1: spawn()" => self.spawn(1, Variant::Nil),
            "peer 1: spawn(true)" => self.spawn(1, true),
            "peer 1: spawn(PackedByteArray 01 02 03)" => self.spawn(1, vec![1_u8, 2, 3]),
            "peer 2: spawn(1): not the authority" => self.spawn(2, 1),
            "peer 1: spawn_limit = 5, then spawn(2)" => {
                self.change_spawner(1, |spawner| spawner.set_spawn_limit(5));
                self.spawn(1, 2)
            }
            "peer 1: spawn_function unset, spawn(2)" => {
                self.change_spawner(1, |spawner| {
                    spawner.set_spawn_limit(0);
                    spawner.clear_spawn_function();
                });
                self.spawn(1, 2)
            }
            "peer 2: spawn_function returns null" => {
                self.change_spawner(2, |spawner| spawner.set_spawn_function(|_| None));
                return None;
            }
            "peer 2: spawn_function unset" => {
                self.change_spawner(2, MultiplayerSpawner::clear_spawn_function);
                return None;
            }
            "peer 1: spawn(1)" => {
                self.spawn(1, 1);
                return None;
            }
            "peer 1: spawn(2)" => {
                self.spawn(1, 2);
                return None;
            }
            "all: a spawn function that makes an ent with authority data" => {
                for peer in self.world.ids() {
                    let ent = scene("ent", peer, &self.world.log);
                    self.change_spawner(peer, |spawner| {
                        spawner.set_spawn_function(move |data| {
                            Some(ent.instantiate().authority(PeerId::new(data.clone().to().ok()?)?))
                        });
                    });
                }
                return None;
            }
            "peer 1: spawn(2), named \"Ent\"" => self.spawn(1, 2),
            "peer 1: free it" => {
                self.free(1, "Ents/Ent");
                return None;
            }
            volatile if volatile.starts_with(VOLATILE) => self.spawn(1, Object::Id(77)),
            unknown => panic!("unknown step {unknown:?}"),
        })
    }

    fn take_visibility_step(&mut self, text: &str) -> Option<Value> {
        let two = peer_id(2);
        let allowed = Rc::clone(&self.allowed);
        match text {
            "peer 1: set_visibility_for(2, true)" | "peer 1: set_visibility_for(2, true) again" => {
                self.sync(1, "Ents/hid/Sync").set_visibility_for(two, true);
            }
            "peer 1: set_visibility_for(2, false)" => {
                self.sync(1, "Ents/hid/Sync").set_visibility_for(two, false);
            }
            "peer 1: rpc_id(3) of hit on the entity it cannot see" => {
                return Some(self.hit(1, "Ents/hid", 3, 1));
            }
            "peer 1: rpc (all) of hit" => return Some(self.hit(1, "Ents/hid", 0, 2)),
            "peer 1: public_visibility = true" => {
                self.sync(1, "Ents/hid/Sync").set_public_visibility(true);
            }
            "peer 1: public_visibility = false (2 keeps it: still listed)" => {
                let sync = self.sync(1, "Ents/hid/Sync");
                sync.set_public_visibility(false);
                let returned = json!({
                    "for2": sync.visibility_for(two), "for3": sync.visibility_for(peer_id(3)),
                });
                self.settle(1);
                return Some(returned);
            }
            "peer 1: set_visibility_for(9, true) for an unknown peer" => {
                self.sync(1, "Ents/hid/Sync").set_visibility_for(peer_id(9), true);
            }
            "peer 1: set_visibility_for(1, true) for itself" => {
                self.sync(1, "Ents/hid/Sync").set_visibility_for(PeerId::SERVER, true);
            }
            text if text.starts_with("peer 1: add ent \"f\" whose Sync has a filter") => {
                let log = self.world.log.clone();
                let instance = scene("ent", 1, &log).instantiate().named("f");
                self.world.scene(1).add_instance("Ents", instance).unwrap();
                let sync = self.sync(1, "Ents/f/Sync");
                sync.set_visibility_update_mode(VisibilityUpdateMode::None);
                sync.add_visibility_filter(move |peer| {
                    allowed.borrow().contains(&peer.map_or(0, PeerId::get))
                });
            }
            "allow 3, update_visibility(3)" => {
                allowed.borrow_mut().insert(3);
                self.sync(1, "Ents/f/Sync").update_visibility(Some(peer_id(3)));
            }
            "allow 2, update_visibility(0)" => {
                allowed.borrow_mut().insert(2);
                self.sync(1, "Ents/f/Sync").update_visibility(None);
            }
            text if text.starts_with("allow 0 too, disallow 3") => {
                allowed.borrow_mut().insert(0);
                allowed.borrow_mut().remove(&3);
                self.sync(1, "Ents/f/Sync").update_visibility(None);
            }
            "disallow 0, update_visibility(0)" => {
                allowed.borrow_mut().remove(&0);
                self.sync(1, "Ents/f/Sync").update_visibility(None);
            }
            // There is no such filter in Rust: it says yes or no.
            text if text.starts_with("a filter that returns an int") => {
                let sync = self.sync(1, "Ents/f/Sync");
                sync.add_visibility_filter(|_| false);
                sync.update_visibility(Some(two));
            }
            text if text.starts_with("peer 1: add two_sync \"w\" with S1 public, S2 not") => {
                let log = self.world.log.clone();
                let instance = scene("two_sync", 1, &log).instantiate().named("w");
                self.world.scene(1).add_instance("Ents", instance).unwrap();
                self.sync(1, "Ents/w/S2").set_public_visibility(false);
            }
            "peer 1: S2.set_visibility_for(2, true)" => {
                self.sync(1, "Ents/w/S2").set_visibility_for(two, true);
            }
            "peer 1: S1.public_visibility = false" => {
                self.sync(1, "Ents/w/S1").set_public_visibility(false);
            }
            "peer 1: S2.set_visibility_for(2, false)" => {
                self.sync(1, "Ents/w/S2").set_visibility_for(two, false);
            }
            unknown => panic!("unknown step {unknown:?}"),
        }
        self.settle(1);
        None
    }

    fn take_static_step(&mut self, text: &str) -> Option<Value> {
        match text {
            "peer 1: St.tag = \"z\"" => self.entity(1, "St").tag = "z".into(),
            text if text.starts_with("peer 1: St.tag = \"q\"") => {
                self.entity(1, "St").tag = "q".into();
            }
            "peer 1: St.tag = \"r\" (too early)" => self.entity(1, "St").tag = "r".into(),
            "authority of St and Sync becomes 1 everywhere" => {
                for peer in self.world.ids() {
                    let scene = self.world.scene(peer);
                    let node = scene.find("St").unwrap();
                    let tree = scene.tree_mut();
                    tree.set_multiplayer_authority(node, PeerId::SERVER, true).unwrap();
                    self.settle(peer);
                }
            }
            "peer 1: St/Sync.public_visibility = false, visible for 2" => {
                let sync = self.sync(1, "St/Sync");
                sync.set_public_visibility(false);
                sync.set_visibility_for(peer_id(2), true);
                self.settle(1);
            }
            "peer 1: rpc_id(3) of hit" => return Some(self.hit(1, "St", 3, 1)),
            "peer 1: rpc of hit to all" => return Some(self.hit(1, "St", 0, 2)),
            text if text.starts_with("peer 1: set_visibility_for(2, false); rpc of hit") => {
                self.sync(1, "St/Sync").set_visibility_for(peer_id(2), false);
                return Some(self.hit(1, "St", 0, 3));
            }
            text if text.starts_with("peer 3: rpc_id(1) of hit") => {
                return Some(self.hit(3, "St", 1, 4));
            }
            unknown => panic!("unknown step {unknown:?}"),
        }
        None
    }

    fn take_malformed_step(&mut self, text: &str) -> Option<Value> {
        match text {
            "watch signals at 2" => self.sync(2, "Ents/e/Sync").set_signals(true),
            "entities at 2" => return Some(json!({"names": self.children(2, "Ents")})),
            "at 2: hp, tag, pos, extra of e" => {
                let Entity { hp, tag, extra, .. } = self.entity(2, "e");
                return Some(json!({"hp": hp, "tag": tag, "extra": text_of(extra)}));
            }
            "authority of Sync of e at 2 becomes 2" => self.set_authority(2, "Ents/e/Sync", 2),
            "authority of Spawner at 2 becomes 2" => self.set_authority(2, "Spawner", 2),
            unknown => panic!("unknown step {unknown:?}"),
        }
        self.settle(2);
        None
    }

    fn set_authority(&mut self, peer: i32, path: &str, authority: i32) {
        let scene = self.world.scene(peer);
        let node = scene.find(path).unwrap();
        scene.tree_mut().set_multiplayer_authority(node, peer_id(authority), true).unwrap();
    }

    fn take_other_step(&mut self, text: &str) -> Option<Value> {
        match text {
            "peer 1: add a node of a scene that is not in the list" => {
                self.world.scene(1).add("Ents/other", Group).unwrap();
                self.settle(1);
            }
            // Godot finds a name for it.
            "peer 1: add a plain with an auto-generated name (refused)" => {
                self.add(1, "plain", "Plain", |_| {});
            }
            text if text.starts_with("peer 1: add a plain with add_child(node, true)") => {
                self.add(1, "plain", "Plain2", |_| {});
            }
            "watch signals at 2" => {
                let syncs = ["Ents/e/Sync", "Ents/w/S1", "Ents/w/S2"];
                for path in syncs {
                    if self.world.scene(2).find(path).is_ok() {
                        self.sync(2, path).set_signals(true);
                    }
                }
                self.settle(2);
            }
            "peer 1: Child.process_priority = 77, pos.x = 3.5" => {
                let scene = self.world.scene(1);
                let child: NodeRef<Child> = NodeRef::new(scene.find("Ents/w/Child").unwrap());
                scene.get_mut(child).unwrap().process_priority = 77;
                self.entity(1, "w").pos.x = 3.5;
            }
            "at 2: Child.process_priority, pos" => {
                let scene = self.world.scene(2);
                let child: NodeRef<Child> = NodeRef::new(scene.find("Ents/w/Child").unwrap());
                let priority = scene.get(child).unwrap().process_priority;
                let Vector2 { x, y } = self.entity(2, "w").pos;
                return Some(json!({"pp": priority, "pos": [f64::from(x), f64::from(y)]}));
            }
            "spawn_limit = 1 on both" => {
                for peer in [1, 2] {
                    self.change_spawner(peer, |spawner| spawner.set_spawn_limit(1));
                }
            }
            "entities at 2" => return Some(json!({"n": self.children(2, "Ents").len()})),
            "peer 1: max_sync_packet_size = 128, max_delta_packet_size = 128" => {
                let multiplayer = self.world.scene(1).multiplayer_mut();
                multiplayer.set_max_sync_packet_size(128).unwrap();
                multiplayer.set_max_delta_packet_size(128).unwrap();
            }
            text if text.starts_with("peer 1: both limits 128; add two_sync \"w\"") => {
                let multiplayer = self.world.scene(1).multiplayer_mut();
                multiplayer.set_max_sync_packet_size(128).unwrap();
                multiplayer.set_max_delta_packet_size(128).unwrap();
                let log = self.world.log.clone();
                let instance = scene("two_sync", 1, &log).instantiate().named("w");
                self.world.scene(1).add_instance("Ents", instance).unwrap();
                self.entity(1, "w").tag = "y".repeat(112);
                self.sync(1, "Ents/w/S1").set_public_visibility(false);
                self.settle(1);
            }
            "both: a second spawn parent Ents2 with Spawner2" => {
                for peer in [1, 2] {
                    let ent = scene("ent", peer, &self.world.log);
                    let scene = self.world.scene(peer);
                    scene.add("Ents2", Group).unwrap();
                    let spawner = MultiplayerSpawner::new("../Ents2").scene(&ent);
                    scene.add("Spawner2", spawner).unwrap();
                    self.settle(peer);
                }
            }
            "peer 1: reparent e to Ents2" => self.reparent("Ents/e", "Ents2"),
            "peer 1: reparent e back to Ents" => self.reparent("Ents2/e", "Ents"),
            text if text.starts_with("peer 1: e.name = \"renamed\"") => {
                let scene = self.world.scene(1);
                let node = scene.find("Ents/e").unwrap();
                scene.tree_mut().rename(node, "renamed").unwrap();
                self.settle(1);
            }
            "peer 1: take e out, request_ready(), put it back" => {
                self.free(1, "Ents/e");
                self.add(1, "ent", "e", |_| {});
            }
            "peer 1: free Spawner" => {
                self.free(1, "Spawner");
                return Some(json!({"children": self.children(1, "Ents")}));
            }
            // The order in which Godot's objects are made is that in which mp's nodes enter.
            "peer 1: create z,m,a,t,b, add t,a,z,b,m" => {
                for name in ["z", "m", "a", "t", "b"] {
                    self.add(1, "ent", name, |_| {});
                }
            }
            "peer 1: move b to be the first child, free a" => self.free(1, "Ents/a"),
            "peer 1: e.extra = [1, 2], then appended in place" => {
                self.entity(1, "e").extra = mp_core::variant::Array::from([1, 2]).into();
            }
            "peer 1: e.extra.append(3) in place" => {
                if let Variant::Array(array) = &mut self.entity(1, "e").extra {
                    array.push(3).unwrap();
                }
            }
            "peer 1: add ent e and call hit(5) on all" => {
                let log = self.world.log.clone();
                let instance = scene("ent", 1, &log).instantiate().named("e");
                self.world.scene(1).add_instance("Ents", instance).unwrap();
                return Some(self.hit(1, "Ents/e", 0, 5));
            }
            "peer 2: hit(6) on the server" => return Some(self.hit(2, "Ents/e", 1, 6)),
            "peer 1: rpc of hit on b to all" => return Some(self.hit(1, "Ents/b", 0, 1)),
            "peer 1: create a plain, then add nest n, whose _ready adds that plain as kid" => {
                self.add(1, "nest", "n", |_| {});
            }
            "authority of Spawner = 2 on all" => {
                for peer in self.world.ids() {
                    self.set_authority(peer, "Spawner", 2);
                    self.settle(peer);
                }
            }
            text => return self.take_ending_step(text),
        }
        None
    }

    /// Peers that come and go.
    fn take_ending_step(&mut self, text: &str) -> Option<Value> {
        match text {
            "transport reports 2 again at the server (late joiner)" => self.world.link_at(1, 2),
            text if text.starts_with("transport reports 2 gone at the server") => {
                self.world.unlink(1, 2);
                if self.scenario == "client_authority_spawner" {
                    assert_eq!(self.children(1, "Ents"), ["s"]);
                    return None;
                }
            }
            text if text.starts_with("transport reports 1 gone at 2") => {
                self.world.unlink(2, 1);
                assert!(self.children(2, "Ents").is_empty());
                return None;
            }
            "poll 3" => {
                self.world.poll(3);
                assert!(self.children(3, "Ents").is_empty());
                return None;
            }
            "transport of 2 disconnected" => self.world.close_at_next_poll(2),
            "poll 2" => {
                self.world.poll(2);
                assert!(self.children(2, "Ents").is_empty());
                return None;
            }
            "peer 1: multiplayer_peer = null and back, then 2 connects again" => {
                self.world.close(1);
                self.world.open(1, ConnectionStatus::Connected, true);
                self.world.lose_inbox(2);
                self.world.open(2, ConnectionStatus::Connecting, true);
                self.world.link_at(1, 2);
                self.world.link_at(2, 1);
            }
            unknown => panic!("unknown step {unknown:?}"),
        }
        if self.scenario != "order_after_removal" {
            return None;
        }
        let peers: Vec<_> = self.world.scene(1).peers().into_iter().map(PeerId::get).collect();
        Some(json!({"peers": peers}))
    }

    fn reparent(&mut self, path: &str, parent: &str) {
        let scene = self.world.scene(1);
        let (node, parent) = (scene.find(path).unwrap(), scene.find(parent).unwrap());
        scene.tree_mut().reparent(node, parent).unwrap();
        self.settle(1);
    }
}

/// `Ents` and `Spawner`, as the recordings' `world()` makes them.
fn add_spawner(world: &mut World, peer: i32, setup: &Value) {
    let log = world.log.clone();
    let mut spawner = MultiplayerSpawner::new("../Ents");
    let scenes = &setup["tree_of_each_peer"]["Spawner"]["spawnable_scenes"];
    for name in scenes.as_array().unwrap() {
        spawner.add_spawnable_scene(scene(name.as_str().unwrap(), peer, &log));
    }
    spawner.set_spawn_function(move |data| {
        let (what, node) = ("spawn_function".to_owned(), String::new());
        log.borrow_mut().push(Event::Told { peer, what, node });
        Some(made_of(data, peer, &log))
    });
    let scene = world.scene(peer);
    scene.add("Ents", Group).unwrap();
    scene.add("Spawner", spawner).unwrap();
    scene.flush_changes();
}

/// `St`, an entity that everybody has.
fn add_static(world: &mut World, peer: i32, setup: &Value) {
    let seconds = |key: &str| Duration::from_secs_f64(setup[key].as_f64().unwrap());
    let authority = setup["authority_of_St_and_Sync"].as_i64().unwrap() as i32;
    let sync = MultiplayerSynchronizer::new(ent_config())
        .replication_interval(seconds("replication_interval"))
        .delta_interval(seconds("delta_interval"))
        .signals();
    let log = world.log.clone();
    let node = scene("plain", peer, &log).instantiate().named("St");
    let node = node.child(Instance::new("Sync", sync)).authority(peer_id(authority));
    world.scene(peer).add_instance(".", node).unwrap();
    world.scene(peer).flush_changes();
}

/// `{ "hp": 250, "tag": "hello" }` as properties.
fn set_from_text(entity: &mut Entity, text: &str) {
    let set: Value = serde_json::from_str(text).expect("GDScript writes it like JSON");
    for (property, value) in set.as_object().unwrap() {
        match property.as_str() {
            "hp" => entity.hp = value.as_i64().unwrap(),
            "tag" => entity.tag = value.as_str().unwrap().to_owned(),
            "once" => entity.once = value.as_i64().unwrap(),
            unknown => panic!("unknown property {unknown:?}"),
        }
    }
}

/// What was done and can be seen from outside: not the life cycle of Godot's nodes, nor how often a filter was asked.
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
                events.push(Event::Told { peer, what: what.to_owned(), node: String::new() });
            }
            told if told.contains('.') => {
                let node = args.and_then(|args| args.first()).map(text).unwrap_or_default();
                events.push(Event::Told { peer, what: what.to_owned(), node });
            }
            signal => {
                let args = args.unwrap().iter().map(|arg| arg.as_i64().unwrap() as i32).collect();
                events.push(Event::Signal { peer, name: signal.to_owned(), args });
            }
        }
    }
    events
}
