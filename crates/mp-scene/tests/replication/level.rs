//! Levels that a client loads late, while other peers announce nodes in them.

use std::time::Duration;

use mp_scene::GodotQuirks;
use mp_scene::limits::{LEVEL_BYTES_MAX, LEVEL_TIME, PATH_REPEAT_MAX};
use mp_scene::prelude::*;
use mp_scene::replication::ReplicationError;
use mp_scene::testing::Lan;

use crate::game::*;

fn level(scene: &mut Scene) -> Result<NodeId, mp_scene::TreeError> {
    scene.add("Level", Group)?;
    scene.add("Level/Units", Group)?;
    let spawner =
        MultiplayerSpawner::new("../Units").with_scene(&unit()).with_scene(&crate_scene());
    let spawner = spawner.with_spawn_function(|_| {
        let sync = MultiplayerSynchronizer::new(unit_config());
        Some(Instance::new("Made", Unit::default()).child(Instance::new("Sync", sync)))
    });
    scene.add("Level/Spawner", spawner)?;
    let sync = MultiplayerSynchronizer::new(stats_config());
    let stats = Instance::new("Stats", Stats::default()).child(Instance::new("Sync", sync));
    scene.add_instance("Level", stats)
}

/// Returns a server with a level of this many units, and a client that has joined without the
/// level.
fn late(units: usize) -> (Lan, PeerId) {
    late_with(units, GodotQuirks::default())
}

/// Like [`late`], with a client that does not defer messages for absent nodes, like Godot.
fn late_godot(units: usize) -> (Lan, PeerId) {
    late_with(units, GodotQuirks { absent_nodes: true, ..GodotQuirks::default() })
}

fn late_with(units: usize, quirks: GodotQuirks) -> (Lan, PeerId) {
    let game = || Branch::builder("/root/Game").tick_rate(60);
    let mut lan = Lan::new(game().setup(level)).unwrap();
    for number in 0..units {
        let unit = unit().instantiate().named(&format!("U{number}"));
        lan.scene(SERVER).add_instance("Level/Units", unit).unwrap();
    }
    let client = lan.join(game().quirks(quirks)).unwrap();
    (lan, client)
}

fn wait(lan: &mut Lan, time: Duration) {
    for _ in 0..time.div_duration_f64(Lan::STEP) as u32 {
        lan.step();
    }
}

/// Returns the health of the units of `peer`.
fn health(lan: &mut Lan, peer: PeerId, units: usize) -> Vec<Option<i64>> {
    let scene = lan.scene(peer);
    let unit = |number| {
        let node = scene.node::<Unit>(&format!("Level/Units/U{number}")).ok()?;
        Some(scene.get(node).unwrap().hp)
    };
    (0..units).map(unit).collect()
}

/// Changes the units repeatedly, at last to their numbers.
fn fight(lan: &mut Lan, units: usize, time: Duration) {
    for round in (0..time.div_duration_f64(Lan::STEP) as i64).rev() {
        for number in 0..units {
            let path = format!("Level/Units/U{number}");
            let node = lan.scene(SERVER).node::<Unit>(&path).unwrap();
            lan.scene(SERVER).get_mut(node).unwrap().hp = number as i64 + round;
        }
        lan.step();
    }
    lan.settle();
}

#[test]
fn units_announced_while_the_level_loads_are_added_with_their_changes() {
    for time in [Duration::from_millis(300), Duration::from_secs(5)] {
        let (mut lan, client) = late(100);
        fight(&mut lan, 100, time);
        level(lan.scene(client)).unwrap();
        lan.settle();
        let expected: Vec<_> = (0..100).map(Some).collect();
        assert_eq!(health(&mut lan, client, 100), expected, "after {time:?}");
    }
}

#[test]
fn units_spawned_and_despawned_while_the_level_loads_use_no_memory() {
    let (mut lan, client) = late(0);
    lan.settle();
    // In sum more than the limit of deferred bytes.
    let size = LEVEL_BYTES_MAX / 32;
    for number in 0..40 {
        let spawner = lan.scene(SERVER).find("Level/Spawner").unwrap();
        let data = format!("{number}{}", "x".repeat(size));
        let node = lan.scene(SERVER).spawn(spawner, data).unwrap();
        lan.step();
        if number < 39 {
            lan.scene(SERVER).remove(node).unwrap();
        }
    }
    lan.settle();
    assert_eq!(lan.scene(client).peers(), [SERVER]);
    level(lan.scene(client)).unwrap();
    lan.settle();
    assert!(lan.scene(client).find("Level/Units/Made").is_ok());
}

