//! Synchronizers that begin anew, and those that are handed over.

use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use crate::game::*;

/// A server and a client with the unit `U`, whose own synchronizer there is changed by `change`.
fn position_after(change: fn(&mut Lan, PeerId)) -> f32 {
    let (mut lan, ids) = lan(1);
    let node = add_unit(&mut lan, "U", 1);
    lan.settle();
    change(&mut lan, ids[0]);
    lan.settle();
    lan.scene(SERVER).get_mut(node).unwrap().position.x = 9.0;
    lan.settle();
    unit_at(&mut lan, ids[0], "U").unwrap().position.x
}

fn give(lan: &mut Lan, side: PeerId, path: &str, to: PeerId) {
    let node = lan.scene(side).find(path).unwrap();
    lan.scene(side).tree_mut().set_multiplayer_authority(node, to, false).unwrap();
}

#[test]
fn a_receiver_that_sets_its_config_anew_keeps_its_number() {
    let x = position_after(|lan, client| {
        sync_of(lan, client, "Units/U/Sync").set_replication_config(unit_config());
    });
    assert_eq!(x, 9.0);
}

#[test]
fn a_receiver_that_sets_its_root_path_anew_keeps_its_number() {
    let x = position_after(|lan, client| sync_of(lan, client, "Units/U/Sync").set_root_path(".."));
    assert_eq!(x, 9.0);
}

#[test]
fn a_receiver_that_takes_the_authority_and_gives_it_back_keeps_its_number() {
    let x = position_after(|lan, client| {
        give(lan, client, "Units/U/Sync", client);
        lan.settle();
        give(lan, client, "Units/U/Sync", SERVER);
    });
    assert_eq!(x, 9.0);
}

#[test]
fn a_synchronizer_that_is_removed_and_added_again_has_no_number_as_in_godot() {
    let x = position_after(|lan, client| {
        let scene = lan.scene(client);
        let sync = scene.find("Units/U/Sync").unwrap();
        scene.remove(sync).unwrap();
        scene.add("Units/U/Sync", MultiplayerSynchronizer::new(unit_config())).unwrap();
    });
    assert_eq!(x, 0.0);
}
