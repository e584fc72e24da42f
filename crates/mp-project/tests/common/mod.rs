//! Projects in temporary folders.
#![allow(dead_code, reason = "each test uses a part")]

use std::fs;

use mp_project::{Error, Position, Project, Script};
use mp_scene::rpc::RpcTable;
use mp_scene::tree::{Node, NodeTree, Tree};
use tempfile::TempDir;

/// A project in a temporary folder.
pub(crate) struct Folder {
    pub(crate) project: Project,
    folder: TempDir,
}

impl Folder {
    /// Creates a project with these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut this =
            Self { project: Project::containing(folder.path().join("x")).unwrap(), folder };
        this.write("project.godot", "config_version=5\n");
        files.iter().for_each(|(path, text)| this.write(path, text));
        this.project = Project::open(this.folder.path()).unwrap();
        this
    }

    pub(crate) fn write(&self, path: &str, bytes: impl AsRef<[u8]>) {
        let path = self.folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    /// Returns the path of an error's file in the project, its line and column, and its message.
    pub(crate) fn describe(&self, error: &Error) -> String {
        let path = error.path().strip_prefix(self.project.root()).unwrap_or_else(|_| error.path());
        match error.position() {
            Some(Position { line, column, .. }) => {
                format!("{}:{line}:{column}: {}", path.display(), error.message())
            }
            None => format!("{}: {}", path.display(), error.message()),
        }
    }

    pub(crate) fn script_error(&self, path: &str) -> String {
        self.describe(&self.project.script(path).unwrap_err())
    }

    pub(crate) fn scene_error(&self, path: &str) -> String {
        self.describe(&self.project.scene(path).unwrap_err())
    }

    /// Returns the names of the files that were read.
    pub(crate) fn read(&self) -> Vec<String> {
        let name = |path: &std::path::PathBuf| {
            path.strip_prefix(self.project.root()).unwrap().display().to_string()
        };
        self.project.files_read().iter().map(name).collect()
    }
}

/// Parses a script without a base script.
pub(crate) fn script(text: &str) -> Result<Script, String> {
    let folder = Folder::new(&[("a.gd", text)]);
    folder.project.script("res://a.gd").map_err(|error| folder.describe(&error))
}

/// Returns the RPC table of a script as lines.
pub(crate) fn table(script: &Script) -> Vec<String> {
    script.rpc_methods().iter().map(|it| format!("{} {}", it.config, it.name)).collect()
}

struct AnyNode;
impl Node for AnyNode {}

/// Returns the checksum of a table as mp-scene announces it.
pub(crate) fn mp_scene_checksum(script: &Script) -> String {
    let names = script.rpc_methods().iter().map(|method| method.name.as_str());
    let table = names.fold(RpcTable::new(), RpcTable::stub);
    let mut tree = Tree::new("/root").unwrap();
    let node = tree.add_with_table(tree.root(), "Node", AnyNode, table).unwrap();
    let ids = NodeTree::rpc_ids(&tree, node.id()).unwrap();
    String::from_utf8(ids.checksum().to_vec()).unwrap()
}
