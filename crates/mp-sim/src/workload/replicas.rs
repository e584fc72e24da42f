//! Programs with replicated nodes: a server that adds, moves, hides, lends and removes plants,
//! clients that change their seat, and clients that are paused.

use mp_core::{PeerId, Rng};
use mp_scene::prelude::*;
use mp_scene::{Branch, BranchBuilder, Scene, Tree};

use super::bud::{BUD, bud, tend};
use super::model::{Plant, SharedModel};
use super::{Act, Workload};
use crate::journal::{Recorder, RunId};
use crate::rng_ext::RngExt;

/// Workload with replicated nodes.
#[derive(Debug)]
pub struct Replicas {
    model: SharedModel,
}

/// Node of a plant or of a sprout.
#[derive(Default)]
pub struct PlantNode {
    /// Height, a field that marks itself as changed.
    pub height: Replicated<i64>,
    /// Label, a plain field.
    pub label: String,
    /// Incremented by the server; replicated in mode `always`.
    pub age: i64,
}

/// Seat of a client, which is the authority of its value.
#[derive(Default)]
pub struct Seat {
    /// Value that only the client changes.
    pub value: i64,
}

/// Board that exists on all peers, with the server as authority.
#[derive(Default)]
pub struct Board {
    /// Number on the board.
    pub number: i64,
}

impl Replicas {
    /// Creates the workload; it records expected nodes in `model`.
    pub fn new(model: SharedModel) -> Self {
        Self { model }
    }

    fn act_as_server(&self, scene: &mut Scene, rng: &mut Rng) {
        for _ in 0..rng.between(1, 4) {
            match rng.below(12) {
                0 | 1 => self.plant(scene, rng),
                2 => self.uproot(scene, rng),
                3 => self.transplant(scene, rng),
                4 | 5 => self.show_or_hide(scene, rng),
                6 => self.lend(scene, rng),
                7 => pause_or_resume(scene, rng),
                8 | 9 => self.tend(scene, rng),
                _ => self.grow(scene, rng),
            }
        }
    }

    fn plant(&self, scene: &mut Scene, rng: &mut Rng) {
        let mut model = self.model.borrow_mut();
        if model.plants.len() >= PLANTS_MAX {
            return;
        }
        model.last += 1;
        let name = format!("n{}", model.last);
        let (bed, is_public) = (rng.below(2) as usize, rng.chance(600));
        let has_sprouts = rng.chance(300);
        let scene_of = if has_sprouts { shrub() } else { flower() };
        let instance = scene_of.instantiate().named(&name);
        if scene.add_instance(BEDS[bed], instance).is_err() {
            return;
        }
        let sprouts = has_sprouts.then(Default::default);
        let height = rng.between(0, 100) as i64;
        let plant = Plant { bed, height, is_public, sprouts, ..Plant::default() };
        let path = format!("{}/{name}", BEDS[bed]);
        if let Some(growing) = growing(scene, &path) {
            *growing.height = height;
        }
        if let Some(sync) = sync(scene, &format!("{path}/Sync")) {
            sync.set_public_visibility(is_public);
        }
        model.plants.insert(name, plant);
    }

    fn uproot(&self, scene: &mut Scene, rng: &mut Rng) {
        let mut model = self.model.borrow_mut();
        let names: Vec<_> = model.plants.keys().cloned().collect();
        let Some(name) = rng.pick(&names) else { return };
        let Some(plant) = model.plants.remove(name) else { return };
        if let Ok(node) = scene.find(&format!("{}/{name}", BEDS[plant.bed])) {
            let _ = scene.remove(node);
        }
    }

    fn transplant(&self, scene: &mut Scene, rng: &mut Rng) {
        let mut model = self.model.borrow_mut();
        let names: Vec<_> = model.plants.keys().cloned().collect();
        let Some(name) = rng.pick(&names) else { return };
        let Some(plant) = model.plants.get_mut(name) else { return };
        let (from, to) = (plant.bed, 1 - plant.bed);
        let node = scene.find(&format!("{}/{name}", BEDS[from]));
        if let (Ok(node), Ok(bed)) = (node, scene.find(BEDS[to]))
            && scene.tree_mut().reparent(node, bed).is_ok()
        {
            plant.bed = to;
        }
    }

    fn show_or_hide(&self, scene: &mut Scene, rng: &mut Rng) {
        let mut model = self.model.borrow_mut();
        let names: Vec<_> = model.plants.keys().cloned().collect();
        let Some(name) = rng.pick(&names) else { return };
        let Some(plant) = model.plants.get_mut(name) else { return };
        let (peers, path) = (scene.peers(), format!("{}/{name}/Sync", BEDS[plant.bed]));
        // The server cannot hide what it has lent.
        if !scene.find(&path).is_ok_and(|node| scene.is_multiplayer_authority(node)) {
            return;
        }
        let Some(sync) = sync(scene, &path) else { return };
        if rng.chance(300) {
            plant.is_public = !plant.is_public;
            sync.set_public_visibility(plant.is_public);
        } else if let Some(&peer) = rng.pick(&peers) {
            let sees = !plant.listed.remove(&peer);
            if sees {
                plant.listed.insert(peer);
            }
            sync.set_visibility_for(peer, sees);
        }
    }

