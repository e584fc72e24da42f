//! Requests: calls that a peer answers.
#![allow(missing_docs, reason = "a test")]

use std::time::Duration;

use mp_core::variant::{FromVariant, FromVariantError};
use mp_core::{Instant, MemoryMultiplayerPeer};
use mp_scene::limits::OPEN_REQUESTS_MAX;
use mp_scene::prelude::*;
use mp_scene::rpc::{Answer, RequestCall, RequestError};
use mp_scene::testing::Lan;

const SERVER: PeerId = PeerId::SERVER;

/// Sells items: answers `price` with the length of the item's name, or not at all.
#[derive(Default)]
struct Shop {
    /// The last request: its sender and id.
    last: Option<(PeerId, i64)>,
}

impl Node for Shop {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("price", RpcConfig::any_peer(), |shop: &mut Self, cx, args: (i64, String)| {
                let (id, item) = args;
                shop.last = Some((cx.remote_sender(), id));
                if !item.is_empty() {
                    cx.reply("price_answer", (id, item.len() as i64)).unwrap();
                }
            })
            .answer("price_answer")
            .answer("other_answer")
    }
}

fn game() -> BranchBuilder {
    Branch::builder("/root").setup(|scene| {
        scene.add("Shop", Shop::default())?;
        scene.add("Other", Shop::default())
    })
}

fn ask<T: FromVariant + 'static>(
    lan: &mut Lan,
    client: PeerId,
    item: &str,
) -> Result<Answer<T>, RequestError> {
    let scene = lan.scene(client);
    let shop = scene.find("Shop").unwrap();
    let args = (item.to_owned(),);
    RequestCall::new(shop, "price", "price_answer", args).ask(scene, SERVER)
}

/// Returns the id of the last request that the server received.
fn last_id(lan: &mut Lan) -> i64 {
    let scene = lan.scene(SERVER);
    scene.get(scene.node::<Shop>("Shop").unwrap()).unwrap().last.unwrap().1
}

fn answer(lan: &mut Lan, from: PeerId, to: PeerId, node: &str, method: &str, id: i64) {
    let scene = lan.scene(from);
    let node = scene.find(node).unwrap();
    scene.rpc_id(to, node, method, (id, 7)).unwrap();
    lan.settle();
}

#[test]
fn request_returns_the_answer_of_the_peer() {
    let mut lan = Lan::new(game()).unwrap();
    let alice = lan.join(game()).unwrap();
    lan.settle();
    let number = ask::<i64>(&mut lan, alice, "sword").unwrap();
    let text = ask::<String>(&mut lan, alice, "sword").unwrap();
    assert_eq!(number.take(), None);
    lan.settle();
    assert_eq!(number.take(), Some(Ok(5)));
    assert!(matches!(text.take(), Some(Err(RequestError::Answer(FromVariantError::Type { .. })))));
}

#[test]
fn unexpected_answers_are_dropped_and_counted() {
    let mut lan = Lan::new(game()).unwrap();
    let (alice, bob) = (lan.join(game()).unwrap(), lan.join(game()).unwrap());
    lan.settle();
    let price = ask::<i64>(&mut lan, alice, "").unwrap();
    lan.settle();
    let id = last_id(&mut lan);
    answer(&mut lan, bob, alice, "Shop", "price_answer", id);
    answer(&mut lan, SERVER, alice, "Other", "price_answer", id);
    answer(&mut lan, SERVER, alice, "Shop", "other_answer", id);
    answer(&mut lan, SERVER, alice, "Shop", "price_answer", id ^ 1);
    assert_eq!((price.take(), lan.scene(alice).stats().refused_answers), (None, 4));
    answer(&mut lan, SERVER, alice, "Shop", "price_answer", id);
    assert_eq!(price.take(), Some(Ok(7)));
    answer(&mut lan, SERVER, alice, "Shop", "price_answer", id);
    assert_eq!((price.take(), lan.scene(alice).stats().refused_answers), (None, 5));
}

#[test]
fn request_without_an_answer_times_out_and_a_late_answer_is_dropped() {
    let mut lan = Lan::new(game()).unwrap();
    let alice = lan.join(game()).unwrap();
    lan.settle();
    let price = ask::<i64>(&mut lan, alice, "").unwrap();
    lan.settle();
    let steps = |duration: Duration| duration.as_millis() / Lan::STEP.as_millis();
    (0..steps(Duration::from_secs(4))).for_each(|_| lan.step());
    assert_eq!(price.take(), None);
    (0..steps(Duration::from_secs(1))).for_each(|_| lan.step());
    assert_eq!(price.take(), Some(Err(RequestError::TimedOut)));
    let id = last_id(&mut lan);
    answer(&mut lan, SERVER, alice, "Shop", "price_answer", id);
    assert_eq!((price.take(), lan.scene(alice).stats().refused_answers), (None, 1));
}

#[test]
fn requests_to_one_peer_are_bounded() {
    let mut lan = Lan::new(game()).unwrap();
    let alice = lan.join(game()).unwrap();
    lan.settle();
    let sent = (0..200).filter(|_| ask::<i64>(&mut lan, alice, "").is_ok()).count();
    assert_eq!(sent, OPEN_REQUESTS_MAX);
    let error = ask::<i64>(&mut lan, alice, "").unwrap_err();
    assert_eq!(error, RequestError::TooManyOpen);
}

#[test]
fn peer_that_leaves_ends_its_requests() {
    let mut lan = Lan::new(game()).unwrap();
    let alice = lan.join(game()).unwrap();
    lan.settle();
    let scene = lan.scene(SERVER);
    let shop = scene.find("Shop").unwrap();
    let request = RequestCall::<_, i64>::new(shop, "price", "price_answer", (String::new(),));
    let price = request.ask(scene, alice).unwrap();
    lan.settle();
    assert_eq!(price.take(), None);
    lan.scene(SERVER).multiplayer_mut().disconnect_peer(alice);
    lan.settle();
    assert_eq!(price.take(), Some(Err(RequestError::PeerLeft)));
}

#[test]
fn ids_of_requests_follow_from_the_seed() {
    assert_eq!(ids_with_seed(1), ids_with_seed(1));
    assert_ne!(ids_with_seed(1), ids_with_seed(2));
}

/// Returns the ids of two requests of a client.
fn ids_with_seed(seed: u8) -> [i64; 2] {
    let mut server = (game().build().unwrap(), MemoryMultiplayerPeer::server());
    let client_peer = server.1.address().connect(PeerId::new(2).unwrap());
    let mut client = (game().seed([seed; 32]).build().unwrap(), client_peer);
    let mut now = Instant::from_millis(1_000);
    let mut settle = |client: &mut (Branch, MemoryMultiplayerPeer)| {
        for _ in 0..8 {
            now += Lan::STEP;
            server.0.poll(&mut server.1, now);
            client.0.poll(&mut client.1, now);
        }
        let shop = server.0.scene().node::<Shop>("Shop").unwrap();
        server.0.scene().get(shop).unwrap().last
    };
    settle(&mut client);
    [(); 2].map(|()| {
        let shop = client.0.scene().find("Shop").unwrap();
        let request = RequestCall::<_, i64>::new(shop, "price", "price_answer", (String::new(),));
        request.ask(client.0.scene(), SERVER).unwrap();
        settle(&mut client).unwrap().1
    })
}
