//! Reading of files, with a limit and a list of the files that were read.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Position, Result};
use crate::limits::{FILE_BYTES_MAX, SEARCHED_FILES_MAX};

/// Reads the files of a project. No other module opens a file.
#[derive(Debug, Default)]
pub(crate) struct Files {
    read: RefCell<BTreeSet<PathBuf>>,
}

impl Files {
    /// Reads a text file and adds it to [`Self::list`].
    pub(crate) fn read(&self, path: &Path) -> Result<String> {
        self.add(path);
        read(path)
    }

    /// Reads a text file in the search for a class or UID. Results depend on the file only if it
    /// declares the one that is looked for; then it is [added](Self::add).
    pub(crate) fn search(&self, path: &Path) -> Result<String> {
        read(path)
    }

    /// Returns the first line of a file in the search for a UID, at most 4 KiB.
    pub(crate) fn first_line(&self, path: &Path) -> Option<String> {
        let mut bytes = Vec::new();
        File::open(path).ok()?.take(4096).read_to_end(&mut bytes).ok()?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        Some(String::from_utf8_lossy(line).trim_start_matches('\u{feff}').trim_end().to_owned())
    }

    /// Adds a file to [`Self::list`] that a result depends on.
    pub(crate) fn add(&self, path: &Path) {
        self.read.borrow_mut().insert(path.to_owned());
    }

    /// Returns the absolute paths of the files that were read, sorted.
    pub(crate) fn list(&self) -> Vec<PathBuf> {
        self.read.borrow().iter().cloned().collect()
    }
}

/// Reads a text file without its byte order mark.
fn read(path: &Path) -> Result<String> {
    let error = |error: std::io::Error| {
        Error::new(ErrorKind::Unreadable, path, format!("cannot read the file: {error}"))
    };
    if !fs::metadata(path).map_err(error)?.is_file() {
        return Err(Error::new(ErrorKind::Unreadable, path, "not a file"));
    }
    let mut bytes = Vec::new();
    let mut file = File::open(path).map_err(error)?.take(FILE_BYTES_MAX + 1);
    file.read_to_end(&mut bytes).map_err(error)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        let message = format!("larger than {} MiB", FILE_BYTES_MAX >> 20);
        return Err(Error::new(ErrorKind::TooLarge, path, message));
    }
    if bytes.starts_with(b"RSRC") || bytes.starts_with(b"RSCC") {
        let message = "a binary resource; save it in a text format (.tscn, .tres)";
        return Err(Error::new(ErrorKind::Unsupported, path, message));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let valid = std::str::from_utf8(valid).unwrap_or_default();
        let line = valid.matches('\n').count() + 1;
        let column = valid.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let position = Position { line: line as u32, column: column as u32 };
        Error::new(ErrorKind::Syntax, path, "not UTF-8 text").at(position)
    })?;
    Ok(match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    })
}

/// Returns the files of a project below `root` whose name `accept`s, sorted. Like Godot, it skips
/// hidden folders, folders with a `.gdignore`, and other projects.
pub(crate) fn find(root: &Path, accept: impl Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    let mut visited = 0;
    let mut links = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        let is_root = folder == root;
        // A folder that cannot be listed has no classes.
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        let entries: Vec<_> = entries.flatten().collect();
        visited += entries.len();
        if visited > SEARCHED_FILES_MAX {
            let message = format!("more than {SEARCHED_FILES_MAX} files in the project");
            return Err(Error::new(ErrorKind::TooLarge, root, message));
        }
        let has = |name: &str| entries.iter().any(|entry| entry.file_name() == name);
        if has(".gdignore") || (!is_root && has("project.godot")) {
            continue;
        }
        for entry in &entries {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let path = entry.path();
            let Ok(kind) = fs::metadata(&path).map(|metadata| metadata.file_type()) else {
                continue;
            };
            // Symbolic links may form a circle: each target is visited once.
            let is_link = entry.file_type().is_ok_and(|kind| kind.is_symlink());
            if is_link && !fs::canonicalize(&path).is_ok_and(|target| links.insert(target)) {
                continue;
            }
            if kind.is_dir() && !name.starts_with('.') {
                folders.push(path);
            } else if kind.is_file() && accept(&name) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}
