//! The test of a small game, as a program writes it: players collect coins. A fault planted in the
//! game is found, and printed as a difference between the server and the client.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use mp::core::host::SystemClock;
use mp::core::variant::Vector2;
use mp::prelude::*;
use mp::testing::{Link, TestSession};

/// Faults that can be planted in the game.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A coin that was collected stays.
    CoinStays,
    /// The purse is sent only when it is spawned.
    PurseIsNotSent,
}

#[derive(Default)]
struct Player {
    purse: Replicated<i64>,
    position: Vector2,
}

impl Node for Player {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("purse", |player: &mut Self| &mut player.purse)
            .property("position", |player: &mut Self| &mut player.position)
    }
}

/// The coins, under the node with the players' calls.
struct Field {
    fault: Fault,
}

impl Node for Field {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("collect", RpcConfig::any_peer(), Self::collect)
    }
}

impl Field {
    /// RPC of a client: takes the coin of that name.
    fn collect(&mut self, cx: &mut RpcContext<'_>, (coin,): (String,)) {
        let player = cx.node::<Player>(&format!("Players/{}", cx.remote_sender()));
        let (Ok(coin), Ok(player)) = (cx.find_from(cx.node_id(), &coin), player) else { return };
        if self.fault != Fault::CoinStays {
            cx.queue_free(coin).ok();
        }
        if let Ok(player) = cx.get_mut(player) {
            *player.purse += 1;
        }
    }
}

fn coin() -> PackedScene {
    PackedScene::new("res://coin.tscn", || Instance::new("Coin", Group))
}

fn player(fault: Fault) -> PackedScene {
    PackedScene::new("res://player.tscn", move || {
        let config = ReplicationConfig::new().always(".:position");
        let config = match fault {
            Fault::PurseIsNotSent => config.spawn(".:purse"),
            _ => config.on_change(".:purse"),
        };
        Instance::new("Player", Player::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
    })
}

fn game(fault: Fault) -> BranchBuilder {
    Branch::builder("/root").setup(move |scene| {
        scene.add("Players", Group)?;
        scene.add("Field", Field { fault })?;
        scene.add(
            "PlayerSpawner",
            MultiplayerSpawner::new("../Players").with_scene(&player(fault)),
        )?;
        scene.add("CoinSpawner", MultiplayerSpawner::new("../Field").with_scene(&coin()))
    })
}

fn server(fault: Fault) -> BranchBuilder {
    game(fault)
        .setup(|scene| {
            for name in ["Gold", "Silver"] {
                scene.add_instance("Field", coin().instantiate().named(name))?;
            }
            Ok(())
        })
        .on_peer_connected(move |scene, peer| {
            let instance = player(fault).instantiate_with(|player: &mut Player| {
                player.position = Vector2::new(10.0, 20.0);
            });
            scene.add_instance("Players", instance.named(&peer.to_string())).ok();
        })
}

/// Two players collect the same coin over a bad network: one gets it, and both see the result.
fn only_one_player_gets_a_coin(fault: Fault) {
    let mut session = TestSession::with_seed(7, server(fault)).unwrap();
    session.set_link(Link {
        latency: Duration::from_millis(60),
        jitter: Duration::from_millis(20),
        loss_permille: 100,
        ..Link::default()
    });
    let players = [session.join(game(fault)).unwrap(), session.join(game(fault)).unwrap()];
    for player in players {
        session.until("a client has the coins", |session| {
            session.client(player).find("Field/Gold").is_ok()
        });
        let scene = session.client(player);
        let field = scene.find("Field").unwrap();
        scene.rpc_id(PeerId::SERVER, field, "collect", ("Gold",)).unwrap();
    }
    session.run_for(Duration::from_secs(5));
    let purses: i64 = players
        .iter()
        .map(|player| {
            let scene = session.server();
            let player = scene.node::<Player>(&format!("Players/{player}")).unwrap();
            *scene.get(player).unwrap().purse
        })
        .sum();
    assert_eq!(purses, 1, "the coin was collected more than once");
    for player in players {
        session.assert_same_nodes(player, ".");
    }
}

/// Returns the message with which the test fails.
fn failure(fault: Fault) -> String {
    let failed = catch_unwind(AssertUnwindSafe(|| only_one_player_gets_a_coin(fault)));
    *failed.expect_err("the test finds the fault").downcast::<String>().unwrap()
}

#[test]
fn the_game_passes_its_test_within_a_second() {
    let clock = SystemClock::new();
    only_one_player_gets_a_coin(Fault::None);
    // Several seconds of virtual time. The limit allows for a busy machine.
    let taken = clock.now() - mp::core::Instant::ZERO;
    assert!(taken < Duration::from_secs(5), "{taken:?}");
}

#[test]
fn a_coin_that_is_collected_twice_is_found() {
    let message = failure(Fault::CoinStays);
    assert!(message.contains("the coin was collected more than once"), "{message}");
}

#[test]
fn a_property_that_is_not_sent_is_found_and_printed() {
    let message = failure(Fault::PurseIsNotSent);
    assert!(message.contains("Players/"), "{message}");
    assert!(message.contains("purse is 1 and 0"), "{message}");
}

#[test]
fn a_seed_reproduces_a_session() {
    let ids = |seed| {
        let mut session = TestSession::with_seed(seed, server(Fault::None)).unwrap();
        let id = session.join(game(Fault::None)).unwrap();
        (id, session.now())
    };
    assert_eq!(ids(3), ids(3));
    assert_ne!(ids(3), ids(4));
}

#[test]
fn a_client_that_vanishes_is_noticed() {
    let mut session = TestSession::new(server(Fault::None)).unwrap();
    let gone = session.join(game(Fault::None)).unwrap();
    let other = session.join(game(Fault::None)).unwrap();
    session.drop_client(gone);
    assert!(session.until_timeout(Duration::from_secs(60), |session| {
        !session.server().multiplayer().has_peer(gone)
    }));
    assert_eq!(session.clients(), [other]);
    assert!(session.server().multiplayer().has_peer(other));
}
