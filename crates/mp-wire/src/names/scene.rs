//! Names in a scene.

use std::rc::Rc;

use mp_project::{ReplicatedProperty, ReplicationMode, SceneFile};

/// The spawners and synchronizers of a scene.
#[derive(Debug)]
pub(crate) struct SceneNames {
    root_name: String,
    spawners: Vec<SpawnerNames>,
    /// In the order of the tree.
    synchronizers: Vec<Rc<SynchronizerNames>>,
}

/// A spawner of a scene.
#[derive(Debug)]
pub(crate) struct SpawnerNames {
    /// Path of the spawner relative to the root; `.` for the root.
    pub(crate) path: String,
    /// Path of the node below which it spawns.
    pub(crate) spawn_path: String,
    /// Its scenes by their numbers.
    pub(crate) scenes: Vec<String>,
}

/// A synchronizer of a scene.
#[derive(Debug)]
pub(crate) struct SynchronizerNames {
    /// Path relative to the root; `.` for the root.
    pub(crate) path: String,
    /// Properties in a SPAWN.
    pub(crate) spawn: Vec<Rc<str>>,
    /// Properties in a SYNC.
    pub(crate) sync: Vec<Rc<str>>,
    /// Properties in a DELTA, by the bits of its mask.
    pub(crate) delta: Vec<Rc<str>>,
}

impl SceneNames {
    pub(crate) fn new(scene: &SceneFile) -> Self {
        let spawners = scene.nodes().iter().filter_map(|node| {
            let spawner = node.spawner()?;
            Some(SpawnerNames {
                path: node.path().to_owned(),
                spawn_path: joined(node.path(), &spawner.spawn_path)?,
                scenes: spawner.scenes.clone(),
            })
        });
        let synchronizers = scene.nodes().iter().filter_map(|node| {
            let synchronizer = node.synchronizer()?;
            let names = |is_in: fn(&ReplicatedProperty) -> bool| -> Vec<Rc<str>> {
                let properties = synchronizer.properties.iter().filter(|it| is_in(it));
                properties.map(|it| it.path.trim_start_matches(".:").into()).collect()
            };
            Some(Rc::new(SynchronizerNames {
                path: node.path().to_owned(),
                spawn: names(|it| it.spawn),
                sync: names(|it| it.mode == ReplicationMode::Always),
                delta: names(|it| it.mode == ReplicationMode::OnChange),
            }))
        });
        Self {
            root_name: scene.nodes().first().map_or("", |root| root.name()).to_owned(),
            spawners: spawners.collect(),
            synchronizers: synchronizers.collect(),
        }
    }

    /// Returns the name of the root node.
    pub(crate) fn root_name(&self) -> &str {
        &self.root_name
    }

    /// Returns the spawners.
    pub(crate) fn spawners(&self) -> &[SpawnerNames] {
        &self.spawners
    }

    /// Returns the spawner at a path relative to the root.
    pub(crate) fn spawner(&self, path: &str) -> Option<&SpawnerNames> {
        self.spawners.iter().find(|spawner| spawner.path == path)
    }

    /// Returns the synchronizer at a path relative to the root.
    pub(crate) fn synchronizer(&self, path: &str) -> Option<&Rc<SynchronizerNames>> {
        self.synchronizers.iter().find(|synchronizer| synchronizer.path == path)
    }

    /// Returns the synchronizers in the order of the tree.
    pub(crate) fn synchronizers(&self) -> &[Rc<SynchronizerNames>] {
        &self.synchronizers
    }
}

/// Returns the path that `relative` leads to from the node at `from`; `None` if it leaves the
/// scene. The root is `.`.
fn joined(from: &str, relative: &str) -> Option<String> {
    let names = from.split('/').chain(relative.split('/')).filter(|name| !name.is_empty());
    let mut path = Vec::new();
    for name in names {
        match name {
            "." => {}
            ".." => drop(path.pop()?),
            name => path.push(name),
        }
    }
    Some(if path.is_empty() { ".".to_owned() } else { path.join("/") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relative_paths_lead_to_nodes_of_the_scene() {
        for (from, relative, expected) in [
            ("Spawner", "../Players", Some("Players")),
            ("Spawner", "..", Some(".")),
            ("A/Spawner", "../../B/C", Some("B/C")),
            (".", "Players", Some("Players")),
            ("Spawner", "../..", None),
        ] {
            assert_eq!(joined(from, relative).as_deref(), expected, "{from} {relative}");
        }
    }
}
