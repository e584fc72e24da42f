//! Players whose input is replicated by their client, and all other state by the server.

use mp_core::variant::{Dictionary, Vector2};
use mp_scene::prelude::*;

use super::ctl::{ClientCtl, Ctl};
use crate::spawns::Spawns;
use crate::world::{FRAME, ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_field(world)?;
    let ctl = Ctl::open(world)?;
    let ids = ctl.ids.clone();
    for (index, id) in ids.iter().enumerate() {
        world
            .add_instance("Field/Players", Player::scene().instantiate().named(&id.to_string()))?;
        player(world, *id)?.position = Vector2::new(0.0, 100.0 * index as f32);
    }
    let players = ids.clone();
    world.on_frame(move |scene| players.iter().for_each(|&id| Player::frame(scene, id)));
    world.until("the shots of all", |world| {
        ids.iter().all(|&id| player(world, id).is_ok_and(|player| player.score == 70))
    })?;
    ctl.notes(world, "moved")?;
    for (index, &id) in ids.iter().enumerate() {
        report.check("y of a player", player(world, id)?.position.y, 100.0 * index as f32);
    }
    ctl.go(world, "stop")?;
    let rests = |input: &mut Input| input.movement == Vector2::default();
    world.until("all to stop", |world| ids.iter().all(|&id| input(world, id).is_ok_and(rests)))?;
    ctl.notes(world, "stopped")?;
    let mut places = Dictionary::new();
    for &id in &ids {
        places.insert(id.get(), player(world, id)?.position)?;
    }
    ctl.go_with(world, "final", &places.into())?;
    ctl.notes(world, "final_ok")?;
    world.remove(&format!("Field/Players/{}", ids[0]))?;
    ctl.notes(world, "gone")?;
    ctl.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_field(world)?;
    let spawns = Spawns::default();
    let (log, signals) = (spawns.clone(), report.clone());
    world.on_signal(move |scene, signal| log.note(&signals, scene, signal));
    let ctl = ClientCtl::enter(world)?;
    let (ids, me) = (ctl.ids.clone(), world.me());
    let path = |id: PeerId| format!("Field/Players/{id}");
    world.until("the players", |world| ids.iter().all(|&id| world.has(&path(id))))?;
    for &id in &ids {
        let node = world.scene().find(&format!("Main/{}", path(id)))?;
        let input = world.scene().find(&format!("Main/{}/Input", path(id)))?;
        let tree = world.scene().tree();
        report.check(
            "authority of a player",
            tree.multiplayer_authority(node),
            Some(PeerId::SERVER),
        );
        report.check("authority of its input", tree.multiplayer_authority(input), Some(id));
    }
    let x = world.options.index as f32 + 1.0;
    let mine = input(world, me)?;
    (mine.movement, mine.shots) = (Vector2::new(x, 0.0), 7);
    world.until("all at x >= 20, with score 70", |world| {
        let there = |player: &mut Player| player.position.x >= 20.0 && player.score == 70;
        ids.iter().all(|&id| player(world, id).is_ok_and(there))
    })?;
    world.until("the input of the others", |world| {
        ids.iter().zip([1.0, 2.0]).all(|(&id, x)| {
            let received =
                |input: &mut Input| input.movement == Vector2::new(x, 0.0) && input.shots == 7;
            input(world, id).is_ok_and(received)
        })
    })?;
    ctl.note(world, "moved")?;
    ctl.go(world, "stop")?;
    input(world, me)?.movement = Vector2::default();
    let (mut last, mut still) = (None, 0);
    for _ in 0..REST_FRAMES {
        let position = player(world, me)?.position;
        still = if last.replace(position) == Some(position) { still + 1 } else { 0 };
        if still == STILL_FRAMES {
            break;
        }
        world.pause(FRAME)?;
    }
    report.check("frames without movement of my player", still, STILL_FRAMES);
    ctl.note(world, "stopped")?;
    let places = ctl.go(world, "final")?.to::<Dictionary>()?;
    world.until("the final positions", |world| {
        ids.iter().all(|&id| {
            let place = places.get(&id.get().into()).cloned();
            player(world, id).is_ok_and(|player| Some(player.position.into()) == place)
        })
    })?;
    ctl.note(world, "final_ok")?;
    let gone = format!("-{}", ids[0]);
    world.until("the despawn of player 0", |_| spawns.all().contains(&gone))?;
    report.check(
        "number of despawns",
        spawns.all().iter().filter(|s| s.starts_with('-')).count(),
        1,
    );
    report.check_that("player 0 has left the tree", !world.has(&path(ids[0])));
    ctl.note(world, "gone")?;
    ctl.close(world)
}

