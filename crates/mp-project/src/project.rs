//! A Godot project on disk.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::path::{self, Path, PathBuf};
use std::rc::Rc;

use crate::class_index::ClassIndex;
use crate::error::{Error, ErrorKind, Result};
use crate::files::Files;
use crate::path::{RES, UID, resolve};
use crate::resource::Resource;
use crate::scene::SceneFile;
use crate::script::{ParsedScript, Script};
use crate::settings::Settings;
use crate::uid_index::UidIndex;

/// A Godot project: the folder that is `res://`.
///
/// Files are read when they are asked for, and cached. [`Self::files_read`] lists them.
///
/// Paths are `res://…`, `uid://…`, or paths of the file system below the project's folder.
///
/// ```no_run
/// use mp_project::Project;
///
/// let project = Project::containing("godot/player.gd")?;
/// for method in project.script("godot/player.gd")?.rpc_methods() {
///     println!("{} func {}", method.config, method.name);
/// }
/// for path in project.files_read() {
///     println!("cargo::rerun-if-changed={}", path.display());
/// }
/// # Ok::<(), mp_project::Error>(())
/// ```
#[derive(Debug)]
pub struct Project {
    root: PathBuf,
    files: Files,
    settings: OnceCell<Settings>,
    class_index: OnceCell<ClassIndex>,
    uid_index: OnceCell<UidIndex>,
    parsed_scripts: RefCell<BTreeMap<String, Rc<ParsedScript>>>,
    resources: RefCell<BTreeMap<String, Rc<Resource>>>,
}

