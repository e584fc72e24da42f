//! Errors of the program are reported immediately, with a solution.

use mp_core::{ErrorChain, NodePath};
use mp_scene::prelude::*;
use mp_scene::replication::{ReplicationConfigError, ReplicationError};
use mp_scene::testing::Lan;

use crate::game::*;

fn failures(lan: &mut Lan) -> Vec<ReplicationError> {
    let failed = |signal| match signal {
        Signal::ReplicationFailed(error) => Some(*error),
        _ => None,
    };
    signals(lan, SERVER).into_iter().filter_map(failed).collect()
}

#[test]
fn the_65th_watched_property_is_refused() {
    let mut config = ReplicationConfig::new();
    for number in 0..64 {
        let path = NodePath::from(format!(".:p{number}"));
        config.add_property(path.clone(), None).unwrap();
        config.property_set_replication_mode(&path, ReplicationMode::OnChange).unwrap();
    }
    let one_more = NodePath::from(".:p64");
    config.add_property(one_more.clone(), None).unwrap();
    let error = config.property_set_replication_mode(&one_more, ReplicationMode::OnChange);
    assert_eq!(error, Err(ReplicationConfigError::TooManyWatched(".:p64".into())));
    assert_eq!(
        error.unwrap_err().to_string(),
        "\".:p64\" would be the 65th on_change property of the config, and at most 64 are \
         allowed; move some to another synchronizer"
    );
    assert_eq!(config.property_replication_mode(&one_more), Some(ReplicationMode::Always));
}

#[test]
fn config_error_names_the_invalid_property() {
    let mut config = ReplicationConfig::new();
    let no_property = ReplicationConfigError::NoProperty("Gun".into());
    assert_eq!(config.add_property("Gun", None), Err(no_property));
    config.add_property(".:hp", None).unwrap();
    let twice = ReplicationConfigError::Duplicate(".:hp".into());
    assert_eq!(config.add_property(".:hp", None), Err(twice));
    let absent = ReplicationConfigError::NotFound(".:mp".into());
    assert_eq!(config.property_set_spawn(&".:mp".into(), true), Err(absent));
    config.add_property(".:first", Some(0)).unwrap();
    assert_eq!(config.property_index(&".:hp".into()), Some(1));
    assert!(
        config.remove_property(&".:first".into()) && !config.remove_property(&".:first".into())
    );
}

#[test]
fn state_larger_than_the_packet_size_is_refused_with_both_sizes() {
    let (mut lan, ids) = lan(1);
    let scene = lan.scene(SERVER);
    let node = scene.add_instance("Units", unit().instantiate().named("Big")).unwrap();
    let node: NodeRef<Unit> = NodeRef::new(node);
    scene.get_mut(node).unwrap().label = Replicated::new("x".repeat(70_000));
    scene.flush_changes();
    lan.settle();
    let errors = failures(&mut lan);
    let [ReplicationError::TooLarge { synchronizer, kind, len, setting, max }] = &errors[..] else {
        panic!("{errors:?}")
    };
    assert_eq!((&**synchronizer, *kind), ("Units/Big/Sync", "on_change"));
    assert_eq!((*setting, *max), ("max_delta_packet_size", 65_535));
    assert!(*len > 70_000);
    assert!(unit_at(&mut lan, ids[0], "Big").is_some(), "the node must still be announced");
}

/// A node with a text that is sent in every step.
#[derive(Default)]
struct Sign {
    text: String,
}

impl Node for Sign {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("text", |sign: &mut Self| &mut sign.text)
    }
}

#[test]
fn always_state_that_grows_is_reported_once_with_its_path_and_counted_in_every_step() {
    let game = || {
        game().setup(|scene| {
            let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:text"));
            let sign = Instance::new("Sign", Sign::default());
            scene.add_instance(".", sign.child(Instance::new("Sync", sync)))
        })
    };
    let mut lan = Lan::new(game()).unwrap();
    lan.join(game()).unwrap();
    lan.settle();
    let sign = lan.scene(SERVER).node::<Sign>("Sign").unwrap();
    lan.scene(SERVER).get_mut(sign).unwrap().text = "x".repeat(2_000);
    lan.settle();
    let errors = failures(&mut lan);
    let [error] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(
        error.to_string(),
        "Sign/Sync: its always properties take 2008 bytes, and max_sync_packet_size is 1350; raise \
         the setting, or move some properties to another synchronizer"
    );
    assert_eq!(lan.scene(SERVER).stats().oversized_states, 16);
}

