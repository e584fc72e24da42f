//! Arguments of calls: fixed values, and values that are drawn for each call.

use data_encoding::HEXLOWER_PERMISSIVE;
use mp_core::variant::{Vector2, Vector2i, Vector3, Vector3i};
use mp_core::{Rng, Variant};
use mp_scene::codec::bytes_to_var;
use toml::de::{DeTable, DeValue};

use super::Text;
use super::reader::{Table, Value, described, integer, number};

/// An argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum ArgumentTemplate {
    /// This value in each call.
    Fixed(Variant),
    /// A text with the player's number.
    Text(Text),
    /// An integer between both, inclusive.
    Int(i64, i64),
    /// A number between both.
    Float(f64, f64),
    /// A vector. Its type has this number of components.
    Vector(Vec<FloatRange>),
    /// A vector of integers.
    VectorInt(Vec<(i64, i64)>),
    /// This number of random letters.
    Letters(usize),
    /// This number of random bytes.
    Bytes(usize),
    /// One of these.
    Choice(Vec<Self>),
    /// An array.
    Array(Vec<Self>),
    /// The number of the player's call, counted from 1. A reply with the same number belongs to the
    /// call.
    Sequence,
    /// The number of the player, counted from 1.
    Bot,
    /// The peer id of the player.
    Peer,
}

/// A component of a vector: the least and the greatest value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FloatRange {
    /// Least value.
    pub from: f64,
    /// Greatest value.
    pub to: f64,
}

/// Properties of a player and a call, on which arguments depend.
#[derive(Debug)]
pub struct ArgumentContext<'a> {
    /// FloatRange of the player.
    pub bot: u32,
    /// Peer id of the player.
    pub peer: i32,
    /// FloatRange of the call.
    pub sequence: i64,
    /// Random numbers of the player.
    pub rng: &'a mut Rng,
}

impl ArgumentTemplate {
    /// Returns the value for one call.
    pub fn draw(&self, cx: &mut ArgumentContext<'_>) -> Variant {
        match self {
            Self::Fixed(value) => value.clone(),
            Self::Text(text) => text.fill(cx.bot, cx.peer).into(),
            &Self::Int(from, to) => draw_int(cx.rng, from, to).into(),
            &Self::Float(from, to) => FloatRange { from, to }.draw(cx.rng).into(),
            Self::Vector(items) => {
                let [x, y, z] = [0, 1, 2]
                    .map(|index| items.get(index).map_or(0.0, |item| item.draw(cx.rng)) as f32);
                match items.len() {
                    2 => Vector2 { x, y }.into(),
                    _ => Vector3 { x, y, z }.into(),
                }
            }
            Self::VectorInt(items) => {
                let [x, y, z] = [0, 1, 2].map(|index| {
                    let drawn = items.get(index).map(|&(from, to)| draw_int(cx.rng, from, to));
                    // Ranges are within 32 bits.
                    drawn.unwrap_or_default() as i32
                });
                match items.len() {
                    2 => Vector2i { x, y }.into(),
                    _ => Vector3i { x, y, z }.into(),
                }
            }
            &Self::Letters(len) => {
                let letter = |_| char::from(b'a' + cx.rng.below(26) as u8);
                (0..len).map(letter).collect::<String>().into()
            }
            &Self::Bytes(len) => Variant::PackedByteArray(random_bytes(cx.rng, len)),
            Self::Choice(items) => {
                let index = cx.rng.below(items.len() as u64) as usize;
                items.get(index).map_or(Variant::Nil, |item| item.draw(cx))
            }
            Self::Array(items) => {
                let items: Vec<Variant> = items.iter().map(|item| item.draw(cx)).collect();
                Variant::Array(items.into_iter().collect())
            }
            Self::Sequence => cx.sequence.into(),
            Self::Bot => i64::from(cx.bot).into(),
            Self::Peer => i64::from(cx.peer).into(),
        }
    }
}

impl FloatRange {
    fn draw(self, rng: &mut Rng) -> f64 {
        let unit = (rng.next_u32() as f64) / f64::from(u32::MAX);
        self.from + (self.to - self.from) * unit
    }
}