#[test]
fn session_ends_when_deferred_announcements_exceed_their_limit() {
    let (mut lan, client) = late(0);
    lan.settle();
    let spawner = lan.scene(SERVER).find("Level/Spawner").unwrap();
    for _ in 0..32 {
        assert_eq!(lan.scene(client).peers(), [SERVER]);
        let data = "x".repeat(LEVEL_BYTES_MAX / 32);
        lan.scene(SERVER).spawn(spawner, data).unwrap();
        lan.settle();
    }
    assert_eq!(lan.scene(client).peers(), []);
    assert!(signals(&mut lan, client).contains(&Signal::ServerDisconnected));
}

#[test]
fn messages_deferred_for_a_level_that_is_never_loaded_are_dropped_and_reported() {
    let (mut lan, client) = late(3);
    lan.settle();
    assert_eq!(lan.scene(client).stats().refused_announcements, 0);
    wait(&mut lan, LEVEL_TIME - Duration::from_secs(1));
    assert_eq!(failures(&mut lan, client), []);
    for failed in [1, 0] {
        wait(&mut lan, LEVEL_TIME * 2);
        assert!(lan.scene(client).stats().refused_announcements >= 3);
        let path = "Level/Spawner".to_owned();
        let error = ReplicationError::NoNode { path, peer: SERVER, packets: 3 };
        assert_eq!(failures(&mut lan, client), vec![error; failed]);
    }
    assert_eq!(lan.scene(client).peers(), [SERVER]);
}

/// Returns the replication errors that the program of `peer` receives.
fn failures(lan: &mut Lan, peer: PeerId) -> Vec<ReplicationError> {
    let failed = |signal| match signal {
        Signal::ReplicationFailed(error) => Some(*error),
        _ => None,
    };
    signals(lan, peer).into_iter().filter_map(failed).collect()
}

#[test]
fn expired_announcements_are_reported_once_for_each_peer() {
    let game = || Branch::builder("/root/Game").tick_rate(60);
    let mut lan = Lan::new(game()).unwrap();
    let senders = [lan.join(game()).unwrap(), lan.join(game()).unwrap()];
    lan.settle();
    for sender in senders {
        for (place, units) in [("A", 1), ("B", 3)] {
            let scene = lan.scene(sender);
            scene.add(place, Group).unwrap();
            let spawner = MultiplayerSpawner::new("..").with_scene(&unit());
            let node = scene.add(&format!("{place}/Spawner"), spawner).unwrap().id();
            scene.tree_mut().set_multiplayer_authority(node, sender, false).unwrap();
            for number in 0..units {
                let unit = unit().instantiate().named(&format!("U{number}"));
                scene.add_instance(place, unit).unwrap();
            }
        }
    }
    wait(&mut lan, LEVEL_TIME * 2);
    let report = |peer| {
        let path = "B/Spawner".to_owned();
        ReplicationError::NoNode { path, peer, packets: 4 }
    };
    assert_eq!(failures(&mut lan, SERVER), senders.map(report));
}

/// Announces the server's level, also by calls; the client loads it after `time`.
fn load_after(lan: &mut Lan, client: PeerId, time: Duration) {
    let unit = lan.scene(SERVER).find("Level/Units/U0").unwrap();
    lan.settle();
    lan.scene(SERVER).rpc(unit, "poke", ()).unwrap();
    wait(lan, time);
    level(lan.scene(client)).unwrap();
}

/// Asserts that the client has the server's state, and that calls by path id reach it.
fn assert_complete(lan: &mut Lan, client: PeerId, units: usize) {
    let stats = lan.scene(SERVER).node::<Stats>("Level/Stats").unwrap();
    lan.scene(SERVER).get_mut(stats).unwrap().a = 42;
    fight(lan, units, Duration::from_millis(100));
    let stats = lan.scene(client).node::<Stats>("Level/Stats").unwrap();
    assert_eq!(lan.scene(client).get(stats).unwrap().a, 42);
    let expected: Vec<_> = (0..units as i64).map(Some).collect();
    assert_eq!(health(lan, client, units), expected);

    let unit = lan.scene(SERVER).find("Level/Units/U0").unwrap();
    lan.scene(SERVER).rpc(unit, "poke", ()).unwrap();
    lan.settle();
    let unit = lan.scene(client).node::<Unit>("Level/Units/U0").unwrap();
    assert!(lan.scene(client).get(unit).unwrap().poked.ends_with(&[1]));
}

#[test]
fn level_loaded_late_is_synchronized_immediately() {
    for seconds in [4, 10, 100] {
        let (mut lan, client) = late(3);
        load_after(&mut lan, client, Duration::from_secs(seconds));
        lan.settle();
        assert_complete(&mut lan, client, 3);
    }
}

