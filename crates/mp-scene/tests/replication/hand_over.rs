//! Synchronizers that restart, and those whose authority changes.

use std::cell::Cell;
use std::rc::Rc;

use mp_scene::prelude::*;
use mp_scene::testing::Lan;

use crate::game::*;

/// Applies `change` to the client's unit `U`, moves the unit on the server to 9, and returns its
/// position at the client.
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
fn receiver_that_sets_its_config_again_keeps_its_net_id() {
    let x = position_after(|lan, client| {
        sync_of(lan, client, "Units/U/Sync").set_replication_config(unit_config());
    });
    assert_eq!(x, 9.0);
}

#[test]
fn receiver_that_sets_its_root_path_again_keeps_its_net_id() {
    let x = position_after(|lan, client| sync_of(lan, client, "Units/U/Sync").set_root_path(".."));
    assert_eq!(x, 9.0);
}

#[test]
fn receiver_that_takes_the_authority_and_returns_it_keeps_its_net_id() {
    let x = position_after(|lan, client| {
        give(lan, client, "Units/U/Sync", client);
        lan.settle();
        give(lan, client, "Units/U/Sync", SERVER);
    });
    assert_eq!(x, 9.0);
}

#[test]
fn synchronizer_that_is_removed_and_added_again_has_no_net_id() {
    let x = position_after(|lan, client| {
        let scene = lan.scene(client);
        let sync = scene.find("Units/U/Sync").unwrap();
        scene.remove(sync).unwrap();
        scene.add("Units/U/Sync", MultiplayerSynchronizer::new(unit_config())).unwrap();
    });
    assert_eq!(x, 0.0);
}

#[derive(Default)]
struct Ball {
    plain: i64,
    field: Replicated<i64>,
    place: i64,
}

impl Ball {
    /// Changes the ball and gives its authority to another peer.
    fn kick(&mut self, cx: &mut RpcContext<'_>, (to,): (i32,)) {
        if cx.unique_id() == SERVER {
            (self.plain, *self.field, self.place) = (42, 42, 42);
            let desk = cx.find("Desk").unwrap();
            cx.rpc(desk, "yours", (to,)).unwrap();
        }
    }
}

impl Node for Ball {
    fn rpc_table() -> RpcTable<Self> {
        let everywhere = RpcConfig::any_peer().call_local();
        RpcTable::new()
            .method("kick", everywhere, Self::kick)
            .method("yours", everywhere, |_: &mut Self, cx, (to,): (i32,)| {
                for sync in ["Ball/Sync", "Ball/Places"] {
                    let sync = cx.find(sync).unwrap();
                    let to = PeerId::new(to).unwrap();
                    cx.tree_mut().set_multiplayer_authority(sync, to, false).unwrap();
                }
            })
            .method("gone", everywhere, |_: &mut Self, cx, (_,): (i32,)| {
                let ball = cx.find("Ball").unwrap();
                cx.remove(ball).unwrap();
            })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("plain", |ball: &mut Self| &mut ball.plain)
            .property("field", |ball: &mut Self| &mut ball.field)
            .property("place", |ball: &mut Self| &mut ball.place)
    }
}

fn field() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("Ball", Ball::default())?;
        scene.add("Desk", Ball::default())?;
        let changes = ReplicationConfig::new().on_change(".:plain").on_change(".:field");
        scene.add("Ball/Sync", MultiplayerSynchronizer::new(changes))?;
        let places = ReplicationConfig::new().always(".:place");
        scene.add("Ball/Places", MultiplayerSynchronizer::new(places))
    })
}

fn ball(lan: &mut Lan, peer: PeerId) -> &mut Ball {
    let ball = lan.scene(peer).node("Ball").unwrap();
    lan.scene(peer).get_mut(ball).unwrap()
}

/// Changes the ball and gives its authority to a client by `hand_over`; all peers must have its
/// state at that time.
fn handed_over(hand_over: fn(&mut Scene, PeerId), is_paused: bool) {
    let mut lan = Lan::new(field()).unwrap();
    let ids = [lan.join(field()).unwrap(), lan.join(field()).unwrap()];
    lan.settle();
    *ball(&mut lan, SERVER) = Ball { plain: 1, field: 1.into(), place: 1 };
    lan.settle();
    if is_paused {
        lan.scene(SERVER).multiplayer_mut().pause_peer(ids[0]);
    }
    let old = ball(&mut lan, SERVER);
    (old.plain, *old.field, old.place) = (42, 42, 42);
    hand_over(lan.scene(SERVER), ids[0]);
    lan.settle();
    lan.scene(SERVER).multiplayer_mut().resume_peer(ids[0]);
    lan.settle();
    for peer in [SERVER, ids[0], ids[1]] {
        let ball = ball(&mut lan, peer);
        assert_eq!((ball.plain, *ball.field, ball.place), (42, 42, 42), "{peer}");
    }
    *ball(&mut lan, ids[0]) = Ball { plain: 7, field: 7.into(), place: 7 };
    lan.settle();
    let ball = ball(&mut lan, ids[1]);
    assert_eq!(
        (ball.plain, *ball.field, ball.place),
        (7, 7, 7),
        "the new owner's values must be applied"
    );
}

fn call(scene: &mut Scene, path: &str, method: &str, to: PeerId) {
    let node = scene.find(path).unwrap();
    scene.rpc(node, method, (to.get(),)).unwrap();
}

#[test]
fn values_set_before_a_hand_over_are_received() {
    handed_over(|scene, to| call(scene, "Desk", "yours", to), false);
}

#[test]
fn values_set_before_a_hand_over_to_a_paused_peer_are_received() {
    handed_over(|scene, to| call(scene, "Desk", "yours", to), true);
}

