//! Names of a game's methods, scenes and properties, from its Godot project.

mod scene;

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;

use mp_project::{Project, Script};

pub(crate) use self::scene::{SceneNames, SynchronizerNames};

/// The methods and replicated properties of all scripts and scenes of a Godot project.
///
/// Methods of a node are found by the checksum that its peer announces, wherever the node is.
/// Replicated properties are found by the scene of the node.
#[derive(Debug, Default)]
pub struct ProjectNames {
    scripts: BTreeMap<[u8; 32], Rc<ScriptNames>>,
    scenes: BTreeMap<String, Rc<SceneNames>>,
    /// Names of root nodes in the tree, with the paths of their scenes: the main scene first, then
    /// autoloads.
    roots: Vec<(String, String)>,
    unreadable: Vec<String>,
}

/// The methods of a script.
#[derive(Debug)]
pub(crate) struct ScriptNames {
    /// `res://…` path.
    pub(crate) path: String,
    /// Methods in the order of their ids.
    methods: Vec<MethodNames>,
}

/// A method.
#[derive(Debug)]
pub(crate) struct MethodNames {
    pub(crate) name: Rc<str>,
    pub(crate) arguments: Vec<Rc<str>>,
}

impl ProjectNames {
    /// Reads the project in `folder`. Scripts and scenes that cannot be read are skipped; see
    /// [`unreadable`](Self::unreadable).
    ///
    /// # Errors
    ///
    /// If there is no project, or it has too many files.
    pub fn load(folder: impl AsRef<Path>) -> Result<Self, mp_project::Error> {
        let project = Project::open(folder)?;
        let mut names = Self::default();
        for path in project.find(&["gd"])? {
            match project.script(&path) {
                Ok(script) => names.add_script(&script),
                Err(error) => names.unreadable.push(error.to_string()),
            }
        }
        for path in project.find(&["tscn"])? {
            match project.scene(&path) {
                Ok(scene) => {
                    let built_in = scene.nodes().iter().filter_map(|node| node.script());
                    built_in.for_each(|script| names.add_script(script));
                    names.scenes.insert(path, Rc::new(SceneNames::new(&scene)));
                }
                Err(error) => names.unreadable.push(error.to_string()),
            }
        }
        let settings = project.settings()?;
        let autoloads = settings.autoloads().iter().map(|it| (Some(it.name.as_str()), &*it.path));
        let first = settings.main_scene().map(|path| (None, path)).into_iter().chain(autoloads);
        let all = names.scenes.keys().map(|path| (None, path.as_str()));
        let roots = first.chain(all).filter_map(|(name, path)| {
            let scene = names.scenes.get(path)?;
            Some((name.unwrap_or_else(|| scene.root_name()).to_owned(), path.to_owned()))
        });
        names.roots = roots.collect();
        Ok(names)
    }

    /// Returns the errors of scripts and scenes that were skipped.
    pub fn unreadable(&self) -> &[String] {
        &self.unreadable
    }

    fn add_script(&mut self, script: &Script) {
        let Ok(checksum) = <[u8; 32]>::try_from(script.rpc_checksum().as_bytes()) else { return };
        if script.rpc_methods().is_empty() {
            return;
        }
        self.scripts.entry(checksum).or_insert_with(|| {
            let mut methods: Vec<_> = script
                .rpc_methods()
                .iter()
                .map(|method| MethodNames {
                    name: method.name.as_str().into(),
                    arguments: method.arguments.iter().map(|it| it.name.as_str().into()).collect(),
                })
                .collect();
            // Godot numbers methods by name.
            methods.sort_by(|a, b| a.name.cmp(&b.name));
            Rc::new(ScriptNames { path: script.path().to_owned(), methods })
        });
    }

    /// Returns the scripts with methods, and the checksums of these.
    pub(crate) fn scripts(&self) -> impl Iterator<Item = (&[u8; 32], &ScriptNames)> {
        self.scripts.iter().map(|(checksum, script)| (checksum, &**script))
    }

    /// Returns the script with this checksum.
    pub(crate) fn script(&self, checksum: &[u8; 32]) -> Option<&Rc<ScriptNames>> {
        self.scripts.get(checksum)
    }

    /// Returns the scene with this `res://…` path.
    pub(crate) fn scene(&self, path: &str) -> Option<&Rc<SceneNames>> {
        self.scenes.get(path)
    }

    /// Returns the scenes that have spawners or synchronizers, and their `res://…` paths.
    pub(crate) fn scenes(&self) -> impl Iterator<Item = (&str, &SceneNames)> {
        let scenes = self.scenes.iter().map(|(path, scene)| (path.as_str(), &**scene));
        scenes
            .filter(|(_, scene)| !scene.spawners().is_empty() || !scene.synchronizers().is_empty())
    }

    /// Returns the names of all root nodes, with the paths of their scenes, in the order in which
    /// they are searched.
    pub(crate) fn root_names(&self) -> impl Iterator<Item = (&str, &str)> {
        self.roots.iter().map(|(name, path)| (name.as_str(), path.as_str()))
    }

    /// Returns the scenes that may be at the top of a tree under this name.
    pub(crate) fn roots<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Rc<SceneNames>> {
        let paths = self.roots.iter().filter(move |(root, _)| root == name);
        paths.filter_map(|(_, path)| self.scenes.get(path))
    }
}

impl ScriptNames {
    /// Returns the method with this id.
    pub(crate) fn method(&self, id: u16) -> Option<&MethodNames> {
        self.methods.get(usize::from(id))
    }

    /// Returns all methods, in the order of their ids.
    pub(crate) fn methods(&self) -> &[MethodNames] {
        &self.methods
    }
}

impl MethodNames {
    /// Returns the name of the argument at `index`.
    pub(crate) fn argument(&self, index: usize) -> Option<&Rc<str>> {
        self.arguments.get(index)
    }

    /// Returns whether the name of the argument at `index` says that it is secret.
    pub(crate) fn is_secret(&self, index: usize) -> bool {
        self.argument(index).is_some_and(|name| {
            let name = name.to_lowercase();
            SECRETS.iter().any(|secret| name.contains(secret))
        })
    }
}

/// Parts of the names of arguments that are masked.
const SECRETS: [&str; 5] = ["token", "password", "secret", "ticket", "credential"];
