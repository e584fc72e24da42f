//! Typed containers, transforms and components of values as properties: in spawn state, `always`
//! and `on_change`, from the server and from the client.

use std::cell::RefCell;
use std::rc::Rc;

use mp_core::VariantType;
use mp_core::variant::{Array, Basis, Dictionary, Transform3D, Vector2, Vector3};
use mp_scene::prelude::*;

use super::desk::{ClientDesk, Desk};
use crate::exact::{Exact, array, dictionary};
use crate::world::{ScenarioResult, World};

pub(super) fn serve(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_chests(world)?;
    world.add_instance("Containers/Chests", Chest::scene().instantiate())?;
    world.at::<Chest>(THEIRS)?.fill()?;
    let desk = Desk::open(world)?;
    give_mine_to(world, desk.ids[0])?;

    desk.wait_for_all(world, "spawned")?;
    world.at::<Chest>(THEIRS)?.change()?;
    desk.next(world, "spawned")?;

    desk.wait_for_all(world, "changed")?;
    report.check("the server's chest", world.at::<Chest>(THEIRS)?.state(), changed());
    desk.next(world, "changed")?;

    // Properties that are never sent, and x of the frame, differ.
    let mut expected = changed();
    expected[3] = array::<&str, 0>(VariantType::String, []).into();
    expected[6] = frame(0.0, 0.0, 4.0).into();
    world.until("the client's chest", |world| {
        world.at::<Chest>(MINE).is_ok_and(|chest| chest.state() == expected)
    })?;
    desk.next(world, "mine")?;
    desk.close(world)
}

pub(super) fn play(world: &mut World) -> ScenarioResult {
    let report = world.report.clone();
    add_chests(world)?;
    let first = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&first);
    world.on_signal(move |scene, signal| {
        if let Signal::Spawned { node, .. } = signal
            && let Ok(chest) = scene.get(NodeRef::<Chest>::new(*node))
        {
            *sink.borrow_mut() = chest.state();
        }
    });
    let desk = ClientDesk::enter(world)?;
    let me = world.me();
    give_mine_to(world, me)?;

    world.until("the server's chest", |_| !first.borrow().is_empty())?;
    report.check("the chest at first", first.take(), spawned());
    desk.step(world, "spawned")?;
    let mut expected = changed();
    expected[6] = frame(0.0, 0.0, 4.0).into();
    world.until("the changes", |world| {
        world.at::<Chest>(THEIRS).is_ok_and(|chest| chest.state() == expected)
    })?;
    desk.step(world, "changed")?;
    world.at::<Chest>(MINE)?.fill()?;
    world.at::<Chest>(MINE)?.change()?;
    desk.wait_for_next(world, "mine")?;
    desk.close(world)
}

const THEIRS: &str = "Containers/Chests/Chest";
const MINE: &str = "Containers/Mine";

fn add_chests(world: &mut World) -> ScenarioResult {
    world.add("Containers", Group)?;
    world.add("Containers/Chests", Group)?;
    let spawner = MultiplayerSpawner::new("../Chests").with_scene(&Chest::scene());
    world.add("Containers/Spawner", spawner)?;
    world.add_instance("Containers", Chest::scene().instantiate().named("Mine"))?;
    Ok(())
}

fn give_mine_to(world: &mut World, client: PeerId) -> ScenarioResult {
    let mine = world.scene().find(&format!("Main/{MINE}"))?;
    Ok(world.scene().tree_mut().set_multiplayer_authority(mine, client, true)?)
}

/// `chest.gd`.
struct Chest {
    counts: Array,
    ages: Replicated<Dictionary>,
    raw: Vec<u8>,
    names: Array,
    place: Transform3D,
    position: Vector2,
    frame: Transform3D,
}

impl Chest {
    /// `chest.tscn`.
    fn scene() -> PackedScene {
        PackedScene::new("res://scenes/chest.tscn", || {
            let config = ReplicationConfig::new()
                .on_change(".:counts")
                .on_change(".:ages")
                .on_change(".:raw")
                .spawn(".:names")
                .always(".:place")
                .always(".:position:x")
                .on_change_without_spawn(".:position:y")
                .on_change(".:frame:origin:z");
            Instance::new("Chest", Self::default())
                .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
        })
    }

