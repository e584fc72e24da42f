//! The file: its size and encoding, its syntax, and the values in it.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::path::Path;

use mp_toml::{did_you_mean, has_secret, plain};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Problem, Problems};
use super::key::Key;
use super::rules;
use super::section::{Section, Shape, section};
use super::sections::SECTIONS;
use super::value::{Value, shown};
use super::values::{Origin, Table, Values};

/// Maximum size of a file in bytes.
pub(crate) const FILE_BYTES_MAX: usize = 1 << 20;
/// Size in bytes of larger files, in which only the first syntax error is reported.
const RECOVERY_BYTES_MAX: usize = 64 << 10;

/// Reads a file. Reads at most [`FILE_BYTES_MAX`] bytes.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    let limit = FILE_BYTES_MAX as u64 + 1;
    File::open(path)?.take(limit).read_to_end(&mut bytes)?;
    if bytes.len() > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, TOO_LARGE));
    }
    String::from_utf8(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, NOT_TEXT))
}

/// Sets the values that a file's text contains.
pub(crate) fn apply(values: &mut Values, text: &str, problems: &mut Problems) {
    if text.len() > FILE_BYTES_MAX {
        return problems.push(Problem::new(&Origin::Default, TOO_LARGE));
    }
    let is_binary = |c: char| c.is_control() && !['\n', '\r', '\t'].contains(&c);
    if text.contains(is_binary) {
        return problems.push(Problem::new(&Origin::Default, NOT_TEXT));
    }
    let (table, syntax) = if text.len() <= RECOVERY_BYTES_MAX {
        DeTable::parse_recoverable(text)
    } else {
        match DeTable::parse(text) {
            Ok(table) => (table, Vec::new()),
            Err(error) => (Spanned::new(0..0, DeTable::default()), vec![error]),
        }
    };
    let lines = Lines::new(text);
    let mut reader = Reader { lines, values, problems, is_whole: syntax.is_empty() };
    for error in syntax {
        let span = error.span().unwrap_or(text.len()..text.len());
        let problem = reader.syntax(text, span, error.message());
        reader.problems.push_broken(problem);
    }
    reader.root(table.get_ref());
}

/// Conversion of a parsed file to values.
struct Reader<'v> {
    lines: Lines,
    values: &'v mut Values,
    problems: &'v mut Problems,
    /// False if the file has syntax errors, after which keys may be missing.
    is_whole: bool,
}

type Entries<'t> = DeTable<'t>;

