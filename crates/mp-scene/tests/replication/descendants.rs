//! Nodes without an announcement of their own, below an announced node that can be hidden.

use mp_scene::RpcError;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use crate::game::*;

fn synchronizer() -> Instance {
    let config = ReplicationConfig::new().always(".:position").on_change(".:hp");
    Instance::new("Sync", MultiplayerSynchronizer::new(config))
}

/// A soldier whose synchronizer controls its visibility, with a gun that has a synchronizer and a
/// bag that has none.
fn soldier() -> PackedScene {
    PackedScene::new("res://soldier.tscn", || {
        Instance::new("Soldier", Unit::default())
            .child(synchronizer())
            .child(Instance::new("Gun", Unit::default()).child(synchronizer()))
            .child(Instance::new("Bag", Unit::default()))
            .child(Instance::new("Pets", Group))
            .child(Instance::new("Spawner", MultiplayerSpawner::new("../Pets").with_scene(&pet())))
    })
}

/// A node without a synchronizer, with a collar.
fn pet() -> PackedScene {
    PackedScene::new("res://pet.tscn", || {
        Instance::new("Pet", Unit::default()).child(Instance::new("Collar", Unit::default()))
    })
}

/// A field for soldiers of the server and one for those of client 2, and a tower that is part of
/// the scene.
fn field() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        for (name, owner) in [("Units", 1), ("Guests", 2)] {
            scene.add(name, Group)?;
            let spawner = MultiplayerSpawner::new(&format!("../{name}")).with_scene(&soldier());
            let spawner = scene.add(&format!("{name}Spawner"), spawner)?;
            let owner = PeerId::new(owner).unwrap();
            scene.tree_mut().set_multiplayer_authority(spawner, owner, false)?;
        }
        let sync = || MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
        let bell = Instance::new("Bell", Unit::default()).child(Instance::new("Sync", sync()));
        let tower = Instance::new("Tower", Unit::default());
        let tower = tower.child(Instance::new("Sync", sync())).child(bell);
        scene.add_instance(".", tower)
    })
}

/// Returns a server with a soldier that is hidden from the second of two clients.
fn ambush() -> (Lan, [PeerId; 2]) {
    let mut lan = Lan::new(field()).unwrap();
    let clients = [0, 1].map(|_| lan.join(field()).unwrap());
    lan.settle();
    lan.scene(SERVER).add_instance("Units", soldier().instantiate()).unwrap();
    hide_from(&mut lan, SERVER, "Units/Soldier/Sync", clients[1]);
    lan.settle();
    (lan, clients)
}

/// Hides a synchronizer of `side` from `peer` only.
fn hide_from(lan: &mut Lan, side: PeerId, path: &str, peer: PeerId) {
    let others: Vec<_> = lan.scene(side).peers().into_iter().filter(|&it| it != peer).collect();
    let sync = sync_of(lan, side, path);
    sync.set_public_visibility(false);
    sync.set_visibility_for(peer, false);
    others.into_iter().for_each(|other| sync.set_visibility_for(other, true));
}

fn unit_of<'l>(lan: &'l mut Lan, peer: PeerId, path: &str) -> &'l mut Unit {
    let scene = lan.scene(peer);
    let node = scene.find(path).unwrap();
    scene.get_mut(NodeRef::new(node)).unwrap()
}

/// Calls the node at `path` of `side` on all other peers, and on `blind` only.
fn poke(lan: &mut Lan, side: PeerId, path: &str, blind: PeerId) -> Result<(), RpcError> {
    let scene = lan.scene(side);
    let node = scene.find(path).unwrap();
    scene.rpc(node, "poke", ()).unwrap();
    scene.rpc_id(blind, node, "poke", ())
}

/// Returns the number of packets that `peer` receives while `side` changes its nodes at `paths`
/// repeatedly.
fn received(lan: &mut Lan, peer: PeerId, side: PeerId, paths: &[&str]) -> u64 {
    let before = lan.scene(peer).stats().packets_received;
    for hp in 1..20 {
        for path in paths {
            unit_of(lan, side, path).hp = hp;
        }
        lan.step();
    }
    lan.settle();
    lan.scene(peer).stats().packets_received - before
}

#[test]
fn calls_below_a_hidden_node_are_sent_only_to_peers_that_have_it() {
    let (mut lan, [viewer, blind]) = ambush();
    lan.scene(SERVER).add_instance("Units/Soldier/Pets", pet().instantiate()).unwrap();
    lan.settle();
    let before = lan.scene(blind).stats().packets_received;
    for node in ["Bag", "Gun", "Pets/Pet", "Pets/Pet/Collar"] {
        let path = format!("Units/Soldier/{node}");
        assert_eq!(poke(&mut lan, SERVER, &path, blind), Err(RpcError::NotVisible(blind)));
        lan.settle();
        assert_eq!(unit_of(&mut lan, viewer, &path).poked, [1], "{node}");
    }
    assert_eq!(lan.scene(blind).stats().packets_received, before, "no path may be announced");
}

