//! Replacement of a configuration while the server runs.

use std::collections::BTreeSet;

use super::error::{ConfigErrors, Problems};
use super::key::{Effect, Key};
use super::section::{Section, Shape};
use super::sections::SECTIONS;
use super::values::{Table, Values};
use super::{Config, build, find, read};

/// Result of a reload.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Reload {
    /// The next configuration of the running server: new values that apply now, and the previous
    /// values of settings that need a restart.
    pub config: Config,
    /// Settings that differ from the previous configuration. A setting that still needs a restart
    /// is listed again by the next reload.
    pub changes: Vec<ConfigChange>,
}

/// A setting that a reload changes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigChange {
    /// Path of the setting, such as `limits.max_clients`, or of a table that was added or removed.
    pub path: String,
    /// True if the new value applies at the next start only.
    pub needs_restart: bool,
}

impl Reload {
    /// Returns the paths of the settings that apply now.
    pub fn applied(&self) -> Vec<&str> {
        self.paths(false)
    }

    /// Returns the paths of the settings that apply at the next start.
    pub fn needs_restart(&self) -> Vec<&str> {
        self.paths(true)
    }

    fn paths(&self, needs_restart: bool) -> Vec<&str> {
        let changes = self.changes.iter().filter(|it| it.needs_restart == needs_restart);
        changes.map(|change| change.path.as_str()).collect()
    }
}

impl Config {
    /// Returns the result of replacing the file's content by `text`. Environment variables and
    /// flags stay as they are. This configuration is not changed.
    ///
    /// # Errors
    ///
    /// Returns all errors of the new configuration, which is validated as a whole.
    pub fn reload(&self, text: &str) -> Result<Reload, ConfigErrors> {
        let next = Self::layered(text, self.sources.clone())?;
        let mut values = next.values.clone();
        let mut changes = Vec::new();
        for section in SECTIONS {
            compare(section, &self.values, &next.values, &mut values, &mut changes);
        }
        let mut problems = Problems::default();
        let config = build::build(values, next.sources, &mut problems);
        if problems.is_empty() {
            return Ok(Reload { config, changes });
        }
        // New values do not fit the previous values of settings that need a restart.
        changes.iter_mut().for_each(|change| change.needs_restart = true);
        Ok(Reload { config: self.clone(), changes })
    }
}

impl Config {
    /// Returns the result of reading the file again, or the file in the working directory if none
    /// was read.
    pub(crate) fn reload_file(&self) -> Result<Reload, ConfigErrors> {
        let Some(file) = find(self.sources.file.clone()) else { return self.reload("") };
        let text = read(&file)?;
        let mut current = self.clone();
        current.sources.file = Some(file);
        current.reload(&text)
    }
}

/// Adds the differences of a section to `changes`, and sets `values` to the previous value of
/// settings that need a restart.
fn compare(
    section: &'static Section,
    before: &Values,
    after: &Values,
    values: &mut Values,
    changes: &mut Vec<ConfigChange>,
) {
    let first = changes.len();
    let names: BTreeSet<&str> =
        before.of(section).chain(after.of(section)).map(|table| table.name.as_str()).collect();
    for name in names {
        match (before.find(section, name), after.find(section, name)) {
            (Some(old), Some(new)) => {
                for key in section.keys.iter().filter(|key| differs(key, old, new)) {
                    let needs_restart = key.effect == Effect::Restart;
                    if needs_restart {
                        values.table_mut(section, name, &new.origin).copy(key, old);
                    }
                    changes.push(ConfigChange { path: new.path(key.name), needs_restart });
                }
            }
            (Some(table), None) | (None, Some(table)) => {
                let effect = of_table(section);
                let needs_restart = effect == Effect::Restart;
                if needs_restart {
                    match before.find(section, name) {
                        Some(old) => values.insert(old.clone()),
                        None => values.remove(section, name),
                    }
                }
                let path = table.path("").trim_end_matches('.').to_owned();
                changes.push(ConfigChange { path, needs_restart });
            }
            (None, None) => {}
        }
    }
    // Tables of a list have no identity but their position, so a list changes as a whole.
    if section.shape == Shape::List && changes[first..].iter().any(|change| change.needs_restart) {
        changes[first..].iter_mut().for_each(|change| change.needs_restart = true);
        values.replace(section, before);
    }
}

fn differs(key: &Key, old: &Table, new: &Table) -> bool {
    old.value(key.name) != new.value(key.name)
}

/// Returns the effect of adding or removing a table.
fn of_table(section: &Section) -> Effect {
    let needs_restart = section.keys.iter().any(|key| key.effect == Effect::Restart);
    match section.shape == Shape::List || needs_restart {
        true => Effect::Restart,
        false => Effect::Now,
    }
}
