//! Requests between a server with the macros and a Godot player, whose script the compiler has
//! checked.
//!
//! `GODOT=/path/to/godot cargo test -p mp --test godot -- --ignored`
#![cfg(all(feature = "enet", feature = "macros"))]
#![allow(missing_docs, reason = "a test")]

use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use mp::core::host::SystemClock;
use mp::core::{CloseMode, DisconnectReason};
use mp::enet::ServerOptions;
use mp::prelude::*;

#[derive(Default, Node)]
struct Shop {
    asked: Vec<String>,
}

#[rpc_methods(gd = "tests/godot/shop.gd")]
impl Shop {
    #[request(any_peer)]
    fn price(&mut self, item: String) -> i64 {
        let price = item.len() as i64 * 100;
        self.asked.push(item);
        price
    }
}

#[test]
#[ignore = "needs Godot: the variable GODOT"]
fn server_and_godot_answer_requests_of_each_other() {
    let any_port = ([127, 0, 0, 1], 0).into();
    let mut peer = EnetMultiplayerPeer::create_server(any_port, ServerOptions::default()).unwrap();
    let port = peer.local_addr().unwrap().port();
    let mut branch = Branch::builder("/root")
        .setup(|scene| {
            scene.add("Main", Group)?;
            scene.add("Main/Shop", Shop::default())
        })
        .build()
        .unwrap();
    let godot = std::env::var_os("GODOT").expect("the path of Godot in the variable GODOT");
    let player = Command::new(godot)
        .args(["--headless", "--no-header", "--path", "tests/godot", "--", &port.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    let clock = SystemClock::new();
    let (mut price, mut asked) = (None, Vec::new());
    let mut answer = None;
    for _ in 0..6_000 {
        branch.poll(&mut peer, clock.now());
        let scene = branch.scene();
        let shop = scene.node::<Shop>("Main/Shop").unwrap();
        asked.clone_from(&scene.get(shop).unwrap().asked);
        // The player has the node when it asks.
        if price.is_none() && !asked.is_empty() {
            let player = scene.peers()[0];
            price = Some(shop.rpcs().price("shield".into()).ask(scene, player).unwrap());
        }
        answer = price.as_ref().and_then(|price| price.take());
        if answer.is_some() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    branch.close(DisconnectReason::Closed, CloseMode::Drain);
    for _ in 0..100 {
        branch.poll(&mut peer, clock.now());
        sleep(Duration::from_millis(10));
    }
    let output = player.wait_with_output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(asked, ["sword"], "{output}");
    assert_eq!(answer, Some(Ok(6)), "{output}");
    assert!(output.contains("peer 1 answers 500 to its request: true"), "{output}");
}
