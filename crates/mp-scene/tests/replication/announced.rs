//! The net ids and states in a SPAWN apply only to the synchronizers of the announced node.

use std::time::Duration;

use mp_scene::prelude::*;
use mp_scene::replication::ReplicationError;
use mp_scene::testing::Lan;

use crate::early::{LATER, carry, is_spawn, pair_of, receive};
use crate::game::{SERVER, signals, unit};

#[derive(Default)]
struct Part(i64);

impl Node for Part {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("value", |part: &mut Self| &mut part.0)
    }
}

fn sync(name: &str) -> Instance {
    Instance::new(name, MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:value")))
}

/// A scene with a nested part, whose synchronizer enters the tree first.
fn tank() -> PackedScene {
    PackedScene::new("res://tank.tscn", || {
        let turret = Instance::new("Turret", Part::default()).child(sync("Sync"));
        Instance::new("Tank", Part::default()).child(turret).child(sync("Sync"))
    })
}

/// Returns a game that uses `scene` for the tanks that other peers announce.
fn game(scene: &PackedScene) -> BranchBuilder {
    let scene = scene.clone();
    Branch::builder("/root/Game").tick_rate(1_000).setup(move |tree| {
        tree.add("Tanks", Group)?;
        tree.add("Spawner", MultiplayerSpawner::new("../Tanks").with_scene(&scene))
    })
}

fn set(lan: &mut Lan, path: &str, value: i64) {
    let part = lan.scene(SERVER).node::<Part>(path).unwrap();
    lan.scene(SERVER).get_mut(part).unwrap().0 = value;
}

fn values(lan: &mut Lan, peer: PeerId) -> [i64; 2] {
    ["Tanks/Tank", "Tanks/Tank/Turret"].map(|path| {
        let part = lan.scene(peer).node::<Part>(path).unwrap();
        lan.scene(peer).get(part).unwrap().0
    })
}

fn add_tank(lan: &mut Lan) {
    lan.scene(SERVER).add_instance("Tanks", tank().instantiate()).unwrap();
    set(lan, "Tanks/Tank", 7);
    set(lan, "Tanks/Tank/Turret", 300);
}

#[test]
fn nested_synchronizer_takes_no_net_id_and_no_state_of_the_announced_node() {
    let mut lan = Lan::new(game(&tank())).unwrap();
    let client = lan.join(game(&tank())).unwrap();
    lan.settle();
    add_tank(&mut lan);
    lan.step();
    lan.step_peer(client);
    assert_eq!(values(&mut lan, client), [7, 0], "the announced value must be applied");
    lan.settle();
    assert_eq!(values(&mut lan, client), [7, 300]);
    set(&mut lan, "Tanks/Tank", 8);
    set(&mut lan, "Tanks/Tank/Turret", 400);
    lan.settle();
    let late = lan.join(game(&tank())).unwrap();
    lan.settle();
    for peer in [client, late] {
        assert_eq!(values(&mut lan, peer), [8, 400], "{peer}");
        let stats = lan.scene(peer).stats();
        assert_eq!(
            (stats.old_syncs, stats.refused_elements, stats.refused_announcements),
            (0, 0, 0)
        );
    }
}

/// Returns the client's errors if it uses `scene` for the tank, and its number of refused
/// announcements.
fn mismatch(scene: &PackedScene) -> (Vec<String>, u64) {
    let mut lan = Lan::new(game(&tank())).unwrap();
    let client = lan.join(game(scene)).unwrap();
    lan.settle();
    add_tank(&mut lan);
    lan.settle();
    let failed = |signal| match signal {
        Signal::ReplicationFailed(error) => match *error {
            ReplicationError::Announcement { node, announced, found, .. } => {
                Some(format!("{node}: {announced} announced, {found} found"))
            }
            other => panic!("{other}"),
        },
        _ => None,
    };
    let failures = signals(&mut lan, client).into_iter().filter_map(failed).collect();
    (failures, lan.scene(client).stats().refused_announcements)
}

#[test]
fn an_announcement_with_too_many_synchronizers_fails_with_both_counts() {
    let bare = PackedScene::new("res://tank.tscn", || {
        let turret = Instance::new("Turret", Part::default()).child(sync("Sync"));
        Instance::new("Tank", Part::default()).child(turret)
    });
    assert_eq!(mismatch(&bare), (vec!["Tanks/Tank: 1 announced, 0 found".to_owned()], 1));
}

#[test]
fn an_announcement_with_too_few_synchronizers_fails_with_both_counts() {
    let twice = PackedScene::new("res://tank.tscn", || {
        let root = Instance::new("Tank", Part::default());
        root.child(sync("Sync")).child(sync("Another")).child(Instance::new("Turret", Group))
    });
    assert_eq!(mismatch(&twice), (vec!["Tanks/Tank: 1 announced, 2 found".to_owned()], 1));
}

#[test]
fn an_announced_synchronizer_under_another_authority_fails_with_both_counts() {
    let foreign = PackedScene::new("res://tank.tscn", || {
        let turret = Instance::new("Turret", Part::default()).child(sync("Sync"));
        let foreign = sync("Sync").authority(PeerId::new(2).unwrap());
        Instance::new("Tank", Part::default()).child(turret).child(foreign)
    });
    assert_eq!(mismatch(&foreign), (vec!["Tanks/Tank: 1 announced, 0 found".to_owned()], 1));
}

/// A ship whose setter adds a gun with its own synchronizer, and whose spawner announces the nodes
/// on its deck.
#[derive(Default)]
struct Ship {
    is_armed: bool,
    ammo: i64,
}

impl Node for Ship {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("ammo", |ship: &mut Self| &mut ship.ammo)
            .property_with_setter(
                "is_armed",
                |ship: &mut Self| &mut ship.is_armed,
                |ship: &mut Self, cx: &mut SetterContext<'_>, is_armed: bool| {
                    ship.is_armed = is_armed;
                    if is_armed {
                        let ammo = ReplicationConfig::new().on_change(".:ammo");
                        let gun = MultiplayerSynchronizer::new(ammo);
                        let ship = cx.node_id();
                        cx.add_instance(ship, Instance::new("Gun", gun)).unwrap();
                    }
                },
            )
    }
}

