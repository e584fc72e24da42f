//! Environment variables: `MP_LIMITS__MAX_CLIENTS` for `limits.max_clients`, and `MP_MAX_CLIENTS`
//! for the flag `--max-clients`.

use mp_toml::did_you_mean;

use super::error::{Problem, Problems};
use super::key::Key;
use super::rules;
use super::section::{Section, Shape};
use super::sections::SECTIONS;
use super::value::Value;
use super::values::{DEFAULT, Origin, Table, Values};

/// Prefix of all variables.
pub(crate) const PREFIX: &str = "MP_";
/// Separator between table and key.
const SEPARATOR: &str = "__";

/// Returns the variable of a flag.
pub(crate) fn of_flag(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_uppercase().replace('-', "_"))
}

/// Returns the variable of a setting, where `name` is that of the table.
pub(crate) fn of_key(section: &Section, name: &str, key: &Key) -> Option<String> {
    let parts = match section.shape {
        Shape::Single if section.name.is_empty() => return None,
        Shape::Single => vec![section.name, key.name],
        Shape::Named => vec![section.name, name, key.name],
        Shape::List => return None,
    };
    Some(format!("{PREFIX}{}", parts.join(SEPARATOR).to_uppercase()))
}

/// Sets the values that variables contain. Empty variables count as unset, and so do other
/// variables without `__`, which may belong to other programs.
pub(crate) fn apply(values: &mut Values, variables: &[(String, String)], problems: &mut Problems) {
    for (variable, text) in variables {
        if text.trim().is_empty() || !variable.starts_with(PREFIX) {
            continue;
        }
        let targets = if variable.contains(SEPARATOR) {
            match nested(variable) {
                Ok(target) => vec![target],
                Err(problem) => {
                    problems.push(problem);
                    continue;
                }
            }
        } else {
            short(variable)
        };
        for (section, name, key) in targets {
            let is_same = |table: &&Table| table.name.eq_ignore_ascii_case(&name);
            let existing = values.of(section).find(is_same).map(|table| table.name.clone());
            let name = existing.unwrap_or(name);
            set(values, variable, text, (section, &name, key), problems);
        }
    }
}

type Target = (&'static Section, String, &'static Key);

fn set(
    values: &mut Values,
    variable: &str,
    text: &str,
    (section, name, key): (&'static Section, &str, &'static Key),
    problems: &mut Problems,
) {
    let origin = Origin::Environment(variable.to_owned());
    let table = values.table_mut(section, name, &origin);
    if let Some(Origin::Environment(other)) = table.entry(key.name).map(|entry| &entry.origin) {
        let message = format!("{variable} and {other} set the same value; unset one of them");
        problems.push(Problem::new(&origin, message));
        return;
    }
    match Value::from_text(key, text) {
        Ok(value) => table.set(key, value, origin),
        Err(invalid) => {
            let message = format!("{variable} {}", invalid.reason);
            problems.push(Problem::new(&origin, message).help(invalid.help));
        }
    }
}

/// Returns the settings of the flag that a variable without `__` stands for.
fn short(variable: &str) -> Vec<Target> {
    let mut targets = Vec::new();
    for section in SECTIONS {
        let is_it = |key: &&Key| key.flag.is_some_and(|flag| of_flag(flag) == variable);
        for key in section.keys.iter().filter(is_it) {
            targets.push((section, name_for_flags(section).to_owned(), key));
        }
    }
    targets
}

/// Returns the name of the table that flags set.
pub(crate) fn name_for_flags(section: &Section) -> &'static str {
    if section.shape == Shape::Named { DEFAULT } else { "" }
}

/// Returns the setting that a variable with `__` stands for.
fn nested(variable: &str) -> Result<Target, Problem> {
    let origin = Origin::Environment(variable.to_owned());
    let unknown = |label: Option<String>, help: String| {
        let message = format!("{variable} is not the name of a setting");
        Err(Problem::new(&origin, message).label(label).help(Some(help)))
    };
    let parts: Vec<String> =
        variable[PREFIX.len()..].split(SEPARATOR).map(str::to_lowercase).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let is_in_file = |section: &&Section| section.shape != Shape::List && !section.name.is_empty();
    let sections = || SECTIONS.iter().filter(is_in_file);
    let Some(section) = sections().find(|section| section.name == parts[0]) else {
        let names: Vec<_> = sections().map(|section| section.name).collect();
        let near = did_you_mean(parts[0], names.iter().copied());
        let near =
            near.map(|name| format!("did you mean {PREFIX}{}{SEPARATOR}…?", name.to_uppercase()));
        let only = "lists of rooms and listeners can be set in the file only";
        let help = format!("tables: {}; {only}", names.join(", "));
        return unknown(near, help);
    };
    let (name, key) = match (section.shape, &parts[1..]) {
        (Shape::Named, [name, key]) if rules::is_name(name) => (*name, *key),
        (Shape::Single, [key]) => ("", *key),
        (Shape::Named, _) => {
            let example = format!("{PREFIX}TEMPLATE__DEFAULT__MAX_PLAYERS");
            return unknown(None, format!("names are of the form {example}"));
        }
        _ => return unknown(None, format!("names are of the form {PREFIX}LIMITS__MAX_CLIENTS")),
    };
    if let Some(key) = section.key(key) {
        return Ok((section, name.to_owned(), key));
    }
    let variable_of = |key: &Key| of_key(section, name, key).unwrap_or_default();
    let label = match section.renamed(key) {
        Some(key) => Some(format!("its name is {}", variable_of(key))),
        None => {
            let near = did_you_mean(key, section.keys.iter().map(|key| key.name));
            let near = near.and_then(|near| section.key(near));
            near.map(|key| format!("did you mean {}?", variable_of(key)))
        }
    };
    let names: Vec<_> = section.keys.iter().map(|key| key.name).collect();
    unknown(label, format!("keys of {}: {}", section.header(name), names.join(", ")))
}
