//! The resources of a project by their UID.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::Result;
use crate::files::{self, Files};
use crate::path::UID;
use crate::project::Project;
use crate::text;

/// Paths of resources by `uid://…`.
#[derive(Debug)]
pub(crate) struct UidIndex(BTreeMap<String, Entry>);

#[derive(Debug)]
struct Entry {
    /// The `res://…` path of the resource.
    path: String,
    /// Path of the file that declares the UID.
    file: PathBuf,
}

impl UidIndex {
    /// Searches the `.uid` files, and the first line of scenes and resources.
    pub(crate) fn new(project: &Project, files: &Files) -> Result<Self> {
        let mut paths = BTreeMap::new();
        let has_uid = |name: &str| [".uid", ".tscn", ".tres"].iter().any(|it| name.ends_with(it));
        for file in files::find(project.root(), has_uid)? {
            let Some(line) = files.first_line(&file) else { continue };
            let mut path = project.resource_path(&file)?;
            let uid = match path.strip_suffix(".uid") {
                Some(resource) => {
                    path = resource.to_owned();
                    Some(line).filter(|uid| uid.starts_with(UID))
                }
                None => header_uid(&line),
            };
            if let Some(uid) = uid {
                paths.entry(uid).or_insert(Entry { path, file });
            }
        }
        Ok(Self(paths))
    }

    /// Returns the `res://…` path of a resource, and the file that declares the UID.
    pub(crate) fn path(&self, uid: &str) -> Option<(&str, &Path)> {
        self.0.get(uid).map(|entry| (&*entry.path, &*entry.file))
    }
}

fn header_uid(line: &str) -> Option<String> {
    let sections = text::parse(line).ok()?;
    sections.last()?.text("uid").map(str::to_owned)
}