impl Reader<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        Origin::File { line: self.lines.number(span.start), span }
    }

    fn report(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let origin = self.origin(span);
        self.problems.push(Problem::new(&origin, message).help(help));
    }

    fn root(&mut self, root: &Entries<'_>) {
        for (name, value) in root {
            let text: &str = name.get_ref();
            let top = section("", Shape::Single);
            if let Some(key) = top.key(text) {
                let mut table = self.values.table_mut(top, "", &Origin::Default).clone();
                self.value(&mut table, key, value);
                *self.values.table_mut(top, "", &Origin::Default) = table;
                continue;
            }
            let sections: Vec<_> = SECTIONS.iter().filter(|it| it.name == text).collect();
            if sections.is_empty() {
                self.unknown_section(text, name.span());
            } else {
                self.sections(&sections, value);
            }
        }
    }

    fn sections(&mut self, sections: &[&'static Section], value: &Spanned<DeValue<'_>>) {
        let of_shape =
            |shape| sections.iter().copied().find(|section: &&Section| section.shape == shape);
        let name = sections[0].name;
        match value.get_ref() {
            DeValue::Table(entries) => {
                if let Some(section) = of_shape(Shape::Single) {
                    return self.table(section, "", value.span(), entries);
                }
                if let Some(section) = of_shape(Shape::Named) {
                    return self.named(section, entries);
                }
                let message = format!("[{name}] must be a list of tables");
                let help = format!("write [[{name}]]");
                self.report(value.span(), message, Some(help));
            }
            DeValue::Array(items) if of_shape(Shape::List).is_some() => {
                let Some(section) = of_shape(Shape::List) else { return };
                for (index, item) in items.iter().enumerate() {
                    let number = (index + 1).to_string();
                    match item.get_ref() {
                        DeValue::Table(entries) => {
                            self.table(section, &number, item.span(), entries);
                        }
                        _ => {
                            let message = format!("[[{name}]] number {number} must be a table");
                            self.report(item.span(), message, None);
                        }
                    }
                }
            }
            other => {
                let headers: Vec<_> =
                    sections.iter().map(|section| section.header("NAME")).collect();
                let kind = other.type_str();
                let message = format!("`{name}` must be a table, not of type {kind}");
                let help = format!("write {}", headers.join(" or "));
                self.report(value.span(), message, Some(help));
            }
        }
    }

    fn named(&mut self, section: &'static Section, tables: &Entries<'_>) {
        for (name, value) in tables {
            let text: &str = name.get_ref();
            let header = section.header("NAME");
            match value.get_ref() {
                DeValue::Table(entries) if rules::is_name(text) => {
                    self.table(section, text, value.span(), entries);
                }
                DeValue::Table(_) => {
                    let takes = rules::NAME.takes;
                    let message =
                        format!("the name of {header} must be {takes}, not {}", shown(text));
                    self.report(name.span(), message, None);
                }
                _ => {
                    let is_key = section.key(text).is_some();
                    let help =
                        is_key.then(|| format!("write `{text}` below [{}.default]", section.name));
                    let message = format!("`{text}` is not a table {header}");
                    self.report(name.span(), message, help);
                }
            }
        }
    }

    fn table(
        &mut self,
        section: &'static Section,
        name: &str,
        span: Range<usize>,
        entries: &Entries<'_>,
    ) {
        let origin = self.origin(span);
        let mut table = Table::new(section, name.to_owned(), origin);
        for (name, value) in entries {
            let text: &str = name.get_ref();
            match section.key(text) {
                Some(key) => self.value(&mut table, key, value),
                None => self.unknown_key(&table, text, name.span()),
            }
        }
        if self.is_whole {
            self.require(&table, entries);
        }
        self.values.insert(table);
    }

    /// Reports keys that a table lacks.
    fn require(&mut self, table: &Table, entries: &Entries<'_>) {
        let is_required = |key: &&Key| key.preset.is_required();
        let missing = table.section.keys.iter().filter(is_required);
        let missing = missing.filter(|key| !entries.contains_key(key.name));
        for key in missing {
            let message = format!("{table} lacks `{}`", key.name);
            let help = format!("for example {} = {}", key.name, key.example_text());
            self.problems.push(Problem::new(&table.origin, message).help(Some(help)));
        }
    }

    fn value(&mut self, table: &mut Table, key: &'static Key, value: &Spanned<DeValue<'_>>) {
        match Value::from_toml(key, value) {
            Ok(parsed) => table.set(key, parsed, self.origin(value.span())),
            Err((span, invalid)) => {
                let message = format!("{} {}", table.path(key.name), invalid.reason);
                self.report(span, message, invalid.help);
            }
        }
    }

    fn unknown_key(&mut self, table: &Table, name: &str, span: Range<usize>) {
        let section = table.section;
        let header = section.header(&table.name);
        let names = section.keys.iter().map(|key| key.name);
        let message = format!("unknown key {} in {header}", shown(name));
        let (label, help) = match section.renamed(&plain(name)) {
            Some(key) => (Some(format!("the name of this key is `{}`", key.name)), None),
            None => {
                let near = did_you_mean(name, names.clone());
                let elsewhere = || {
                    let mut others = SECTIONS.iter().filter(|other| other.key(name).is_some());
                    others.next().map(|other| format!("belongs to {}", other.header("NAME")))
                };
                let label = near.map(|near| format!("did you mean `{near}`?")).or_else(elsewhere);
                let all = names.collect::<Vec<_>>().join(", ");
                (label, Some(format!("keys of {header}: {all}")))
            }
        };
        let problem = Problem::new(&self.origin(span), message).label(label).help(help);
        self.problems.push(problem);
    }

    fn unknown_section(&mut self, name: &str, span: Range<usize>) {
        let mut names: Vec<_> = SECTIONS.iter().map(|section| section.name).collect();
        names.retain(|name| !name.is_empty());
        names.dedup();
        let near = did_you_mean(name, names.iter().copied());
        let key = SECTIONS.iter().find(|section| section.key(name).is_some());
        let label = match (near, key) {
            (Some(near), _) => Some(format!("did you mean `{near}`?")),
            (None, Some(section)) => Some(format!("belongs below {}", section.header("NAME"))),
            (None, None) => None,
        };
        let message = format!("unknown table or key {}", shown(name));
        let help = format!("tables: {}", names.join(", "));
        let problem = Problem::new(&self.origin(span), message).label(label).help(Some(help));
        self.problems.push(problem);
    }

    fn syntax(&self, text: &str, span: Range<usize>, message: &str) -> Problem {
        let (start, line) = self.lines.line(text, span.start);
        let unquoted = unquoted(line);
        let (span, help) = match unquoted {
            Some((range, help)) => (start + range.start..start + range.end, Some(help)),
            None => (span, None),
        };
        let message = match help {
            Some(_) => "the value is not valid TOML".to_owned(),
            None => format!("the file is not valid TOML: {message}"),
        };
        Problem::new(&self.origin(span), message).help(help)
    }
}

/// Returns the range of a value without quotes that needs them, and the correction.
fn unquoted(line: &str) -> Option<(Range<usize>, String)> {
    let (key, rest) = line.split_once('=')?;
    let value = rest.split('#').next().unwrap_or_default().trim();
    let key = key.trim();
    if value.is_empty() || value.contains(['"', '\'', '[', ']', '{', '}', '=']) || value.len() > 200
    {
        return None;
    }
    let number = value.replace('_', "");
    if number.parse::<f64>().is_ok() || ["true", "false"].contains(&value) {
        return None;
    }
    let start = line.len() - rest.len() + rest.find(value)?;
    let help = match has_secret(line) {
        true => "write it in quotes".to_owned(),
        false => format!("write it in quotes: {key} = \"{value}\""),
    };
    Some((start..start + value.len(), help))
}

/// Starts of the lines of a text.
struct Lines(Vec<usize>);

impl Lines {
    fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(std::iter::once(0).chain(ends.map(|(index, _)| index + 1)).collect())
    }

    /// Returns the number of the line with the byte `at`, counted from 1.
    fn number(&self, at: usize) -> usize {
        self.0.partition_point(|&start| start <= at)
    }

    /// Returns the start and the text of the line with the byte `at`.
    fn line<'t>(&self, text: &'t str, at: usize) -> (usize, &'t str) {
        let number = self.number(at);
        let start = self.0[number - 1];
        let end = self.0.get(number).map_or(text.len(), |next| next - 1);
        (start, text[start..end].trim_end_matches('\r'))
    }
}

const TOO_LARGE: &str = "the file is larger than 1 MiB";
const NOT_TEXT: &str = "the file is not a text file in UTF-8";
