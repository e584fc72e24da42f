//! Steps that the recordings describe in words.

use std::rc::Rc;

use mp_core::ConnectionStatus;
use mp_core::variant::{Dictionary, Object, Vector2};
use mp_scene::prelude::*;
use mp_scene::replication::VisibilityUpdateMode;
use serde_json::{Value, json};

use crate::vectors::entities::{Child, Entity, scene};
use crate::vectors::world::peer_id;
use crate::{Play, VOLATILE};

impl Play {
    pub(crate) fn take_spawn_step(&mut self, text: &str) -> Option<Value> {
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

    pub(crate) fn take_visibility_step(&mut self, text: &str) -> Option<Value> {
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
                sync.add_visibility_filter(move |_, peer| {
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
            // Filters in Rust return a bool, so this one does not exist.
            text if text.starts_with("a filter that returns an int") => {
                let sync = self.sync(1, "Ents/f/Sync");
                sync.add_visibility_filter(|_, _| false);
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

    pub(crate) fn take_static_step(&mut self, text: &str) -> Option<Value> {
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

    pub(crate) fn take_malformed_step(&mut self, text: &str) -> Option<Value> {
        match text {
            "watch signals at 2" => self.sync(2, "Ents/e/Sync").set_signals(true),
            "entities at 2" => return Some(json!({"names": self.children(2, "Ents")})),
            "at 2: hp, tag, pos, extra of e" => {
                let Entity { hp, tag, extra, .. } = self.entity(2, "e");
                return Some(json!({"hp": hp, "tag": tag, "extra": extra.to_string()}));
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

    pub(crate) fn take_other_step(&mut self, text: &str) -> Option<Value> {
        match text {
            "peer 1: add a node of a scene that is not in the list" => {
                self.world.scene(1).add("Ents/other", Group).unwrap();
                self.settle(1);
            }
            // Godot generates a name for the node.
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
                    let spawner = MultiplayerSpawner::new("../Ents2").with_scene(&ent);
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
            // Godot creates its objects in the order in which nodes enter in mp.
            "peer 1: create z,m,a,t,b, add t,a,z,b,m" => {
                for name in ["z", "m", "a", "t", "b"] {
                    self.add(1, "ent", name, |_| {});
                }
            }
            "peer 1: move b to be the first child, free a" => self.free(1, "Ents/a"),
            "peer 1: e.extra = [1, 2], then appended in place" => {
                self.entity(1, "e").extra = Array::from([1, 2]).into();
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

    /// Runs a step in which a peer connects or disconnects.
    pub(crate) fn take_ending_step(&mut self, text: &str) -> Option<Value> {
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
