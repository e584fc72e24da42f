//! Properties whose setters change the scene.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::variant::{FromVariantError, Vector2};
use mp_scene::prelude::*;
use mp_scene::replication::ReplicationError;
use mp_scene::testing::Lan;
use mp_scene::{PropertyError, TreeError};

use crate::game::{SERVER, signals};

/// A player whose setter gives the authority over `Input` below it to the peer that plays it.
struct Player {
    player_id: Replicated<PeerId>,
    /// Observations of each run of the setter: the id of the local peer, and the error when it
    /// borrows its own node.
    runs: Vec<(PeerId, Option<TreeError>)>,
}

impl Default for Player {
    fn default() -> Self {
        Self { player_id: Replicated::new(SERVER), runs: Vec::new() }
    }
}

impl Player {
    fn set_player_id(&mut self, cx: &mut SetterContext<'_>, id: PeerId) {
        let own: NodeRef<Self> = NodeRef::new(cx.node_id());
        self.runs.push((cx.unique_id(), cx.get_mut(own).err()));
        *self.player_id = id;
        let input = cx.get_node("Input").unwrap();
        cx.set_multiplayer_authority(input, id, true).unwrap();
    }
}

impl Node for Player {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property_with_setter(
            "player_id",
            |player: &mut Self| &mut player.player_id,
            Self::set_player_id,
        )
    }
}

/// A synchronizer with a property of its own.
struct Input {
    sync: MultiplayerSynchronizer,
    direction: Vector2,
}

impl Input {
    /// Returns the input of the player above it, or of a separate node.
    fn instance(root_path: &str) -> Instance {
        let path = if root_path == "." { ".:direction" } else { "Input:direction" };
        let config = ReplicationConfig::new().always(path);
        let sync = MultiplayerSynchronizer::new(config).with_root_path(root_path);
        Instance::new("Input", Self { sync, direction: Vector2::default() })
    }
}

impl Node for Input {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("direction", |input: &mut Self| &mut input.direction)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }
}

fn config(mode: ReplicationMode) -> ReplicationConfig {
    let config = ReplicationConfig::new();
    match mode {
        ReplicationMode::Always => config.always(".:player_id"),
        ReplicationMode::OnChange => config.on_change(".:player_id"),
        ReplicationMode::Never => config.spawn(".:player_id"),
    }
}

fn player(config: ReplicationConfig, root_path: &str) -> Instance {
    Instance::new("Player", Player::default())
        .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
        .child(Input::instance(root_path))
}

fn scene(mode: ReplicationMode, root_path: &'static str) -> PackedScene {
    PackedScene::new("res://player.tscn", move || player(config(mode), root_path))
}

fn game(scene: &PackedScene) -> BranchBuilder {
    let scene = scene.clone();
    Branch::builder("/root/Game").tick_rate(1_000).setup(move |tree| {
        tree.add("Players", Group)?;
        let made = scene.clone();
        let spawner = MultiplayerSpawner::new("../Players")
            .with_scene(&scene)
            .with_spawn_function(move |_| Some(made.instantiate()));
        tree.add("Spawner", spawner)
    })
}

/// Returns a server and two connected clients.
fn lan(scene: &PackedScene) -> (Lan, PeerId, PeerId) {
    let mut lan = Lan::new(game(scene)).unwrap();
    let [a, b] = [(); 2].map(|()| lan.join(game(scene)).unwrap());
    lan.settle();
    (lan, a, b)
}

/// Adds a player for `peer` on the server.
fn add_player(lan: &mut Lan, scene: &PackedScene, peer: PeerId) {
    let server = lan.scene(SERVER);
    let node = server.add_instance("Players", scene.instantiate()).unwrap();
    server.set_property(node, "player_id", peer).unwrap();
}

fn node<'l, N: Node>(lan: &'l mut Lan, peer: PeerId, path: &str) -> &'l mut N {
    let node = lan.scene(peer).node::<N>(path).unwrap();
    lan.scene(peer).get_mut(node).unwrap()
}

fn owner(scene: &Scene) -> Option<PeerId> {
    scene.tree().multiplayer_authority(scene.find("Players/Player/Input").ok()?)
}

/// Asserts that the input of `peer` reaches `others`, and that nothing was refused or reported.
fn assert_plays(lan: &mut Lan, peer: PeerId, others: &[PeerId], x: f32) {
    let direction = Vector2 { x, y: 1.0 };
    node::<Input>(lan, peer, "Players/Player/Input").direction = direction;
    lan.settle();
    for &side in others {
        let got = node::<Input>(lan, side, "Players/Player/Input").direction;
        assert_eq!(got, direction, "of {peer} at {side}");
    }
    for &side in others.iter().chain([&peer]) {
        assert_eq!(owner(lan.scene(side)), Some(peer), "at {side}");
        let failed = |signal: &Signal| matches!(signal, Signal::ReplicationFailed(_));
        let failed: Vec<_> = signals(lan, side).into_iter().filter(failed).collect();
        assert_eq!(failed, [], "at {side}");
        let stats = lan.scene(side).stats();
        assert_eq!((stats.refused_announcements, stats.refused_elements), (0, 0), "at {side}");
    }
}

