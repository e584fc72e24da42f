//! Bots with a server that runs mp's `SceneMultiplayer`, over a network within the process.

use std::cell::RefCell;

use mp_core::memory::{MemoryAddress, MemoryMultiplayerPeer};
use mp_scene::prelude::*;

use super::*;
use crate::methods::MethodTables;
use crate::stats::Timing;

impl BotPeer for MemoryMultiplayerPeer {
    fn failure(&mut self) -> Option<String> {
        None
    }
}

/// Node `Main` of the server.
#[derive(Default)]
struct Main {
    calls: Vec<(PeerId, i64)>,
}

impl Node for Main {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("ping", RpcConfig::any_peer(), |main: &mut Self, cx, (number,): (i64,)| {
                main.calls.push((cx.remote_sender(), number));
                let sender = cx.remote_sender();
                cx.rpc_id_self(sender, "pong", (number,)).unwrap();
            })
            .method("pong", RpcConfig::any_peer(), |_: &mut Self, _, (_number,): (i64,)| {})
    }
}

/// Node of a spawned scene.
#[derive(Default)]
struct Coin {
    value: i64,
}

impl Node for Coin {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("value", |coin: &mut Self| &mut coin.value)
    }
}

fn coin() -> PackedScene {
    PackedScene::new("res://coin.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().always(".:value"));
        Instance::new("Coin", Coin::default()).child(Instance::new("Sync", sync))
    })
}

fn game() -> BranchBuilder {
    Branch::builder("/root").tick_rate(100).setup(|scene| {
        scene.add("Main", Main::default())?;
        scene.add("Coins", Group)?;
        scene.add("Spawner", MultiplayerSpawner::new("../Coins").with_scene(&coin()))?;
        scene.add_instance("Coins", coin().instantiate().named("First"))?;
        Ok(())
    })
}

/// A server and bots.
struct World {
    now: Instant,
    server: Branch,
    peer: MemoryMultiplayerPeer,
    bots: Vec<Bot>,
    stats: Stats,
}

impl World {
    /// Returns a world with `count` bots that run `steps` and know the methods of `Main`.
    fn new(game: BranchBuilder, count: u32, steps: &str) -> Self {
        let node = "[[node]]\npath = 'Main'\nmethods = ['ping', 'pong']\n";
        let phase =
            format!("phase = [{{ players = {count}, joins_per_second = 1000, for = '20s' }}]\n");
        let text = format!("{phase}{node}{steps}");
        let scenario = Scenario::parse("test", &text).unwrap_or_else(|errors| panic!("{errors}"));
        let scenario = Arc::new(scenario);
        let nodes = Rc::new(NodeTables::new(&MethodTables::load(&scenario).unwrap()));
        let peer = MemoryMultiplayerPeer::server();
        let now = Instant::from_millis(1_000);
        let next_id = Rc::new(RefCell::new(1));
        let bots = (1..=count).map(|number| {
            let (address, ids): (MemoryAddress, _) = (peer.address(), Rc::clone(&next_id));
            let dial: Dial = Rc::new(move |_| {
                *ids.borrow_mut() += 1;
                let id = PeerId::new(*ids.borrow()).unwrap();
                Ok(Box::new(address.connect(id)) as Transport)
            });
            let mut rng = Rng::seed_from_u64(number.into());
            let ends_at = now + Duration::from_secs(20);
            let player = Player::new(Arc::clone(&scenario), number, now, ends_at, rng.fork());
            Bot::new(Arc::clone(&scenario), Rc::clone(&nodes), dial, player, rng)
        });
        let bots = bots.collect();
        Self { now, server: game.build().unwrap(), peer, bots, stats: Stats::default() }
    }

    fn run_for(&mut self, millis: u64) {
        for _ in 0..millis / 5 {
            self.now += Duration::from_millis(5);
            self.server.poll(&mut self.peer, self.now);
            for bot in &mut self.bots {
                if bot.ended().is_none() {
                    bot.turn(self.now, &mut self.stats);
                }
            }
        }
    }

    fn count(&self, counter: Counter) -> u64 {
        self.stats.get(counter)
    }