#[test]
fn relayed_calls_reach_only_peers_that_have_the_enclosing_node() {
    let (mut lan, [owner, blind]) = ambush();
    lan.scene(owner).add_instance("Guests", soldier().instantiate()).unwrap();
    let sync = lan.scene(owner).find("Guests/Soldier/Sync").unwrap();
    lan.scene(owner).tree_mut().set_multiplayer_authority(sync, owner, false).unwrap();
    hide_from(&mut lan, owner, "Guests/Soldier/Sync", blind);
    lan.settle();
    let before = lan.scene(blind).stats().packets_received;
    let bag = "Guests/Soldier/Bag";
    assert_eq!(poke(&mut lan, owner, bag, blind), Err(RpcError::NotVisible(blind)));
    lan.settle();
    assert_eq!(unit_of(&mut lan, SERVER, bag).poked, [owner.get()]);
    assert_eq!(lan.scene(blind).stats().packets_received, before);
}

#[test]
fn gun_is_not_sent_to_peers_from_which_its_soldier_is_hidden() {
    let (mut lan, [_, blind]) = ambush();
    let gun = "Units/Soldier/Gun";
    for round in 1..4 {
        assert_eq!(received(&mut lan, blind, SERVER, &[gun, "Units/Soldier"]), 0);
        let sync = sync_of(&mut lan, SERVER, "Units/Soldier/Sync");
        sync.set_visibility_for(blind, true);
        lan.settle();
        assert_eq!(unit_of(&mut lan, blind, gun).hp, 19, "shown {round} times");
        unit_of(&mut lan, SERVER, gun).hp = 7;
        lan.settle();
        assert_eq!(unit_of(&mut lan, blind, gun).hp, 7);
        sync_of(&mut lan, SERVER, "Units/Soldier/Sync").set_visibility_for(blind, false);
        lan.settle();
    }
    assert_eq!(lan.scene(blind).stats().refused_elements, 0);
}

#[test]
fn moved_gun_has_the_visibility_of_its_new_holder() {
    let (mut lan, clients) = ambush();
    let [_, blind] = clients;
    for (from, to) in [("Units/Soldier", "."), (".", "Units/Soldier")] {
        for side in [SERVER, clients[0], blind] {
            let scene = lan.scene(side);
            let (Ok(gun), Ok(to)) = (scene.find(&format!("{from}/Gun")), scene.find(to)) else {
                continue;
            };
            scene.tree_mut().reparent(gun, to).unwrap();
        }
        if to == "." {
            // A peer that does not see the soldier is sent the gun when it lies on the ground.
            let gun = Instance::new("Gun", Unit::default()).child(synchronizer());
            lan.scene(blind).add_instance(".", gun).unwrap();
            lan.settle();
            assert!(received(&mut lan, blind, SERVER, &["Gun"]) > 0);
            assert_eq!(unit_of(&mut lan, blind, "Gun").hp, 19);
            assert_eq!(poke(&mut lan, SERVER, "Gun", blind), Ok(()));
        } else {
            lan.settle();
            let gun = "Units/Soldier/Gun";
            assert_eq!(received(&mut lan, blind, SERVER, &[gun]), 0);
            assert_eq!(unit_of(&mut lan, clients[0], gun).hp, 19);
            assert_eq!(poke(&mut lan, SERVER, gun, blind), Err(RpcError::NotVisible(blind)));
        }
        lan.settle();
    }
}

#[test]
fn a_hidden_node_that_is_part_of_the_scene_hides_only_itself() {
    let (mut lan, [_, blind]) = ambush();
    hide_from(&mut lan, SERVER, "Tower/Sync", blind);
    lan.settle();
    assert_eq!(poke(&mut lan, SERVER, "Tower", blind), Err(RpcError::NotVisible(blind)));
    assert_eq!(poke(&mut lan, SERVER, "Tower/Bell", blind), Ok(()));
    unit_of(&mut lan, SERVER, "Tower").hp = 5;
    unit_of(&mut lan, SERVER, "Tower/Bell").hp = 6;
    lan.settle();
    assert_eq!(unit_of(&mut lan, blind, "Tower/Bell").poked, [1, 1]);
    let seen = ["Tower", "Tower/Bell"].map(|path| unit_of(&mut lan, blind, path).hp);
    assert_eq!(seen, [0, 6]);
}

#[test]
fn synchronizer_with_a_root_below_a_hidden_node_is_not_sent() {
    let (mut lan, [viewer, blind]) = ambush();
    for side in [SERVER, blind, viewer] {
        let config = ReplicationConfig::new().on_change(".:hp");
        let sync = MultiplayerSynchronizer::new(config).with_root_path("../Units/Soldier/Bag");
        lan.scene(side).add("Scope", sync).unwrap();
    }
    assert_eq!(received(&mut lan, blind, SERVER, &["Units/Soldier/Bag"]), 0);
    assert_eq!(unit_of(&mut lan, viewer, "Units/Soldier/Bag").hp, 19);
}
