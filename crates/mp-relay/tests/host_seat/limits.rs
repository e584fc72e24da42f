//! Untrusted packets of hosts and guests.

use bytes::{Bytes, BytesMut};
use mp_relay::HostSeat;
use mp_relay::limits::{GUEST_PATH_BYTES_MAX, GUEST_PATHS_MAX};
use mp_scene::{ConfirmedNode, SceneMessage};

use crate::game::*;
use crate::raw::*;

#[test]
fn packets_with_unknown_ids_are_dropped_and_counted() {
    let (mut lan, mut host, mut guest) = raw_room(HostSeat::first());
    host.relay(peer(3), &spawned(5, 10));
    host.relay(peer(3), &SceneMessage::Despawn(10));
    lan.settle();
    assert_eq!(guest.received(), []);
    assert_eq!(stats(&mut lan).unknown_ids, 2);

    host.relay(peer(3), &path(5, "Spawner"));
    host.relay(peer(3), &spawned(5, 10));
    host.relay(peer(3), &SceneMessage::Despawn(10));
    host.relay(peer(3), &SceneMessage::Despawn(10));
    lan.settle();
    let received = guest.received();
    assert!(matches!(received[..], [_, SceneMessage::Spawn(_), SceneMessage::Despawn(_)]));
    assert_eq!(stats(&mut lan).unknown_ids, 3);
}

#[test]
fn guests_know_each_other_after_the_host_has_handled_the_new_one() {
    let (mut lan, mut host, mut first) = raw_room(HostSeat::first());
    let mut second = RawClient::join(&mut lan, 4);
    let hello = SceneMessage::Raw(Bytes::from_static(b"hello"));
    first.relay(peer(4), &hello);
    second.relay(peer(3), &hello);
    lan.settle();
    assert_eq!((first.received(), second.received()), (vec![], vec![]));
    assert_eq!(stats(&mut lan).stray_packets, 2);

    host.relay(peer(4), &hello);
    host.confirm();
    lan.settle();
    assert_eq!(first.received(), [SceneMessage::AddPeer(peer(4))]);
    assert_eq!(second.received(), [hello, SceneMessage::AddPeer(peer(3))]);

    second.close(&mut lan);
    assert_eq!(first.received(), [SceneMessage::DelPeer(peer(4))]);
    let third = RawClient::join(&mut lan, 5);
    third.close(&mut lan);
    host.confirm();
    lan.settle();
    assert_eq!(first.received(), [], "a guest that has left is not announced");
}

#[test]
fn room_confirms_paths_of_the_host() {
    let (mut lan, mut host, _guest) = raw_room(HostSeat::first());
    host.received();
    host.send(&path(5, "Flag"));
    lan.settle();
    let (node, checksum_ok) = (ConfirmedNode::Id(5), true);
    assert_eq!(host.received(), [SceneMessage::ConfirmPath { node, checksum_ok }]);
}

#[test]
fn ids_of_two_hosts_differ() {
    let (mut lan, mut host, mut guest) = raw_room(HostSeat::first());
    let mut seen = Vec::new();
    for next in [4, 6] {
        host.relay(peer(next - 1), &path(1, "Spawner"));
        host.relay(peer(next - 1), &spawned(1, 1));
        lan.settle();
        for message in guest.received() {
            match message {
                SceneMessage::SimplifyPath { id, .. } => seen.push(id),
                SceneMessage::Spawn(spawn) => seen.extend([spawn.net_id, spawn.synchronizers[0]]),
                other => panic!("{other:?}"),
            }
        }
        host.close(&mut lan);
        host = RawClient::join(&mut lan, next);
        guest = RawClient::join(&mut lan, next + 1);
        guest.received();
    }
    assert_eq!(seen.len(), 6);
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 6, "an id was used twice: {seen:?}");
}

#[test]
fn sys_messages_and_truncated_packets_of_the_host_are_malformed() {
    let (mut lan, mut host, mut guest) = raw_room(HostSeat::first());
    host.relay(peer(3), &SceneMessage::AddPeer(peer(9)));
    for command in 0..7_u8 {
        let inner = Bytes::from(vec![command]);
        host.send(&SceneMessage::Relay { peer: 3, inner });
    }
    lan.settle();
    // RAW, SYNC and CONFIRM_PATH of one byte are forwarded or end before their first element.
    let forwarded = guest.payloads();
    assert_eq!(forwarded, [Bytes::from_static(&[3])]);
    assert_eq!(lan.scene(SERVER).stats().malformed_packets, 7);
}

#[test]
fn packets_for_the_host_under_its_own_id_are_dropped_and_counted() {
    let (mut lan, mut host, mut guest) = raw_room(HostSeat::first());
    host.received();
    guest.relay(HOST, &SceneMessage::Raw(Bytes::from_static(b"hello")));
    guest.relay(peer(77), &SceneMessage::Raw(Bytes::from_static(b"hello")));
    lan.settle();
    assert_eq!(host.received(), []);
    assert_eq!(stats(&mut lan).stray_packets, 2);
}

#[test]
fn ids_of_a_node_are_forgotten_with_the_last_guest_that_leaves() {
    let (mut lan, mut host, guest) = raw_room(HostSeat::first());
    host.relay(peer(3), &path(5, "Spawner"));
    host.relay(peer(3), &spawned(5, 10));
    lan.settle();
    guest.close(&mut lan);
    let mut next = RawClient::join(&mut lan, 4);
    next.received();
    let mut element = BytesMut::from(&[11, 0, 0, 0][..]);
    element.extend_from_slice(&[2, 0, 0, 0, 2, 7]);
    host.relay(peer(4), &SceneMessage::Sync { time: 1, elements: element.freeze() });
    lan.settle();
    assert_eq!(next.received(), []);
    assert_eq!(stats(&mut lan).unknown_ids, 1);
}

#[test]
fn bytes_of_paths_that_wait_for_a_host_are_limited() {
    let mut lan = room(HostSeat::with_rule(|_| false));
    let mut guest = RawClient::join(&mut lan, 3);
    let long = "A".repeat(GUEST_PATH_BYTES_MAX / 2);
    (1..=3).for_each(|id| guest.send(&path(id, &long)));
    lan.settle();
    assert_eq!(stats(&mut lan).refused_announcements, 2);
    assert_eq!(lan.scene(SERVER).stats().relay_limit_hits, 2);
}

#[test]
fn paths_that_wait_for_a_host_are_limited() {
    let mut lan = room(HostSeat::with_rule(|peer| peer.get() == 4));
    let mut guest = RawClient::join(&mut lan, 3);
    let more = 5;
    for id in 0..GUEST_PATHS_MAX + more {
        guest.send(&path(id as u32, "A"));
    }
    lan.settle();
    assert_eq!(stats(&mut lan).refused_announcements, more as u64);
    let mut host = RawClient::join(&mut lan, 4);
    let relayed = host.received();
    assert_eq!(relayed.len(), 1 + GUEST_PATHS_MAX, "ADD_PEER and the paths");
}
