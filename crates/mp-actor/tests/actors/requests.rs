//! Requests from outside a branch.

use std::time::Duration;

use mp_actor::prelude::*;
use mp_actor::{AskError, CallError};
use mp_core::MemoryAddress;
use mp_scene::limits::{OPEN_REQUESTS_MAX, REQUEST_TIMEOUT};
use mp_scene::rpc::{RequestCall, RequestError};
use tokio::time::Instant;

use crate::common::*;

/// Answers `price` with the length of the item's name, but not for an item without a name.
struct Shop;

impl Node for Shop {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method(
                "price",
                RpcConfig::any_peer(),
                |_: &mut Self, cx, (id, item): (i64, String)| {
                    if !item.is_empty() {
                        cx.reply("price_answer", (id, item.len() as i64)).unwrap();
                    }
                },
            )
            .answer("price_answer")
    }
}

/// Starts a server and the client 7, which are connected.
async fn shops() -> (BranchRef, BranchRef, MemoryAddress) {
    let shop = || here(|| Branch::builder("/root").setup(|scene| scene.add("Shop", Shop)).build());
    let (server, address) = serve(shop()).await;
    let client = join(shop(), &address, 7).await;
    (server, client, address)
}

async fn price(branch: &BranchRef, item: &str) -> RequestCall<(String,), i64> {
    let shop = branch.with(|scene| scene.find("Shop").unwrap()).await.unwrap();
    RequestCall::new(shop, "price", "price_answer", (item.to_owned(),))
}

async fn ask(branch: &BranchRef, item: &str, peer: PeerId) -> Result<i64, AskError> {
    branch.ask(price(branch, item).await, peer).await
}

#[test]
fn request_from_outside_a_branch_returns_the_answer() {
    run(async {
        let (server, client, _) = shops().await;
        assert_eq!(ask(&client, "sword", PeerId::SERVER).await, Ok(5));
        assert_eq!(ask(&server, "bow", peer(7)).await, Ok(3));
    });
}

#[test]
fn request_without_an_answer_ends_at_its_timeout() {
    run(async {
        let (_server, client, _) = shops().await;
        let before = Instant::now();
        let timed_out = Err(AskError::Request(RequestError::TimedOut));
        assert_eq!(ask(&client, "", PeerId::SERVER).await, timed_out);
        assert_eq!(before.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs());
        let request = price(&client, "").await.timeout(Duration::from_secs(60));
        assert_eq!(client.ask(request, PeerId::SERVER).await, timed_out);
        assert_eq!(before.elapsed().as_secs(), REQUEST_TIMEOUT.as_secs() + 60);
    });
}

#[test]
fn request_ends_when_its_peer_leaves() {
    run(async {
        let (server, client, _) = shops().await;
        let before = Instant::now();
        let (asked, _) = tokio::join!(ask(&server, "", peer(7)), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            client.close().await
        });
        assert_eq!(asked, Err(AskError::Request(RequestError::PeerLeft)));
        assert!(before.elapsed() < REQUEST_TIMEOUT, "{:?}", before.elapsed());
    });
}

#[test]
fn request_ends_when_its_branch_closes() {
    run(async {
        let (_server, client, _) = shops().await;
        let request = price(&client, "sword").await;
        let (asked, _) = tokio::join!(ask(&client, "", PeerId::SERVER), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            client.close().await
        });
        assert_eq!(asked, Err(AskError::Request(RequestError::PeerLeft)));
        let asked = client.ask(request, PeerId::SERVER).await;
        assert_eq!(asked, Err(AskError::Call(CallError::Ended)));
    });
}

#[test]
fn request_ends_when_its_branch_panics() {
    run(async {
        let (_server, client, _) = shops().await;
        let (asked, _) = tokio::join!(ask(&client, "", PeerId::SERVER), async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            client.with(|_| panic!("boom")).await
        });
        assert_eq!(asked, Err(AskError::Call(CallError::Ended)));
    });
}

#[test]
fn request_that_cannot_be_sent_fails_at_once() {
    run(async {
        let (_server, client, _) = shops().await;
        let asked = ask(&client, "sword", peer(99)).await;
        assert!(matches!(asked, Err(AskError::Request(RequestError::Send(_)))), "{asked:?}");
        let open: Vec<_> = (0..OPEN_REQUESTS_MAX)
            .map(|_| {
                let client = client.clone();
                actix::spawn(async move { ask(&client, "", PeerId::SERVER).await })
            })
            .collect();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let too_many = Err(AskError::Request(RequestError::TooManyOpen));
        assert_eq!(ask(&client, "sword", PeerId::SERVER).await, too_many);
        for asked in open {
            assert_eq!(asked.await.unwrap(), Err(AskError::Request(RequestError::TimedOut)));
        }
    });
}