    /// Gives the authority over a plant's synchronizer to a client, or takes it back. Clients are
    /// not notified, so no peer sends it meanwhile.
    fn lend(&self, scene: &mut Scene, rng: &mut Rng) {
        let model = self.model.borrow();
        // Visibility depends on the authority, so only public plants are lent.
        let public: Vec<_> = model.plants.iter().filter(|(_, plant)| plant.is_public).collect();
        let Some((name, plant)) = rng.pick(&public) else { return };
        let to = rng.pick(&scene.peers()).copied();
        let Ok(node) = scene.find(&format!("{}/{name}/Sync", BEDS[plant.bed])) else { return };
        let lent = !scene.is_multiplayer_authority(node);
        let to = if lent { Some(PeerId::SERVER) } else { to };
        if let Some(to) = to {
            let _ = scene.tree_mut().set_multiplayer_authority(node, to, false);
        }
    }

    fn tend(&self, scene: &mut Scene, rng: &mut Rng) {
        let mut model = self.model.borrow_mut();
        let names: Vec<_> = model.plants.keys().cloned().collect();
        let Some(name) = rng.pick(&names) else { return };
        let Some(plant) = model.plants.get_mut(name) else { return };
        plant.bud += 1;
        tend(scene, &format!("{}/{name}", BEDS[plant.bed]), plant.bud);
    }

    fn grow(&self, scene: &mut Scene, rng: &mut Rng) {
        let mut model = self.model.borrow_mut();
        let names: Vec<_> = model.plants.keys().cloned().collect();
        let name = rng.pick(&names).cloned();
        model.board += 1;
        if let Ok(node) = scene.node::<Board>("Board")
            && let Ok(board) = scene.get_mut(node)
        {
            board.number = model.board;
        }
        let Some(plant) = name.as_ref().and_then(|name| model.plants.get_mut(name)) else { return };
        let path = format!("{}/{}", BEDS[plant.bed], name.unwrap_or_default());
        let Some(grown) = growing(scene, &path) else { return };
        grown.age += 1;
        if rng.chance(500) {
            plant.height += 1;
            *grown.height = plant.height;
        } else {
            let digits = rng.between(1, 60);
            plant.label = format!("{:x}", rng.below(1 << digits));
            grown.label.clone_from(&plant.label);
        }
        let Some(sprouts) = &mut plant.sprouts else { return };
        let sprout = format!("s{}", rng.below(4));
        match sprouts.get_mut(&sprout) {
            Some(height) => {
                *height += 1;
                if let Some(growing) = growing(scene, &format!("{path}/Sprouts/{sprout}")) {
                    *growing.height = *height;
                }
            }
            None => {
                let instance = flower().instantiate().named(&sprout);
                if scene.add_instance(&format!("{path}/Sprouts"), instance).is_ok() {
                    sprouts.insert(sprout, 0);
                }
            }
        }
    }
}

impl Workload for Replicas {
    fn configure(&mut self, builder: BranchBuilder, recorder: &Recorder) -> BranchBuilder {
        let builder = builder.tick_rate(TICKS_PER_SECOND).setup(|scene| {
            for (bed, spawner) in BEDS.iter().zip(["Spawner0", "Spawner1"]) {
                scene.add(bed, Group)?;
                let scenes = MultiplayerSpawner::new(&format!("../{bed}"));
                scene.add(spawner, scenes.with_scene(&flower()).with_scene(&shrub()))?;
            }
            scene.add(SEATS, Group)?;
            scene.add("SeatSpawner", MultiplayerSpawner::new("../Seats").with_scene(&seat()))?;
            let config = ReplicationConfig::new().on_change(".:number");
            let sync = MultiplayerSynchronizer::new(config);
            let board = Instance::new("Board", Board::default());
            scene.add_instance(".", board.child(Instance::new("Sync", sync)))
        });
        if !recorder.is_server() {
            return builder;
        }
        let (joined, left) = (self.model.clone(), self.model.clone());
        builder
            .on_peer_connected(move |scene, peer| {
                let instance = seat().instantiate().named(&peer.to_string());
                if scene.add_instance(SEATS, instance).is_ok() {
                    joined.borrow_mut().seats.insert(peer);
                }
            })
            .on_peer_disconnected(move |scene, peer| {
                left.borrow_mut().seats.remove(&peer);
                if let Ok(node) = scene.find(&format!("{SEATS}/{peer}")) {
                    let _ = scene.remove(node);
                }
            })
    }

    fn program_started(&mut self, id: PeerId, _run: RunId) {
        if id.is_server() {
            self.model.take();
        }
    }