/// Adds `field.tscn`.
fn add_field(world: &mut World) -> ScenarioResult {
    world.add("Field", Group)?;
    world.add("Field/Players", Group)?;
    world.add(
        "Field/PlayerSpawner",
        MultiplayerSpawner::new("../Players").with_scene(&Player::scene()),
    )?;
    Ok(())
}

fn player(world: &mut World, id: PeerId) -> ScenarioResult<&mut Player> {
    world.at(&format!("Field/Players/{id}"))
}

fn input(world: &mut World, id: PeerId) -> ScenarioResult<&mut Input> {
    world.at(&format!("Field/Players/{id}/Input"))
}

/// `player.gd`.
#[derive(Default)]
struct Player {
    position: Vector2,
    score: i64,
}

impl Player {
    /// `player.tscn`.
    fn scene() -> PackedScene {
        PackedScene::new("res://scenes/player.tscn", || {
            let config = ReplicationConfig::new().always(".:position").on_change(".:score");
            Instance::new("Player", Self::default())
                .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
                .child(Instance::new("Input", Input::default()))
        })
    }

    /// `_physics_process` on the server.
    fn frame(scene: &mut Scene, id: PeerId) {
        let path = format!("Main/Field/Players/{id}");
        let Ok(input) = scene.node::<Input>(&format!("{path}/Input")) else { return };
        let Ok(&Input { movement, shots, .. }) = scene.get(input) else { return };
        if let Ok(player) = scene.node::<Self>(&path).and_then(|player| scene.get_mut(player)) {
            player.position.x += movement.x;
            player.position.y += movement.y;
            player.score = 10 * shots;
        }
    }
}

impl Node for Player {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("position", |player: &mut Self| &mut player.position)
            .property("score", |player: &mut Self| &mut player.score)
    }

    /// Gives the input to the peer that the node is named after.
    fn enter_tree(&mut self, tree: &mut Tree, node: NodeId) {
        let owner = tree.name(node).and_then(|name| PeerId::new(name.parse().ok()?));
        let input = tree.children(node).find(|&child| tree.name(child) == Some("Input"));
        if let (Some(owner), Some(input)) = (owner, input) {
            // Cannot fail for a node in the tree.
            let _ = tree.set_multiplayer_authority(input, owner, true);
        }
    }
}

/// `player_input.gd`, which extends MultiplayerSynchronizer.
struct Input {
    sync: MultiplayerSynchronizer,
    movement: Vector2,
    shots: i64,
}

impl Default for Input {
    fn default() -> Self {
        let config = ReplicationConfig::new()
            .always_without_spawn(".:move")
            .on_change_without_spawn(".:shots");
        let sync = MultiplayerSynchronizer::new(config).with_root_path(".");
        Self { sync, movement: Vector2::default(), shots: 0 }
    }
}

impl Node for Input {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("move", |input: &mut Self| &mut input.movement)
            .property("shots", |input: &mut Self| &mut input.shots)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }
}

/// Number of frames for which a stopped player must not move.
const STILL_FRAMES: u32 = 30;
/// Number of frames within which players must stop.
const REST_FRAMES: u32 = 480;
