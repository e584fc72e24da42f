//! Scenes with the scenes that they instance or inherit.

mod build;
mod node;
mod replication;

use std::path::{Path, PathBuf};

pub use self::node::SceneNode;
pub use self::replication::{
    ReplicatedProperty, ReplicationMode, SpawnerSettings, SynchronizerSettings,
    VisibilityUpdateMode,
};

use crate::error::Result;
use crate::project::Project;

/// A scene as Godot instantiates it: the nodes of the file, of the scene that it inherits, and of
/// the scenes that it instances, with the properties that the outer scene overrides.
///
/// ```no_run
/// # use mp_project::Project;
/// let project = Project::containing("godot/player.tscn")?;
/// for node in project.scene("godot/player.tscn")?.nodes() {
///     if let Some(synchronizer) = node.synchronizer() {
///         for property in &synchronizer.properties {
///             println!("{}: {} {:?}", node.path(), property.path, property.mode);
///         }
///     }
/// }
/// # Ok::<(), mp_project::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SceneFile {
    path: String,
    file: PathBuf,
    nodes: Vec<SceneNode>,
}

impl SceneFile {
    pub(crate) fn load(project: &Project, path: &str) -> Result<Self> {
        let nodes = build::nodes(project, path)?;
        let nodes = nodes.into_iter().map(|node| SceneNode::load(project, node));
        let nodes = nodes.collect::<Result<_>>()?;
        Ok(Self { path: path.to_owned(), file: project.file(path), nodes })
    }

    /// Returns the `res://…` path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the absolute path of the file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the nodes. The root is the first; a parent precedes its children.
    pub fn nodes(&self) -> &[SceneNode] {
        &self.nodes
    }

    /// Returns the node at a path that is relative to the root, for example `Players/Spawner`; the
    /// root is `.`.
    pub fn node(&self, path: &str) -> Option<&SceneNode> {
        self.nodes.iter().find(|node| node.path() == path)
    }
}
