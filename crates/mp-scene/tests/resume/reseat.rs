//! Peers that resume under another id.

use mp_scene::prelude::*;
use mp_scene::{BranchEvent, Keep};

use super::world::{KEEP, Log, SERVER, World, add_unit, keeping, logged, units_in};

fn reseating(keep: Keep) -> BranchBuilder {
    keeping(keep).on_peer_resumed(|scene, old, new| {
        if old != new {
            scene.reseat(old, new);
        }
    })
}

#[test]
fn nodes_named_after_the_peer_are_renamed_for_all_and_the_old_peer_leaves() {
    let log = Log::default();
    let mut world = World::new(logged(reseating(Keep::for_(KEEP)), &log));
    let (ann, bob) = (world.join(2), world.join(3));
    let unit = world.add_unit("2", 5);
    world.scene().tree_mut().set_multiplayer_authority(unit, ann, false).unwrap();
    world.add_unit("3", 6);
    world.settle();
    world.cut(ann);
    world.scene().get_mut(unit).unwrap().hp = 8;
    world.settle();
    world.signals_at(bob);

    let new = world.resume(ann, 7);
    let expected = [("3".to_owned(), 6), ("7".to_owned(), 8)];
    for client in [new, bob] {
        assert_eq!(world.units_at(client), expected, "{client}");
    }
    assert_eq!(units_in(world.scene(), "Units"), expected);
    assert_eq!(world.scene().tree().multiplayer_authority(unit), Some(new));
    assert_eq!(world.client(bob).peers(), [SERVER, new]);
    assert_eq!(world.client(new).peers(), [SERVER, bob]);
    let signals = world.signals_at(bob);
    assert_eq!(signals, [Signal::PeerConnected(new), Signal::PeerDisconnected(ann)]);
    assert_eq!(log.borrow()[2..], ["dropped 2", "resumed 2 by 7"]);
    let mut last = None;
    while let Some(event) = world.server.next_event() {
        last = Some(event);
    }
    assert_eq!(last, Some(BranchEvent::PeerResumed { old: ann, new }));

    world.scene().get_mut(unit).unwrap().hp = 12;
    world.settle();
    assert_eq!(world.units_at(bob)[1].1, 12);
}

#[test]
fn visibility_for_the_peer_passes_to_the_new_one() {
    let mut world = World::new(reseating(Keep::for_(KEEP)));
    let (ann, bob) = (world.join(2), world.join(3));
    world.add_unit("secret", 1);
    let path = world.scene().find("Units/secret/Sync").unwrap();
    let sync = NodeRef::<MultiplayerSynchronizer>::new(path);
    world.scene().get_mut(sync).unwrap().set_public_visibility(false);
    world.scene().get_mut(sync).unwrap().set_visibility_for(ann, true);
    world.settle();
    world.cut(ann);
    let new = world.resume(ann, 7);
    assert_eq!(world.units_at(new), [("secret".to_owned(), 1)]);
    assert_eq!(world.units_at(bob), []);
    let sync = world.scene().get_mut(sync).unwrap();
    assert!(sync.visibility_for(new) && !sync.visibility_for(ann));
}

#[test]
fn queued_calls_are_sent_to_the_new_peer_under_the_new_names() {
    let mut world = World::new(reseating(Keep::for_(KEEP).queue_calls(8)));
    let ann = world.join(2);
    let unit = world.add_unit("2", 5);
    world.settle();
    world.cut(ann);
    world.scene().rpc_id(ann, unit, "poke", (4,)).unwrap();
    let new = world.resume(ann, 7);
    assert_eq!(super::world::unit_in(world.client(new), "Units/7").called, [4]);
}

#[test]
fn id_of_another_peer_is_refused_and_the_session_can_still_be_resumed() {
    let mut world = World::new(reseating(Keep::for_(KEEP)));
    let (ann, _bob) = (world.join(2), world.join(3));
    world.cut(ann);
    let taken = {
        // The transport of the third client claims the id of the second one.
        let before = world.stats().duplicate_ids;
        world.resume_twin(ann, 3);
        world.stats().duplicate_ids - before
    };
    assert_eq!(taken, 1);
    assert!(world.scene().multiplayer().is_kept(ann));
    let new = world.resume(ann, 7);
    assert!(world.scene().multiplayer().has_peer(new));
}

#[test]
fn name_that_is_taken_stays() {
    let mut world = World::new(keeping(Keep::for_(KEEP)));
    let ann = world.join(2);
    let unit = add_unit(world.scene(), "Units", "2", 0);
    add_unit(world.scene(), "Units", "7", 0);
    let new = PeerId::new(7).unwrap();
    assert_eq!(world.scene().reseat(ann, new), []);
    assert_eq!(world.scene().tree().name(unit), Some("2"));
}
