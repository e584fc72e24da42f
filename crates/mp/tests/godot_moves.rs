//! Godot players over ENet and WebSocket that a server moves between a lobby and a match. The
//! players need no code for that, and log no error.
//!
//! `GODOT=/path/to/godot cargo test -p mp --test godot_moves -- --ignored`
#![cfg(all(feature = "actor", feature = "enet", feature = "ws"))]
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mp::actor::{BranchRef, block_on};
use mp::prelude::*;
use mp::scene::IdBlocks;

const ROUNDS: i64 = 10;
const LIMIT: Duration = Duration::from_secs(120);

/// Facts that the rooms record.
#[derive(Clone, Default)]
struct Facts(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    /// Calls received in a room other than the one in which the player made them.
    misrouted: Vec<String>,
    calls: u64,
    inputs: u64,
    /// The last round in which each player was ready to leave a room.
    ready: BTreeMap<(&'static str, PeerId), i64>,
}

/// The root of a room's scene. Its methods are those of `main.gd`.
struct Main {
    room: &'static str,
    clock: i64,
    facts: Facts,
}

impl Main {
    fn receive(&mut self, room: &str) {
        let mut facts = self.facts.0.lock().unwrap();
        facts.calls += 1;
        if room != self.room && !room.is_empty() {
            facts.misrouted.push(format!("{} received a call for {room}", self.room));
        }
    }
}

impl Node for Main {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new()
            .method("arrived", RpcConfig::authority(), |_: &mut Self, _, _: (String, i64)| {})
            .method(
                "poke",
                RpcConfig::any_peer(),
                |main: &mut Self, _, (room, _): (String, i64)| {
                    main.receive(&room);
                },
            )
            .method(
                "poke_fast",
                RpcConfig::any_peer().unreliable(),
                |main: &mut Self, _, (room, _): (String, i64)| main.receive(&room),
            )
            .method(
                "ready_to_leave",
                RpcConfig::any_peer(),
                |main: &mut Self, cx, (room, round): (String, i64)| {
                    main.receive(&room);
                    let at = (main.room, cx.remote_sender());
                    main.facts.0.lock().unwrap().ready.insert(at, round);
                },
            )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("clock", |main: &mut Self| &mut main.clock)
    }
}

#[derive(Default)]
struct Unit {
    hp: i64,
}

impl Node for Unit {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("hp", |unit: &mut Self| &mut unit.hp)
    }
}

struct Player {
    input: i64,
    facts: Facts,
}

impl Node for Player {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method(
            "act",
            RpcConfig::any_peer().unreliable_ordered(),
            |player: &mut Self, _, _: (i64,)| {
                // The input of the player's own synchronizer was received before.
                player.facts.0.lock().unwrap().inputs += u64::from(player.input > 0);
            },
        )
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("input", |player: &mut Self| &mut player.input)
    }
}

fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", sync))
    })
}

fn crate_scene() -> PackedScene {
    PackedScene::new("res://crate.tscn", || {
        let spawner = MultiplayerSpawner::new("../Inside").with_scene(&unit());
        Instance::new("Crate", Group)
            .child(Instance::new("Inside", Group))
            .child(Instance::new("Spawner", spawner))
    })
}

fn player(facts: &Facts) -> PackedScene {
    let facts = facts.clone();
    PackedScene::new("res://player.tscn", move || {
        let config = ReplicationConfig::new().always_without_spawn(".:input");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Player", Player { input: 0, facts: facts.clone() })
            .child(Instance::new("Input", sync))
    })
}

/// Returns a room with a unit, one from data, and one in a crate, with these `hp`.
fn room(name: &'static str, hp: i64, facts: Facts) -> Result<Branch, BuildError> {
    let scene_of_player = player(&facts);
    let joined = scene_of_player.clone();
    let (mut visits, mut ticks) = (BTreeMap::<PeerId, i64>::new(), 0);
    Branch::builder("/root")
        .moves(&IdBlocks::of_process())
        .tick_rate(120)
        .setup(move |scene| {
            scene.add("Main", Main { room: name, clock: 0, facts })?;
            scene.add("Main/Units", Group)?;
            let spawner = MultiplayerSpawner::new("../Units")
                .with_scene(&unit())
                .with_scene(&crate_scene())
                .with_scene(&scene_of_player)
                .with_spawn_function(|data| {
                    let sync =
                        MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:hp"));
                    let unit = Unit { hp: data.clone().to().ok()? };
                    Some(Instance::new("Made", unit).child(Instance::new("Sync", sync)))
                });
            let spawner = scene.add("Main/Spawner", spawner)?;
            let config = ReplicationConfig::new().always(".:clock");
            scene.add("Main/Sync", MultiplayerSynchronizer::new(config))?;
            let add = |scene: &mut Scene, parent: &str, name: &str, hp| {
                let mut instance = unit().instantiate().named(name);
                instance.get_mut::<Unit>(".")?.hp = hp;
                scene.add_instance(parent, instance)
            };
            add(scene, "Main/Units", "Unit", hp)?;
            scene.spawn(spawner, hp + 1)?;
            scene.add_instance("Main/Units", crate_scene().instantiate().named("Crate"))?;
            add(scene, "Main/Units/Crate/Inside", "Inner", hp + 2)?;
            Ok(())
        })
        .on_process(move |scene, _| {
            ticks += 1;
            let main = scene.node::<Main>("Main").unwrap();
            scene.get_mut(main).unwrap().clock = ticks;
        })
        .on_peer_connected(move |scene, peer| {
            let own = joined.instantiate().named(&peer.to_string());
            let node = scene.add_instance("Main/Units", own).unwrap();
            let input = scene.find(&format!("Main/Units/{peer}/Input")).unwrap();
            scene.tree_mut().set_multiplayer_authority(input, peer, false).unwrap();
            assert!(scene.tree().contains(node));
            let round = visits.entry(peer).or_default();
            let main = scene.find("Main").unwrap();
            scene.rpc_id(peer, main, "arrived", (name, *round)).unwrap();
            *round += 1;
        })
        .on_peer_disconnected(|scene, peer| {
            let node = scene.find(&format!("Main/Units/{peer}")).unwrap();
            scene.queue_free(node).unwrap();
        })
        .build()
}

