//! Settings of synchronizers and spawners.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::build::BuiltNode;
use crate::error::{Error, Position, Result};
use crate::project::Project;
use crate::resource::{Reference, Resource};
use crate::text::{Property, Section};
use crate::value::Value;

/// Times at which a property is replicated after the spawn: Godot's
/// `SceneReplicationConfig.ReplicationMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ReplicationMode {
    /// Never (0).
    Never,
    /// In every interval, unreliably (1). The default.
    #[default]
    Always,
    /// After each change of the value, reliably (2).
    OnChange,
}

/// Times at which a synchronizer updates its visibility filters: Godot's
/// `MultiplayerSynchronizer.VisibilityUpdateMode`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum VisibilityUpdateMode {
    /// In each frame (0). The default.
    #[default]
    Idle,
    /// In each physics frame (1).
    Physics,
    /// Only on request (2).
    None,
}

/// A property of a `SceneReplicationConfig`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ReplicatedProperty {
    /// Path relative to the synchronizer's root, for example `.:position` or `Sprite:frame`.
    pub path: String,
    /// True if the spawn packet contains the property. Default: true.
    pub spawn: bool,
    /// Times at which it is replicated after the spawn.
    pub mode: ReplicationMode,
}

/// Settings of a `MultiplayerSynchronizer`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SynchronizerSettings {
    /// Path of the node whose properties are replicated, relative to the synchronizer. Default:
    /// `..`.
    pub root_path: String,
    /// Seconds between packets with properties of mode [`ReplicationMode::Always`]. Default: 0,
    /// each frame.
    pub replication_interval: f64,
    /// Seconds between packets with changes. Default: 0, each frame.
    pub delta_interval: f64,
    /// Times at which visibility filters are updated.
    pub visibility_update_mode: VisibilityUpdateMode,
    /// True if all peers see the synchronizer by default. Default: true.
    pub public_visibility: bool,
    /// The properties in the order in which they are sent. Empty without a config.
    pub properties: Vec<ReplicatedProperty>,
}

/// Settings of a `MultiplayerSpawner`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SpawnerSettings {
    /// Path of the node below which scenes are spawned, relative to the spawner. Default: empty.
    pub spawn_path: String,
    /// Maximum number of spawned nodes. Default: 0, no limit.
    pub spawn_limit: u32,
    /// `res://…` paths of the scenes of the auto-spawn list, in the order of their numbers on the
    /// wire. A UID that no file of the project has stays `uid://…`.
    pub scenes: Vec<String>,
}

impl SynchronizerSettings {
    pub(super) fn load(project: &Project, node: &BuiltNode) -> Result<Self> {
        let visibility_update_mode = match get(node, "visibility_update_mode", Value::as_int)? {
            None | Some(0) => VisibilityUpdateMode::Idle,
            Some(1) => VisibilityUpdateMode::Physics,
            Some(2) => VisibilityUpdateMode::None,
            Some(_) => return Err(wrong(node, "visibility_update_mode")),
        };
        let properties = match node.property("replication_config") {
            None => Vec::new(),
            Some((resource, property)) => config(project, resource, property)?,
        };
        Ok(Self {
            root_path: get(node, "root_path", path)?.unwrap_or_else(|| "..".to_owned()),
            replication_interval: get(node, "replication_interval", Value::as_float)?
                .unwrap_or_default(),
            delta_interval: get(node, "delta_interval", Value::as_float)?.unwrap_or_default(),
            visibility_update_mode,
            public_visibility: get(node, "public_visibility", Value::as_bool)?.unwrap_or(true),
            properties,
        })
    }
}

impl SpawnerSettings {
    pub(super) fn load(project: &Project, node: &BuiltNode) -> Result<Self> {
        let limit = get(node, "spawn_limit", Value::as_int)?.unwrap_or_default();
        let Ok(spawn_limit) = u32::try_from(limit) else { return Err(wrong(node, "spawn_limit")) };
        let mut scenes = Vec::new();
        if let Some((resource, property)) = node.property("_spawnable_scenes") {
            let Some(items) = property.value.items() else {
                return Err(wrong(node, "_spawnable_scenes"));
            };
            for item in items {
                let Some(scene) = item.as_str() else {
                    return Err(wrong(node, "_spawnable_scenes"));
                };
                let path = match scene.starts_with(crate::path::UID) {
                    true => project.uid_path(scene)?.map(str::to_owned),
                    false => resource.resolve(project, None, Some(scene))?,
                };
                scenes.push(path.unwrap_or_else(|| scene.to_owned()));
            }
        }
        let spawn_path = get(node, "spawn_path", path)?.unwrap_or_default();
        Ok(Self { spawn_path, spawn_limit, scenes })
    }
}