    fn act(&mut self, act: &mut Act<'_>) {
        let scene = act.branch.scene();
        if act.recorder.is_server() {
            self.act_as_server(scene, act.rng);
            return;
        }
        let own = format!("{SEATS}/{}", scene.unique_id());
        if let Ok(node) = scene.node::<Seat>(&own)
            && let Ok(seat) = scene.get_mut(node)
        {
            seat.value += 1;
        }
    }

    fn stop(&mut self, server: Option<&mut Branch>) {
        let Some(branch) = server else { return };
        let scene = branch.scene();
        for peer in scene.peers() {
            scene.multiplayer_mut().resume_peer(peer);
        }
        for (name, plant) in &self.model.borrow().plants {
            let path = format!("{}/{name}", BEDS[plant.bed]);
            if let Ok(node) = scene.find(&format!("{path}/Sync")) {
                let _ = scene.tree_mut().set_multiplayer_authority(node, PeerId::SERVER, false);
            }
            for path in paths(name, plant).flat_map(|path| [format!("{path}/{BUD}"), path]) {
                // Properties in mode `always` would be sent forever.
                if let Some(sync) = sync(scene, &format!("{path}/Sync")) {
                    sync.set_replication_interval(std::time::Duration::from_secs(1_000_000));
                }
            }
        }
    }
}

impl Node for PlantNode {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("height", |growing: &mut Self| &mut growing.height)
            .property("label", |growing: &mut Self| &mut growing.label)
            .property("age", |growing: &mut Self| &mut growing.age)
    }
}

impl Node for Seat {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("value", |seat: &mut Self| &mut seat.value)
    }

    fn enter_tree(&mut self, tree: &mut Tree, node: NodeId) {
        let owner = tree.name(node).and_then(|name| PeerId::new(name.parse().ok()?));
        let input = tree.children(node).next();
        if let (Some(owner), Some(input)) = (owner, input) {
            let _ = tree.set_multiplayer_authority(input, owner, false);
        }
    }
}

impl Node for Board {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("number", |board: &mut Self| &mut board.number)
    }
}

fn flower() -> PackedScene {
    PackedScene::new("res://flower.tscn", || {
        let config =
            ReplicationConfig::new().on_change(".:height").on_change(".:label").always(".:age");
        let sync = MultiplayerSynchronizer::new(config);
        Instance::new("Flower", PlantNode::default())
            .child(Instance::new("Sync", sync))
            .child(bud())
    })
}

/// A plant with a spawner of its own.
fn shrub() -> PackedScene {
    PackedScene::new("res://shrub.tscn", || {
        let config = ReplicationConfig::new().on_change(".:height").on_change(".:label");
        Instance::new("Shrub", PlantNode::default())
            .child(Instance::new("Sync", MultiplayerSynchronizer::new(config)))
            .child(bud())
            .child(Instance::new("Sprouts", Group))
            .child(Instance::new(
                "Spawner",
                MultiplayerSpawner::new("../Sprouts").with_scene(&flower()),
            ))
    })
}

fn seat() -> PackedScene {
    PackedScene::new("res://seat.tscn", || {
        let sync = MultiplayerSynchronizer::new(ReplicationConfig::new().on_change(".:value"));
        Instance::new("Seat", Seat::default()).child(Instance::new("Input", sync))
    })
}

/// Returns the paths of a plant and of its sprouts.
pub(super) fn paths(name: &str, plant: &Plant) -> impl Iterator<Item = String> + use<> {
    let path = format!("{}/{name}", BEDS[plant.bed]);
    let sprouts = plant.sprouts.iter().flatten();
    let sprouts: Vec<_> = sprouts.map(|(sprout, _)| format!("{path}/{SPROUTS}/{sprout}")).collect();
    std::iter::once(path).chain(sprouts)
}

fn growing<'s>(scene: &'s mut Scene, path: &str) -> Option<&'s mut PlantNode> {
    let node = scene.node(path).ok()?;
    scene.get_mut(node).ok()
}

pub(super) fn sync<'s>(
    scene: &'s mut Scene,
    path: &str,
) -> Option<&'s mut MultiplayerSynchronizer> {
    let node = scene.node(path).ok()?;
    scene.get_mut(node).ok()
}

fn pause_or_resume(scene: &mut Scene, rng: &mut Rng) {
    let peers = scene.peers();
    let Some(&peer) = rng.pick(&peers) else { return };
    let multiplayer = scene.multiplayer_mut();
    if multiplayer.is_paused(peer) {
        multiplayer.resume_peer(peer);
    } else if rng.chance(300) {
        multiplayer.pause_peer(peer);
    }
}

/// Parents of plants.
pub const BEDS: [&str; 2] = ["Bed0", "Bed1"];
/// Parent of seats.
pub const SEATS: &str = "Seats";
/// Parent of sprouts, below their plant.
pub(super) const SPROUTS: &str = "Sprouts";
const PLANTS_MAX: usize = 40;
/// Low, because each tick costs a turn.
const TICKS_PER_SECOND: u32 = 10;
