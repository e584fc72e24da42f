//! Guests of the room and the game.

use mp_scene::prelude::*;
use mp_tunnel::{GuestEnd, LinkEvent};

use crate::world::*;

#[test]
fn guests_are_clients_of_a_game_that_knows_nothing_of_the_tunnel() {
    let mut world = World::new();
    let first = world.join();
    spawn(&mut world.game, "Tank", 50);
    let second = world.join();
    world.settle();
    assert_eq!(world.game.scene(SERVER).peers(), [first, second]);
    assert_eq!(world.room.scene(first).peers(), [SERVER, second]);
    assert_eq!(world.room.scene(second).peers(), [SERVER, first]);

    unit_at(&mut world.game, SERVER, "Units/Tank").hp = 40;
    world.settle();
    for guest in [first, second] {
        assert_eq!(unit_at(&mut world.room, guest, "Units/Tank").hp, 40);
    }
    call(&mut world.room, first, SERVER, "Flag", 1);
    call(&mut world.room, first, second, "Flag", 2);
    call(&mut world.game, SERVER, second, "Flag", 3);
    call(&mut world.game, SERVER, first, "Flag", 4);
    world.settle();
    assert_eq!(calls(&mut world.game, SERVER), [(first.get(), 1)]);
    let mut received = calls(&mut world.room, second);
    received.sort_unstable();
    assert_eq!(received, [(1, 3), (first.get(), 2)]);
    assert_eq!(calls(&mut world.room, first), [(1, 4)]);
    assert_eq!(world.events[1..], [LinkEvent::Joined(first), LinkEvent::Joined(second)]);
}

#[test]
fn game_and_guest_notice_when_the_other_ends_the_connection() {
    let mut world = World::new();
    let (first, second) = (world.join(), world.join());
    mp_core::MultiplayerPeer::close(world.room.peer(first));
    world.settle();
    assert_eq!(world.game.scene(SERVER).peers(), [second]);
    assert_eq!(world.room.scene(second).peers(), [SERVER]);
    assert_eq!(world.events.last(), Some(&LinkEvent::Left(first, GuestEnd::Left)));

    signals(&mut world.room, second);
    world.game.scene(SERVER).multiplayer_mut().disconnect_peer(second);
    world.settle();
    assert!(signals(&mut world.room, second).contains(&Signal::ServerDisconnected));
    assert_eq!(world.events.last(), Some(&LinkEvent::Left(second, GuestEnd::GameClosed)));
    assert_eq!(world.host.guests(), 0);
}

#[test]
fn guests_authenticate_at_the_game_itself() {
    let mut world = World::new();
    world.game = mp_scene::testing::Lan::new(game().on_peer_auth(|scene, peer, data| {
        if data == b"sesame" {
            scene.multiplayer_mut().send_auth(peer, b"welcome").unwrap();
            scene.multiplayer_mut().complete_auth(peer).unwrap();
        }
    }))
    .unwrap();
    let id = world
        .room
        .join(game().on_peer_auth(|scene, peer, data| {
            assert_eq!(data, b"welcome");
            scene.multiplayer_mut().complete_auth(peer).unwrap();
        }))
        .unwrap();
    world.settle();
    assert_eq!(world.game.scene(SERVER).peers(), []);
    world.room.scene(id).multiplayer_mut().send_auth(SERVER, b"sesame").unwrap();
    world.settle();
    assert_eq!(world.game.scene(SERVER).peers(), [id]);
    assert_eq!(world.room.scene(id).peers(), [SERVER]);
}
