//! Scenes that several scenarios share.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use mp_core::variant::{Array, Vector2};
use mp_scene::prelude::*;

use crate::world::{ScenarioResult, World};

/// `unit.gd`, the root of `unit.tscn` and of `secret.tscn`.
#[derive(Default)]
pub(super) struct Unit {
    pub(super) position: Vector2,
    pub(super) hp: Replicated<i64>,
    pub(super) label: String,
    /// Shared with the scenario, so that it outlives the unit.
    pub(super) pokes: Pokes,
}

/// Senders and arguments of `poke` calls.
pub(super) type Pokes = Rc<RefCell<Vec<(PeerId, String)>>>;

/// Spawned properties of a unit: hp, label and position.
pub(super) type UnitState = (i64, String, Vector2);

/// States of units when they were spawned, by name; in Godot, as seen by `_ready`.
pub(super) type Ready = Rc<RefCell<BTreeMap<String, UnitState>>>;

impl Unit {
    /// `unit.tscn`.
    pub(super) fn scene() -> PackedScene {
        PackedScene::new("res://scenes/unit.tscn", || {
            let config = ReplicationConfig::new().always(".:position").on_change(".:hp");
            Self::with_sync(MultiplayerSynchronizer::new(config.spawn(".:label")))
        })
    }

    /// `secret.tscn`.
    pub(super) fn secret() -> PackedScene {
        PackedScene::new("res://scenes/secret.tscn", || {
            let config = ReplicationConfig::new().always(".:position").on_change(".:hp");
            Self::with_sync(MultiplayerSynchronizer::new(config).with_public_visibility(false))
        })
    }

    fn with_sync(sync: MultiplayerSynchronizer) -> Instance {
        Instance::new("Unit", Self::default()).child(Instance::new("Sync", sync))
    }

    pub(super) fn state(&self) -> UnitState {
        (*self.hp, self.label.clone(), self.position)
    }

    /// Records the state of a unit that has just been spawned.
    pub(super) fn note_ready(ready: &Ready, scene: &Scene, signal: &Signal) {
        let Signal::Spawned { node, .. } = signal else { return };
        if let (Some(name), Ok(unit)) =
            (scene.tree().name(*node), scene.get(NodeRef::<Self>::new(*node)))
        {
            ready.borrow_mut().insert(name.to_owned(), unit.state());
        }
    }
}

impl Node for Unit {
    fn rpc_table() -> RpcTable<Self> {
        RpcTable::new().method("poke", RpcConfig::any_peer(), |unit: &mut Self, cx, (text,)| {
            unit.pokes.borrow_mut().push((cx.remote_sender(), text));
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("position", |unit: &mut Self| &mut unit.position)
            .property("hp", |unit: &mut Self| &mut unit.hp)
            .property("label", |unit: &mut Self| &mut unit.label)
    }
}

/// `mover.gd`.
#[derive(Default)]
pub(super) struct Mover {
    pub(super) position: Vector2,
    pub(super) tick: i64,
}

impl Node for Mover {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("position", |mover: &mut Self| &mut mover.position)
            .property("tick", |mover: &mut Self| &mut mover.tick)
    }
}

/// `stats.gd`.
#[derive(Default)]
pub(super) struct Stats {
    pub(super) a: i64,
    pub(super) b: String,
    pub(super) c: Array,
    pub(super) n: i64,
}

impl Node for Stats {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("a", |stats: &mut Self| &mut stats.a)
            .property("b", |stats: &mut Self| &mut stats.b)
            .property("c", |stats: &mut Self| &mut stats.c)
            .property("n", |stats: &mut Self| &mut stats.n)
    }
}

/// Public visibility of the synchronizers of [`add_world`].
pub(super) struct Public {
    pub(super) mover: bool,
    pub(super) stats: bool,
}

/// Adds `world.tscn` as `World`, with these stats.
pub(super) fn add_world(world: &mut World, public: &Public, stats: Stats) -> ScenarioResult {
    let mover_sync = ReplicationConfig::new().always(".:position").always(".:tick");
    let mover_sync = MultiplayerSynchronizer::new(mover_sync)
        .with_replication_interval(Duration::from_millis(50))
        .with_public_visibility(public.mover)
        .with_signals();
    let stats_sync = ReplicationConfig::new().on_change(".:a").on_change(".:b").on_change(".:c");
    let stats_sync = MultiplayerSynchronizer::new(stats_sync.spawn(".:n"))
        .with_delta_interval(Duration::from_millis(100))
        .with_public_visibility(public.stats)
        .with_signals();
    let sync = |sync| Instance::new("Sync", sync);
    let scene = Instance::new("World", Group)
        .child(Instance::new("Mover", Mover::default()).child(sync(mover_sync)))
        .child(Instance::new("Stats", stats).child(sync(stats_sync)));
    world.add_instance(".", scene)?;
    Ok(())
}
