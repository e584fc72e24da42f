//! Spawned nodes and properties.

use crate::game::*;

#[test]
fn nodes_of_the_host_are_those_of_the_server_at_guests() {
    let mut lan = hosted_room(2);
    spawn(&mut lan, HOST, "Tank", 100);
    spawn(&mut lan, HOST, "Ship", 50);
    lan.settle();
    let expected = units(&mut lan, HOST);
    assert_eq!(expected.len(), 2);
    for guest in [peer(3), peer(4)] {
        assert_eq!(units(&mut lan, guest), expected);
    }

    unit_at(&mut lan, HOST, "Units/Tank").hp = 90;
    unit_at(&mut lan, HOST, "Units/Tank").steps = 7;
    despawn(&mut lan, HOST, "Ship");
    lan.settle();
    for guest in [peer(3), peer(4)] {
        assert_eq!(units(&mut lan, guest), [("Tank".to_owned(), 90, 7)]);
    }
    // The room withdrew the ids of the ship after the last guest had received it.
    assert_eq!(stats(&mut lan).unknown_ids, 0);
}

#[test]
fn guest_that_joins_late_receives_the_present_nodes() {
    let mut lan = hosted_room(1);
    spawn(&mut lan, HOST, "Tank", 100);
    spawn(&mut lan, HOST, "Ship", 50);
    lan.settle();
    despawn(&mut lan, HOST, "Ship");
    unit_at(&mut lan, HOST, "Units/Tank").hp = 10;
    unit_at(&mut lan, HOST, "Flag").hp = 3;
    lan.settle();
    let late = join(&mut lan);
    assert_eq!(units(&mut lan, late), [("Tank".to_owned(), 10, 0)]);
    // A synchronizer that is part of the scene is found by its path.
    assert_eq!(unit_at(&mut lan, late, "Flag").hp, 3);
}

#[test]
fn node_with_a_name_that_was_used_before_is_another_node() {
    let mut lan = hosted_room(1);
    for hp in [1, 2, 3] {
        spawn(&mut lan, HOST, "Tank", hp);
        lan.settle();
        call(&mut lan, HOST, peer(3), "Units/Tank", hp);
        lan.settle();
        assert_eq!(units(&mut lan, peer(3)), [("Tank".to_owned(), hp, 0)]);
        assert_eq!(calls(&mut lan, peer(3), "Units/Tank"), [(1, hp)]);
        despawn(&mut lan, HOST, "Tank");
        lan.settle();
    }
}

#[test]
fn nodes_of_a_guest_reach_the_host_and_the_other_guests() {
    let mut lan = hosted_room(2);
    unit_at(&mut lan, peer(3), "Pad3").hp = 8;
    unit_at(&mut lan, peer(3), "Pad3").steps = 9;
    lan.settle();
    for id in [HOST, peer(4)] {
        let pad = unit_at(&mut lan, id, "Pad3");
        assert_eq!((pad.hp, pad.steps), (8, 9), "{id}");
    }
}
