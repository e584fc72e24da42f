//! Who sees what.

use std::cell::Cell;
use std::rc::Rc;

use mp_scene::RpcError;
use mp_scene::prelude::*;
use mp_scene::replication::VisibilityUpdateMode;

use crate::game::*;

/// A unit on the server that nobody sees yet.
fn hidden(lan: &mut mp_scene::testing::Lan, name: &str) -> NodeRef<Unit> {
    let node = add_unit(lan, name, 1);
    sync_of(lan, SERVER, &format!("Units/{name}/Sync")).set_public_visibility(false);
    node
}

#[test]
fn a_node_is_there_for_those_that_are_listed() {
    let (mut lan, ids) = lan(2);
    hidden(&mut lan, "V");
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], true);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some() && unit_at(&mut lan, ids[1], "V").is_none());
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], false);
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[1], true);
    unit_at(&mut lan, SERVER, "V").unwrap().hp = 2;
    lan.settle();
    assert_eq!((hp_at(&mut lan, ids[0], "V"), hp_at(&mut lan, ids[1], "V")), (None, Some(2)));
}

#[test]
fn visibility_that_is_settled_before_the_peer_comes_holds_when_it_does() {
    let (mut lan, ids) = lan(1);
    hidden(&mut lan, "V");
    let late = PeerId::new(3).unwrap();
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(late, true);
    lan.settle();
    assert_eq!(lan.join(game()).unwrap(), late);
    lan.settle();
    assert!(unit_at(&mut lan, late, "V").is_some() && unit_at(&mut lan, ids[0], "V").is_none());
}

#[test]
fn filters_are_asked_at_every_tick_unless_told_otherwise() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "V", 1);
    let open = Rc::new(Cell::new(false));
    let gate = Rc::clone(&open);
    sync_of(&mut lan, SERVER, "Units/V/Sync").add_visibility_filter(move |_| gate.get());
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    open.set(true);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some());

    let sync = sync_of(&mut lan, SERVER, "Units/V/Sync");
    sync.set_visibility_update_mode(VisibilityUpdateMode::None);
    open.set(false);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some(), "nobody asked");
    sync_of(&mut lan, SERVER, "Units/V/Sync").update_visibility(None);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
}

#[test]
fn a_filter_can_be_removed() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "V", 1);
    let filter = sync_of(&mut lan, SERVER, "Units/V/Sync").add_visibility_filter(|_| false);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_none());
    let sync = sync_of(&mut lan, SERVER, "Units/V/Sync");
    assert!(sync.remove_visibility_filter(filter) && !sync.remove_visibility_filter(filter));
    sync.update_visibility(None);
    lan.settle();
    assert!(unit_at(&mut lan, ids[0], "V").is_some());
}

#[test]
fn calls_go_only_to_those_that_see_the_node() {
    let (mut lan, ids) = lan(2);
    let node = hidden(&mut lan, "V");
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], true);
    lan.settle();
    lan.scene(SERVER).rpc(node, "poke", ()).unwrap();
    let blind = lan.scene(SERVER).rpc_id(ids[1], node, "poke", ());
    assert_eq!(blind, Err(RpcError::NotVisible(ids[1])));
    lan.settle();
    assert_eq!(unit_at(&mut lan, ids[0], "V").unwrap().poked, [1]);
    assert_eq!(lan.scene(ids[1]).stats().refused_calls, 0);
}

#[test]
fn a_synchronizer_that_signals_says_that_its_visibility_has_changed() {
    let (mut lan, ids) = lan(1);
    add_unit(&mut lan, "V", 1);
    lan.settle();
    signals(&mut lan, SERVER);
    sync_of(&mut lan, SERVER, "Units/V/Sync").set_visibility_for(ids[0], true);
    lan.settle();
    let told = signals(&mut lan, SERVER);
    let changed = |signal: &Signal| matches!(signal, Signal::VisibilityChanged { peer: Some(peer), .. } if *peer == ids[0]);
    assert!(told.iter().any(changed), "{told:?}");
}
