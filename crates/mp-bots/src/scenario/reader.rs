//! Typed values of TOML tables. Mistakes are collected, and reading goes on.

use std::cell::RefCell;
use std::ops::Range;
use std::time::Duration;

use mp_toml::did_you_mean;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::Mistake;
use super::units;

/// A value with its place.
pub(super) type Value<'t> = Spanned<DeValue<'t>>;

/// The mistakes found so far.
#[derive(Debug, Default)]
pub(super) struct Mistakes(RefCell<Vec<Mistake>>);

impl Mistakes {
    pub(super) fn add(&self, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.0.borrow_mut().push(Mistake { span, message: message.into(), help });
    }

    pub(super) fn into_inner(self) -> Vec<Mistake> {
        self.0.into_inner()
    }
}

/// A table whose keys are read one by one.
pub(super) struct Table<'m, 't> {
    mistakes: &'m Mistakes,
    entries: &'m DeTable<'t>,
    span: Range<usize>,
    /// Names that the table may have, for messages.
    allowed: &'static [&'static str],
}

impl<'m, 't> Table<'m, 't> {
    /// Returns a reader of `entries`. Reports names that are not `allowed`.
    pub(super) fn new(
        mistakes: &'m Mistakes,
        entries: &'m DeTable<'t>,
        span: Range<usize>,
        allowed: &'static [&'static str],
    ) -> Self {
        for name in entries.keys() {
            let text: &str = name.get_ref();
            if !allowed.contains(&text) {
                let help = match did_you_mean(text, allowed.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("allowed: {}", allowed.join(", ")),
                };
                mistakes.add(name.span(), format!("unknown name `{text}`"), Some(help));
            }
        }
        Self { mistakes, entries, span, allowed }
    }

    pub(super) fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    pub(super) fn add(&self, span: Range<usize>, message: impl Into<String>, help: &str) {
        self.mistakes.add(span, message, Some(help.to_owned()));
    }

    pub(super) fn get(&self, name: &str) -> Option<&'m Value<'t>> {
        debug_assert!(self.allowed.contains(&name), "{name}");
        self.entries.get(name)
    }

    /// Returns the place of a value, or of the table if it has none.
    pub(super) fn place(&self, name: &str) -> Range<usize> {
        self.get(name).map_or_else(|| self.span(), Spanned::span)
    }

    /// Reports that a required value is missing.
    pub(super) fn missing(&self, name: &str, help: &str) {
        self.add(self.span(), format!("`{name}` is missing"), help);
    }

    pub(super) fn string(&self, name: &str) -> Option<String> {
        let value = self.get(name)?;
        match value.get_ref() {
            DeValue::String(text) => Some(text.to_string()),
            other => {
                let help = format!("write {name} = \"…\"");
                self.wrong_type(value, "a string", other, Some(help))
            }
        }
    }

    pub(super) fn switch(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        match value.get_ref() {
            DeValue::Boolean(on) => Some(*on),
            other => self.wrong_type(value, "true or false", other, None),
        }
    }

    /// Returns a whole number between `min` and `max`.
    pub(super) fn integer(&self, name: &str, min: i64, max: i64) -> Option<i64> {
        let value = self.get(name)?;
        let Some(number) = integer(value.get_ref()) else {
            return self.wrong_type(value, "a whole number", value.get_ref(), None);
        };
        if !(min..=max).contains(&number) {
            let message = match max {
                i64::MAX => format!("`{name}` must be at least {min}, not {number}"),
                _ => format!("`{name}` must be between {min} and {max}, not {number}"),
            };
            self.mistakes.add(value.span(), message, None);
            return None;
        }
        Some(number)
    }

    /// Returns a number above 0 and at most `max`.
    pub(super) fn positive(&self, name: &str, max: f64) -> Option<f64> {
        let value = self.get(name)?;
        let Some(number) = number(value.get_ref()) else {
            return self.wrong_type(value, "a number", value.get_ref(), None);
        };
        if !(number > 0.0 && number <= max) {
            let message = format!("`{name}` must be above 0 and at most {max}, not {number}");
            self.mistakes.add(value.span(), message, None);
            return None;
        }
        Some(number)
    }

    /// Returns a probability from 0 to 1 in permille.
    pub(super) fn permille(&self, name: &str) -> Option<u32> {
        let value = self.get(name)?;
        match number(value.get_ref()) {
            Some(number) if (0.0..=1.0).contains(&number) => {
                Some((number * 1_000.0).round() as u32)
            }
            _ => {
                let message = format!("`{name}` must be a probability from 0 to 1");
                self.add(value.span(), message, "for example 0.02");
                None
            }
        }
    }

    pub(super) fn duration(&self, name: &str) -> Option<Duration> {
        self.duration_of(name, self.get(name)?)
    }

    /// Returns a duration, or the limits of a random one: `"2s"` or `["1s", "3s"]`.
    pub(super) fn durations(&self, name: &str) -> Option<(Duration, Duration)> {
        let value = self.get(name)?;
        let DeValue::Array(items) = value.get_ref() else {
            let duration = self.duration_of(name, value)?;
            return Some((duration, duration));
        };
        let limits: Vec<_> = items.iter().filter_map(|item| self.duration_of(name, item)).collect();
        match limits[..] {
            [from, to] if items.len() == 2 && from <= to => Some((from, to)),
            // One of them is invalid, which is reported.
            _ if limits.len() != items.len() => None,
            _ => {
                let message =
                    format!("`{name}` must be one duration, or the least and the greatest");
                self.add(value.span(), message, "for example [\"1s\", \"3s\"]");
                None
            }
        }
    }

    fn duration_of(&self, name: &str, value: &Value<'_>) -> Option<Duration> {
        let duration = match value.get_ref() {
            DeValue::String(text) => units::duration(text),
            _ => None,
        };
        if duration.is_none() {
            let message = format!("`{name}` must be a duration of at most 7 days, with a unit");
            self.add(value.span(), message, "for example \"250ms\", \"1.5s\" or \"2m\"");
        }
        duration
    }

    /// Returns one of `words` by its position.
    pub(super) fn word(&self, name: &str, words: &[&str]) -> Option<usize> {
        let value = self.get(name)?;
        let found = match value.get_ref() {
            DeValue::String(text) => words.iter().position(|word| word == text),
            _ => None,
        };
        if found.is_none() {
            let near = match value.get_ref() {
                DeValue::String(text) => did_you_mean(text, words.iter().copied()),
                _ => None,
            };
            let allowed = words.iter().map(|word| format!("\"{word}\"")).collect::<Vec<_>>();
            let message = format!("`{name}` must be one of {}", allowed.join(", "));
            let help = near.map(|near| format!("did you mean \"{near}\"?"));
            self.mistakes.add(value.span(), message, help);
        }
        found
    }

    /// Returns a list of strings.
    pub(super) fn strings(&self, name: &str) -> Option<Vec<String>> {
        let value = self.get(name)?;
        let items = match value.get_ref() {
            DeValue::Array(items) => items,
            other => {
                let help = format!("write {name} = [\"…\"]");
                return self.wrong_type(value, "a list of strings", other, Some(help));
            }
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::String(text) => texts.push(text.to_string()),
                other => return self.wrong_type(item, "a string", other, None),
            }
        }
        Some(texts)
    }

    /// Returns the tables of a list `[[name]]`.
    pub(super) fn tables(&self, name: &str, allowed: &'static [&'static str]) -> Vec<Self> {
        let Some(value) = self.get(name) else { return Vec::new() };
        let DeValue::Array(items) = value.get_ref() else {
            let message = format!("`{name}` must be a list of tables");
            self.add(value.span(), message, &format!("write [[{name}]]"));
            return Vec::new();
        };
        let mut tables = Vec::new();
        for item in items.iter() {
            match item.get_ref() {
                DeValue::Table(entries) => {
                    tables.push(Table::new(self.mistakes, entries, item.span(), allowed));
                }
                other => {
                    let _: Option<()> = self.wrong_type(item, "a table", other, None);
                }
            }
        }
        tables
    }

    /// Returns the table `[name]`.
    pub(super) fn table(&self, name: &str, allowed: &'static [&'static str]) -> Option<Self> {
        let value = self.get(name)?;
        match value.get_ref() {
            DeValue::Table(entries) => {
                Some(Table::new(self.mistakes, entries, value.span(), allowed))
            }
            other => self.wrong_type(value, "a table", other, Some(format!("write [{name}]"))),
        }
    }

    fn wrong_type<T>(
        &self,
        value: &Value<'_>,
        expected: &str,
        found: &DeValue<'_>,
        help: Option<String>,
    ) -> Option<T> {
        let message = format!("must be {expected}, not {}", described(found));
        self.mistakes.add(value.span(), message, help);
        None
    }
}

/// Returns the type of a value with its article.
pub(super) fn described(value: &DeValue<'_>) -> String {
    let noun = value.type_str();
    format!("{} {noun}", if noun.starts_with(['a', 'i']) { "an" } else { "a" })
}

/// Returns a whole number.
pub(super) fn integer(value: &DeValue<'_>) -> Option<i64> {
    match value {
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok(),
        _ => None,
    }
}

/// Returns a finite number with or without a decimal point.
pub(super) fn number(value: &DeValue<'_>) -> Option<f64> {
    let number = match value {
        DeValue::Integer(_) => integer(value)? as f64,
        DeValue::Float(number) => number.as_str().parse().ok()?,
        _ => return None,
    };
    number.is_finite().then_some(number)
}
