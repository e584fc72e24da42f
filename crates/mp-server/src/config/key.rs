//! Description of one setting: type, range, default, help, flag and effect of a change.

use super::value::Value;

/// A setting of a [`Section`](super::section::Section).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) preset: Preset,
    /// First line: summary without a full stop. After an empty line: details.
    pub(crate) help: &'static str,
    /// Value for documentation and error messages if the default is unset or empty, as TOML.
    pub(crate) example: &'static str,
    /// Name of the command line flag, without dashes.
    pub(crate) flag: Option<&'static str>,
    pub(crate) effect: Effect,
    /// Earlier names, and names of the same setting in other servers.
    pub(crate) formerly: &'static [&'static str],
}

impl Key {
    pub(crate) const fn new(
        name: &'static str,
        kind: Kind,
        preset: Preset,
        help: &'static str,
    ) -> Self {
        let (example, flag, effect, formerly) = ("", None, Effect::Restart, &[] as &[_]);
        Self { name, kind, preset, help, example, flag, effect, formerly }
    }

    pub(crate) const fn example(mut self, toml: &'static str) -> Self {
        self.example = toml;
        self
    }

    pub(crate) const fn flag(mut self, name: &'static str) -> Self {
        self.flag = Some(name);
        self
    }

    /// Declares that a reload applies a new value without a restart.
    pub(crate) const fn now(mut self) -> Self {
        self.effect = Effect::Now;
        self
    }

    pub(crate) const fn formerly(mut self, names: &'static [&'static str]) -> Self {
        self.formerly = names;
        self
    }

    /// Returns the summary and the details of the help text.
    pub(crate) fn help_parts(&self) -> (&'static str, Option<&'static str>) {
        match self.help.split_once("\n\n") {
            Some((summary, details)) => (summary, Some(details)),
            None => (self.help, None),
        }
    }

    pub(crate) fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Text(rule) | Kind::Texts(rule) if rule.is_secret)
    }

    /// Returns the default in words or as TOML.
    pub(crate) fn default_text(&self) -> String {
        match self.preset {
            Preset::Unset(means) => means.to_owned(),
            Preset::Required => "required".to_owned(),
            preset => preset.value().map(|value| value.to_string()).unwrap_or_default(),
        }
    }

    /// Returns a valid value as TOML: the example, or else the default.
    pub(crate) fn example_text(&self) -> String {
        if self.example.is_empty() { self.default_text() } else { self.example.to_owned() }
    }
}

/// Type and range of a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Switch,
    Number {
        min: i64,
        max: i64,
    },
    /// Duration in whole seconds.
    Seconds {
        min: i64,
        max: i64,
    },
    /// Size in bytes.
    Bytes {
        min: i64,
        max: i64,
    },
    Word(&'static [&'static str]),
    Text(&'static TextRule),
    /// List of words.
    Words(&'static [&'static str]),
    /// List of texts.
    Texts(&'static TextRule),
    /// Table of texts.
    Table,
}

/// Rule for the content of a text.
#[derive(Debug)]
pub(crate) struct TextRule {
    /// Name of the value in the help of the command line.
    pub(crate) noun: &'static str,
    /// Description of valid texts, as the object of "takes".
    pub(crate) takes: &'static str,
    pub(crate) is_valid: fn(&str) -> bool,
    pub(crate) is_secret: bool,
}

/// Default value of a setting.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Preset {
    /// No value, with its meaning in words.
    Unset(&'static str),
    /// No value: a table must contain one.
    Required,
    Switch(bool),
    Number(i64),
    Text(&'static str),
    EmptyList,
    EmptyTable,
}

impl Preset {
    pub(crate) fn is_required(self) -> bool {
        matches!(self, Self::Required)
    }

    pub(crate) fn value(self) -> Option<Value> {
        Some(match self {
            Self::Unset(_) | Self::Required => return None,
            Self::Switch(on) => Value::Switch(on),
            Self::Number(number) => Value::Number(number),
            Self::Text(text) => Value::Text(text.to_owned()),
            Self::EmptyList => Value::List(Vec::new()),
            Self::EmptyTable => Value::Table(Vec::new()),
        })
    }
}

/// Time at which a changed value takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// A reload applies the value.
    Now,
    /// The next start applies the value.
    Restart,
}
