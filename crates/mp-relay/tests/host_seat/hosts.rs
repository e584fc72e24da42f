//! The peers that see each other, and the change of hosts.

use mp_relay::HostSeat;
use mp_scene::prelude::*;

use crate::game::*;

#[test]
fn guests_see_the_server_and_each_other_but_not_the_host() {
    let mut lan = hosted_room(2);
    assert_eq!(lan.scene(HOST).peers(), [SERVER, peer(3), peer(4)]);
    assert_eq!(lan.scene(peer(3)).peers(), [SERVER, peer(4)]);
    assert_eq!(lan.scene(peer(4)).peers(), [SERVER, peer(3)]);
    assert_eq!(seat(&mut lan).occupant(), Some(HOST));

    leave(&mut lan, peer(3));
    assert_eq!(lan.scene(HOST).peers(), [SERVER, peer(4)]);
    assert_eq!(lan.scene(peer(4)).peers(), [SERVER]);
}

#[test]
fn guests_are_disconnected_when_the_host_leaves() {
    let mut lan = hosted_room(2);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    signals(&mut lan, peer(3));
    leave(&mut lan, HOST);
    for guest in [peer(3), peer(4)] {
        assert!(signals(&mut lan, guest).contains(&Signal::ServerDisconnected), "{guest}");
        assert_eq!(units(&mut lan, guest), []);
    }
    assert_eq!(lan.scene(SERVER).peers(), []);
    assert_eq!(seat(&mut lan).occupant(), None);
}

#[test]
fn next_client_hosts_a_new_game() {
    let mut lan = hosted_room(1);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    leave(&mut lan, HOST);
    let host = lan.join(game(peer(4))).unwrap();
    lan.settle();
    let guest = join(&mut lan);
    spawn(&mut lan, host, "Ship", 50);
    call(&mut lan, host, guest, "Flag", 1);
    lan.settle();
    assert_eq!(units(&mut lan, guest), [("Ship".to_owned(), 50, 0)]);
    assert_eq!(calls(&mut lan, guest, "Flag"), [(1, 1)]);
    assert_eq!((seat(&mut lan).occupant(), stats(&mut lan).hosts), (Some(host), 2));
}

#[test]
fn guests_wait_for_the_host_that_the_rule_accepts() {
    let mut lan = room(HostSeat::with_rule(|peer| peer.get() == 4));
    let first = lan.join(game(peer(4))).unwrap();
    lan.settle();
    let guest = lan.join(game(peer(4))).unwrap();
    // Path ids are announced once, and packets for the absent host are dropped.
    call(&mut lan, first, SERVER, "Flag", 1);
    lan.settle();
    assert_eq!((seat(&mut lan).occupant(), stats(&mut lan).unhosted_packets), (None, 1));
    assert_eq!(lan.scene(first).peers(), [SERVER, guest]);

    let host = lan.join(game(peer(4))).unwrap();
    lan.settle();
    assert_eq!(seat(&mut lan).occupant(), Some(host));
    assert_eq!(lan.scene(host).peers(), [SERVER, first, guest]);
    assert_eq!(lan.scene(first).peers(), [SERVER, guest]);
    // The host knows the path that was announced before it came, and has confirmed it.
    let packets = |lan: &mut mp_scene::testing::Lan| {
        lan.scene(first).multiplayer().packet_stats().sent.bytes(mp_scene::PacketKind::Rpc)
    };
    let before = packets(&mut lan);
    call(&mut lan, first, SERVER, "Flag", 2);
    lan.settle();
    assert_eq!(calls(&mut lan, host, "Flag"), [(first.get(), 2)]);
    assert_eq!(packets(&mut lan) - before, 6, "a call by id");
}

#[test]
fn room_with_a_host_seat_expects_no_peer_of_another_room() {
    let ids = mp_scene::IdBlocks::new();
    let room = Branch::builder("/root").moves(&ids).relay_policy(HostSeat::first());
    let expected = room.build().unwrap().expect_peer(peer(2));
    assert_eq!(expected, Err(mp_scene::MoveError::NotEnabled));
}
