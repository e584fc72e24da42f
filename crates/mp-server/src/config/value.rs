//! Values of settings, their text, and their conversion from TOML and from plain text.

use std::fmt;

use mp_toml::did_you_mean;
use toml::Spanned;
use toml::de::DeValue;

use super::key::{Key, Kind, TextRule};
use super::units;

/// Value of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Switch(bool),
    Number(i64),
    Text(String),
    List(Vec<String>),
    Table(Vec<(String, String)>),
}

/// Reason why a value is invalid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Invalid {
    /// Complete sentence without the value's name.
    pub(crate) reason: String,
    /// Way out.
    pub(crate) help: Option<String>,
}

impl Invalid {
    fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: None }
    }

    fn help(reason: impl Into<String>, help: impl Into<String>) -> Self {
        Self { reason: reason.into(), help: Some(help.into()) }
    }
}

impl Value {
    /// Converts a TOML value. On error, returns the byte range of the invalid part as well.
    pub(crate) fn from_toml(
        key: &Key,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Self, (std::ops::Range<usize>, Invalid)> {
        let whole = |invalid| (value.span(), invalid);
        let wrong_type = || whole(wrong_type(key, value.get_ref()));
        let text = |item: &Spanned<DeValue<'_>>| match item.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            other => {
                let reason = format!("must be a string in quotes, not {}", article(other));
                Err((item.span(), Invalid::new(reason)))
            }
        };
        let parsed = match (key.kind, value.get_ref()) {
            (Kind::Switch, DeValue::Boolean(on)) => Self::Switch(*on),
            (Kind::Number { .. } | Kind::Seconds { .. } | Kind::Bytes { .. }, value) => match value
            {
                DeValue::Integer(number) => {
                    match i64::from_str_radix(number.as_str(), number.radix()) {
                        Ok(number) => Self::Number(number),
                        Err(_) => return Err(whole(out_of_range(key, number.as_str()))),
                    }
                }
                _ => return Err(wrong_type()),
            },
            (Kind::Word(_) | Kind::Text(_), DeValue::String(text)) => Self::Text(text.to_string()),
            (Kind::Words(_) | Kind::Texts(_), DeValue::Array(items)) => {
                let mut list = Vec::new();
                for item in items.iter() {
                    let item_text = text(item)?;
                    Self::check_item(key, &item_text).map_err(|invalid| (item.span(), invalid))?;
                    list.push(item_text);
                }
                Self::List(list)
            }
            (Kind::Table, DeValue::Table(items)) => {
                let mut table = Vec::new();
                for (name, item) in items.iter() {
                    table.push((name.get_ref().to_string(), text(item)?));
                }
                Self::Table(table)
            }
            _ => return Err(wrong_type()),
        };
        parsed.checked(key).map_err(whole)
    }

    /// Converts the text of an environment variable or a flag. Lists are separated by commas.
    pub(crate) fn from_text(key: &Key, text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let items = || text.split(',').map(str::trim).filter(|item| !item.is_empty());
        let parsed = match key.kind {
            Kind::Switch => match text.to_ascii_lowercase().as_str() {
                on if YES.contains(&on) => Self::Switch(true),
                off if NO.contains(&off) => Self::Switch(false),
                _ => {
                    return Err(Invalid::new(format!(
                        "must be true or false, not {}",
                        shown(text)
                    )));
                }
            },
            Kind::Number { .. } | Kind::Seconds { .. } | Kind::Bytes { .. } => {
                match text.replace('_', "").parse() {
                    Ok(number) => Self::Number(number),
                    Err(_) => return Err(not_a_number(key, text)),
                }
            }
            Kind::Word(_) | Kind::Text(_) => Self::Text(text.to_owned()),
            Kind::Words(_) | Kind::Texts(_) => Self::List(items().map(str::to_owned).collect()),
            Kind::Table => {
                let pairs = items().map(|item| {
                    let pair = item.split_once('=');
                    pair.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
                });
                let pairs: Option<Vec<_>> = pairs.collect();
                let Some(pairs) = pairs else {
                    return Err(Invalid::new("must be a list such as mode=duel,map=harbor"));
                };
                Self::Table(pairs)
            }
        };
        parsed.checked(key)
    }

    fn checked(self, key: &Key) -> Result<Self, Invalid> {
        match (&self, key.kind) {
            (
                Self::Number(number),
                Kind::Number { min, max } | Kind::Seconds { min, max } | Kind::Bytes { min, max },
            ) if !(min..=max).contains(number) => {
                return Err(out_of_range(key, &units::grouped(*number)));
            }
            (Self::Text(text), _) => Self::check_item(key, text)?,
            (Self::List(items), _) => {
                items.iter().try_for_each(|item| Self::check_item(key, item))?;
                if let Some(twice) = first_duplicate(items) {
                    // Modes of channels may repeat; addresses and URLs may not.
                    if matches!(key.kind, Kind::Texts(_)) {
                        return Err(Invalid::new(format!("contains {twice:?} twice")));
                    }
                }
            }
            _ => {}
        }
        Ok(self)
    }

    fn check_item(key: &Key, text: &str) -> Result<(), Invalid> {
        match key.kind {
            Kind::Word(words) | Kind::Words(words) if !words.contains(&text) => {
                let allowed = words.join(", ");
                let reason = format!("must be one of {allowed}, not {}", shown(text));
                Err(match did_you_mean(text, words.iter().copied()) {
                    Some(word) => Invalid::help(reason, format!("did you mean {word:?}?")),
                    None => Invalid::new(reason),
                })
            }
            Kind::Text(rule) | Kind::Texts(rule) if !(rule.is_valid)(text) => {
                Err(Invalid::new(unfit(rule, text)))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn as_switch(&self) -> Option<bool> {
        match self {
            Self::Switch(on) => Some(*on),
            _ => None,
        }
    }

    pub(crate) fn as_number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The value as TOML.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Switch(on) => on.fmt(f),
            Self::Number(number) => f.write_str(&units::grouped(*number)),
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Table(items) if items.is_empty() => f.write_str("{}"),
            Self::Table(items) => {
                let pairs = items.iter().map(|(name, text)| {
                    let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                    let is_bare = !name.is_empty() && name.chars().all(is_bare);
                    let name = if is_bare { name.clone() } else { quoted(name) };
                    format!("{name} = {}", quoted(text))
                });
                write!(f, "{{ {} }}", pairs.collect::<Vec<_>>().join(", "))
            }
        }
    }
}

