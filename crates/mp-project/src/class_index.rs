//! The scripts of a project by their `class_name`.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::files::{self, Files};
use crate::gdscript;
use crate::project::Project;

/// Paths of scripts by `class_name`.
#[derive(Debug)]
pub(crate) struct ClassIndex(BTreeMap<String, String>);

impl ClassIndex {
    /// Searches all scripts of the project.
    pub(crate) fn new(project: &Project, files: &Files) -> Result<Self> {
        let mut paths = BTreeMap::new();
        for path in files::find(project.root(), |name| name.ends_with(".gd"))? {
            // A script that cannot be read has no class name that could be used.
            let Ok(text) = files.search(&path) else { continue };
            if text.contains("class_name")
                && let Some(name) = gdscript::class_name(&text)
            {
                paths.entry(name).or_insert(project.resource_path(&path)?);
            }
        }
        Ok(Self(paths))
    }

    /// Returns the `res://…` path of the script with this `class_name`.
    pub(crate) fn path(&self, class_name: &str) -> Option<&str> {
        self.0.get(class_name).map(String::as_str)
    }
}
