//! Properties that are sent when they change.

use std::time::Duration;

use mp_scene::prelude::*;

use crate::game::*;

fn deltas(signals: &[Signal]) -> usize {
    signals.iter().filter(|signal| matches!(signal, Signal::DeltaSynchronized(_))).count()
}

#[test]
fn only_changed_properties_are_sent() {
    let (mut lan, ids) = lan(1);
    stats_at(&mut lan, SERVER).a = 1;
    stats_at(&mut lan, SERVER).b = "one".into();
    lan.settle();
    assert_eq!((stats_at(&mut lan, ids[0]).a, &*stats_at(&mut lan, ids[0]).b), (1, "one"));

    stats_at(&mut lan, ids[0]).b = "local".into();
    stats_at(&mut lan, SERVER).a = 2;
    lan.settle();
    assert_eq!((stats_at(&mut lan, ids[0]).a, &*stats_at(&mut lan, ids[0]).b), (2, "local"));
}

#[test]
fn unchanged_properties_are_not_sent() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "U1", 1);
    lan.settle();
    signals(&mut lan, ids[0]);
    lan.settle();
    assert_eq!(deltas(&signals(&mut lan, ids[0])), 0);
}

#[test]
fn change_that_is_reverted_within_a_tick_is_not_sent() {
    let (mut lan, ids) = lan(1);
    lan.settle();
    signals(&mut lan, ids[0]);
    stats_at(&mut lan, SERVER).a = 51;
    stats_at(&mut lan, SERVER).a = 0;
    lan.settle();
    assert_eq!(deltas(&signals(&mut lan, ids[0])), 0);
}

#[test]
fn replicated_field_reports_its_changes() {
    let scene_of = || {
        PackedScene::new("res://label.tscn", || {
            let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:label"));
            Instance::new("Label", Unit::default()).child(Instance::new("Sync", sync))
        })
    };
    let (mut lan, ids) = lan(1);
    for peer in [SERVER, ids[0]] {
        let scene = lan.scene(peer);
        scene.add("Labels", Group).unwrap();
        let spawner = MultiplayerSpawner::new("../Labels").with_scene(&scene_of());
        scene.add("LabelSpawner", spawner).unwrap();
    }
    let scene = lan.scene(SERVER);
    let node = scene.add_instance("Labels", scene_of().instantiate()).unwrap();
    let node: NodeRef<Unit> = NodeRef::new(node);
    lan.settle();
    for text in ["one", "two", "two", "three"] {
        *lan.scene(SERVER).get_mut(node).unwrap().label = text.to_owned();
        lan.settle();
        let scene = lan.scene(ids[0]);
        let there: NodeRef<Unit> = NodeRef::new(scene.find("Labels/Label").unwrap());
        assert_eq!(*scene.get(there).unwrap().label, text);
    }
}

#[test]
fn an_interval_merges_changes() {
    let (mut lan, ids) = lan(2);
    sync_of(&mut lan, SERVER, "Stats/Sync").set_delta_interval(Duration::from_millis(100));
    lan.settle();
    for &peer in &ids {
        signals(&mut lan, peer);
    }
    for value in 1..=200 {
        stats_at(&mut lan, SERVER).a = value;
        lan.step(); // of 5 ms
    }
    for _ in 0..40 {
        lan.step();
    }
    for &peer in &ids {
        assert_eq!(stats_at(&mut lan, peer).a, 200);
        let count = deltas(&signals(&mut lan, peer));
        assert!((9..=12).contains(&count), "{count} DELTAs in a second at peer {peer}");
    }
}

#[test]
fn negative_zero_is_not_a_change_and_nan_equals_itself_within_containers() {
    struct Any(Variant);
    impl Node for Any {
        fn property_table() -> PropertyTable<Self> {
            PropertyTable::new().property("value", |any: &mut Self| &mut any.0)
        }
    }
    let (mut lan, ids) = lan(1);
    for peer in [SERVER, ids[0]] {
        let config = ReplicationConfig::new().on_change(".:value");
        let sync = MultiplayerSynchronizer::new(config).with_signals();
        let node = Instance::new("Any", Any(0.0.into())).child(Instance::new("Sync", sync));
        lan.scene(peer).add_instance(".", node).unwrap();
    }
    lan.settle();
    let node: NodeRef<Any> = NodeRef::new(lan.scene(SERVER).find("Any").unwrap());
    let mut sent = |value: Variant| {
        signals(&mut lan, ids[0]);
        lan.scene(SERVER).get_mut(node).unwrap().0 = value;
        lan.settle();
        deltas(&signals(&mut lan, ids[0]))
    };
    let nan = || Variant::from(Array::from([f64::NAN]));
    assert_eq!(sent((-0.0).into()), 0);
    assert_eq!(sent(f64::NAN.into()), 1);
    assert_eq!(sent(f64::NAN.into()), 0);
    assert_eq!(sent(nan()), 1);
    assert_eq!(sent(nan()), 0);
    assert_eq!(sent(1.into()), 1);
    assert_eq!(sent(1.0.into()), 1, "an integer and a float of the same value must differ");
}

#[test]
fn single_component_can_be_watched() {
    let (mut lan, ids) = lan(1);
    for peer in [SERVER, ids[0]] {
        let config = ReplicationConfig::new().on_change(".:position:x");
        let node = Instance::new("Slider", Unit::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)));
        lan.scene(peer).add_instance(".", node).unwrap();
    }
    let at = |lan: &mut mp_scene::testing::Lan, peer| -> Vector2 {
        let scene = lan.scene(peer);
        let node: NodeRef<Unit> = NodeRef::new(scene.find("Slider").unwrap());
        scene.get(node).unwrap().position
    };
    let node: NodeRef<Unit> = NodeRef::new(lan.scene(SERVER).find("Slider").unwrap());
    lan.scene(SERVER).get_mut(node).unwrap().position = (3.0, 4.0).into();
    lan.settle();
    assert_eq!(at(&mut lan, ids[0]), (3.0, 0.0).into());
}