    /// Asserts that the server has refused nothing.
    fn assert_conforming(&mut self) {
        let stats = self.server.scene().multiplayer().stats();
        assert_eq!(
            stats.malformed_packets + stats.stray_packets + stats.refused_calls,
            0,
            "{stats:?}"
        );
        assert_eq!(stats.refused_announcements + stats.refused_elements, 0, "{stats:?}");
        assert_eq!(stats.repeated_paths, 0, "a bot has not confirmed a path: {stats:?}");
        assert_eq!(self.count(Counter::Malformed) + self.count(Counter::MethodsDiffer), 0);
    }
}

const PINGS: &str = "[[do]]\nrpc = 'ping'\npath = 'Main'\nargs = [{ value = 'sequence' }]\nevery = '100ms'\nreply = 'pong'\n";

#[test]
fn bots_receive_spawns_and_syncs_of_unknown_scenes_and_confirm_their_paths() {
    let mut world = World::new(
        game(),
        3,
        "[[do]]\nexpect = 'spawn'\nname = 'First'\n[[do]]\nexpect = 'sync'\n",
    );
    world.run_for(3_000);
    assert_eq!(world.count(Counter::Joined), 3);
    assert_eq!(world.count(Counter::MetExpectations), 6);
    assert!(world.count(Counter::Syncs) >= 100, "{:?}", world.stats);
    let coin = world.server.scene().find("Coins/First").unwrap();
    world.server.scene().remove(coin).unwrap();
    world.run_for(100);
    assert_eq!(world.count(Counter::Despawns), 3);
    world.assert_conforming();
}

#[test]
fn calls_reach_the_server_and_their_replies_are_measured() {
    let mut world = World::new(game(), 2, PINGS);
    world.run_for(2_000);
    let node = world.server.scene().node::<Main>("Main").unwrap();
    let calls = world.server.scene().get(node).unwrap().calls.clone();
    assert!((38..=40).contains(&calls.len()), "{}", calls.len());
    assert_eq!(calls.iter().filter(|(_, number)| *number == 1).count(), 2);
    assert!(world.count(Counter::Replies) >= 38);
    let longest = world.stats.longest(&Timing::RoundTrip).unwrap();
    assert!(longest <= Duration::from_millis(15), "{longest:?}");
    world.assert_conforming();
}

#[test]
fn bots_answer_calls_of_other_players_over_the_relay() {
    let steps = format!(
        "{PINGS}to = 'random_player'\n[[do]]\nraw = 8\nto = 'all'\nevery = '100ms'\n[[answer]]\nrpc = 'ping'\nwith = 'pong'\n",
    );
    let mut world = World::new(game(), 2, &steps);
    world.run_for(2_000);
    let replies = world.count(Counter::Replies);
    assert!(replies >= 36, "{replies} replies, {} calls", world.count(Counter::CallsSent));
    assert!(world.count(Counter::RawReceived) >= 36);
    world.assert_conforming();
}

#[test]
fn bots_authenticate_with_the_packets_of_the_scenario() {
    let authenticating = || {
        game().on_peer_auth(|scene, from, data| {
            if data.starts_with(b"key-") {
                scene.multiplayer_mut().complete_auth(from).unwrap();
            }
        })
    };
    let mut world = World::new(authenticating(), 2, "[[do]]\nauthenticate = 'key-{bot}'\n");
    world.run_for(500);
    assert_eq!(world.count(Counter::Joined), 2);
    world.assert_conforming();

    let mut world = World::new(authenticating(), 2, "[[do]]\nauthenticate = 'other'\n");
    world.run_for(5_000);
    assert_eq!(world.count(Counter::Joined), 0);
    assert_eq!(world.count(Counter::FailedJoins), 2);
}

#[test]
fn server_notices_when_a_bot_leaves() {
    let mut world = World::new(game(), 1, "[[do]]\nwait = '1s'\n[[do]]\nleave = 'disconnect'\n");
    world.run_for(800);
    assert_eq!(world.server.scene().multiplayer().peers().len(), 1);
    world.run_for(400);
    assert_eq!(world.server.scene().multiplayer().peers().len(), 0);
    assert_eq!(world.bots[0].ended(), Some(&PlayerEnd::Left));
}

#[test]
fn methods_that_differ_from_the_servers_are_counted() {
    let steps =
        "[[node]]\npath = 'Coins'\nmethods = ['none']\n[[do]]\nrpc = 'none'\npath = 'Coins'\n";
    let mut world = World::new(game(), 1, steps);
    world.run_for(200);
    assert_eq!(world.count(Counter::MethodsDiffer), 1);
}
