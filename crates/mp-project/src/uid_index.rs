//! The resources of a project by their UID.

use std::collections::BTreeMap;

use crate::error::Result;
use crate::files::{self, Files};
use crate::path::UID;
use crate::project::Project;
use crate::text;

/// Paths of resources by `uid://…`.
#[derive(Debug)]
pub(crate) struct UidIndex(BTreeMap<String, String>);

impl UidIndex {
    /// Searches the `.uid` files, and the first line of scenes and resources.
    pub(crate) fn new(project: &Project, files: &Files) -> Result<Self> {
        let mut paths = BTreeMap::new();
        let has_uid = |name: &str| [".uid", ".tscn", ".tres"].iter().any(|it| name.ends_with(it));
        for path in files::find(project.root(), has_uid)? {
            let Ok(text) = files.search(&path) else { continue };
            let mut path = project.resource_path(&path)?;
            let uid = match path.strip_suffix(".uid") {
                Some(resource) => {
                    path = resource.to_owned();
                    Some(text.trim().to_owned()).filter(|uid| uid.starts_with(UID))
                }
                None => header_uid(text.lines().next().unwrap_or_default()),
            };
            if let Some(uid) = uid {
                paths.entry(uid).or_insert(path);
            }
        }
        Ok(Self(paths))
    }

    pub(crate) fn path(&self, uid: &str) -> Option<&str> {
        self.0.get(uid).map(String::as_str)
    }
}

fn header_uid(line: &str) -> Option<String> {
    let sections = text::parse(line).ok()?;
    sections.last()?.text("uid").map(str::to_owned)
}
