//! Scene and resource files (`.tscn`, `.tres`), with references to other files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, ErrorKind, Position, Result, SyntaxError};
use crate::path::resolve;
use crate::project::Project;
use crate::text::{self, Section};
use crate::value::{Value, id};

/// A parsed scene or resource file.
#[derive(Debug)]
pub(crate) struct Resource {
    path: String,
    file: PathBuf,
    sections: Vec<Section>,
    /// Indexes of sections by id.
    external: BTreeMap<String, usize>,
    internal: BTreeMap<String, usize>,
    nodes: Vec<usize>,
}

/// A reference to a resource.
#[derive(Debug)]
pub(crate) enum Reference<'a> {
    /// The `res://…` path of a file.
    File(String),
    /// A resource in the same file.
    Internal(&'a Section),
}

impl Resource {
    pub(crate) fn parse(path: &str, file: &Path, text: &str) -> Result<Self> {
        let sections = text::parse(text).map_err(|error| error.in_file(file))?;
        let mut resource = Self {
            path: path.to_owned(),
            file: file.to_owned(),
            sections,
            external: BTreeMap::new(),
            internal: BTreeMap::new(),
            nodes: Vec::new(),
        };
        resource.check_header()?;
        for index in 1..resource.sections.len() {
            let section = &resource.sections[index];
            let id = section.attribute("id").and_then(id);
            match (&*section.name, id) {
                ("node", _) => resource.nodes.push(index),
                ("ext_resource", Some(id)) => {
                    resource.external.insert(id, index);
                }
                ("sub_resource", Some(id)) => {
                    resource.internal.insert(id, index);
                }
                ("ext_resource" | "sub_resource", None) => {
                    return Err(resource.error(section.position, "the resource has no id"));
                }
                _ => {}
            }
        }
        Ok(resource)
    }

    fn check_header(&self) -> Result<()> {
        let start = Position { line: 1, column: 1 };
        let [before, header, ..] = &self.sections[..] else {
            return Err(self.error(start, "expected [gd_scene] or [gd_resource]"));
        };
        if !matches!(&*header.name, "gd_scene" | "gd_resource") || !before.properties.is_empty() {
            return Err(self.error(header.position, "expected [gd_scene] or [gd_resource] first"));
        }
        match header.attribute("format").and_then(Value::as_int) {
            Some(2..=4) => Ok(()),
            format => {
                let format = format.map_or_else(|| "none".to_owned(), |it| it.to_string());
                let message = format!("format {format} is unknown; formats 2 to 4 are read");
                Err(SyntaxError::unsupported(header.position, message).in_file(&self.file))
            }
        }
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn file(&self) -> &Path {
        &self.file
    }

    /// Returns the number of nodes.
    pub(crate) fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Returns the section of a node.
    pub(crate) fn node(&self, index: usize) -> &Section {
        &self.sections[self.nodes[index]]
    }

    /// Returns the section with the properties of the resource that a `.tres` stores.
    pub(crate) fn main(&self) -> Option<&Section> {
        self.sections.iter().find(|section| section.name == "resource")
    }

    /// Returns the type of the resource that a `.tres` stores.
    pub(crate) fn main_type(&self) -> Option<&str> {
        self.sections[1].text("type")
    }

    /// Returns the resource that `ExtResource(id)` or `SubResource(id)` means; `None` if `value` is
    /// neither.
    pub(crate) fn reference(
        &self,
        project: &Project,
        value: &Value,
        position: Position,
    ) -> Result<Option<Reference<'_>>> {
        if let Some(id) = value.sub_resource() {
            let Some(&index) = self.internal.get(&id) else {
                return Err(self.missing(position, format!("no sub_resource has id {id:?}")));
            };
            return Ok(Some(Reference::Internal(&self.sections[index])));
        }
        let Some(id) = value.ext_resource() else { return Ok(None) };
        let Some(&index) = self.external.get(&id) else {
            return Err(self.missing(position, format!("no ext_resource has id {id:?}")));
        };
        let section = &self.sections[index];
        let path = self.resolve(project, section.text("uid"), section.text("path"))?;
        let path = path.ok_or_else(|| {
            self.error(section.position, "the resource has neither a known UID nor a path")
        })?;
        Ok(Some(Reference::File(path)))
    }

    /// Returns the `res://…` path for a UID, if a file has it, else for a path. Godot prefers the
    /// UID, too.
    pub(crate) fn resolve(
        &self,
        project: &Project,
        uid: Option<&str>,
        path: Option<&str>,
    ) -> Result<Option<String>> {
        if let Some(uid) = uid
            && let Some(path) = project.uid_path(uid)?
        {
            return Ok(Some(path.to_owned()));
        }
        Ok(path.and_then(|path| resolve(&self.path, path)))
    }

    pub(crate) fn error(&self, position: Position, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Syntax, &self.file, message).at(position)
    }

    pub(crate) fn missing(&self, position: Position, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Missing, &self.file, message).at(position)
    }
}
