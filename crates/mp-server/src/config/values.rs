//! All values that are set, each with its origin.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use super::key::Key;
use super::section::{Section, Shape, section};
use super::sections::SECTIONS;
use super::value::Value;

/// Source of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    Default,
    /// Bytes of the file, and the line, counted from 1.
    File {
        span: Range<usize>,
        line: usize,
    },
    /// Environment variable of this name.
    Environment(String),
    /// Flag of this name, without dashes.
    Flag(&'static str),
}

impl Origin {
    /// Returns the origin in words, where `file` is the name of the file.
    pub(crate) fn describe(&self, file: &str) -> String {
        match self {
            Self::Default => "default".to_owned(),
            Self::File { line, .. } => format!("{file}:{line}"),
            Self::Environment(name) => format!("environment {name}"),
            Self::Flag(name) => format!("flag --{name}"),
        }
    }

    pub(crate) fn is_file_or_default(&self) -> bool {
        matches!(self, Self::Default | Self::File { .. })
    }
}

/// A value and its origin.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) value: Value,
    pub(crate) origin: Origin,
}

/// Values of one table.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) section: &'static Section,
    /// Name of a template; position in a list, counted from 1; else empty.
    pub(crate) name: String,
    /// Place of the table's header.
    pub(crate) origin: Origin,
    entries: BTreeMap<&'static str, Entry>,
}

impl Table {
    pub(crate) fn new(section: &'static Section, name: String, origin: Origin) -> Self {
        Self { section, name, origin, entries: BTreeMap::new() }
    }

    pub(crate) fn set(&mut self, key: &'static Key, value: Value, origin: Origin) {
        self.entries.insert(key.name, Entry { value, origin });
    }

    /// Returns the value that a layer has set.
    pub(crate) fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// Copies the value of `key` from `other`, or unsets it.
    pub(crate) fn copy(&mut self, key: &'static Key, other: &Self) {
        match other.entry(key.name) {
            Some(entry) => self.entries.insert(key.name, entry.clone()),
            None => self.entries.remove(key.name),
        };
    }

    /// Returns the place of a value, or of the table if it is not set.
    pub(crate) fn origin_of(&self, key: &str) -> &Origin {
        self.entry(key).map_or(&self.origin, |entry| &entry.origin)
    }

    /// Returns the value that is set, or the default.
    pub(crate) fn value(&self, key: &str) -> Option<Value> {
        match self.entry(key) {
            Some(entry) => Some(entry.value.clone()),
            None => self.section.key(key).and_then(|key| key.preset.value()),
        }
    }

    pub(crate) fn switch(&self, key: &str) -> Option<bool> {
        self.value(key).and_then(|value| value.as_switch())
    }

    /// Returns a number that fits `N`. All numbers are checked against the range of their key.
    pub(crate) fn number<N: TryFrom<i64>>(&self, key: &str) -> Option<N> {
        self.value(key)
            .and_then(|value| value.as_number())
            .and_then(|number| number.try_into().ok())
    }

    pub(crate) fn text(&self, key: &str) -> Option<String> {
        self.value(key).and_then(|value| value.as_text().map(str::to_owned))
    }

    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        match self.value(key) {
            Some(Value::List(items)) => items,
            _ => Vec::new(),
        }
    }

    pub(crate) fn texts(&self, key: &str) -> Option<BTreeMap<String, String>> {
        match self.value(key) {
            Some(Value::Table(items)) => Some(items.into_iter().collect()),
            _ => None,
        }
    }

    /// Returns the path of a setting, such as `limits.max_clients` or `room[2].name`.
    pub(crate) fn path(&self, key: &str) -> String {
        let section = self.section.name;
        match self.section.shape {
            Shape::Single if section.is_empty() => key.to_owned(),
            Shape::Single => format!("{section}.{key}"),
            Shape::Named => format!("{section}.{}.{key}", self.name),
            Shape::List => format!("{section}[{}].{key}", self.name),
        }
    }
}

/// The table in a message: its header, and for lists its position or name.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header = self.section.header(&self.name);
        if self.section.shape != Shape::List {
            return f.write_str(&header);
        }
        write!(f, "{header} number {}", self.name)?;
        let name = self.entry("name").or_else(|| self.entry("address"));
        name.map_or(Ok(()), |entry| write!(f, " ({})", entry.value))
    }
}

/// Values of all tables.
#[derive(Clone, Debug)]
pub(crate) struct Values {
    tables: BTreeMap<Place, Table>,
}

/// Index of the section, position in a list, and name of a table.
type Place = (usize, usize, String);

impl Values {
    /// Returns the tables that exist in every configuration, without values.
    pub(crate) fn new() -> Self {
        let mut values = Self { tables: BTreeMap::new() };
        for section in SECTIONS {
            let name = match section.shape {
                Shape::Single => "",
                Shape::Named => DEFAULT,
                Shape::List => continue,
            };
            values.insert(Table::new(section, name.to_owned(), Origin::Default));
        }
        values
    }

    /// Returns all tables in the order of the sections.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.values()
    }

    pub(crate) fn single(&self, name: &str) -> &Table {
        let section = section(name, Shape::Single);
        self.find(section, "").unwrap_or_else(|| panic!("the table {name} always exists"))
    }

    /// Returns the tables of a section.
    pub(crate) fn of(&self, section: &'static Section) -> impl Iterator<Item = &Table> {
        let index = index_of(section);
        let first = (index, 0, String::new());
        self.tables.range(first..(index + 1, 0, String::new())).map(|(_, table)| table)
    }

    pub(crate) fn list(&self, name: &str) -> impl Iterator<Item = &Table> {
        self.of(section(name, Shape::List))
    }

    pub(crate) fn named(&self, name: &str) -> impl Iterator<Item = &Table> {
        self.of(section(name, Shape::Named))
    }

    pub(crate) fn find(&self, section: &'static Section, name: &str) -> Option<&Table> {
        self.tables.get(&place(section, name))
    }

    /// Returns the table of a section, and creates it if it does not exist.
    pub(crate) fn table_mut(
        &mut self,
        section: &'static Section,
        name: &str,
        origin: &Origin,
    ) -> &mut Table {
        let table = || Table::new(section, name.to_owned(), origin.clone());
        self.tables.entry(place(section, name)).or_insert_with(table)
    }

    /// Adds a table, in place of one with the same name.
    pub(crate) fn insert(&mut self, table: Table) {
        self.tables.insert(place(table.section, &table.name), table);
    }

    /// Removes a table.
    pub(crate) fn remove(&mut self, section: &'static Section, name: &str) {
        self.tables.remove(&place(section, name));
    }

    /// Replaces the tables of `section` by those of `other`.
    pub(crate) fn replace(&mut self, section: &'static Section, other: &Self) {
        let index = index_of(section);
        self.tables.retain(|place, _| place.0 != index);
        other.of(section).for_each(|table| self.insert(table.clone()));
    }
}

fn index_of(section: &'static Section) -> usize {
    let is_it = |other: &Section| std::ptr::eq(other, section);
    SECTIONS.iter().position(is_it).unwrap_or_else(|| panic!("no section {}", section.name))
}

fn place(section: &'static Section, name: &str) -> Place {
    let number = if section.shape == Shape::List { name.parse().unwrap_or_default() } else { 0 };
    (index_of(section), number, name.to_owned())
}

/// Name of the template that always exists.
pub(crate) const DEFAULT: &str = "default";
