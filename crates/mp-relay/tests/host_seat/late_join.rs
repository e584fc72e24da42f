//! Guests that join while there is no host.

use bytes::{BufMut, Bytes, BytesMut};
use mp_relay::limits::CACHE_BYTES_MAX;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{SceneMessage, Spawn, SpawnSource};

use crate::game::*;
use crate::raw::*;

fn set_visible(lan: &mut Lan, name: &str, to: PeerId) {
    let scene = lan.scene(HOST);
    let node = scene.find(&format!("Units/{name}/Sync")).unwrap();
    let synchronizer: &mut MultiplayerSynchronizer = scene.get_mut(NodeRef::new(node)).unwrap();
    synchronizer.set_public_visibility(false);
    synchronizer.set_visibility_for(to, true);
}

#[test]
fn guest_receives_the_nodes_with_their_last_properties() {
    let mut lan = lasting_room(2);
    spawn(&mut lan, HOST, "Tank", 100);
    spawn(&mut lan, HOST, "Ship", 50);
    lan.settle();
    for path in ["Units/Tank", "Flag"] {
        let unit = unit_at(&mut lan, HOST, path);
        (unit.hp, unit.steps) = (30, 40);
    }
    despawn(&mut lan, HOST, "Ship");
    lan.settle();
    leave(&mut lan, HOST);
    let late = join(&mut lan);
    assert_eq!(units(&mut lan, late), [("Tank".to_owned(), 30, 40)]);
    assert_eq!(unit_at(&mut lan, late, "Flag").hp, 30);
    assert_eq!(lan.scene(late).peers(), [SERVER, peer(3), peer(4)]);
    assert_eq!((stats(&mut lan).late_guests, stats(&mut lan).withheld_nodes), (1, 0));

    // The next host announces its nodes to all of them.
    wait_for_host(&mut lan, peer(3));
    unit_at(&mut lan, peer(3), "Units/Tank").steps = 50;
    unit_at(&mut lan, peer(3), "Units/Tank").hp = 60;
    lan.settle();
    for id in [peer(4), late] {
        assert_eq!(units(&mut lan, id), [("Tank".to_owned(), 60, 50)], "{id}");
    }
}

#[test]
fn nodes_that_were_hidden_from_a_guest_are_withheld_and_counted() {
    let mut lan = lasting_room(2);
    spawn(&mut lan, HOST, "Spy", 100);
    set_visible(&mut lan, "Spy", peer(3));
    spawn(&mut lan, HOST, "Tank", 50);
    lan.settle();
    assert_eq!((units(&mut lan, peer(3)).len(), units(&mut lan, peer(4)).len()), (2, 1));
    leave(&mut lan, HOST);
    let late = join(&mut lan);
    assert_eq!(units(&mut lan, late), [("Tank".to_owned(), 50, 0)]);
    assert_eq!(stats(&mut lan).withheld_nodes, 1);
}

#[test]
fn guest_that_the_host_had_not_handled_receives_the_nodes_from_the_room() {
    let mut lan = lasting_room(1);
    spawn(&mut lan, HOST, "Tank", 50);
    lan.settle();
    let late = lan.join(game(SERVER)).unwrap();
    lan.step_peer(SERVER);
    leave(&mut lan, HOST);
    assert_eq!(units(&mut lan, late), [("Tank".to_owned(), 50, 0)]);
    assert_eq!(lan.scene(late).peers(), [SERVER, peer(3)]);
    assert_eq!(stats(&mut lan).late_guests, 1);
}

#[test]
fn packets_for_a_late_guest_are_in_order_and_reliable() {
    let (mut lan, mut host, _guest) = raw_room(lasting_seat());
    host.relay(peer(3), &path(5, "Spawner"));
    host.relay(peer(3), &spawned(5, 10));
    let mut elements = BytesMut::new();
    elements.put_slice(&[11, 0, 0, 0, 2, 0, 0, 0, 2, 7]);
    host.relay(peer(3), &SceneMessage::Sync { time: 9, elements: elements.freeze() });
    for (bit, value) in [(1_u64, 5_u8), (4, 6), (1, 7)] {
        let mut elements = BytesMut::from(&[11, 0, 0, 0][..]);
        elements.put_u64_le(bit);
        elements.put_slice(&[2, 0, 0, 0, 2, value]);
        host.relay(peer(3), &SceneMessage::Delta(elements.freeze()));
    }
    lan.settle();
    host.close(&mut lan);
    let mut late = RawClient::join(&mut lan, 4);
    let received = late.received();
    let [announced, SceneMessage::Spawn(spawn), delta, sync, add] = &received[..] else {
        panic!("{received:?}");
    };
    assert!(matches!(announced, SceneMessage::SimplifyPath { id, .. } if *id == spawn.spawner));
    let id = spawn.synchronizers[0].to_le_bytes();
    let mut elements = BytesMut::from(&id[..]);
    elements.put_u64_le(5);
    elements.put_slice(&[4, 0, 0, 0, 2, 7, 2, 6]);
    assert_eq!(*delta, SceneMessage::Delta(elements.freeze()), "the last value of each property");
    let mut elements = BytesMut::from(&id[..]);
    elements.put_slice(&[2, 0, 0, 0, 2, 7]);
    assert_eq!(*sync, SceneMessage::Sync { time: 1, elements: elements.freeze() });
    assert_eq!(*add, SceneMessage::AddPeer(peer(3)));
}

#[test]
fn late_guest_is_rejected_if_the_nodes_exceed_the_bound() {
    let (mut lan, mut host, mut guest) = raw_room(lasting_seat());
    host.relay(peer(3), &path(5, "Spawner"));
    let size = 60_000;
    for number in 0..CACHE_BYTES_MAX / size + 1 {
        let state = Bytes::from(vec![0; size]);
        let net_id = number as u32 + 1;
        let (source, name) = (SpawnSource::Scene(0), format!("Unit{net_id}"));
        let spawn = Spawn { source, spawner: 5, net_id, synchronizers: vec![], name, state };
        host.relay(peer(3), &SceneMessage::Spawn(spawn));
        lan.step();
        lan.step();
    }
    lan.settle();
    let spawned = guest.received();
    assert!(matches!(spawned.last(), Some(SceneMessage::Spawn(_))), "the game goes on");
    assert!(seat(&mut lan).cache_size().1 <= CACHE_BYTES_MAX);
    host.close(&mut lan);
    let mut late = RawClient::join(&mut lan, 4);
    lan.settle();
    assert_eq!((late.received(), lan.scene(SERVER).peers()), (vec![], vec![peer(3)]));
    assert_eq!(stats(&mut lan).rejected_guests, 1);
}
