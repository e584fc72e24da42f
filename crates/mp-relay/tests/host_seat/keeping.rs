//! Games that no player can host, and that go on later in another room.

use std::cell::RefCell;
use std::rc::Rc;

use mp_relay::{HostSeat, Migration};
use mp_scene::prelude::*;
use mp_scene::testing::Lan;
use mp_scene::{Snapshot, SnapshotContent, SnapshotError};

use crate::game::*;

/// The snapshots that rooms have passed on, encoded.
type Kept = Rc<RefCell<Vec<Vec<u8>>>>;

/// Returns a seat that keeps its state. Only `next` can be the host after the first one; `None`:
/// no client can.
fn keeping_seat(kept: &Kept, next: Option<PeerId>) -> HostSeat {
    let kept = kept.clone();
    let migration = Migration::with_packet(&b"host"[..])
        .grace(GRACE)
        .choice(move |guests| guests.iter().copied().find(|guest| Some(*guest) == next))
        .keep_state(move |snapshot| kept.borrow_mut().push(snapshot.encode()));
    HostSeat::first().migration(migration)
}

/// Returns a room with two guests that no player can host after the present host.
fn mortal_room(kept: &Kept) -> Lan {
    let mut lan = room(keeping_seat(kept, None));
    lan.join(game(HOST)).unwrap();
    lan.settle();
    assert_eq!([join(&mut lan), join(&mut lan)], [3, 4].map(peer));
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    for path in ["Units/Tank", "Flag"] {
        let unit = unit_at(&mut lan, HOST, path);
        (unit.hp, unit.steps) = (30, 40);
    }
    lan.settle();
    lan
}

/// Lets the host leave for good. Returns the state that was kept.
fn abandon(lan: &mut Lan, kept: &Kept) -> Snapshot {
    leave(lan, HOST);
    wait_for(lan, GRACE);
    lan.settle();
    let kept = kept.borrow();
    Snapshot::decode(kept.last().expect("a state")).unwrap()
}

fn restored_room(snapshot: &Snapshot, kept: &Kept, next: PeerId) -> Lan {
    let mut lan = room(keeping_seat(kept, Some(next)));
    lan.branch(SERVER).restore(snapshot).unwrap();
    lan
}

fn tank(hp: i64, steps: i64) -> Vec<(String, i64, i64)> {
    vec![("Tank".to_owned(), hp, steps)]
}

#[test]
fn game_that_no_player_can_host_goes_on_in_another_room() {
    let kept = Kept::default();
    let mut lan = mortal_room(&kept);
    let snapshot = abandon(&mut lan, &kept);
    assert_eq!(lan.scene(SERVER).peers(), [], "the guests are disconnected");
    assert_eq!((stats(&mut lan).kept_games, kept.borrow().len()), (1, 1));
    drop(lan);

    // A guest that cannot be the host waits with the nodes.
    let mut lan = restored_room(&snapshot, &kept, peer(3));
    let waiting = join(&mut lan);
    assert_eq!((units(&mut lan, waiting), seat(&mut lan).occupant()), (tank(30, 40), None));
    let before = lan.scene(waiting).find("Units/Tank").unwrap();
    // The first guest that can be the host receives the nodes, and the message at once.
    let host = join(&mut lan);
    assert_eq!(seat(&mut lan).occupant(), Some(host));
    assert_eq!(units(&mut lan, host), tank(30, 40));
    let flag = unit_at(&mut lan, host, "Flag");
    assert_eq!((flag.hp, flag.steps), (30, 40), "a synchronizer that is part of a scene");
    assert!(take_over_when_asked(&mut lan, host));
    lan.settle();
    assert_eq!(lan.scene(waiting).find("Units/Tank").unwrap(), before, "the node is the same");
    assert_eq!((stats(&mut lan).kept_nodes, stats(&mut lan).restored_games), (1, 1));
    unit_at(&mut lan, host, "Units/Tank").hp = 5;
    lan.settle();
    let late = join(&mut lan);
    for guest in [waiting, late] {
        assert_eq!(units(&mut lan, guest), tank(5, 40), "{guest}");
    }
    wait_for(&mut lan, mp_relay::limits::TAKE_OVER);
    assert_eq!((stats(&mut lan).lost_nodes, stats(&mut lan).unknown_ids), (0, 0));
}