#[test]
fn peer_that_drops_early_spawns_receives_them_when_the_path_is_announced_again() {
    for seconds in [4, 10, 100] {
        let (mut lan, client) = late_godot(3);
        load_after(&mut lan, client, Duration::from_secs(seconds));
        wait(&mut lan, PATH_REPEAT_MAX);
        lan.settle();
        assert_complete(&mut lan, client, 3);
    }
}

#[test]
fn unit_removed_before_its_level_is_confirmed_is_despawned() {
    let (mut lan, client) = late(3);
    load_after(&mut lan, client, Duration::from_secs(4));
    lan.step_peer(client);
    let first = lan.scene(SERVER).find("Level/Units/U1").unwrap();
    lan.scene(SERVER).remove(first).unwrap();
    sync_of(&mut lan, SERVER, "Level/Units/U2/Sync").set_public_visibility(false);
    lan.settle();
    assert_eq!(health(&mut lan, client, 3), [Some(0), None, None]);

    let next = unit().instantiate().named("U1");
    let next = lan.scene(SERVER).add_instance("Level/Units", next).unwrap();
    lan.scene(SERVER).get_mut(NodeRef::<Unit>::new(next)).unwrap().hp = 7;
    lan.settle();
    assert_eq!(health(&mut lan, client, 3), [Some(0), Some(7), None]);
}

#[test]
fn nodes_within_a_node_that_is_announced_again_are_announced_again() {
    let (mut lan, client) = late_godot(1);
    let scene = lan.scene(SERVER);
    scene.add_instance("Level/Units", crate_scene().instantiate()).unwrap();
    scene.add_instance("Level/Units/Crate/Inside", unit().instantiate()).unwrap();
    load_after(&mut lan, client, Duration::from_secs(10));
    wait(&mut lan, PATH_REPEAT_MAX);
    lan.settle();
    assert!(lan.scene(client).find("Level/Units/Crate/Inside/Unit").is_ok());
}

#[test]
fn paths_are_announced_again_with_backoff_until_they_are_confirmed() {
    let (mut lan, client) = late(0);
    let received = |lan: &mut Lan| {
        let before = lan.scene(client).stats().packets_received;
        wait(lan, Duration::from_secs(100));
        lan.scene(client).stats().packets_received - before
    };
    let paths = received(&mut lan);
    assert!((10..20).contains(&paths), "{paths} announcements of one path");
    level(lan.scene(client)).unwrap();
    lan.settle();
    assert_eq!(received(&mut lan), 0);
}

#[test]
fn path_of_a_hidden_node_is_not_announced_again() {
    let (mut lan, client) = late(1);
    load_after(&mut lan, client, Duration::from_millis(100));
    lan.settle();
    lan.scene(SERVER).add("Level/Units/U0/Gun", Unit::default()).unwrap();
    let gun = lan.scene(SERVER).find("Level/Units/U0/Gun").unwrap();
    lan.scene(SERVER).rpc(gun, "poke", ()).unwrap();
    lan.settle();
    let sync = sync_of(&mut lan, SERVER, "Level/Units/U0/Sync");
    sync.set_public_visibility(false);
    lan.settle();
    let before = lan.scene(client).stats().packets_received;
    wait(&mut lan, Duration::from_secs(20));
    assert_eq!(lan.scene(client).stats().packets_received, before);
}

/// A scene that contains scenes of its own kind.
fn nest() -> PackedScene {
    PackedScene::new("res://nest.tscn", || {
        let spawner = MultiplayerSpawner::new("../In").with_scene(&nest());
        Instance::new("Nest", Group)
            .child(Instance::new("In", Group))
            .child(Instance::new("Spawner", spawner))
    })
}

#[test]
fn deeply_nested_deferred_announcements_are_received() {
    let level = |scene: &mut Scene| {
        scene.add("Level", Group)?;
        scene.add("Level/Spawner", MultiplayerSpawner::new("..").with_scene(&nest()))
    };
    let game = || Branch::builder("/root/Game").tick_rate(60);
    let mut lan = Lan::new(game().setup(level)).unwrap();
    let client = lan.join(game()).unwrap();
    lan.settle();
    let mut parent = "Level".to_owned();
    for _ in 0..400 {
        lan.scene(SERVER).add_instance(&parent, nest().instantiate()).unwrap();
        parent.push_str("/Nest/In");
        lan.step();
    }
    lan.settle();
    level(lan.scene(client)).unwrap();
    lan.settle();
    assert!(lan.scene(client).find(&parent).is_ok());
}