#[test]
fn setter_gives_the_input_of_a_spawned_player_to_its_peer() {
    for root_path in [".", ".."] {
        let scene = scene(ReplicationMode::Never, root_path);
        let (mut lan, a, b) = lan(&scene);
        add_player(&mut lan, &scene, a);
        lan.settle();
        assert_plays(&mut lan, a, &[SERVER, b], 1.0);
        let runs = &node::<Player>(&mut lan, b, "Players/Player").runs;
        assert_eq!(runs[..], [(b, Some(TreeError::Busy))]);
    }
}

#[test]
fn setter_gives_the_input_to_a_peer_that_joins_late() {
    let scene = scene(ReplicationMode::Never, "..");
    let (mut lan, a, b) = lan(&scene);
    let late = PeerId::new(4).unwrap();
    add_player(&mut lan, &scene, late);
    lan.settle();
    assert_eq!(lan.join(game(&scene)).unwrap(), late);
    lan.settle();
    assert_plays(&mut lan, late, &[SERVER, a, b], 2.0);
}

#[test]
fn setter_runs_for_a_node_created_from_data() {
    let scene = scene(ReplicationMode::Never, "..");
    let (mut lan, a, b) = lan(&scene);
    let server = lan.scene(SERVER);
    let spawner = server.find("Spawner").unwrap();
    let node = server.spawn(spawner, ()).unwrap();
    server.set_property(node, "player_id", b).unwrap();
    lan.settle();
    assert_plays(&mut lan, b, &[SERVER, a], 3.0);
}

#[test]
fn setter_runs_before_the_spawned_signal() {
    let scene = scene(ReplicationMode::Never, "..");
    let mut lan = Lan::new(game(&scene)).unwrap();
    let owners = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&owners);
    let hook = move |scene: &mut Scene, signal: &Signal| {
        if matches!(signal, Signal::Spawned { .. }) {
            sink.borrow_mut().push(owner(scene));
        }
    };
    let client = lan.join(game(&scene).on_signal(hook)).unwrap();
    lan.settle();
    add_player(&mut lan, &scene, client);
    lan.settle();
    assert_eq!(owners.take(), [Some(client)]);
}

/// Gives the player of `a` to `b` while they play.
fn hand_over(mode: ReplicationMode) -> (Lan, PeerId, PeerId) {
    let scene = scene(mode, "..");
    let (mut lan, a, b) = lan(&scene);
    add_player(&mut lan, &scene, a);
    lan.settle();
    assert_plays(&mut lan, a, &[SERVER, b], 1.0);
    let server = lan.scene(SERVER);
    let player = server.find("Players/Player").unwrap();
    server.set_property(player, "player_id", b).unwrap();
    lan.settle();
    for side in [SERVER, a, b] {
        assert_eq!(owner(lan.scene(side)), Some(b), "at {side}");
    }
    node::<Input>(&mut lan, b, "Players/Player/Input").direction = Vector2 { x: 5.0, y: 5.0 };
    lan.settle();
    (lan, a, b)
}

#[test]
fn a_setter_runs_for_a_change_of_an_on_change_property() {
    let (mut lan, a, b) = hand_over(ReplicationMode::OnChange);
    for side in [SERVER, a] {
        let direction = node::<Input>(&mut lan, side, "Players/Player/Input").direction;
        assert_eq!(direction, Vector2 { x: 5.0, y: 5.0 }, "at {side}");
    }
    assert_eq!(*node::<Player>(&mut lan, b, "Players/Player").player_id, b);
}

#[test]
fn a_setter_runs_for_each_value_of_an_always_property() {
    let (mut lan, a, b) = hand_over(ReplicationMode::Always);
    for side in [SERVER, a] {
        let direction = node::<Input>(&mut lan, side, "Players/Player/Input").direction;
        assert_eq!(direction, Vector2 { x: 5.0, y: 5.0 }, "at {side}");
    }
    let runs = node::<Player>(&mut lan, b, "Players/Player").runs.len();
    lan.step();
    assert_eq!(node::<Player>(&mut lan, b, "Players/Player").runs.len(), runs + 1);
}

#[test]
fn setter_runs_too_late_for_a_synchronizer_that_entered_before_its_property() {
    let scene = PackedScene::new("res://player.tscn", || {
        let sync = MultiplayerSynchronizer::new(config(ReplicationMode::Never));
        Instance::new("Player", Player::default())
            .child(Input::instance(".."))
            .child(Instance::new("Sync", sync))
    });
    let (mut lan, a, _) = lan(&scene);
    add_player(&mut lan, &scene, a);
    lan.settle();
    let failed = |signal| match signal {
        Signal::ReplicationFailed(error) => Some(*error),
        _ => None,
    };
    let failed: Vec<_> = signals(&mut lan, a).into_iter().filter_map(failed).collect();
    let [ReplicationError::Announcement { announced: 1, found: 2, .. }] = failed[..] else {
        panic!("{failed:?}")
    };
    assert_eq!(
        owner(lan.scene(a)),
        Some(SERVER),
        "the state was applied to the input's synchronizer"
    );
}

