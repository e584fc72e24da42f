//! Links that are lost and come back.

use mp_core::TransferMode;
use mp_scene::prelude::*;
use mp_tunnel::limits::{GUEST_UNACKNOWLEDGED_BYTES_MAX, PART_BYTES_MAX};
use mp_tunnel::{GuestEnd, LinkEvent};

use crate::world::*;

#[test]
fn nothing_reliable_is_lost_when_the_link_comes_back() {
    let mut world = World::new();
    let guest = world.join();
    signals(&mut world.room, guest);
    for number in 0..50 {
        call(&mut world.room, guest, SERVER, "Flag", number);
        call(&mut world.game, SERVER, guest, "Flag", number);
        if number % 7 == 3 {
            // Some of the frames are under way.
            world.step();
        }
        if number % 10 == 5 {
            world.cut();
            world.step();
        }
        if number % 10 == 8 {
            world.dial();
            for _ in 0..4 {
                world.step();
            }
        }
    }
    world.settle();
    let all = |sender: i32| (0..50).map(move |number| (sender, number)).collect::<Vec<_>>();
    assert_eq!(calls(&mut world.game, SERVER), all(guest.get()));
    assert_eq!(calls(&mut world.room, guest), all(1));
    assert_eq!(signals(&mut world.room, guest), []);
    assert_eq!(world.host.stats().resumed, 5);
    assert_eq!(world.stats().resumed, 5);
}

#[test]
fn guests_may_join_while_the_link_is_lost() {
    let mut world = World::new();
    world.cut();
    let guest = world.join();
    assert_eq!(world.game.scene(SERVER).peers(), []);
    world.dial();
    world.settle();
    assert_eq!(world.game.scene(SERVER).peers(), [guest]);
    assert_eq!(world.room.scene(guest).peers(), [SERVER]);
}

#[test]
fn guests_leave_when_the_link_does_not_come_back_in_time() {
    let mut world = World::new();
    let guest = world.join();
    signals(&mut world.room, guest);
    world.cut();
    let lost = world.now;
    while world.now - lost < GRACE - 2 * mp_scene::testing::Lan::STEP {
        world.step();
    }
    assert_eq!(signals(&mut world.room, guest), []);
    assert_eq!(world.game.scene(SERVER).peers(), [guest]);
    world.settle();
    assert!(signals(&mut world.room, guest).contains(&Signal::ServerDisconnected));
    assert_eq!(world.game.scene(SERVER).peers(), []);
    let ends = [LinkEvent::Left(guest, GuestEnd::HostLeft), LinkEvent::SessionExpired];
    assert!(world.events.ends_with(&ends), "{:?}", world.events);

    world.dial();
    world.settle();
    assert_eq!(world.events.last(), Some(&LinkEvent::Hosting { is_resumed: false }));
    let guest = world.join();
    assert_eq!(world.game.scene(SERVER).peers(), [guest]);
}

#[test]
fn guest_that_sends_more_than_the_link_delivers_is_disconnected_and_the_others_stay() {
    let mut world = World::new();
    let guest = world.join();
    let mut flooding = Raw::connect(&mut world.room, peer(500));
    world.settle();
    flooding.events();
    world.cut();
    let payload = bytes::Bytes::from(vec![3; PART_BYTES_MAX]);
    for number in 0..=GUEST_UNACKNOWLEDGED_BYTES_MAX / PART_BYTES_MAX {
        flooding.send(TransferMode::Reliable, Channel(0), payload.clone());
        if number % 16 == 0 {
            world.step();
        }
    }
    world.dial();
    world.settle();
    let ended =
        |event: &mp_core::PeerEvent| matches!(event, mp_core::PeerEvent::Disconnected { .. });
    assert!(flooding.events().iter().any(ended));
    assert_eq!(world.stats().overloaded_guests, 1);
    assert_eq!(world.game.scene(SERVER).peers(), [guest]);
}