#[test]
fn game_that_no_player_can_host_goes_on_in_the_same_room() {
    let kept = Kept::default();
    let mut lan = room(keeping_seat(&kept, Some(peer(4))));
    lan.join(game(HOST)).unwrap();
    lan.settle();
    join(&mut lan);
    spawn(&mut lan, HOST, "Tank", 100);
    lan.settle();
    abandon(&mut lan, &kept);
    let host = join(&mut lan);
    assert_eq!((seat(&mut lan).occupant(), units(&mut lan, host)), (Some(peer(4)), tank(100, 0)));
}

#[test]
fn nodes_that_were_hidden_from_a_guest_are_not_kept() {
    let kept = Kept::default();
    let mut lan = mortal_room(&kept);
    spawn(&mut lan, HOST, "Spy", 7);
    let scene = lan.scene(HOST);
    let node = scene.find("Units/Spy/Sync").unwrap();
    let synchronizer: &mut MultiplayerSynchronizer = scene.get_mut(NodeRef::new(node)).unwrap();
    synchronizer.set_public_visibility(false);
    synchronizer.set_visibility_for(peer(3), true);
    lan.settle();
    assert_eq!(units(&mut lan, peer(3)).len(), 2);
    let snapshot = abandon(&mut lan, &kept);
    assert!(!snapshot.state().windows(3).any(|name| name == b"Spy"));
    let mut lan = restored_room(&snapshot, &kept, peer(2));
    let host = join(&mut lan);
    assert_eq!(units(&mut lan, host), tank(30, 40));
}

#[test]
fn state_stays_if_the_next_host_leaves_before_it_has_taken_over() {
    let kept = Kept::default();
    let snapshot = abandon(&mut mortal_room(&kept), &kept);
    let mut lan = restored_room(&snapshot, &kept, peer(2));
    lan.join(game(SERVER)).unwrap();
    lan.settle();
    assert_eq!(lan.branch(SERVER).snapshot().unwrap().as_ref(), Some(&snapshot));
    leave(&mut lan, peer(2));
    assert_eq!((seat(&mut lan).occupant(), seat(&mut lan).cache_size().0), (None, 1));
    assert_eq!(lan.branch(SERVER).snapshot().unwrap(), Some(snapshot));
}

#[test]
fn state_of_a_game_with_a_host_can_be_taken() {
    let kept = Kept::default();
    let mut lan = mortal_room(&kept);
    let snapshot = lan.branch(SERVER).snapshot().unwrap().expect("a state");
    assert_eq!(snapshot.content(), SnapshotContent::HostedGame);
    let mut restored = restored_room(&snapshot, &kept, peer(2));
    let host = join(&mut restored);
    assert_eq!(units(&mut restored, host), tank(30, 40));
    // No guest has the nodes of the host any more.
    leave(&mut lan, peer(3));
    leave(&mut lan, peer(4));
    assert_eq!(lan.branch(SERVER).snapshot().unwrap(), None);
}

#[test]
fn seat_refuses_states_that_it_cannot_restore_and_stays_as_it_was() {
    let kept = Kept::default();
    let hosted = SnapshotContent::HostedGame;
    let mut lan = room(keeping_seat(&kept, Some(peer(2))));
    let mut refuse = |content, version, state: &[u8]| {
        let snapshot = Snapshot::new(content, version, state.to_vec()).unwrap();
        lan.branch(SERVER).restore(&snapshot).unwrap_err()
    };
    assert!(matches!(refuse(hosted, 1, b"\x07"), SnapshotError::Malformed(_)));
    let error = refuse(hosted, 2, b"").to_string();
    assert_eq!(error, "the state has version 2, and this program reads version 1");
    let error = refuse(SnapshotContent::Program, 1, b"");
    assert!(matches!(error, SnapshotError::OtherContent(SnapshotContent::Program)));
    assert_eq!(lan.join(game(HOST)).unwrap(), HOST);
    lan.settle();
    assert_eq!(seat(&mut lan).occupant(), Some(HOST), "a new game");

    let snapshot = Snapshot::new(hosted, 1, b"".to_vec()).unwrap();
    let restored = lan.branch(SERVER).restore(&snapshot);
    assert!(matches!(restored, Err(SnapshotError::InUse)));
    let mut mortal = room(HostSeat::first());
    let restored = mortal.branch(SERVER).restore(&snapshot);
    assert!(matches!(restored, Err(SnapshotError::OtherContent(_))), "no next host");
}