/// Returns `text` as a basic TOML string.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn wrong_type(key: &Key, value: &DeValue<'_>) -> Invalid {
    let article = article(value);
    let example = key.example_text();
    match (key.kind, value) {
        (Kind::Switch, _) => Invalid::new(format!("must be true or false, not {article}")),
        (
            Kind::Number { .. } | Kind::Seconds { .. } | Kind::Bytes { .. },
            DeValue::String(text),
        ) => not_a_number(key, text),
        (Kind::Number { .. } | Kind::Seconds { .. } | Kind::Bytes { .. }, _) => {
            Invalid::new(format!("must be {}, not {article}", takes_number(key)))
        }
        (Kind::Word(words), _) => {
            let words: Vec<_> = words.iter().map(|word| quoted(word)).collect();
            Invalid::new(format!("must be one of {}, not {article}", words.join(", ")))
        }
        (Kind::Text(_), _) => {
            let help = format!("write it in quotes, for example {example}");
            Invalid::help(format!("must be a string, not {article}"), help)
        }
        (Kind::Words(_) | Kind::Texts(_), _) => {
            let help = format!("write it in brackets, for example {example}");
            Invalid::help(format!("must be a list, not {article}"), help)
        }
        (Kind::Table, _) => {
            let help = format!("for example {example}");
            Invalid::help(format!("must be a table of strings, not {article}"), help)
        }
    }
}

fn not_a_number(key: &Key, text: &str) -> Invalid {
    let reason = format!("must be {}, not {}", takes_number(key), shown(text));
    let number = match key.kind {
        Kind::Seconds { .. } => units::seconds(text),
        Kind::Bytes { .. } => units::bytes(text),
        _ => text.trim().parse().ok(),
    };
    match number {
        Some(number) => Invalid::help(reason, format!("write {}", units::grouped(number))),
        None => Invalid::new(reason),
    }
}

/// Describes the numbers that `key` takes.
fn takes_number(key: &Key) -> &'static str {
    match key.kind {
        Kind::Seconds { .. } => "a whole number of seconds",
        Kind::Bytes { .. } => "a whole number of bytes",
        _ => "a whole number",
    }
}

fn out_of_range(key: &Key, number: &str) -> Invalid {
    let (min, max, unit) = match key.kind {
        Kind::Number { min, max } => (min, max, ""),
        Kind::Seconds { min, max } => (min, max, " seconds"),
        Kind::Bytes { min, max } => (min, max, " bytes"),
        _ => (0, 0, ""),
    };
    let number = number.chars().take(SHOWN_MAX).collect::<String>();
    if min == max {
        return Invalid::new(format!("must be {min}, not {number}"));
    }
    let (min, max) = (units::grouped(min), units::grouped(max));
    Invalid::new(format!("must be between {min} and {max}{unit}, not {number}"))
}

fn unfit(rule: &TextRule, text: &str) -> String {
    let takes = rule.takes;
    if rule.is_secret {
        return format!("must be {takes}");
    }
    format!("must be {takes}, not {}", shown(text))
}

/// Returns `text` in quotes, shortened for a message.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{:?}…", &text[..end]),
        None => format!("{text:?}"),
    }
}

fn article(value: &DeValue<'_>) -> String {
    let noun = value.type_str();
    let article = if noun.starts_with(['a', 'i']) { "an" } else { "a" };
    format!("{article} {noun}")
}

fn first_duplicate(items: &[String]) -> Option<&String> {
    let mut seen = std::collections::HashSet::new();
    items.iter().find(|item| !seen.insert(item.as_str()))
}

/// Texts that switch something on.
const YES: [&str; 6] = ["1", "t", "true", "y", "yes", "on"];
/// Texts that leave a switch off.
const NO: [&str; 6] = ["0", "f", "false", "n", "no", "off"];
/// Maximum number of characters of a value in a message.
const SHOWN_MAX: usize = 60;