#[test]
fn a_program_sets_a_property_and_runs_its_setter() {
    let scene = scene(ReplicationMode::Never, "..");
    let (mut lan, a, _) = lan(&scene);
    add_player(&mut lan, &scene, a);
    let server = lan.scene(SERVER);
    assert_eq!(owner(server), Some(a));
    let player = server.find("Players/Player").unwrap();
    let range = FromVariantError::Range { expected: "PeerId", got: 0 };
    let error = server.set_property(player, "player_id", 0).unwrap_err();
    assert_eq!(error, PropertyError::Type(range));
    let input = server.find("Players/Player/Input").unwrap();
    server.set_property(input, "direction", Vector2 { x: 1.0, y: 2.0 }).unwrap();
    let error = server.set_property(input, "speed", 1).unwrap_err();
    assert_eq!(error, PropertyError::NoProperty);
    server.remove(player).unwrap();
    let error = server.set_property(player, "player_id", a).unwrap_err();
    assert_eq!(error, PropertyError::Unreachable);
}

/// A tank whose setter replaces its gun, and removes the tank if there is no such gun.
#[derive(Default)]
struct Tank {
    gun: Replicated<i64>,
}

#[derive(Default)]
struct Gun {
    ammo: Replicated<i64>,
    aim: Replicated<i64>,
}

impl Tank {
    fn set_gun(&mut self, cx: &mut SetterContext<'_>, gun: i64) {
        *self.gun = gun;
        let own = cx.node_id();
        if gun < 0 {
            cx.remove(own).unwrap();
            return;
        }
        let old = cx.get_node("Gun").unwrap();
        cx.remove(old).unwrap();
        cx.add(own, "Gun", Gun::default()).unwrap();
    }

    fn scene() -> PackedScene {
        PackedScene::new("res://tank.tscn", || {
            let gun = ReplicationConfig::new().on_change(".:gun").on_change("Gun:ammo");
            let extra = ReplicationConfig::new().on_change("Gun:aim");
            Instance::new("Tank", Self::default())
                .child(Instance::new("Gun", Gun::default()))
                .child(Instance::new("Sync", MultiplayerSynchronizer::new(gun)))
                .child(Instance::new("Extra", MultiplayerSynchronizer::new(extra)))
        })
    }
}

impl Node for Tank {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property_with_setter(
            "gun",
            |tank: &mut Self| &mut tank.gun,
            Self::set_gun,
        )
    }
}

impl Node for Gun {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("ammo", |gun: &mut Self| &mut gun.ammo)
            .property("aim", |gun: &mut Self| &mut gun.aim)
    }
}

/// Returns a server and a client with a tank whose gun was chosen.
fn tank() -> (Lan, PeerId) {
    let mut lan = Lan::new(game(&Tank::scene())).unwrap();
    let client = lan.join(game(&Tank::scene())).unwrap();
    lan.settle();
    lan.scene(SERVER).add_instance("Players", Tank::scene().instantiate()).unwrap();
    choose(&mut lan, 1);
    (lan, client)
}

fn choose(lan: &mut Lan, gun: i64) {
    let tank = lan.scene(SERVER).find("Players/Tank").unwrap();
    lan.scene(SERVER).set_property(tank, "gun", gun).unwrap();
    let gun_node = node::<Gun>(lan, SERVER, "Players/Tank/Gun");
    (*gun_node.ammo, *gun_node.aim) = (10 * gun, 100 * gun);
    lan.settle();
}

/// Returns the number, the ammo and the aim of the tank's gun.
fn state(lan: &mut Lan, peer: PeerId) -> [i64; 3] {
    let number = *node::<Tank>(lan, peer, "Players/Tank").gun;
    let gun = node::<Gun>(lan, peer, "Players/Tank/Gun");
    [number, *gun.ammo, *gun.aim]
}

#[test]
fn properties_after_a_setter_are_set_on_the_nodes_that_it_created() {
    let (mut lan, client) = tank();
    assert_eq!(state(&mut lan, client), [1, 10, 100], "spawned");
    choose(&mut lan, 2);
    assert_eq!(state(&mut lan, client), [2, 20, 200], "changed");
    assert_eq!(lan.scene(client).stats().refused_elements, 0);
}

#[test]
fn a_setter_may_remove_its_own_node() {
    let (mut lan, client) = tank();
    *node::<Tank>(&mut lan, SERVER, "Players/Tank").gun = -1;
    *node::<Gun>(&mut lan, SERVER, "Players/Tank/Gun").ammo = 30;
    lan.settle();
    assert!(lan.scene(client).find("Players/Tank").is_err());
    assert!(lan.scene(SERVER).find("Players/Tank").is_ok());
    let late = lan.join(game(&Tank::scene())).unwrap();
    lan.settle();
    assert!(
        lan.scene(late).find("Players/Tank").is_err(),
        "the tank was not removed by its setter"
    );
}
