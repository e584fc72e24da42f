//! Limits of received calls: their rate and the size of their arguments.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use mp_core::variant::{FullObject, Object};
use mp_scene::prelude::*;
use mp_scene::rpc::RateLimit;
use mp_scene::testing::Lan;
use mp_scene::{Refusal, Scene};

const SERVER: PeerId = PeerId::SERVER;

/// Counts calls of a method that is limited on the server.
#[derive(Default)]
struct Door {
    knocks: i64,
}

impl Node for Door {
    fn rpc_table() -> RpcTable<Self> {
        let limited = RpcConfig::any_peer().rate(RateLimit::per_second(5)).max_bytes(16);
        RpcTable::new()
            .method("knock", limited, |door: &mut Self, _, _: Vec<Variant>| door.knocks += 1)
            .method("ring", RpcConfig::any_peer(), |door: &mut Self, _, _: Vec<Variant>| {
                door.knocks += 100;
            })
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root/Game").setup(|scene| scene.add("Door", Door::default()))
}

fn call(scene: &mut Scene, method: &str, times: usize, args: Vec<Variant>) {
    let door = scene.find("Door").unwrap();
    for _ in 0..times {
        scene.rpc_id(SERVER, door, method, args.clone()).unwrap();
    }
}

fn knocks(lan: &mut Lan) -> i64 {
    let scene = lan.scene(SERVER);
    scene.get(scene.node::<Door>("Door").unwrap()).unwrap().knocks
}

fn refused(lan: &mut Lan, refusal: Refusal) -> u64 {
    lan.scene(SERVER).multiplayer().refusals().get(refusal)
}

#[test]
fn calls_above_the_rate_of_their_method_are_dropped_and_counted() {
    let mut lan = Lan::new(game()).unwrap();
    let (alice, bob) = (lan.join(game()).unwrap(), lan.join(game()).unwrap());
    lan.settle();
    call(lan.scene(alice), "knock", 8, vec![]);
    call(lan.scene(alice), "ring", 1, vec![]);
    lan.settle();
    assert_eq!(knocks(&mut lan), 105, "other methods are not limited");
    assert_eq!(refused(&mut lan, Refusal::CallRateExceeded), 3);
    assert_eq!(lan.scene(SERVER).stats().refused_calls, 3);

    call(lan.scene(bob), "knock", 2, vec![]);
    lan.settle();
    assert_eq!(knocks(&mut lan), 107, "each peer has its own limit");

    let second = Duration::from_secs(1).as_millis() / Lan::STEP.as_millis();
    (0..second).for_each(|_| lan.step());
    call(lan.scene(alice), "knock", 8, vec![]);
    lan.settle();
    assert_eq!(knocks(&mut lan), 112);
    assert_eq!(lan.scene(SERVER).peers(), [alice, bob]);
}

#[test]
fn arguments_above_the_maximum_size_are_not_decoded() {
    let mut lan = Lan::new(game()).unwrap();
    let alice = lan.join(game()).unwrap();
    lan.settle();
    call(lan.scene(alice), "knock", 1, vec!["8 bytes.".into()]);
    call(lan.scene(alice), "knock", 1, vec![vec![0u8; 17].into()]);
    // Only the client may send this argument: the server cannot decode it.
    lan.scene(alice).multiplayer_mut().set_allow_object_decoding(true);
    let class = "AnObjectWithALongName".into();
    let object = Object::Full(FullObject { class, properties: Vec::new() }.into());
    call(lan.scene(alice), "knock", 1, vec![object.clone().into()]);
    call(lan.scene(alice), "ring", 1, vec![object.into()]);
    lan.settle();
    assert_eq!(knocks(&mut lan), 1);
    assert_eq!(refused(&mut lan, Refusal::CallTooLarge), 2);
    assert_eq!(refused(&mut lan, Refusal::UndecodableArguments), 1, "that without a limit");
}

#[test]
fn peer_above_a_limit_is_disconnected_if_that_is_set() {
    let mut lan = Lan::new(game()).unwrap();
    lan.scene(SERVER).multiplayer_mut().set_disconnect_over_limits(true);
    let (alice, bob) = (lan.join(game()).unwrap(), lan.join(game()).unwrap());
    lan.settle();
    call(lan.scene(alice), "knock", 6, vec![]);
    call(lan.scene(bob), "knock", 5, vec![]);
    lan.settle();
    assert_eq!(lan.scene(SERVER).peers(), [bob]);
}