fn start_godot(address: &str) -> Child {
    let godot = std::env::var_os("GODOT").expect("the path of Godot in the variable GODOT");
    Command::new(godot)
        .args(["--headless", "--no-header", "--path", "tests/godot_moves", "--", address])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Moves a player from room to room whenever it is ready to leave one.
async fn play(facts: &Facts, player: PeerId, lobby: &BranchRef, arena: &BranchRef) {
    for round in 0..ROUNDS {
        for (name, from, to) in [("lobby", lobby, arena), ("match", arena, lobby)] {
            while facts.0.lock().unwrap().ready.get(&(name, player)).is_none_or(|it| *it < round) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            from.move_peer(player, to).await.unwrap();
        }
    }
    while facts.0.lock().unwrap().ready.get(&("lobby", player)).is_none_or(|it| *it < ROUNDS) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
#[ignore = "needs Godot: the variable GODOT"]
fn godot_players_move_between_rooms_ten_times_without_an_error() {
    let facts = Facts::default();
    let (first, second) = (facts.clone(), facts.clone());
    let mut output = block_on(async {
        let lobby = mp::actor::branch(move || room("lobby", 10, first)).start().await.unwrap();
        let arena = mp::actor::branch(move || room("match", 20, second)).start().await.unwrap();
        let any_port = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let (sender, ports) = std::sync::mpsc::sync_channel(2);
        let (router, of_enet) = (lobby.id(), sender.clone());
        let enet = mp::actor::shared_endpoint(move || {
            let peer = EnetMultiplayerPeer::create_async_server(any_port, Default::default())?;
            let _ = of_enet.send(peer.local_addr().map(|at| at.port().to_string()));
            Ok::<_, mp::enet::CreateError>((peer, router))
        });
        let enet = enet.start().await.unwrap();
        let websocket = mp::actor::shared_endpoint(move || {
            let peer = WebSocketMultiplayerPeer::create_async_server(any_port, Default::default())?;
            let _ = sender.send(peer.local_addr().map(|at| format!("ws://{at}")));
            Ok::<_, mp::ws::CreateError>((peer, router))
        });
        let websocket = websocket.start().await.unwrap();
        enet.serve(&lobby).await.unwrap();
        websocket.serve(&lobby).await.unwrap();
        let addresses = [ports.recv().unwrap(), ports.recv().unwrap()];
        let players = addresses.map(|address| start_godot(&address.unwrap()));
        lobby.until_timeout(LIMIT, |scene| scene.peers().len() == 2).await.unwrap();
        let ids = lobby.peers().await.unwrap();
        let both = async {
            tokio::join!(play(&facts, ids[0], &lobby, &arena), play(&facts, ids[1], &lobby, &arena))
        };
        tokio::time::timeout(LIMIT, both).await.expect("a player does not arrive");
        let stats = [&lobby, &arena].map(|room| room.with(|scene| scene.stats()));
        for stats in stats {
            let stats = stats.await.unwrap();
            println!("moved packets: {}", stats.moved_packets);
            // Packets for the other player after it has moved are stray.
            assert_eq!((stats.malformed_packets, stats.refused_announcements), (0, 0), "{stats:?}");
        }
        enet.close().await;
        websocket.close().await;
        players.map(|player| player.wait_with_output().unwrap())
    });
    let facts = facts.0.lock().unwrap();
    assert_eq!(facts.misrouted, [] as [String; 0]);
    assert!(facts.calls > 100 && facts.inputs > 10, "{} {}", facts.calls, facts.inputs);
    for output in &mut output {
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!errors.contains("ERROR") && !errors.contains("WARNING"), "{errors}");
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let printed: Vec<_> = printed.lines().map(without_other).collect();
        let expected = (0..=ROUNDS).flat_map(|round| {
            [("lobby", 10), ("match", 20)].map(|(name, hp)| {
                let made = format!("Unit={hp} Made={} Crate=0 Crate/Inner={}", hp + 1, hp + 2);
                format!("{name} {round}: {made} self")
            })
        });
        let expected: Vec<_> = expected.take(2 * ROUNDS as usize + 1).collect();
        assert_eq!(printed, expected);
    }
}

/// Returns a line of a player without what depends on whether the other player is in its room: that
/// player's node, and the number of peers, which must fit.
fn without_other(line: &str) -> String {
    let (text, peers) = line.split_once(" peers=").unwrap();
    let others = text.matches(" other").count();
    assert_eq!(peers, (1 + others).to_string(), "{line}");
    text.replace(" other", "")
}