#[test]
fn values_set_by_the_method_that_hands_its_node_over_are_received() {
    handed_over(|scene, to| call(scene, "Ball", "kick", to), false);
}

#[test]
fn values_set_before_the_last_of_two_hand_overs_in_a_step_are_received() {
    let twice = |scene: &mut Scene, to| {
        call(scene, "Desk", "yours", PeerId::new(3).unwrap());
        call(scene, "Desk", "yours", to);
    };
    handed_over(twice, false);
}

/// Returns a field with two clients, whose ball the server has changed in a turn that has not
/// ended.
fn changed_ball(server: BranchBuilder) -> (Lan, PeerId, PeerId) {
    let mut lan = Lan::new(server).unwrap();
    let [new_owner, other] = [lan.join(field()).unwrap(), lan.join(field()).unwrap()];
    lan.settle();
    *ball(&mut lan, SERVER) = Ball { plain: 1, field: 1.into(), place: 1 };
    lan.settle();
    let old = ball(&mut lan, SERVER);
    (old.plain, *old.field, old.place) = (42, 42, 42);
    (lan, new_owner, other)
}

fn values(lan: &mut Lan, peer: PeerId) -> (i64, i64, i64) {
    let ball = ball(lan, peer);
    (ball.plain, *ball.field, ball.place)
}

/// Asserts that no peer refused anything or reported a replication error.
fn assert_no_complaints(lan: &mut Lan, peers: &[PeerId]) {
    for &peer in peers {
        let failed = |signal: &Signal| matches!(signal, Signal::ReplicationFailed(_));
        let signals = signals(lan, peer);
        assert!(!signals.iter().any(failed), "{peer}: {signals:?}");
        let stats = lan.scene(peer).stats();
        let refusals = lan.scene(peer).multiplayer().refusals();
        assert_eq!(refusals.iter().collect::<Vec<_>>(), [], "{peer}: {stats:?}");
    }
}

#[test]
fn hand_over_of_a_node_removed_in_the_same_turn_is_not_an_error() {
    let (mut lan, new_owner, other) = changed_ball(field());
    call(lan.scene(SERVER), "Desk", "yours", new_owner);
    call(lan.scene(SERVER), "Desk", "gone", new_owner);
    lan.settle();
    assert_no_complaints(&mut lan, &[SERVER, new_owner, other]);
}

#[test]
fn unit_handed_over_and_removed_in_one_turn_frees_its_name() {
    let (mut lan, ids) = lan(2);
    let ids = [ids[0], ids[1]];
    let node = add_unit(&mut lan, "U", 1);
    lan.settle();
    lan.scene(SERVER).get_mut(node).unwrap().hp = 42;
    for side in [SERVER, ids[0], ids[1]] {
        give(&mut lan, side, "Units/U/Sync", ids[0]);
    }
    lan.scene(SERVER).remove(node).unwrap();
    lan.settle();
    assert_eq!(ids.map(|peer| hp_at(&mut lan, peer, "U")), [None, None]);
    add_unit(&mut lan, "U", 7);
    lan.settle();
    assert_eq!(ids.map(|peer| hp_at(&mut lan, peer, "U")), [Some(7), Some(7)]);
    assert_no_complaints(&mut lan, &[SERVER, ids[0], ids[1]]);
}

/// Hides both synchronizers from all peers but `peer` on `side`.
fn show_only_to(lan: &mut Lan, side: PeerId, peer: PeerId) {
    for path in ["Ball/Sync", "Ball/Places"] {
        let sync = sync_of(lan, side, path);
        sync.set_public_visibility(false);
        sync.set_visibility_for(peer, true);
    }
}

#[test]
fn a_peer_from_which_a_synchronizer_was_hidden_is_not_sent_its_last_state() {
    let (mut lan, new_owner, other) = changed_ball(field());
    show_only_to(&mut lan, new_owner, SERVER);
    show_only_to(&mut lan, SERVER, new_owner);
    give(&mut lan, SERVER, "Ball/Sync", new_owner);
    give(&mut lan, SERVER, "Ball/Places", new_owner);
    lan.settle();
    assert_eq!(values(&mut lan, new_owner), (42, 42, 42));
    assert_eq!(values(&mut lan, other), (1, 1, 1));
    assert_no_complaints(&mut lan, &[SERVER, new_owner, other]);
}

#[test]
fn new_owner_receives_the_last_state_of_a_synchronizer_hidden_from_it() {
    let (mut lan, new_owner, other) = changed_ball(field());
    call(lan.scene(SERVER), "Desk", "yours", new_owner);
    show_only_to(&mut lan, SERVER, other);
    lan.settle();
    assert_eq!(values(&mut lan, new_owner), (42, 42, 42));
    assert_no_complaints(&mut lan, &[SERVER, new_owner, other]);
}

#[test]
fn late_joiner_receives_the_state_from_the_owner_of_the_node() {
    for steps in 0..12 {
        let owner = Rc::new(Cell::new(SERVER));
        let owner_at_call = Rc::clone(&owner);
        let server = field().on_signal(move |scene, signal| {
            if let Signal::PeerConnected(peer) = *signal {
                let desk = scene.find("Desk").unwrap();
                scene.rpc_id(peer, desk, "yours", (owner_at_call.get().get(),)).unwrap();
            }
        });
        let (mut lan, new_owner, other) = changed_ball(server);
        let late = lan.join(field()).unwrap();
        (0..steps).for_each(|_| lan.step());
        owner.set(new_owner);
        call(lan.scene(SERVER), "Desk", "yours", new_owner);
        lan.settle();
        lan.settle();
        for peer in [SERVER, new_owner, other, late] {
            assert_eq!(values(&mut lan, peer), (42, 42, 42), "{peer}, {steps}");
        }
        assert_no_complaints(&mut lan, &[SERVER, new_owner, other, late]);
    }
}
