//! One room with a server and a player that are written with the macros, and a Godot player, whose
//! scripts and scenes the compiler has checked.
//!
//! `GODOT=/path/to/godot cargo test -p mp --test room -- --ignored`
#![cfg(all(feature = "enet", feature = "macros"))]
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use mp::core::host::SystemClock;
use mp::core::{CloseMode, DisconnectReason, MultiplayerPeer};
use mp::enet::{ClientOptions, ServerOptions};
use mp::prelude::*;
use mp::scene::rpc::Answer;

/// The server's room.
#[derive(Default, Node)]
struct Room {
    cheers: Vec<(PeerId, String)>,
}

#[rpc_methods(gd = "tests/godot/room.gd")]
impl Room {
    #[rpc(any_peer)]
    fn cheer(&mut self, cx: &mut RpcContext<'_>, text: String) {
        cx.this::<Self>().rpcs().shout(text.clone()).call(cx).unwrap();
        self.cheers.push((cx.remote_sender(), text));
    }

    #[rpc]
    fn shout(text: String);

    #[request(any_peer)]
    fn price(&mut self, item: String) -> i64 {
        item.len() as i64 * 100
    }
}

/// The Rust player's room.
#[derive(Default, Node)]
struct RoomView {
    shouts: Vec<String>,
}

#[rpc_methods(gd = "tests/godot/room.gd")]
impl RoomView {
    #[rpc(any_peer)]
    fn cheer(text: String);

    #[rpc]
    fn shout(&mut self, text: String) {
        self.shouts.push(text);
    }

    #[request(any_peer)]
    fn price(&mut self, item: String) -> i64 {
        item.len() as i64 * 10
    }
}

mp::same_rpcs!(Room, RoomView);

#[derive(Default, Node)]
#[node(tscn = "tests/godot/player.tscn")]
struct Player {
    #[replicate(spawn)]
    name_tag: String,
    #[replicate(on_change)]
    health: Replicated<i64>,
    #[replicate(always)]
    place: Vector2,
}

fn room<R: Node>(room: R) -> BranchBuilder {
    let player = PackedScene::new("res://player.tscn", || {
        let sync = MultiplayerSynchronizer::new(Player::replication_config());
        Instance::new("Player", Player::default()).child(Instance::new("Sync", sync))
    });
    Branch::builder("/root").setup(move |scene| {
        scene.add("Room", room)?;
        scene.add("Room/Players", Group)?;
        scene.add("Room/Spawner", MultiplayerSpawner::new("../Players").with_scene(&player))?;
        scene.add("Scenes", Scenes(player))
    })
}

/// Keeps the scene of a player.
struct Scenes(PackedScene);

impl Node for Scenes {}

/// Adds the player of a peer.
fn add_player(scene: &mut Scene, peer: PeerId, name: &str) {
    let scenes = scene.node::<Scenes>("Scenes").unwrap();
    let player = scene.get(scenes).unwrap().0.clone();
    let player = player.instantiate_with(|player: &mut Player| player.name_tag = name.to_owned());
    scene.add_instance("Room/Players", player.named(&peer.to_string())).unwrap();
}

/// Returns name, health and place of the players of some peers.
fn players(scene: &Scene, peers: [PeerId; 2]) -> Vec<(String, i64, Vector2)> {
    let players = peers.iter().filter_map(|peer| {
        let player = scene.node::<Player>(&format!("Room/Players/{peer}")).ok()?;
        let player = scene.get(player).ok()?;
        Some((player.name_tag.clone(), *player.health, player.place))
    });
    players.collect()
}

const PLACE: Vector2 = Vector2::new(5.0, 6.0);

/// A branch and its connection.
struct Program {
    branch: Branch,
    peer: EnetMultiplayerPeer,
    clock: SystemClock,
}

impl Program {
    fn poll(&mut self) -> &mut Scene {
        self.branch.poll(&mut self.peer, self.clock.now());
        self.branch.scene()
    }
}

/// Changes the nodes of both players on the server, and asks both for a price.
fn change_players(scene: &mut Scene, [rust, godot]: [PeerId; 2]) -> [Answer<i64>; 2] {
    for (peer, health) in [(rust, 7), (godot, 8)] {
        let player = scene.node::<Player>(&format!("Room/Players/{peer}")).unwrap();
        let player = scene.get_mut(player).unwrap();
        *player.health = health;
        player.place = PLACE;
    }
    let room = scene.node::<Room>("Room").unwrap();
    [rust, godot].map(|peer| room.rpcs().price("shield".into()).ask(scene, peer).unwrap())
}

