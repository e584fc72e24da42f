//! Properties that are always sent.

use std::time::Duration;

use mp_core::variant::Vector2;
use mp_scene::prelude::*;

use crate::game::*;

#[test]
fn always_properties_are_sent_at_every_tick() {
    let (mut lan, ids) = lan(2);
    let node = add_unit(&mut lan, "U1", 1);
    lan.settle();
    for step in 1..20_u8 {
        lan.scene(SERVER).get_mut(node).unwrap().position = Vector2::splat(f32::from(step));
        lan.step();
        lan.step();
        for &peer in &ids {
            let unit = unit_at(&mut lan, peer, "U1").unwrap();
            assert_eq!(unit.position, Vector2::splat(f32::from(step)), "at {peer}");
        }
    }
}

#[test]
fn interval_reduces_the_number_of_syncs() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "U1", 1);
    sync_of(&mut lan, SERVER, "Units/U1/Sync").set_replication_interval(Duration::from_millis(50));
    lan.settle();
    signals(&mut lan, ids[0]);
    for _ in 0..100 {
        lan.step(); // of 5 ms
    }
    let received = signals(&mut lan, ids[0]);
    let synced = received.iter().filter(|signal| matches!(signal, Signal::Synchronized(_))).count();
    assert!((9..=11).contains(&synced), "{synced} SYNCs in half a second");
}

#[test]
fn synchronizer_signals_are_emitted_only_if_enabled() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "U1", 1);
    lan.settle();
    sync_of(&mut lan, ids[0], "Units/U1/Sync").set_signals(false);
    lan.step();
    signals(&mut lan, ids[0]);
    lan.settle();
    assert_eq!(signals(&mut lan, ids[0]), []);
}

#[test]
fn client_synchronizes_its_nodes_to_all_peers_through_the_relay() {
    let (mut lan, ids) = lan(3);
    for peer in [SERVER, ids[0], ids[1], ids[2]] {
        let scene = lan.scene(peer);
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:hp"));
        let node = Instance::new("Input", Unit::default()).child(Instance::new("Sync", sync));
        scene.add_instance(".", node.authority(ids[1])).unwrap();
    }
    lan.settle();
    let scene = lan.scene(ids[1]);
    let node: NodeRef<Unit> = NodeRef::new(scene.find("Input").unwrap());
    scene.get_mut(node).unwrap().hp = 42;
    lan.settle();
    for peer in [SERVER, ids[0], ids[2]] {
        let scene = lan.scene(peer);
        let node: NodeRef<Unit> = NodeRef::new(scene.find("Input").unwrap());
        assert_eq!(scene.get(node).unwrap().hp, 42, "at {peer}");
    }
}

#[test]
fn oversized_state_is_sent_in_its_own_packet() {
    let (mut lan, ids) = lan(1);
    lan.scene(SERVER).multiplayer_mut().set_max_sync_packet_size(128).unwrap();
    for number in 0..40 {
        add_unit(&mut lan, &format!("U{number}"), number);
    }
    lan.settle();
    for number in 0..40 {
        let name = format!("U{number}");
        unit_at(&mut lan, SERVER, &name).unwrap().position = Vector2::splat(number as f32);
    }
    lan.settle();
    for number in 0..40 {
        let position = unit_at(&mut lan, ids[0], &format!("U{number}")).unwrap().position;
        assert_eq!(position, Vector2::splat(number as f32));
    }
}
