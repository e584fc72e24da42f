//! The departure of the host, after which a guest takes its place.

use bytes::{Bytes, BytesMut};
use mp_relay::limits::TAKE_OVER;
use mp_relay::{HostSeat, Migration};
use mp_scene::prelude::*;
use mp_scene::{SceneMessage, Spawn, SpawnSource};

use crate::game::*;
use crate::raw::*;

/// Returns the nodes of a peer's units.
fn nodes(lan: &mut mp_scene::testing::Lan, id: PeerId) -> Vec<NodeId> {
    let scene = lan.scene(id);
    let parent = scene.find("Units").unwrap();
    scene.tree().children(parent).collect()
}

#[test]
fn guests_are_not_notified_during_the_grace() {
    let mut lan = lasting_room(2);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    for id in [3, 4] {
        signals(&mut lan, peer(id));
    }
    leave(&mut lan, HOST);
    call(&mut lan, peer(3), SERVER, "Flag", 1);
    call(&mut lan, peer(3), peer(4), "Flag", 2);
    lan.settle();
    assert_eq!([3, 4].map(|id| signals(&mut lan, peer(id))), [vec![], vec![]]);
    assert_eq!(units(&mut lan, peer(3)), [("Tank".to_owned(), 100, 0)]);
    assert_eq!(calls(&mut lan, peer(4), "Flag"), [(3, 2)], "guests reach each other");
    assert_eq!(seat(&mut lan).occupant(), None);
    assert!(stats(&mut lan).unhosted_packets > 0);
}

#[test]
fn guest_that_has_waited_longest_is_the_next_host() {
    let mut lan = lasting_room(3);
    leave(&mut lan, peer(3));
    let returned = lan.join(game(SERVER)).unwrap();
    lan.settle();
    leave(&mut lan, HOST);
    for id in [4, 5] {
        signals(&mut lan, peer(id));
    }
    wait_for(&mut lan, GRACE);
    lan.settle();
    assert_eq!(seat(&mut lan).occupant(), Some(peer(4)));
    let packet = Signal::PeerPacket { from: SERVER, data: Bytes::from_static(b"host") };
    assert_eq!(signals(&mut lan, peer(4)).last(), Some(&packet));
    // For the others the host is the server and no other peer.
    assert_eq!(signals(&mut lan, peer(5)), [Signal::PeerDisconnected(peer(4))]);
    assert_eq!(lan.scene(peer(5)).peers(), [SERVER, returned]);
    assert_eq!(lan.scene(peer(4)).peers(), [SERVER, peer(5), returned]);
}

#[test]
fn nodes_that_the_next_host_announces_again_stay_the_same() {
    let mut lan = lasting_room(3);
    spawn(&mut lan, HOST, "Tank", 100);
    spawn(&mut lan, HOST, "Ship", 50);
    lan.settle();
    unit_at(&mut lan, HOST, "Units/Tank").steps = 7;
    lan.settle();
    let before = [4, 5].map(|id| nodes(&mut lan, peer(id)));
    for id in [4, 5] {
        signals(&mut lan, peer(id));
    }
    migrate(&mut lan, HOST, peer(3));
    assert_eq!([4, 5].map(|id| nodes(&mut lan, peer(id))), before);
    for id in [4, 5] {
        assert_eq!(signals(&mut lan, peer(id)), [Signal::PeerDisconnected(peer(3))]);
    }
    assert_eq!((stats(&mut lan).kept_nodes, stats(&mut lan).lost_nodes), (4, 0));

    // On-change and always properties, of spawned nodes and of those of the scene.
    for path in ["Units/Tank", "Flag"] {
        let unit = unit_at(&mut lan, peer(3), path);
        (unit.hp, unit.steps) = (30, 40);
    }
    despawn(&mut lan, peer(3), "Ship");
    spawn(&mut lan, peer(3), "Jet", 1);
    call(&mut lan, peer(3), peer(4), "Units/Tank", 5);
    call(&mut lan, peer(4), SERVER, "Flag", 6);
    lan.settle();
    let expected = [("Jet".to_owned(), 1, 0), ("Tank".to_owned(), 30, 40)];
    for id in [3, 4, 5] {
        assert_eq!(units(&mut lan, peer(id)), expected, "{id}");
        assert_eq!(unit_at(&mut lan, peer(id), "Flag").hp, 30, "{id}");
        assert_eq!(unit_at(&mut lan, peer(id), "Flag").steps, 40, "{id}");
    }
    assert_eq!(calls(&mut lan, peer(4), "Units/Tank"), [(1, 5)]);
    assert_eq!(calls(&mut lan, peer(3), "Flag"), [(4, 6)]);
    assert_eq!(stats(&mut lan).unknown_ids, 0);
    // Later guests receive the nodes from the new host.
    let late = join(&mut lan);
    assert_eq!(units(&mut lan, late), expected);
}