#[test]
fn on_change_state_that_grows_is_reported_once_beside_always_properties() {
    let (mut lan, _) = lan(1);
    let node = add_unit(&mut lan, "U", 1);
    lan.settle();
    lan.scene(SERVER).get_mut(node).unwrap().label = Replicated::new("x".repeat(70_000));
    lan.scene(SERVER).get_mut(node).unwrap().position.x = 2.0;
    lan.settle();
    lan.settle();
    assert_eq!(failures(&mut lan).len(), 1);
    assert!(lan.scene(SERVER).stats().oversized_states > 1);
}

#[test]
fn growing_state_is_reported_once_and_sent_again_when_it_fits() {
    let (mut lan, ids) = lan(1);
    let node = add_unit(&mut lan, "U", 1);
    lan.settle();
    lan.scene(SERVER).get_mut(node).unwrap().label = Replicated::new("x".repeat(70_000));
    sync_of(&mut lan, SERVER, "Units/U/Sync").set_replication_config(unit_config());
    lan.settle();
    lan.settle();
    assert_eq!(failures(&mut lan).len(), 1);
    lan.scene(SERVER).get_mut(node).unwrap().label = Replicated::new("short".into());
    sync_of(&mut lan, SERVER, "Units/U/Sync").set_replication_config(unit_config());
    lan.settle();
    assert_eq!(failures(&mut lan), []);
    lan.scene(SERVER).get_mut(node).unwrap().hp = 3;
    lan.settle();
    assert_eq!(unit_at(&mut lan, SERVER, "U").unwrap().hp, 3);
    let _ = ids;
}

#[test]
fn missing_property_prevents_the_announcement_and_is_reported() {
    let scene_of = || {
        PackedScene::new("res://bad.tscn", || {
            let config = ReplicationConfig::new().always(".:hp").always(".:no_such_property");
            let sync = MultiplayerSynchronizer::new(config).with_public_visibility(false);
            Instance::new("Bad", Unit::default()).child(Instance::new("Sync", sync))
        })
    };
    let (mut lan, ids) = lan(1);
    for peer in [SERVER, ids[0]] {
        let scene = lan.scene(peer);
        scene.add("Bads", Group).unwrap();
        let spawner = MultiplayerSpawner::new("../Bads").with_scene(&scene_of());
        scene.add("BadSpawner", spawner).unwrap();
    }
    lan.scene(SERVER).add_instance("Bads", scene_of().instantiate()).unwrap();
    lan.settle();
    let errors = failures(&mut lan);
    assert_eq!(
        errors.iter().map(|error| ErrorChain::new(error).to_string()).collect::<Vec<_>>(),
        [concat!(
            "Bads/Bad/Sync: cannot read property \".:no_such_property\": ",
            "there is no such property"
        )]
    );
    sync_of(&mut lan, SERVER, "Bads/Bad/Sync").set_public_visibility(true);
    lan.settle();
    assert!(lan.scene(ids[0]).find("Bads/Bad").is_err());
}

#[test]
fn node_with_a_generated_name_is_not_announced_and_is_reported_once() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "@Node@2", 1);
    lan.settle();
    let late = lan.join(game()).unwrap();
    lan.settle();
    let errors: Vec<_> = failures(&mut lan).iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        ["Units/@Node@2: no peer accepts a generated name (with @) from a spawner; name the node \
          before it is added"]
    );
    for peer in [ids[0], late] {
        let scene = lan.scene(peer);
        assert!(scene.find("Units/@Node@2").is_err());
        let stats = scene.stats();
        assert_eq!(
            (stats.refused_announcements, stats.refused_elements),
            (0, 0),
            "the synchronizer must not be sent"
        );
    }
}

#[test]
fn packet_sizes_have_a_minimum() {
    let (mut lan, _) = lan(0);
    let multiplayer = lan.scene(SERVER).multiplayer_mut();
    let error = multiplayer.set_max_sync_packet_size(127).unwrap_err();
    assert_eq!(
        error.to_string(),
        "max_sync_packet_size = 127 is less than 128: packets would have no room for properties"
    );
    assert!(multiplayer.set_max_delta_packet_size(128).is_ok());
    assert_eq!(multiplayer.max_sync_packet_size(), 1350);
}