fn path(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// Returns a property of a node, converted.
fn get<T>(
    node: &BuiltNode,
    name: &str,
    convert: impl Fn(&Value) -> Option<T>,
) -> Result<Option<T>> {
    match node.property(name) {
        None => Ok(None),
        Some((_, property)) => match convert(&property.value) {
            Some(value) => Ok(Some(value)),
            None => Err(wrong(node, name)),
        },
    }
}

/// Returns the error that a property has a value of the wrong type.
fn wrong(node: &BuiltNode, name: &str) -> Error {
    let (resource, property) = node.property(name).expect("a property that has been read");
    let message = format!("{} cannot have this value of {name}", node.type_name);
    resource.error(property.position, message)
}

/// Returns the properties of a `SceneReplicationConfig`, which the file contains or refers to.
fn config(
    project: &Project,
    resource: &Resource,
    property: &Property,
) -> Result<Vec<ReplicatedProperty>> {
    let position = property.position;
    let external: Rc<Resource>;
    let (resource, section) = match resource.reference(project, &property.value, position)? {
        None => return Ok(Vec::new()),
        Some(Reference::Internal(section)) => {
            check_type(resource, position, section.text("type"))?;
            (resource, section)
        }
        Some(Reference::File(path)) => {
            if !project.file(&path).is_file() {
                return Err(resource.missing(position, format!("{path} does not exist")));
            }
            external = project.resource(&path)?;
            check_type(&external, Position { line: 1, column: 1 }, external.main_type())?;
            match external.main() {
                Some(section) => (&*external, section),
                None => return Ok(Vec::new()),
            }
        }
    };
    properties(resource, section)
}

fn check_type(resource: &Resource, position: Position, type_name: Option<&str>) -> Result<()> {
    if type_name == Some("SceneReplicationConfig") {
        return Ok(());
    }
    Err(resource.error(position, "replication_config is not a SceneReplicationConfig"))
}

/// Applies the properties `properties/N/path`, `spawn`, `replication_mode`, and Godot 4.0's `sync`
/// and `watch`, in the order of the file, as Godot does.
fn properties(resource: &Resource, section: &Section) -> Result<Vec<ReplicatedProperty>> {
    let mut properties: Vec<ReplicatedProperty> = Vec::new();
    let mut paths = BTreeSet::new();
    for property in &section.properties {
        let mut parts = property.name.split('/');
        let (Some("properties"), Some(index), Some(what)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let error = |message: &str| {
            resource.error(property.position, format!("{}: {message}", property.name))
        };
        let index: usize = index.parse().map_err(|_| error("expected a number"))?;
        if what == "path" && index == properties.len() {
            let path = property.value.as_str().ok_or_else(|| error("expected a NodePath"))?;
            if !paths.insert(path) {
                return Err(error("the path is given twice"));
            }
            let mode = ReplicationMode::Always;
            properties.push(ReplicatedProperty { path: path.to_owned(), spawn: true, mode });
            continue;
        }
        let Some(entry) = properties.get_mut(index) else {
            return Err(error("the property has no path before it"));
        };
        let flag = || property.value.as_bool().ok_or_else(|| error("expected true or false"));
        match what {
            "path" => return Err(error("the property has a path already")),
            "replication_mode" => {
                entry.mode = match property.value.as_int() {
                    Some(0) => ReplicationMode::Never,
                    Some(1) => ReplicationMode::Always,
                    Some(2) => ReplicationMode::OnChange,
                    _ => return Err(error("expected 0, 1 or 2")),
                };
            }
            "spawn" => entry.spawn = flag()?,
            "sync" => entry.set(ReplicationMode::Always, flag()?),
            "watch" => entry.set(ReplicationMode::OnChange, flag()?),
            _ => {}
        }
    }
    Ok(properties)
}

impl ReplicatedProperty {
    /// Sets a mode, or ends it.
    fn set(&mut self, mode: ReplicationMode, enabled: bool) {
        if enabled {
            self.mode = mode;
        } else if self.mode == mode {
            self.mode = ReplicationMode::Never;
        }
    }
}