impl Project {
    /// Opens the project in `folder`. Reads nothing yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the folder has no `project.godot`.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self> {
        let folder = absolute(folder.as_ref())?;
        if !folder.join(PROJECT_FILE).is_file() {
            let message = format!("no {PROJECT_FILE} in this folder");
            return Err(Error::new(ErrorKind::Missing, &folder, message));
        }
        Ok(Self::at(folder))
    }

    /// Opens the project that contains `path`: the nearest folder above it with a `project.godot`.
    /// Without one, the folder of `path` is `res://`. Reads nothing yet.
    ///
    /// # Errors
    ///
    /// Returns an error if the working directory is unknown.
    pub fn containing(path: impl AsRef<Path>) -> Result<Self> {
        let path = absolute(path.as_ref())?;
        let has_project = |folder: &&Path| folder.join(PROJECT_FILE).is_file();
        let folder = match path.ancestors().find(has_project) {
            Some(folder) => folder,
            None => path.parent().unwrap_or(&path),
        };
        Ok(Self::at(folder.to_owned()))
    }

    fn at(root: PathBuf) -> Self {
        Self {
            root,
            files: Files::default(),
            settings: OnceCell::new(),
            class_index: OnceCell::new(),
            uid_index: OnceCell::new(),
            parsed_scripts: RefCell::default(),
            resources: RefCell::default(),
        }
    }

    /// Returns a project without a folder that has one script or resource, for fuzzing.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn in_memory(path: &str, text: &str) -> Result<Self> {
        let project = Self::at(PathBuf::from("/no/such/folder"));
        let file = project.file(path);
        if path.ends_with(".gd") {
            let script = Rc::new(ParsedScript::parse(path, &file, text, 0)?);
            project.parsed_scripts.borrow_mut().insert(path.to_owned(), script);
        } else {
            let resource = Rc::new(Resource::parse(path, &file, text)?);
            project.resources.borrow_mut().insert(path.to_owned(), resource);
        }
        Ok(project)
    }

    /// Returns the absolute path of the folder that is `res://`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the absolute paths of all files that were read, sorted. A result depends on these
    /// files only, except that a new file can declare a class or UID that had no file.
    pub fn files_read(&self) -> Vec<PathBuf> {
        self.files.list()
    }

    /// Returns false if the project is a folder without `project.godot`.
    pub(crate) fn has_settings(&self) -> bool {
        self.root.join(PROJECT_FILE).is_file()
    }

    /// Returns the settings in `project.godot`.
    ///
    /// # Errors
    ///
    /// Returns an error if the file is missing or malformed.
    pub fn settings(&self) -> Result<&Settings> {
        if let Some(settings) = self.settings.get() {
            return Ok(settings);
        }
        let path = self.root.join(PROJECT_FILE);
        let text = self.files.read(&path)?;
        let settings = Settings::parse(&text).map_err(|error| error.in_file(&path))?;
        Ok(self.settings.get_or_init(|| settings))
    }

    /// Reads a script and the scripts that it extends.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is unreadable or malformed, if a base script is missing, or if
    /// scripts extend each other in a circle.
    pub fn script(&self, path: impl AsRef<Path>) -> Result<Script> {
        let path = self.resource_path(path.as_ref())?;
        Script::load(self, self.parsed_script(&path)?)
    }

    /// Reads a scene, the scenes that it instances or inherits, and the scripts of their nodes.
    ///
    /// # Errors
    ///
    /// Returns an error if a file is unreadable or malformed, if a file or node that it refers to
    /// is missing, or if scenes instance each other in a circle.
    pub fn scene(&self, path: impl AsRef<Path>) -> Result<SceneFile> {
        let path = self.resource_path(path.as_ref())?;
        SceneFile::load(self, &path)
    }

    /// Returns the paths of all files of the project with one of these extensions, as `res://…`,
    /// sorted. Like Godot, skips hidden folders, folders with a `.gdignore`, and other projects.
    ///
    /// # Errors
    ///
    /// Returns an error if the project has more than
    /// [`SEARCHED_FILES_MAX`](crate::SEARCHED_FILES_MAX) files.
    pub fn find(&self, extensions: &[&str]) -> Result<Vec<String>> {
        let paths = crate::files::find(&self.root, |name| {
            name.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
        })?;
        let paths = paths.iter().map(|path| self.resource_path(path));
        let mut paths = paths.collect::<Result<Vec<_>>>()?;
        paths.sort_unstable();
        Ok(paths)
    }

    /// Returns the `res://…` path of the script that declares `class_name`.
    ///
    /// # Errors
    ///
    /// Returns an error if the project has too many files.
    pub fn class_path(&self, class_name: &str) -> Result<Option<&str>> {
        let index = match self.class_index.get() {
            Some(index) => index,
            None => {
                let index = ClassIndex::new(self, &self.files)?;
                self.class_index.get_or_init(|| index)
            }
        };
        let path = index.path(class_name);
        if let Some(path) = path {
            self.files.add(&self.file(path));
        }
        Ok(path)
    }

    /// Returns the `res://…` path of the resource with a `uid://…`. Godot's cache of UIDs is not
    /// read: the UIDs are in `.uid` files and in the headers of scenes and resources.
    ///
    /// # Errors
    ///
    /// Returns an error if the project has too many files.
    pub fn uid_path(&self, uid: &str) -> Result<Option<&str>> {
        let index = match self.uid_index.get() {
            Some(index) => index,
            None => {
                let index = UidIndex::new(self, &self.files)?;
                self.uid_index.get_or_init(|| index)
            }
        };
        let found = index.path(uid);
        if let Some((_, file)) = found {
            self.files.add(file);
        }
        Ok(found.map(|(path, _)| path))
    }

    /// Returns the normalized `res://…` path of a path of any form.
    pub(crate) fn resource_path(&self, path: &Path) -> Result<String> {
        let error = |message: &str| Error::new(ErrorKind::Missing, path, message);
        if let Some(text) = path.to_str() {
            if text.starts_with(RES) {
                return resolve(RES, text).ok_or_else(|| error("leaves the project"));
            }
            if text.starts_with(UID) {
                let found = self.uid_path(text)?.map(str::to_owned);
                return found.ok_or_else(|| error("no file of the project has this UID"));
            }
        }
        let inside = absolute(path)?;
        let inside = inside.strip_prefix(&self.root).ok();
        let parts: Option<Vec<_>> = inside.and_then(|inside| {
            inside.components().map(|component| component.as_os_str().to_str()).collect()
        });
        match parts {
            Some(parts) => Ok(format!("{RES}{}", parts.join("/"))),
            None => {
                let root = self.root.display();
                Err(error(&format!("not a file of the project {root}")))
            }
        }
    }

    /// Returns the path in the file system of a normalized `res://…` path.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        let relative = path.strip_prefix(RES).unwrap_or(path);
        relative.split('/').fold(self.root.clone(), |folder, part| folder.join(part))
    }

    pub(crate) fn parsed_script(&self, path: &str) -> Result<Rc<ParsedScript>> {
        if let Some(script) = self.parsed_scripts.borrow().get(path) {
            return Ok(script.clone());
        }
        let file = self.file(path);
        let text = self.files.read(&file)?;
        let script = Rc::new(ParsedScript::parse(path, &file, &text, 0)?);
        self.parsed_scripts.borrow_mut().insert(path.to_owned(), script.clone());
        Ok(script)
    }

    pub(crate) fn resource(&self, path: &str) -> Result<Rc<Resource>> {
        if let Some(resource) = self.resources.borrow().get(path) {
            return Ok(resource.clone());
        }
        let file = self.file(path);
        let text = self.files.read(&file)?;
        let resource = Rc::new(Resource::parse(path, &file, &text)?);
        self.resources.borrow_mut().insert(path.to_owned(), resource.clone());
        Ok(resource)
    }
}

/// Name of the file that marks a project.
const PROJECT_FILE: &str = "project.godot";

/// Returns an absolute path without `.` and `..`.
fn absolute(path: &Path) -> Result<PathBuf> {
    let unknown = |error| {
        Error::new(ErrorKind::Unreadable, path, format!("cannot make the path absolute: {error}"))
    };
    let mut result = PathBuf::new();
    for component in path::absolute(path).map_err(unknown)?.components() {
        if component == path::Component::ParentDir {
            result.pop();
        } else {
            result.push(component);
        }
    }
    Ok(result)
}
