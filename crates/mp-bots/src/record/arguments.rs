//! Arguments and texts in the notation of a scenario file.

use data_encoding::HEXLOWER;
use mp_core::Variant;
use mp_core::variant::ElementType;
use mp_scene::codec::var_to_bytes;

/// An argument in the notation of a scenario.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct WrittenArgument {
    pub(super) text: String,
    /// Text for a comment.
    pub(super) note: Option<String>,
}

impl WrittenArgument {
    fn plain(text: String) -> Self {
        Self { text, note: None }
    }
}

/// Returns the argument that was `values` in the calls of a step, with ranges that contain all of
/// them. `id` is the peer id of the client. `None` if a value is too large.
pub(super) fn argument(values: &[&Variant], id: Option<i32>) -> Option<WrittenArgument> {
    let first = *values.first()?;
    if let (Variant::Int(int), Some(id)) = (first, id)
        && *int == i64::from(id)
        && values.iter().all(|value| *value == first)
    {
        return Some(WrittenArgument::plain("{ value = \"peer\" }".to_owned()));
    }
    if let Some(text) = range(values) {
        return Some(WrittenArgument::plain(text));
    }
    let mut distinct: Vec<&Variant> = Vec::new();
    for value in values {
        if distinct.len() < CHOICES_MAX && !distinct.contains(value) {
            distinct.push(value);
        }
    }
    let mut written = distinct.iter().map(|value| single(value, 0)).collect::<Option<Vec<_>>>()?;
    let notes: Vec<String> = written.iter_mut().filter_map(|it| it.note.take()).collect();
    let note = (!notes.is_empty()).then(|| notes.join(", "));
    let texts: Vec<String> = written.into_iter().map(|it| it.text).collect();
    let text = match &texts[..] {
        [text] => text.clone(),
        texts => format!("{{ choice = [{}] }}", texts.join(", ")),
    };
    Some(WrittenArgument { text, note })
}

/// Returns the range of values of one type that has ranges.
fn range(values: &[&Variant]) -> Option<String> {
    let components = values.iter().map(|value| numbers(value)).collect::<Option<Vec<_>>>()?;
    let (first, others) = components.split_first()?;
    let mut limits: Vec<(Number, Number)> =
        first.components.iter().map(|&number| (number, number)).collect();
    for other in others {
        if other.kind != first.kind {
            return None;
        }
        for ((from, to), &number) in limits.iter_mut().zip(&other.components) {
            (*from, *to) = (from.min(number), to.max(number));
        }
    }
    let limits: Vec<String> =
        limits.iter().map(|(from, to)| format!("[{}, {}]", from.text(), to.text())).collect();
    let kind = first.kind;
    Some(match &limits[..] {
        [range] => format!("{{ {kind} = {range} }}"),
        ranges => format!("{{ {kind} = [{}] }}", ranges.join(", ")),
    })
}

/// A value as numbers, and the name of its kind in a scenario.
struct Numbers {
    kind: &'static str,
    components: Vec<Number>,
}

#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
enum Number {
    Int(i64),
    Float(f64),
    /// A component of a vector.
    Single(f32),
}

impl Number {
    fn min(self, other: Self) -> Self {
        if other < self { other } else { self }
    }

    fn max(self, other: Self) -> Self {
        if other > self { other } else { self }
    }

    fn text(self) -> String {
        match self {
            Self::Int(number) => number.to_string(),
            Self::Float(number) => format!("{number:?}"),
            Self::Single(number) => format!("{number:?}"),
        }
    }

    fn is_finite(self) -> bool {
        match self {
            Self::Int(_) => true,
            Self::Float(number) => number.is_finite(),
            Self::Single(number) => number.is_finite(),
        }
    }
}

fn numbers(value: &Variant) -> Option<Numbers> {
    let ints = |ints: &[i32]| ints.iter().map(|&int| Number::Int(int.into())).collect();
    let (kind, components): (_, Vec<Number>) = match value {
        Variant::Int(int) => ("int", vec![Number::Int(*int)]),
        Variant::Float(float) => ("float", vec![Number::Float(*float)]),
        Variant::Vector2(v) => ("vector2", [v.x, v.y].map(Number::Single).to_vec()),
        Variant::Vector3(v) => ("vector3", [v.x, v.y, v.z].map(Number::Single).to_vec()),
        Variant::Vector2i(v) => ("vector2i", ints(&[v.x, v.y])),
        Variant::Vector3i(v) => ("vector3i", ints(&[v.x, v.y, v.z])),
        _ => return None,
    };
    components.iter().all(|it| it.is_finite()).then_some(Numbers { kind, components })
}

/// Returns one value. `None` if it is too large.
fn single(value: &Variant, depth: usize) -> Option<WrittenArgument> {
    if let Some(text) = range(&[value]) {
        return Some(WrittenArgument::plain(text));
    }
    Some(WrittenArgument::plain(match value {
        Variant::Bool(on) => on.to_string(),
        Variant::String(text) if text.len() <= TEXT_BYTES_MAX => toml_text(text),
        Variant::String(text) => format!("{{ letters = {} }}", text.len().min(LENGTH_MAX)),
        Variant::PackedByteArray(bytes) => {
            format!("{{ bytes = {} }}", bytes.len().min(LENGTH_MAX))
        }
        Variant::Array(items)
            if depth < ARRAY_DEPTH_MAX
                && items.len() <= ITEMS_MAX
                && *items.element_type() == ElementType::Any =>
        {
            let items = items.iter().map(|item| single(item, depth + 1));
            let items = items.collect::<Option<Vec<_>>>()?;
            let notes: Vec<String> = items.iter().filter_map(|item| item.note.clone()).collect();
            let texts: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
            let note = (!notes.is_empty()).then(|| notes.join(", "));
            return Some(WrittenArgument { text: format!("[{}]", texts.join(", ")), note });
        }
        other => {
            let bytes = var_to_bytes(other).ok().filter(|it| it.len() <= ENCODED_BYTES_MAX)?;
            let text = format!("{{ encoded = \"{}\" }}", HEXLOWER.encode(&bytes));
            return Some(WrittenArgument { text, note: Some(shown(other)) });
        }
    }))
}

/// Returns a value for a comment: short, and without control characters.
fn shown(value: &Variant) -> String {
    let text = format!("{value:?}");
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(SHOWN_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// Returns a text as a TOML string.
pub(super) fn toml_text(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Maximum number of values of a choice.
const CHOICES_MAX: usize = 8;
/// Maximum length in bytes of a text that is written as it is.
const TEXT_BYTES_MAX: usize = 256;
/// Maximum length of random texts and bytes in a scenario.
const LENGTH_MAX: usize = 65_536;
/// Maximum number of items of an array.
const ITEMS_MAX: usize = 64;
/// Maximum depth of arrays.
const ARRAY_DEPTH_MAX: usize = 4;
/// Maximum size in bytes of a value of another type.
const ENCODED_BYTES_MAX: usize = 1_024;
/// Maximum number of characters of a value in a comment.
const SHOWN_MAX: usize = 80;
