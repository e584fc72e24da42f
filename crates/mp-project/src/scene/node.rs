//! A node of a scene.

use std::rc::Rc;

use super::build::BuiltNode;
use super::replication::{SpawnerSettings, SynchronizerSettings};
use crate::error::Result;
use crate::project::Project;
use crate::resource::Reference;
use crate::script::{ParsedScript, Script};
use crate::value::Value;

/// A node of a [`SceneFile`](crate::SceneFile).
#[derive(Clone, Debug)]
pub struct SceneNode {
    node: BuiltNode,
    script_path: Option<String>,
    script: Option<Rc<Script>>,
    synchronizer: Option<SynchronizerSettings>,
    spawner: Option<SpawnerSettings>,
}

impl SceneNode {
    pub(crate) fn load(project: &Project, node: BuiltNode) -> Result<Self> {
        let (script_path, script) = script(project, &node)?;
        let synchronizer = match &*node.type_name {
            "MultiplayerSynchronizer" => Some(SynchronizerSettings::load(project, &node)?),
            _ => None,
        };
        let spawner = match &*node.type_name {
            "MultiplayerSpawner" => Some(SpawnerSettings::load(project, &node)?),
            _ => None,
        };
        Ok(Self { node, script_path, script, synchronizer, spawner })
    }

    /// Returns the path relative to the root, for example `Players/Spawner`; `.` for the root.
    pub fn path(&self) -> &str {
        &self.node.path
    }

    /// Returns the name.
    pub fn name(&self) -> &str {
        &self.node.name
    }

    /// Returns the native class, for example `MultiplayerSpawner`.
    pub fn type_name(&self) -> &str {
        &self.node.type_name
    }

    /// Returns the `res://…` path of the scene of which the node is the root: one that is instanced
    /// here, or, for the root of the scene, one that it inherits.
    pub fn instance(&self) -> Option<&str> {
        self.node.instance.as_deref()
    }

    /// Returns the `res://…` path of the script, in any language. A script in the scene file has
    /// `res://scene.tscn::id`.
    pub fn script_path(&self) -> Option<&str> {
        self.script_path.as_deref()
    }

    /// Returns the script if it is a GDScript.
    pub fn script(&self) -> Option<&Script> {
        self.script.as_deref()
    }

    /// Returns a property that a scene file sets, as it is written there.
    pub fn property(&self, name: &str) -> Option<&Value> {
        self.node.property(name).map(|(_, property)| &property.value)
    }

    /// Returns the settings of a `MultiplayerSynchronizer`.
    pub fn synchronizer(&self) -> Option<&SynchronizerSettings> {
        self.synchronizer.as_ref()
    }

    /// Returns the settings of a `MultiplayerSpawner`.
    pub fn spawner(&self) -> Option<&SpawnerSettings> {
        self.spawner.as_ref()
    }
}

/// Returns the path of the node's script, and the script if it is a GDScript.
fn script(project: &Project, node: &BuiltNode) -> Result<(Option<String>, Option<Rc<Script>>)> {
    let Some((resource, property)) = node.property("script") else { return Ok((None, None)) };
    let position = property.position;
    match resource.reference(project, &property.value, position)? {
        None => Ok((None, None)),
        Some(Reference::File(path)) => {
            if !project.file(&path).is_file() {
                return Err(resource.missing(position, format!("{path} does not exist")));
            }
            let script = match path.ends_with(".gd") {
                true => Some(Rc::new(Script::load(project, project.parsed_script(&path)?)?)),
                false => None,
            };
            Ok((Some(path), script))
        }
        Some(Reference::Internal(section)) => {
            let id = property.value.sub_resource().unwrap_or_default();
            let path = format!("{}::{id}", resource.path());
            let source = section.property("script/source");
            let script = match (section.text("type"), source) {
                (Some("GDScript"), Some(source)) => {
                    let text = source.value.as_str().unwrap_or_default();
                    let before = source.position.line - 1;
                    let parsed = ParsedScript::parse(&path, resource.file(), text, before)?;
                    Some(Rc::new(Script::load(project, Rc::new(parsed))?))
                }
                _ => None,
            };
            Ok((Some(path), script))
        }
    }
}
