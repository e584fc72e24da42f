//! Rules of the world and of the game.

use mp::prelude::*;
use mp::scene::tree::{NodeTree, TreeChange};

use crate::game::Game;
use crate::world::World;
use crate::{Session, Ship};

const PILOT: PeerId = PeerId::new(7).unwrap();

/// Returns a session in which the client sees the ship of `pilot`.
fn session(pilot: PeerId) -> (Session, NodeRef<Ship>) {
    let mut session = Session::new(PILOT).unwrap();
    session.until("connected", |session| session.server.has_peer(PILOT)).unwrap();
    session.server.add_ship(pilot).unwrap();
    let path = format!("Ships/Ship{pilot}");
    let spawned = |session: &mut Session| session.client.scene().node::<Ship>(&path).is_ok();
    session.until("spawned", spawned).unwrap();
    let ship = session.client.scene().node(&path).unwrap();
    (session, ship)
}

fn steer(session: &mut Session, ship: NodeRef<Ship>) {
    let direction = Vector2::new(1_000.0, 0.0);
    let scene = session.client.scene();
    ship.rpcs().steer(direction).call_id(scene, PeerId::SERVER).unwrap();
}

/// Returns the position of the first ship of the server.
fn x(game: &Game) -> f32 {
    let pilots = &game.world.ships.pilots;
    let row = pilots.iter().position(Option::is_some).unwrap();
    game.world.ships.positions[row].x
}

#[test]
fn a_ship_is_no_faster_than_the_limit() {
    let (mut session, ship) = session(PILOT);
    steer(&mut session, ship);
    let end = session.now + std::time::Duration::from_secs(1);
    session.until("a second passes", |session| session.now >= end).unwrap();
    let moved = x(&session.server) - 100.0;
    assert!((90.0..=102.0).contains(&moved), "{moved}");
}

#[test]
fn only_the_pilot_steers_a_ship() {
    let (mut session, ship) = session(PeerId::new(8).unwrap());
    steer(&mut session, ship);
    let end = session.now + std::time::Duration::from_secs(1);
    session.until("a second passes", |session| session.now >= end).unwrap();
    assert_eq!(x(&session.server), 100.0);
}

#[test]
fn a_ship_leaves_with_its_pilot() {
    let (mut session, _) = session(PILOT);
    session.client.close(mp::core::DisconnectReason::Closed, mp::core::CloseMode::Drain);
    let gone = |session: &mut Session| session.server.world.ship_of(PILOT).is_none();
    session.until("the ship has left", gone).unwrap();
}

#[test]
fn a_row_that_is_used_again_has_another_id() {
    let mut world = World::new();
    let root = world.root();
    let first = world.add(root, Instance::new("A", Group)).unwrap();
    world.remove(first);
    let second = world.add(root, Instance::new("B", Group)).unwrap();
    assert_eq!(first.index(), second.index());
    assert_ne!(first, second);
    assert_eq!(world.name_of(first), None);
    assert_eq!(world.name_of(second), Some("B"));
}

#[test]
fn children_leave_before_their_parents() {
    let mut world = World::new();
    let root = world.root();
    let parent = Instance::new("A", Group).child(Instance::new("B", Group));
    let parent = world.add(root, parent).unwrap();
    let child = world.find("A/B").unwrap();
    world.take_changes();
    world.remove(parent);
    assert_eq!(world.take_changes(), [TreeChange::Removed(child), TreeChange::Removed(parent)]);
    assert_eq!(world.take_vacated(), ["A/B", "A"]);
}

#[test]
fn paths_are_relative_to_the_root_to_an_entity_or_absolute() {
    let mut world = World::new();
    let root = world.root();
    let a = Instance::new("A", Group).child(Instance::new("B", Group));
    let a = world.add(root, a).unwrap();
    let b = world.find("A/B").unwrap();
    assert_eq!(world.find("/root/A/B"), Some(b));
    assert_eq!(world.find_from(b, ".."), Some(a));
    assert_eq!(world.find_from(b, "../B"), Some(b));
    assert_eq!(world.find("."), Some(root));
    assert_eq!(world.find("A/C"), None);
    assert_eq!(world.path_of(b).as_deref(), Some("A/B"));
    assert_eq!(world.path_of(root).as_deref(), Some("."));
}