    fn fill(&mut self) -> ScenarioResult {
        self.counts = array(VariantType::Int, [1, 2, 3]).to()?;
        *self.ages = dictionary(VariantType::String, VariantType::Int, [("Ann", 30)]).to()?;
        self.raw = vec![0, 1, 255];
        self.names = array(VariantType::String, ["a", "Grüße"]).to()?;
        self.place = place(Vector3::new(10.0, 11.0, 12.0));
        self.position = Vector2::new(1.5, -2.5);
        self.frame = frame(1.0, 2.0, 3.0);
        Ok(())
    }

    fn change(&mut self) -> ScenarioResult {
        self.counts.push(4)?;
        self.ages.insert("Bob", 40)?;
        self.raw.push(7);
        self.place.origin = Vector3::new(9.0, 8.0, 7.0);
        self.position = Vector2::new(2.5, -3.5);
        self.frame.origin.z = 4.0;
        Ok(())
    }

    /// Returns the values for comparison.
    fn state(&self) -> Vec<Exact> {
        vec![
            self.counts.clone().into(),
            self.ages.clone().into_inner().into(),
            self.raw.clone().into(),
            self.names.clone().into(),
            self.place.into(),
            self.position.into(),
            self.frame.into(),
        ]
    }
}

impl Default for Chest {
    fn default() -> Self {
        Self {
            counts: Array::typed(VariantType::Int),
            ages: Dictionary::typed(VariantType::String, VariantType::Int).into(),
            raw: Vec::new(),
            names: Array::typed(VariantType::String),
            place: Transform3D::IDENTITY,
            position: Vector2::default(),
            frame: Transform3D::IDENTITY,
        }
    }
}

impl Node for Chest {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("counts", |chest: &mut Self| &mut chest.counts)
            .property("ages", |chest: &mut Self| &mut chest.ages)
            .property("raw", |chest: &mut Self| &mut chest.raw)
            .property("names", |chest: &mut Self| &mut chest.names)
            .property("place", |chest: &mut Self| &mut chest.place)
            .property("position", |chest: &mut Self| &mut chest.position)
            .property("frame", |chest: &mut Self| &mut chest.frame)
    }
}

/// Returns the state of the server's chest after its spawn: without y of its position, and only
/// with z of its frame's origin.
fn spawned() -> Vec<Exact> {
    vec![
        array(VariantType::Int, [1, 2, 3]).into(),
        dictionary(VariantType::String, VariantType::Int, [("Ann", 30)]).into(),
        vec![0u8, 1, 255].into(),
        array(VariantType::String, ["a", "Grüße"]).into(),
        place(Vector3::new(10.0, 11.0, 12.0)).into(),
        Vector2::new(1.5, 0.0).into(),
        frame(0.0, 0.0, 3.0).into(),
    ]
}

/// Returns the state of a filled and changed chest.
fn changed() -> Vec<Exact> {
    vec![
        array(VariantType::Int, [1, 2, 3, 4]).into(),
        dictionary(VariantType::String, VariantType::Int, [("Ann", 30), ("Bob", 40)]).into(),
        vec![0u8, 1, 255, 7].into(),
        array(VariantType::String, ["a", "Grüße"]).into(),
        place(Vector3::new(9.0, 8.0, 7.0)).into(),
        Vector2::new(2.5, -3.5).into(),
        frame(1.0, 2.0, 4.0).into(),
    ]
}

fn place(origin: Vector3) -> Transform3D {
    let axis = |x: f32| Vector3::new(x, x + 1.0, x + 2.0);
    Transform3D { basis: Basis { x: axis(1.0), y: axis(4.0), z: axis(7.0) }, origin }
}

fn frame(x: f32, y: f32, z: f32) -> Transform3D {
    Transform3D { origin: Vector3::new(x, y, z), ..Transform3D::IDENTITY }
}
