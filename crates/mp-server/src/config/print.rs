//! Text of a configuration: the commented default, and the values with their origins.

use std::fmt::Write;

use super::env;
use super::key::{Effect, Key, Preset};
use super::section::{Section, Shape};
use super::sections::SECTIONS;
use super::value::Value;
use super::values::{DEFAULT, Origin, Table, Values};

/// Returns a file with all settings. Prose begins with `# `; settings that are unset by default
/// begin with `#`.
pub(crate) fn default_text() -> String {
    let mut text = String::new();
    prose(&mut text, INTRODUCTION);
    for section in SECTIONS {
        text.push('\n');
        prose(&mut text, section.help);
        // Lists are empty by default.
        let mark = if section.shape == Shape::List { "#" } else { "" };
        if !section.name.is_empty() {
            let _ = writeln!(text, "{mark}{}", section.header(DEFAULT));
        }
        for (index, key) in section.keys.iter().enumerate() {
            if index > 0 {
                text.push('\n');
            }
            default_key(&mut text, section, key, mark);
        }
    }
    text
}

fn default_key(text: &mut String, section: &Section, key: &Key, mark: &str) {
    prose(text, key.help);
    let mut notes = Vec::new();
    if matches!(key.preset, Preset::Required) {
        notes.push("Required.".to_owned());
    } else if let Preset::Unset(means) = key.preset {
        notes.push(format!("Default: {means}."));
    }
    match key.effect {
        Effect::Now => notes.push("A reload applies a new value.".to_owned()),
        Effect::Restart => {}
    }
    let flag = key.flag.map(|flag| format!("--{flag}, {}", env::of_flag(flag)));
    let variable = env::of_key(section, DEFAULT, key);
    let names: Vec<_> = flag.into_iter().chain(variable).collect();
    if !names.is_empty() {
        notes.push(format!("Also: {}.", names.join(", ")));
    }
    prose(text, &notes.join(" "));
    let _ = match key.preset {
        Preset::Unset(_) | Preset::Required => {
            writeln!(text, "#{} = {}", key.name, key.example_text())
        }
        _ => writeln!(text, "{mark}{} = {}", key.name, key.default_text()),
    };
}

/// Returns the values of all tables, each with its origin, as the text of a file.
pub(crate) fn effective_text(values: &Values, file: &str) -> String {
    let mut text = String::new();
    let has_listeners = values.list("listen").next().is_some();
    for table in values.tables() {
        let section = table.section;
        let is_short = section.name == "listen" && section.shape == Shape::Single;
        if is_short && has_listeners {
            replaced_listeners(&mut text, table, file);
            continue;
        }
        let mut lines: Vec<(String, String)> = Vec::new();
        if !section.name.is_empty() {
            text.push('\n');
            let origin = match &table.origin {
                Origin::Default => String::new(),
                origin => origin.describe(file),
            };
            lines.push((section.header(&table.name), origin));
        }
        lines.extend(section.keys.iter().map(|key| effective_key(table, key, file)));
        let longest = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
        let width = longest.min(WIDTH / 2);
        for (line, origin) in lines {
            let line = if origin.is_empty() { line } else { format!("{line:width$}  # {origin}") };
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// Returns the path, the value and the origin of each setting.
pub(crate) fn effective(values: &Values, file: &str) -> Vec<(String, Option<String>, String)> {
    let settings = values.tables().flat_map(|table| {
        table.section.keys.iter().map(|key| {
            let origin = table.entry(key.name).map_or(&Origin::Default, |entry| &entry.origin);
            (table.path(key.name), shown(table, key), origin.describe(file))
        })
    });
    settings.collect()
}

/// Returns the value of a setting as TOML, and asterisks in place of a secret.
fn shown(table: &Table, key: &Key) -> Option<String> {
    match table.value(key.name)? {
        Value::List(items) if items.is_empty() => Some("[]".to_owned()),
        _ if key.is_secret() => Some("\"***\"".to_owned()),
        value => Some(value.to_string()),
    }
}

fn effective_key(table: &Table, key: &Key, file: &str) -> (String, String) {
    let origin = table.entry(key.name).map_or(&Origin::Default, |entry| &entry.origin);
    let line = match shown(table, key) {
        Some(value) => format!("{} = {value}", key.name),
        None => format!("#{} = {}", key.name, key.default_text()),
    };
    (line, origin.describe(file))
}

/// Adds the values of `[listen]` that replace `[[listen]]` tables, as comments.
fn replaced_listeners(text: &mut String, table: &Table, file: &str) {
    for key in table.section.keys {
        if let Some(entry) = table.entry(key.name) {
            let (value, origin) = (&entry.value, entry.origin.describe(file));
            let name = key.name;
            let _ = writeln!(text, "\n# {origin}: {name} = {value} replaces the {name} listeners");
        }
    }
}

/// Adds `paragraphs` as comments.
fn prose(text: &mut String, paragraphs: &str) {
    for line in paragraphs.split('\n').filter(|line| !line.is_empty()) {
        let line = if line.ends_with('.') { line.to_owned() } else { format!("{line}.") };
        let mut column = 0;
        for word in line.split(' ') {
            let width = word.chars().count() + 1;
            if column > 0 && column + width > WIDTH {
                text.push('\n');
                column = 0;
            }
            if column == 0 {
                text.push('#');
                column = 1;
            }
            text.push(' ');
            text.push_str(word);
            column += width;
        }
        text.push('\n');
    }
}

/// Maximum width of lines in columns.
const WIDTH: usize = 100;

const INTRODUCTION: &str = "Settings of mp-server, with their defaults

mp-server reads mp-server.toml in the working directory, or the file of --config (MP_CONFIG). \
Environment variables take precedence over the file, and flags over variables. SIGHUP reloads the \
file (on Unix). `mp-server config check FILE` checks a file; `mp-server config --effective` prints \
each value with its origin. Durations are in seconds, sizes in bytes.";
