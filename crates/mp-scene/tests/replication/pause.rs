//! Clients that are loading.

use mp_core::Target;
use mp_scene::limits::PAUSED_PACKETS_MAX;
use mp_scene::prelude::*;

use crate::game::*;

#[test]
fn a_paused_client_gets_what_is_reliable_later_and_of_the_rest_the_newest() {
    let (mut lan, ids) = lan(2);
    let node = add_unit(&mut lan, "U1", 1);
    lan.settle();
    let stats_before = lan.scene(SERVER).stats();
    lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    assert!(lan.scene(SERVER).multiplayer().is_paused(ids[0]));

    add_unit(&mut lan, "U2", 2);
    lan.scene(SERVER).rpc(node, "poke", ()).unwrap();
    for hp in 10..20 {
        unit_at(&mut lan, SERVER, "U1").unwrap().hp = hp;
        lan.step();
    }
    lan.settle();
    assert_eq!(hp_at(&mut lan, ids[0], "U1"), Some(1), "nothing comes");
    assert_eq!((hp_at(&mut lan, ids[0], "U2"), hp_at(&mut lan, ids[1], "U2")), (None, Some(2)));
    assert!(lan.scene(SERVER).stats().skipped_steps > stats_before.skipped_steps);

    lan.scene(SERVER).multiplayer_mut().resume_peer(ids[0]);
    lan.settle();
    assert_eq!((hp_at(&mut lan, ids[0], "U1"), hp_at(&mut lan, ids[0], "U2")), (Some(19), Some(2)));
    assert_eq!(unit_at(&mut lan, ids[0], "U1").unwrap().poked, [1]);
    assert_eq!(lan.scene(ids[0]).stats().refused_calls, 0);
}

#[test]
fn what_is_unreliable_is_dropped_and_counted_meanwhile() {
    let (mut lan, ids) = lan(1);
    lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    let scene = lan.scene(SERVER);
    scene.send_bytes(b"now or never", Target::All, TransferMode::Unreliable, Channel(0)).unwrap();
    assert_eq!(lan.scene(SERVER).stats().paused_drops, 1);
    lan.scene(SERVER).multiplayer_mut().resume_peer(ids[0]);
    lan.settle();
    assert!(!signals(&mut lan, ids[0]).iter().any(|s| matches!(s, Signal::PeerPacket { .. })));
}

#[test]
fn a_client_for_which_too_much_waits_is_disconnected() {
    let (mut lan, ids) = lan(1);
    lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    for _ in 0..=PAUSED_PACKETS_MAX {
        let scene = lan.scene(SERVER);
        scene.send_bytes(b"x", Target::All, TransferMode::Reliable, Channel(0)).unwrap();
    }
    lan.settle();
    assert!(lan.scene(SERVER).peers().is_empty());
    assert!(signals(&mut lan, ids[0]).contains(&Signal::ServerDisconnected));
}