fn draw_int(rng: &mut Rng, from: i64, to: i64) -> i64 {
    let count = to.wrapping_sub(from).cast_unsigned().wrapping_add(1);
    let offset = if count == 0 { rng.next_u64() } else { rng.below(count) };
    from.wrapping_add(offset.cast_signed())
}

/// Returns `len` random bytes.
pub(crate) fn random_bytes(rng: &mut Rng, len: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        bytes.extend(rng.next_u64().to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// Reads the list of arguments `name`; without it there are none.
pub(super) fn read(table: &Table<'_, '_>, name: &str) -> Option<Vec<ArgumentTemplate>> {
    let Some(value) = table.get(name) else { return Some(Vec::new()) };
    let DeValue::Array(items) = value.get_ref() else {
        let message = format!("`{name}` must be a list, not {}", described(value.get_ref()));
        table.add(value.span(), message, "for example args = [1, \"text\", { int = [0, 9] }]");
        return None;
    };
    if items.len() > ARGUMENTS_MAX {
        let message = format!("a call has at most {ARGUMENTS_MAX} arguments");
        table.add(value.span(), message, "pass an array");
        return None;
    }
    let arguments: Vec<_> = items.iter().map(|item| argument(table, item, 0)).collect();
    arguments.into_iter().collect()
}

fn argument(table: &Table<'_, '_>, value: &Value<'_>, depth: usize) -> Option<ArgumentTemplate> {
    if depth > DEPTH_MAX {
        table.add(value.span(), "arguments are nested too deep", "use at most 8 levels");
        return None;
    }
    let inner = |items: &[Value<'_>]| -> Option<Vec<ArgumentTemplate>> {
        let items: Vec<_> = items.iter().map(|item| argument(table, item, depth + 1)).collect();
        items.into_iter().collect()
    };
    Some(match value.get_ref() {
        DeValue::String(text) if text.contains('{') => {
            ArgumentTemplate::Text(Text(text.to_string()))
        }
        DeValue::String(text) => ArgumentTemplate::Fixed(text.to_string().into()),
        DeValue::Boolean(on) => ArgumentTemplate::Fixed((*on).into()),
        DeValue::Array(items) => ArgumentTemplate::Array(inner(items)?),
        DeValue::Table(entries) => return drawn(table, value, entries, &inner),
        other => {
            let fixed = match (integer(other), number(other)) {
                (Some(int), _) => int.into(),
                (None, Some(float)) => float.into(),
                _ => {
                    let message = format!("an argument cannot be {}", described(other));
                    table.add(value.span(), message, "use a number, a string, true or false");
                    return None;
                }
            };
            ArgumentTemplate::Fixed(fixed)
        }
    })
}

/// Reads an argument like `{ int = [0, 9] }`.
fn drawn(
    table: &Table<'_, '_>,
    value: &Value<'_>,
    entries: &DeTable<'_>,
    inner: &dyn Fn(&[Value<'_>]) -> Option<Vec<ArgumentTemplate>>,
) -> Option<ArgumentTemplate> {
    let mut entries_of = entries.iter();
    let (Some((kind, given)), None) = (entries_of.next(), entries_of.next()) else {
        table.add(value.span(), "an argument in braces has one name", KINDS_HELP);
        return None;
    };
    let kind_name: &str = kind.get_ref();
    let components = || match given.get_ref() {
        DeValue::Array(items) => Some(items.iter().collect::<Vec<_>>()),
        _ => None,
    };
    let wrong = |expected: &str| {
        let message = format!("`{kind_name}` must be {expected}");
        table.add(given.span(), message, KINDS_HELP);
        None
    };
    let dimensions = if kind_name.starts_with("vector2") { 2 } else { 3 };
    match kind_name {
        "int" => match int_range(given.get_ref()) {
            Some((from, to)) => Some(ArgumentTemplate::Int(from, to)),
            None => wrong("the least and the greatest integer"),
        },
        "float" => match range(given.get_ref()) {
            Some(FloatRange { from, to }) => Some(ArgumentTemplate::Float(from, to)),
            None => wrong("the least and the greatest number"),
        },
        "vector2" | "vector3" => {
            let items = components().filter(|items| items.len() == dimensions);
            let items =
                items.and_then(|items| items.iter().map(|item| range(item.get_ref())).collect());
            match items {
                Some(items) => Some(ArgumentTemplate::Vector(items)),
                None => wrong("a list with a number or a range for each component"),
            }
        }
        "vector2i" | "vector3i" => {
            let in_range =
                |&(from, to): &(i64, i64)| i32::try_from(from).is_ok() && i32::try_from(to).is_ok();
            let items = components().filter(|items| items.len() == dimensions);
            let items = items.and_then(|items| {
                items.iter().map(|item| int_range(item.get_ref()).filter(in_range)).collect()
            });
            match items {
                Some(items) => Some(ArgumentTemplate::VectorInt(items)),
                None => wrong("a list with an integer or a range for each component"),
            }
        }
        "letters" | "bytes" => match integer(given.get_ref()) {
            Some(len @ 0..=LENGTH_MAX) => {
                let len = usize::try_from(len).ok()?;
                Some(if kind_name == "bytes" {
                    ArgumentTemplate::Bytes(len)
                } else {
                    ArgumentTemplate::Letters(len)
                })
            }
            _ => wrong("a length from 0 to 65,536"),
        },
        "encoded" => {
            let bytes = match given.get_ref() {
                DeValue::String(hex) => HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok(),
                _ => None,
            };
            match bytes.and_then(|bytes| bytes_to_var(&bytes).ok()) {
                Some(value) => Some(ArgumentTemplate::Fixed(value)),
                None => {
                    wrong("the hexadecimal digits of a value, as Godot's var_to_bytes encodes it")
                }
            }
        }
        "choice" => match given.get_ref() {
            DeValue::Array(items) if !items.is_empty() => {
                inner(items).map(ArgumentTemplate::Choice)
            }
            _ => wrong("a list of arguments"),
        },
        "value" => match given.get_ref() {
            DeValue::String(name) if name == "sequence" => Some(ArgumentTemplate::Sequence),
            DeValue::String(name) if name == "bot" => Some(ArgumentTemplate::Bot),
            DeValue::String(name) if name == "peer" => Some(ArgumentTemplate::Peer),
            _ => wrong("\"sequence\", \"bot\" or \"peer\""),
        },
        _ => {
            table.add(kind.span(), format!("unknown kind of argument `{kind_name}`"), KINDS_HELP);
            None
        }
    }
}

/// Returns a number, or a range `[from, to]`.
fn range(value: &DeValue<'_>) -> Option<FloatRange> {
    let (from, to) = match value {
        DeValue::Array(items) => match &items[..] {
            [from, to] => (number(from.get_ref())?, number(to.get_ref())?),
            _ => return None,
        },
        value => (number(value)?, number(value)?),
    };
    (from <= to).then_some(FloatRange { from, to })
}

fn int_range(value: &DeValue<'_>) -> Option<(i64, i64)> {
    let (from, to) = match value {
        DeValue::Array(items) => match &items[..] {
            [from, to] => (integer(from.get_ref())?, integer(to.get_ref())?),
            _ => return None,
        },
        value => (integer(value)?, integer(value)?),
    };
    (from <= to).then_some((from, to))
}

/// Kinds of drawn arguments, with examples.
const KINDS_HELP: &str = "kinds: { int = [0, 9] }, { float = [0.0, 1.0] }, { vector2 = [0, [0, 1]] }, { vector3 = [0, 0, 0] }, { vector2i = [1, 2] }, { vector3i = [1, 2, 3] }, { letters = 8 }, { bytes = 32 }, { choice = [1, 2] }, { encoded = \"02000000…\" }, { value = \"sequence\" }, { value = \"bot\" }, { value = \"peer\" }";
/// Maximum number of arguments of a call.
const ARGUMENTS_MAX: usize = 255;
/// Maximum nesting depth of arrays.
const DEPTH_MAX: usize = 8;
/// Maximum length of random letters and bytes.
const LENGTH_MAX: i64 = 65_536;
