//! A property setter that gives the input of a player to its peer, at the spawn and when another
//! peer takes over.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mp_core::variant::Vector2;
use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_players(world)?;
    add_player(world, "Host", PeerId::SERVER)?;
    act(world, "Host", 9)?;
    let desk = Desk::open(world)?;

    for (name, &id) in CLIENTS.iter().zip(&desk.ids) {
        add_player(world, name, id)?;
    }
    let [a, b] = [desk.ids[0], desk.ids[1]];
    desk.wait_for_all(world, "played")?;
    report.check("the players", states(world)?, [(PeerId::SERVER, 9), (a, 10), (b, 11)]);
    for (name, id) in CLIENTS.iter().zip([b, a]) {
        let player = world.scene().find(&format!("Main/Player/Players/{name}"))?;
        world.scene().set_property(player, "player_id", id)?;
    }
    desk.next(world, "played")?;

    desk.wait_for_all(world, "swapped")?;
    report.check("the players", states(world)?, [(PeerId::SERVER, 9), (b, 21), (a, 20)]);
    desk.next(world, "swapped")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_players(world)?;
    let owners = Rc::new(RefCell::new(BTreeMap::new()));
    let sink = Rc::clone(&owners);
    world.on_signal(move |scene, signal| {
        if let Signal::Spawned { node, .. } = signal {
            let tree = scene.tree();
            let name = tree.name(*node).unwrap_or_default().to_owned();
            let input = tree.children(*node).find(|&child| tree.name(child) == Some("Input"));
            let owner = input.and_then(|input| tree.multiplayer_authority(input));
            sink.borrow_mut().insert(name, owner);
        }
    });
    let desk = ClientDesk::enter(world)?;

    let (mine, [a, b]) = (world.options.index, [desk.ids[0], desk.ids[1]]);
    let n = mine as i64;
    world.until("the players", |_| owners.borrow().len() == 3)?;
    let wanted = [("Host", PeerId::SERVER), (CLIENTS[0], a), (CLIENTS[1], b)];
    let wanted = wanted.map(|(name, id)| (name.to_owned(), Some(id)));
    report.check("owners when spawned", owners.take(), BTreeMap::from(wanted));
    act(world, CLIENTS[mine], 10 + n)?;
    reach(world, [(PeerId::SERVER, 9), (a, 10), (b, 11)])?;
    desk.step(world, "played")?;

    let (taken, me) = (CLIENTS[1 - mine], world.me());
    world.until("the swap", |world| owner(world, taken) == Some(me))?;
    act(world, taken, 20 + n)?;
    reach(world, [(PeerId::SERVER, 9), (b, 21), (a, 20)])?;
    desk.step(world, "swapped")?;
    desk.close(world)
}

/// Names of the clients' players.
const CLIENTS: [&str; 2] = ["P0", "P1"];

fn add_players(world: &mut World) -> ScenarioResult {
    world.add("Player", Group)?;
    world.add("Player/Players", Group)?;
    world.add(
        "Player/Spawner",
        MultiplayerSpawner::new("../Players").with_scene(&Player::scene()),
    )?;
    Ok(())
}

fn add_player(world: &mut World, name: &str, id: PeerId) -> ScenarioResult {
    let player = Player::scene().instantiate().named(name);
    let player = world.add_instance("Player/Players", player)?;
    world.scene().set_property(player, "player_id", id)?;
    Ok(())
}

/// Sets the input of a player.
fn act(world: &mut World, name: &str, n: i64) -> ScenarioResult {
    let input = world.at::<Input>(&format!("Player/Players/{name}/Input"))?;
    (input.direction, *input.jumps) = (Vector2::new(n as f32, 0.0), n);
    Ok(())
}

fn owner(world: &mut World, name: &str) -> Option<PeerId> {
    let scene = world.scene();
    let input = scene.find(&format!("Main/Player/Players/{name}/Input")).ok()?;
    scene.tree().multiplayer_authority(input)
}

/// Peer of a player, and its input: the number that direction and jumps agree on, or -1.
type State = (PeerId, i64);

fn reach(world: &mut World, wanted: [State; 3]) -> ScenarioResult {
    world.until(&format!("the players as {wanted:?}"), |world| {
        states(world).is_ok_and(|states| states == wanted)
    })
}

fn states(world: &mut World) -> ScenarioResult<[State; 3]> {
    Ok([state(world, "Host")?, state(world, CLIENTS[0])?, state(world, CLIENTS[1])?])
}

fn state(world: &mut World, name: &str) -> ScenarioResult<State> {
    let path = format!("Player/Players/{name}");
    let id = *world.at::<Player>(&path)?.player_id;
    let input = world.at::<Input>(&format!("{path}/Input"))?;
    let agree = input.direction == Vector2::new(*input.jumps as f32, 0.0);
    Ok((id, if agree { *input.jumps } else { -1 }))
}

/// `player.gd`.
struct Player {
    player_id: Replicated<PeerId>,
}

impl Player {
    /// `player.tscn`.
    fn scene() -> PackedScene {
        PackedScene::new("res://scenes/player.tscn", || {
            let sync = ReplicationConfig::new().on_change(".:player_id");
            Instance::new("Player", Self { player_id: PeerId::SERVER.into() })
                .child(Instance::new("Sync", MultiplayerSynchronizer::new(sync)))
                .child(Instance::new("Input", Input::default()))
        })
    }

    fn set_player_id(&mut self, cx: &mut SetterContext<'_>, id: PeerId) {
        *self.player_id = id;
        if let Ok(input) = cx.get_node("Input") {
            // Cannot fail for a node in the tree.
            let _ = cx.set_multiplayer_authority(input, id, true);
        }
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

/// `input.gd`, which extends MultiplayerSynchronizer.
struct Input {
    sync: MultiplayerSynchronizer,
    direction: Vector2,
    jumps: Replicated<i64>,
}

impl Default for Input {
    fn default() -> Self {
        let config = ReplicationConfig::new().always("Input:direction").on_change("Input:jumps");
        let sync = MultiplayerSynchronizer::new(config);
        Self { sync, direction: Vector2::default(), jumps: Replicated::default() }
    }
}

impl Node for Input {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("direction", |input: &mut Self| &mut input.direction)
            .property("jumps", |input: &mut Self| &mut input.jumps)
    }

    fn as_synchronizer(&mut self) -> Option<&mut MultiplayerSynchronizer> {
        Some(&mut self.sync)
    }
}
