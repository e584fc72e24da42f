//! A small game that all peers have: `Units` with a spawner of units and crates, and `Stats`, which
//! is part of the scene.

use mp_core::variant::Vector2;
use mp_scene::prelude::*;
use mp_scene::testing::Lan;

pub const SERVER: PeerId = PeerId::SERVER;

#[derive(Default)]
pub struct Unit {
    pub hp: i64,
    pub position: Vector2,
    pub label: Replicated<String>,
    pub poked: Vec<i32>,
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("poke", RpcConfig::any_peer(), |unit: &mut Self, cx, ()| {
            unit.poked.push(cx.remote_sender().get());
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |unit: &mut Self| &mut unit.hp)
            .property("position", |unit: &mut Self| &mut unit.position)
            .property("label", |unit: &mut Self| &mut unit.label)
    }
}

#[derive(Default)]
pub struct Stats {
    pub a: i64,
    pub b: String,
}

impl Node for Stats {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("a", |stats: &mut Self| &mut stats.a)
            .property("b", |stats: &mut Self| &mut stats.b)
    }
}

pub fn unit_config() -> ReplicationConfig {
    ReplicationConfig::new().on_change(".:hp").always(".:position").on_change(".:label")
}

pub fn unit() -> PackedScene {
    PackedScene::new("res://unit.tscn", || {
        let sync = MultiplayerSynchronizer::new(unit_config()).with_signals();
        Instance::new("Unit", Unit::default()).child(Instance::new("Sync", sync))
    })
}

/// A scene without a synchronizer, with its own spawner.
pub fn crate_scene() -> PackedScene {
    PackedScene::new("res://crate.tscn", || {
        let spawner = MultiplayerSpawner::new("../Inside").with_scene(&unit());
        Instance::new("Crate", Group)
            .child(Instance::new("Inside", Group))
            .child(Instance::new("Spawner", spawner))
    })
}

pub fn stats_config() -> ReplicationConfig {
    ReplicationConfig::new().on_change(".:a").on_change(".:b")
}

/// Returns the game. A tick follows each step of a [`Lan`].
pub fn game() -> BranchBuilder {
    Branch::builder("/root/Game").tick_rate(1_000).setup(|scene| {
        scene.add("Units", Group)?;
        let spawner = MultiplayerSpawner::new("../Units")
            .with_scene(&unit())
            .with_scene(&crate_scene())
            .with_spawn_function(|data| {
                let hp = data.clone().to().ok()?;
                let sync = MultiplayerSynchronizer::new(unit_config());
                let unit = Unit { hp, ..Unit::default() };
                Some(Instance::new("Made", unit).child(Instance::new("Sync", sync)))
            });
        scene.add("Spawner", spawner)?;
        let sync = MultiplayerSynchronizer::new(stats_config()).with_signals();
        let stats = Instance::new("Stats", Stats::default()).child(Instance::new("Sync", sync));
        scene.add_instance(".", stats)
    })
}

/// Returns a server and connected clients.
pub fn lan(clients: usize) -> (Lan, Vec<PeerId>) {
    let mut lan = Lan::new(game()).unwrap();
    let ids = (0..clients).map(|_| lan.join(game()).unwrap()).collect();
    lan.settle();
    (lan, ids)
}

/// Adds a unit on the server.
pub fn add_unit(lan: &mut Lan, name: &str, hp: i64) -> NodeRef<Unit> {
    let scene = lan.scene(SERVER);
    let node = scene.add_instance("Units", unit().instantiate().named(name)).unwrap();
    let node: NodeRef<Unit> = NodeRef::new(node);
    scene.get_mut(node).unwrap().hp = hp;
    node
}

/// Returns the unit of a peer; `None` if the peer does not have it.
pub fn unit_at<'l>(lan: &'l mut Lan, peer: PeerId, path: &str) -> Option<&'l mut Unit> {
    let scene = lan.scene(peer);
    let node = scene.find(&format!("Units/{path}")).ok()?;
    Some(scene.get_mut(NodeRef::new(node)).expect("a unit"))
}

pub fn hp_at(lan: &mut Lan, peer: PeerId, path: &str) -> Option<i64> {
    unit_at(lan, peer, path).map(|unit| unit.hp)
}

pub fn sync_of<'l>(lan: &'l mut Lan, peer: PeerId, path: &str) -> &'l mut MultiplayerSynchronizer {
    let scene = lan.scene(peer);
    let node = scene.find(path).unwrap();
    scene.get_mut(NodeRef::new(node)).unwrap()
}

pub fn stats_at(lan: &mut Lan, peer: PeerId) -> &mut Stats {
    let scene = lan.scene(peer);
    let node = scene.find("Stats").unwrap();
    scene.get_mut(NodeRef::new(node)).unwrap()
}

/// Returns the signals of a peer since the last call.
pub fn signals(lan: &mut Lan, peer: PeerId) -> Vec<Signal> {
    std::iter::from_fn(|| lan.branch(peer).next_signal()).collect()
}