#[test]
fn nodes_that_the_next_host_does_not_announce_are_despawned() {
    let mut lan = lasting_room(2);
    spawn(&mut lan, HOST, "Tank", 100);
    spawn(&mut lan, HOST, "Ship", 50);
    lan.settle();
    leave(&mut lan, HOST);
    despawn(&mut lan, peer(3), "Ship");
    wait_for_host(&mut lan, peer(3));
    assert_eq!(units(&mut lan, peer(4)).len(), 2, "its code may run for a while");
    wait_for(&mut lan, TAKE_OVER);
    assert_eq!(units(&mut lan, peer(4)), [("Tank".to_owned(), 100, 0)]);
    assert_eq!((stats(&mut lan).kept_nodes, stats(&mut lan).lost_nodes), (1, 1));
    assert_eq!(seat(&mut lan).cache_size().0, 1);
}

#[test]
fn calls_by_paths_that_a_guest_has_announced_reach_the_next_host() {
    let mut lan = lasting_room(3);
    // The guests announce their paths to the host, and to each other.
    for (from, to) in [(4, SERVER), (3, peer(4)), (4, peer(3)), (3, SERVER)] {
        call(&mut lan, peer(from), to, "Flag", 0);
    }
    lan.settle();
    unit_at(&mut lan, peer(4), "Pad4").steps = 1;
    lan.settle();
    for id in [3, 4] {
        calls(&mut lan, peer(id), "Flag");
    }
    migrate(&mut lan, HOST, peer(3));
    call(&mut lan, peer(4), SERVER, "Flag", 1);
    call(&mut lan, peer(3), peer(4), "Flag", 2);
    unit_at(&mut lan, peer(4), "Pad4").steps = 2;
    unit_at(&mut lan, peer(4), "Pad4").hp = 3;
    lan.settle();
    assert_eq!(calls(&mut lan, peer(3), "Flag"), [(4, 1)]);
    assert_eq!(calls(&mut lan, peer(4), "Flag"), [(1, 2)]);
    // A guest keeps the authority over its own nodes.
    for id in [3, 5] {
        let pad = unit_at(&mut lan, peer(id), "Pad4");
        assert_eq!((pad.hp, pad.steps), (3, 2), "{id}");
    }
}

#[test]
fn host_that_returns_is_a_guest() {
    let mut lan = lasting_room(2);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    migrate(&mut lan, HOST, peer(3));
    let returned = join(&mut lan);
    assert_eq!(seat(&mut lan).occupant(), Some(peer(3)));
    assert_eq!(lan.scene(returned).peers(), [SERVER, peer(4)]);
    assert_eq!(units(&mut lan, returned), [("Tank".to_owned(), 100, 0)]);
}

#[test]
fn several_hosts_follow_each_other() {
    let mut lan = lasting_room(4);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    let mut host = HOST;
    for next in [3, 4, 5].map(peer) {
        // The numbers of SYNCs of each host begin anew.
        unit_at(&mut lan, host, "Units/Tank").steps += 1;
        (0..50).for_each(|_| lan.step());
        migrate(&mut lan, host, next);
        unit_at(&mut lan, next, "Units/Tank").steps += 10;
        lan.settle();
        assert_eq!(units(&mut lan, peer(6)), units(&mut lan, next));
        host = next;
    }
    assert_eq!(units(&mut lan, peer(6)), [("Tank".to_owned(), 100, 33)]);
    assert_eq!((stats(&mut lan).promotions, stats(&mut lan).hosts), (3, 4));
}

#[test]
fn guests_are_disconnected_if_none_may_be_the_host() {
    let migration = Migration::with_packet(&b"host"[..]).grace(GRACE).choice(|_| None);
    let mut lan = room(HostSeat::first().migration(migration));
    lan.join(game(HOST)).unwrap();
    lan.settle();
    let guest = join(&mut lan);
    leave(&mut lan, HOST);
    assert_eq!(signals(&mut lan, guest).last(), Some(&Signal::PeerConnected(SERVER)));
    wait_for(&mut lan, GRACE);
    lan.settle();
    let ended = [Signal::PeerDisconnected(SERVER), Signal::ServerDisconnected];
    assert_eq!(signals(&mut lan, guest), ended);
    let host = lan.join(game(peer(4))).unwrap();
    lan.settle();
    assert_eq!(seat(&mut lan).occupant(), Some(host));
}

#[test]
fn room_without_players_gets_a_new_host() {
    let mut lan = lasting_room(1);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    leave(&mut lan, HOST);
    leave(&mut lan, peer(3));
    wait_for(&mut lan, GRACE);
    let host = lan.join(game(peer(4))).unwrap();
    lan.settle();
    assert_eq!((seat(&mut lan).occupant(), seat(&mut lan).cache_size()), (Some(host), (0, 0)));
}

#[test]
fn packets_that_the_next_host_has_sent_as_a_guest_are_dropped_and_counted() {
    let (mut lan, host, mut guest) = raw_room(lasting_seat());
    host.close(&mut lan);
    let mut other = RawClient::join(&mut lan, 4);
    other.received();
    guest.received();
    wait_for(&mut lan, GRACE);
    let hello = SceneMessage::Raw(Bytes::from_static(b"hello"));
    guest.relay(peer(4), &hello);
    guest.send(&hello);
    lan.settle();
    assert_eq!(other.received(), [SceneMessage::DelPeer(peer(3))]);
    assert_eq!(stats(&mut lan).outdated_packets, 2);
    guest.confirm();
    guest.relay(peer(4), &hello);
    lan.settle();
    assert_eq!(other.received(), [hello]);
}