fn ship() -> PackedScene {
    PackedScene::new("res://ship.tscn", || {
        let config = ReplicationConfig::new().spawn(".:is_armed");
        Instance::new("Ship", Ship::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
            .child(Instance::new("Deck", Group))
            .child(Instance::new("Spawner", MultiplayerSpawner::new("../Deck").with_scene(&unit())))
    })
}

fn fleet() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|tree| {
        tree.add("Sea", Group)?;
        tree.add("Spawner", MultiplayerSpawner::new("../Sea").with_scene(&ship()))
    })
}

#[test]
fn spawn_that_releases_another_one_keeps_its_net_ids() {
    let (mut server, mut client) = pair_of(fleet);
    let show = |server: &mut Branch, shown: bool| {
        for path in ["Sea/Ship/Sync", "Sea/Ship/Gun"] {
            let sync = server.scene().node::<MultiplayerSynchronizer>(path).unwrap();
            server.scene().get_mut(sync).unwrap().set_public_visibility(shown);
        }
    };
    let at = |ticks| LATER + ticks * Duration::from_millis(1);
    let ship = server.scene().add_instance("Sea", ship().instantiate()).unwrap();
    server.scene().set_property(ship, "is_armed", true).unwrap();
    server.scene().add_instance("Sea/Ship/Deck", unit().instantiate()).unwrap();
    carry(&mut server, &mut client, at(0), |_| true);
    carry(&mut client, &mut server, at(0), |_| true);
    assert!(client.scene().find("Sea/Ship/Deck/Unit").is_ok());
    show(&mut server, false);
    carry(&mut server, &mut client, at(1), |_| true);
    assert!(client.scene().find("Sea/Ship").is_err());

    // The SPAWN of the unit is received first, and is deferred until that of the ship.
    show(&mut server, true);
    let late = carry(&mut server, &mut client, at(2), |packet| !is_spawn(packet));
    assert_eq!(late.len(), 2);
    late.iter().rev().for_each(|packet| receive(&mut client, packet));
    assert!(client.scene().find("Sea/Ship/Deck/Unit").is_ok());

    let ship = server.scene().node::<Ship>("Sea/Ship").unwrap();
    server.scene().get_mut(ship).unwrap().ammo = 7;
    carry(&mut server, &mut client, at(3), |_| true);
    let ship = client.scene().node::<Ship>("Sea/Ship").unwrap();
    assert_eq!(client.scene().get(ship).unwrap().ammo, 7);
}