#[test]
#[ignore = "needs Godot: the variable GODOT"]
fn rust_player_and_godot_player_share_a_room() {
    let clock = SystemClock::new();
    let any_port = ([127, 0, 0, 1], 0).into();
    let peer = EnetMultiplayerPeer::create_server(any_port, ServerOptions::default()).unwrap();
    let address = peer.local_addr().unwrap();
    let client_peer = EnetMultiplayerPeer::create_client(address, ClientOptions::default());
    let client_peer = client_peer.unwrap();
    let rust = client_peer.unique_id();
    let branch = room(Room::default()).on_peer_connected(move |scene, peer| {
        add_player(scene, peer, if peer == rust { "Rust" } else { "Godot" });
    });
    let mut server = Program { branch: branch.build().unwrap(), peer, clock };
    let branch = room(RoomView::default()).build().unwrap();
    let mut client = Program { branch, peer: client_peer, clock };
    let program = std::env::var_os("GODOT").expect("the path of Godot in the variable GODOT");
    let process = Command::new(program)
        .args(["--headless", "--no-header", "--path", "tests/godot", "res://room.tscn", "--"])
        .arg(address.port().to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();

    // The answers of Rust and Godot to the server, and of the server to Rust.
    let mut answers = [None, None, None];
    let mut asked: Vec<Answer<i64>> = Vec::new();
    let (mut seen_by_godot, mut seen_by_rust, mut shouts) = (false, Vec::new(), Vec::new());
    for _ in 0..6_000 {
        let scene = server.poll();
        let cheers = &scene.get(scene.node::<Room>("Room").unwrap()).unwrap().cheers;
        seen_by_godot = cheers.iter().any(|(_, text)| text == "seen");
        // Godot has cheered, so it has its nodes.
        let godot = cheers.iter().map(|(peer, _)| *peer).find(|&peer| peer != rust);
        let are_both_here = scene.peers().contains(&rust);
        if let Some(godot) = godot.filter(|_| asked.is_empty() && are_both_here) {
            asked.extend(change_players(scene, [rust, godot]));
        }

        let scene = client.poll();
        let view = scene.node::<RoomView>("Room").unwrap();
        shouts.clone_from(&scene.get(view).unwrap().shouts);
        if let Some(godot) = godot.filter(|godot| scene.peers().contains(godot)) {
            seen_by_rust = players(scene, [rust, godot]);
            if asked.len() == 2 {
                view.rpcs().cheer("from Rust to Godot".into()).call_id(scene, godot).unwrap();
                let price = view.rpcs().price("bow".into());
                asked.push(price.ask(scene, PeerId::SERVER).unwrap());
            }
        }

        for (answer, asked) in answers.iter_mut().zip(&asked) {
            *answer = asked.take().or_else(|| answer.take());
        }
        if seen_by_godot && answers.iter().all(Option::is_some) {
            break;
        }
        sleep(Duration::from_millis(5));
    }
    server.branch.close(DisconnectReason::Closed, CloseMode::Drain);
    for _ in 0..100 {
        server.poll();
        client.poll();
        sleep(Duration::from_millis(10));
    }
    let output = process.wait_with_output().unwrap();
    let output = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(seen_by_godot, "Godot has not seen everything: {output}");
    assert_eq!(answers, [Some(Ok(60)), Some(Ok(6)), Some(Ok(300))], "{output}");
    let expected = [("Rust".to_owned(), 7, PLACE), ("Godot".to_owned(), 8, PLACE)];
    assert_eq!(seen_by_rust, expected, "{output}");
    assert!(shouts.contains(&"from Godot".to_owned()), "{shouts:?}");
    let lines: BTreeSet<_> = output.lines().collect();
    for expected in [
        "cheer: from Rust to Godot",
        "health of Godot: 8",
        "health of Rust: 7",
        "place of Godot: (5.0, 6.0)",
        "place of Rust: (5.0, 6.0)",
        "price: 500",
        "shout: from Godot",
        "spawned Godot",
        "spawned Rust",
    ] {
        assert!(lines.contains(expected), "{expected}: {output}");
    }
}