#[test]
fn next_host_may_be_called_instead() {
    let migration = Migration::with_call("Flag", 0).grace(GRACE);
    let mut lan = room(HostSeat::first().migration(migration));
    lan.join(game(HOST)).unwrap();
    lan.settle();
    let guest = join(&mut lan);
    leave(&mut lan, HOST);
    let before = lan.scene(guest).multiplayer().packet_stats();
    let received = before.received.packets(mp_scene::PacketKind::Rpc);
    wait_for(&mut lan, GRACE);
    lan.settle();
    let stats = lan.scene(guest).multiplayer().packet_stats();
    assert_eq!(stats.received.packets(mp_scene::PacketKind::Rpc) - received, 1);
}

#[test]
fn next_host_receives_the_guests_as_new_peers_and_then_the_message() {
    let (mut lan, mut host, mut next) = raw_room(lasting_seat());
    let mut other = RawClient::join(&mut lan, 4);
    host.confirm();
    other.send(&path(9, "Flag"));
    lan.settle();
    host.close(&mut lan);
    next.received();
    wait_for(&mut lan, GRACE);
    let received = next.received();
    let [gone, asked, added, announced, message, asked_again] = &received[..] else {
        panic!("{received:?}");
    };
    assert_eq!([gone, added], [&SceneMessage::DelPeer(peer(4)), &SceneMessage::AddPeer(peer(4))]);
    let of_guest = SceneMessage::Relay { peer: 4, inner: encode(&path(9, "Flag")) };
    assert_eq!(*announced, of_guest, "the host knows the paths of the guest");
    assert_eq!(*message, SceneMessage::Raw(Bytes::from_static(b"host")));
    for path in [asked, asked_again] {
        assert!(matches!(path, SceneMessage::SimplifyPath { path, .. } if path == "."));
    }
}

/// Returns a room whose host has announced a node to two guests before it has left. The first guest
/// is the host now. The ids of the node and its synchronizer at the second one follow.
fn room_with_a_next_host() -> (mp_scene::testing::Lan, RawClient, RawClient, (u32, u32)) {
    let (mut lan, mut host, mut next) = raw_room(lasting_seat());
    let mut other = RawClient::join(&mut lan, 4);
    host.confirm();
    for guest in [3, 4] {
        host.relay(peer(guest), &path(5, "Spawner"));
        host.relay(peer(guest), &spawned(5, 10));
    }
    lan.settle();
    let received = other.received();
    let Some(SceneMessage::Spawn(spawn)) = received.last() else { panic!("{received:?}") };
    let ids = (spawn.net_id, spawn.synchronizers[0]);
    host.close(&mut lan);
    wait_for(&mut lan, GRACE);
    next.confirm();
    lan.settle();
    other.received();
    (lan, next, other, ids)
}

/// Returns a SPAWN of the node in [`room_with_a_next_host`] with other ids.
fn spawned_again(source: SpawnSource) -> SceneMessage {
    let (name, synchronizers, state) = ("Unit10".to_owned(), vec![2], Bytes::new());
    SceneMessage::Spawn(Spawn { source, spawner: 1, net_id: 1, synchronizers, name, state })
}

#[test]
fn spawn_of_a_node_that_a_guest_has_is_not_forwarded() {
    let (mut lan, mut next, mut other, (node, synchronizer)) = room_with_a_next_host();
    next.relay(peer(4), &path(1, "Spawner"));
    next.relay(peer(4), &spawned_again(SpawnSource::Scene(0)));
    let mut elements = BytesMut::from(&[2, 0, 0, 0, 2, 0, 0, 0, 2, 7][..]);
    next.relay(peer(4), &SceneMessage::Sync { time: 1, elements: elements.split().freeze() });
    next.relay(peer(4), &SceneMessage::Despawn(1));
    lan.settle();
    let mut elements = BytesMut::from(&synchronizer.to_le_bytes()[..]);
    elements.extend_from_slice(&[2, 0, 0, 0, 2, 7]);
    let sync = SceneMessage::Sync { time: 1, elements: elements.freeze() };
    let received = other.received();
    assert_eq!(received[1..], [sync, SceneMessage::Despawn(node)]);
}

#[test]
fn node_from_another_scene_replaces_the_one_that_a_guest_has() {
    let (mut lan, mut next, mut other, (node, _)) = room_with_a_next_host();
    next.relay(peer(4), &path(1, "Spawner"));
    next.relay(peer(4), &spawned_again(SpawnSource::Scene(1)));
    lan.settle();
    let received = other.received();
    let [_, SceneMessage::Despawn(gone), SceneMessage::Spawn(spawn)] = &received[..] else {
        panic!("{received:?}");
    };
    assert_eq!(*gone, node);
    assert_ne!(spawn.net_id, node);
}
