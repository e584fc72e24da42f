//! Groups of settings: the tables of the file.

use super::key::Key;
use super::sections::SECTIONS;
use super::value::quoted;

/// A table of the file, or an array of tables.
#[derive(Debug)]
pub(crate) struct Section {
    /// Name of the table; empty for settings at the top of the file.
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    /// Purpose: first line, then details after an empty line.
    pub(crate) help: &'static str,
    pub(crate) keys: &'static [Key],
}

/// Number and names of the tables of a section in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// `[limits]`
    Single,
    /// `[template.NAME]`
    Named,
    /// `[[room]]`
    List,
}

impl Section {
    pub(crate) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// Returns the setting that was called `name` earlier or in other servers.
    pub(crate) fn renamed(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.formerly.contains(&name))
    }

    /// Returns the header of a table of the section in a file.
    pub(crate) fn header(&self, name: &str) -> String {
        match self.shape {
            Shape::Single => format!("[{}]", self.name),
            Shape::Named if name.contains('.') => format!("[{}.{}]", self.name, quoted(name)),
            Shape::Named => format!("[{}.{name}]", self.name),
            Shape::List => format!("[[{}]]", self.name),
        }
    }
}

/// Returns the section `name` with a shape.
///
/// # Panics
///
/// Panics if there is none, which is an error of this program.
pub(crate) fn section(name: &str, shape: Shape) -> &'static Section {
    let is_it = |section: &&Section| section.name == name && section.shape == shape;
    SECTIONS.iter().find(is_it).unwrap_or_else(|| panic!("no section {name} of {shape:?}"))
}
