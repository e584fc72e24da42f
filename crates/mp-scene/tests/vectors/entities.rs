//! Scenes of the recorded replication scenarios, as Rust nodes.

use mp_core::variant::Vector2;
use mp_scene::prelude::*;

use super::nodes::{Event, Log};

/// `ent.gd`: the base of all entities.
pub struct Entity {
    pub hp: i64,
    pub tag: String,
    pub pos: Vector2,
    pub once: i64,
    pub extra: Variant,
    log: Log,
    peer: i32,
}

impl Entity {
    fn new(peer: i32, log: &Log) -> Self {
        Self {
            hp: 100,
            tag: "t".into(),
            pos: Vector2::new(1.0, 2.0),
            once: 5,
            extra: Variant::Nil,
            log: log.clone(),
            peer,
        }
    }
}

/// A child node with one property.
#[derive(Default)]
pub struct Child {
    pub process_priority: i64,
}

impl Node for Entity {
    fn rpc_table() -> RpcTable<Self> {
        let any = RpcConfig::any_peer().call_local();
        RpcTable::new().method("hit", any, |entity: &mut Self, cx, (n,): (Variant,)| {
            let path = cx.tree().path_of(cx.node_id()).unwrap();
            entity.log.borrow_mut().push(Event::Call {
                peer: entity.peer,
                node: path,
                method: "hit".into(),
                args: vec![n],
                sender: cx.remote_sender().get(),
            });
        })
    }

    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new()
            .property("hp", |entity: &mut Self| &mut entity.hp)
            .property("tag", |entity: &mut Self| &mut entity.tag)
            .property("pos", |entity: &mut Self| &mut entity.pos)
            .property("once", |entity: &mut Self| &mut entity.once)
            .property("extra", |entity: &mut Self| &mut entity.extra)
    }
}

impl Node for Child {
    fn property_table() -> PropertyTable<Self> {
        PropertyTable::new().property("process_priority", |c: &mut Self| &mut c.process_priority)
    }
}

/// Returns the scene `res://scenes/NAME.tscn` of a peer.
pub fn scene(name: &str, peer: i32, log: &Log) -> PackedScene {
    let (file, kind, log) = (format!("res://scenes/{name}.tscn"), name.to_owned(), log.clone());
    PackedScene::new(&file, move || make(&kind, peer, &log))
}

/// Creates a node from data, as the spawn function of the recordings does: an `ent` with the data
/// as its tag.
pub fn made_of(data: &Variant, peer: i32, log: &Log) -> Instance {
    let entity = Entity { tag: data.to_string(), ..Entity::new(peer, log) };
    Instance::new("Ent", entity).child(sync("Sync", ent_config()))
}

fn sync(name: &str, config: ReplicationConfig) -> Instance {
    Instance::new(name, MultiplayerSynchronizer::new(config))
}

fn make(kind: &str, peer: i32, log: &Log) -> Instance {
    let entity = Entity::new(peer, log);
    let hp = || ReplicationConfig::new().always(".:hp");
    match kind {
        "plain" => Instance::new("Plain", entity),
        "ent" => Instance::new("Ent", entity).child(sync("Sync", ent_config())),
        "hidden" => {
            let hidden = MultiplayerSynchronizer::new(hp()).with_public_visibility(false);
            Instance::new("Hidden", entity).child(Instance::new("Sync", hidden))
        }
        "two_sync" => {
            let second = ReplicationConfig::new()
                .always(".:tag")
                .on_change("Child:process_priority")
                .on_change(".:pos:x");
            Instance::new("Two", entity)
                .child(Instance::new("Child", Child::default()))
                .child(sync("S1", hp()))
                .child(sync("S2", second))
        }
        "nest" => {
            let spawner =
                MultiplayerSpawner::new("../Inner").with_scene(&scene("plain", peer, log));
            Instance::new("Nest", entity)
                .child(Instance::new("Inner", Group))
                .child(Instance::new("InnerSpawner", spawner))
        }
        "bad_prop" => {
            Instance::new("Bad", entity).child(sync("Sync", hp().always(".:no_such_property")))
        }
        unknown => panic!("unknown scene {unknown:?}"),
    }
}

/// Returns the configuration in `ent.tscn`.
pub fn ent_config() -> ReplicationConfig {
    ReplicationConfig::new()
        .always(".:hp")
        .on_change(".:tag")
        .always_without_spawn(".:pos")
        .spawn(".:once")
        .on_change_without_spawn(".:extra")
}

/// Converts a replication signal to an event of the recordings.
pub fn replication_event(peer: i32, scene: &Scene, signal: &Signal) -> Option<Event> {
    let path = |node: &NodeId| scene.tree().path_of(*node).unwrap_or_default();
    // In the recordings entities have their own name, and nodes of the scene that of their
    // synchronizer.
    let label = |node: &NodeId| match path(node) {
        path if path.starts_with("Ents/") => path["Ents/".len()..].to_owned(),
        path => path.rsplit('/').next().unwrap_or_default().to_owned(),
    };
    let (what, node) = match signal {
        Signal::Spawned { spawner, node } => {
            let name = scene.tree().name(*node).unwrap_or_default().to_owned();
            (format!("{}.spawned", spawner_label(&path(spawner))?), name)
        }
        Signal::Despawned { spawner, name, .. } => {
            (format!("{}.despawned", spawner_label(&path(spawner))?), name.clone())
        }
        Signal::Synchronized(node) => (format!("{}.synchronized", label(node)), String::new()),
        Signal::DeltaSynchronized(node) => {
            (format!("{}.delta_synchronized", label(node)), String::new())
        }
        Signal::ReplicationFailed(_) | Signal::VisibilityChanged { .. } => return None,
        unknown => panic!("unexpected {unknown:?}"),
    };
    Some(Event::Emitted { peer, what, node })
}

/// Returns the label of a spawner. The recordings omit spawners in entities.
fn spawner_label(path: &str) -> Option<&str> {
    (!path.contains('/')).then_some(path)
}

use mp_scene::tree::NodeTree;
