//! Decoding of values.
#![expect(clippy::exhaustive_structs, reason = "programs build limits")]

use std::sync::{Arc, LazyLock};

use mp_core::variant::{Array, Dictionary, ElementType, FullObject, Object};
use mp_core::{StringName, Variant, VariantType};

use super::{
    COUNT_MASK, DEPTH_MAX, FLAG_WIDE, KIND_ANY, KIND_BITS, KIND_BUILTIN, KIND_CLASS, KIND_SHIFT,
    SCRIPT_PATH_PREFIX, VariantError,
};

mod flat;
mod reader;

/// Limits of decoding.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum nesting depth (default: [`DEPTH_MAX`], as in Godot). A larger depth may overflow the
    /// stack: values are dropped and compared by recursion, for which 1 MiB suffices at the
    /// default, also in debug builds.
    pub depth: usize,
    /// Maximum nesting depth of containers in dictionary keys (default: 8, far more than usual). At
    /// each level the key is hashed once more, so without a limit the CPU time of a packet could be
    /// its size times the depth. Godot has no limit.
    pub key_depth: usize,
    /// Maximum memory in bytes for the values of one [`Decoder`] (one packet), estimated from above
    /// (default: 64 MiB, four times the maximum packet size). Ignored bytes are not charged.
    ///
    /// At the default, packed arrays and texts always fit, and arrays of nulls, which take 16 times
    /// their encoded size, fit up to a million elements. Whatever the limit, memory is at most 32
    /// times the decoded bytes plus 1 MiB.
    pub allocation: usize,
    /// Function that returns whether a class exists and can be instantiated, for objects with their
    /// content. Default: `None`, which refuses all such objects, as Godot does
    /// (`allow_object_decoding = false`). Object ids are always decoded.
    pub full_objects: Option<fn(class: &str) -> bool>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { depth: DEPTH_MAX, key_depth: 8, allocation: 64 << 20, full_objects: None }
    }
}

/// Decodes a sequence of values within one memory limit.
#[derive(Debug)]
pub struct Decoder<'a> {
    data: &'a [u8],
    at: usize,
    limits: Limits,
    allocated: usize,
}

/// Length of a value's header in bytes.
const HEADER_LEN: usize = 4;

/// Memory charged for an element of an array or list: the capacity of a vector is up to twice its
/// length.
const ELEMENT_COST: usize = 2 * size_of::<Variant>();

/// Memory charged for an entry of a dictionary: twice its size, and its slot in the hash table.
const ENTRY_COST: usize = 256;

/// Memory charged for an array, dictionary or NodePath, besides its content.
const CONTAINER_COST: usize = 160;

/// Memory charged for a text, besides its bytes.
const TEXT_COST: usize = 32;

/// Memory charged per byte of a text that becomes a NodePath, in a typed array that was sent with
/// texts.
const PATH_COST: usize = 32;

/// U+FEFF in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Capacity reserved for elements before the first is decoded. Until elements confirm the counts,
/// at most `depth` times this capacity is reserved.
pub(in crate::codec::godot) const ELEMENTS_AHEAD: usize = 8;

/// A container whose values are being decoded. Open containers are kept in a vector, since
/// recursion could overflow the stack.
struct Open {
    left: u32,
    /// Number of dictionary keys that contain it.
    keys: usize,
    content: Content,
}

enum Content {
    Array { element_type: ElementType, values: Vec<Variant> },
    Dictionary { entries: Dictionary, key: Option<Variant> },
    Object(FullObject),
}

enum Started {
    Value(Variant),
    Container(u32, Content),
}

impl<'a> Decoder<'a> {
    /// Creates a decoder at the beginning of `data`.
    pub const fn new(data: &'a [u8], limits: &Limits) -> Self {
        Self { data, at: 0, limits: *limits, allocated: 0 }
    }

    /// Decodes one value.
    ///
    /// # Errors
    ///
    /// If there is none or the limits are exceeded. The position is unchanged then.
    pub fn variant(&mut self) -> Result<Variant, VariantError> {
        let start = self.at;
        // No copy of the result, of which there is one per argument.
        let value = match self.lone_type() {
            Some((of, wide)) => {
                self.at += HEADER_LEN;
                self.flat(of, wide)
            }
            None => self.value(),
        };
        if value.is_err() {
            self.at = start;
        }
        value
    }

    /// Returns the number of decoded bytes. It exceeds the size of the data by up to three if the
    /// last value is a PackedByteArray without its padding, which Godot accepts.
    pub const fn position(&self) -> usize {
        self.at
    }

    /// Returns the remaining bytes.
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.at..).unwrap_or_default()
    }

    /// Returns the charged memory in bytes.
    pub const fn allocated(&self) -> usize {
        self.allocated
    }

    /// Returns the type of the next value, and whether it is wide, if it contains no other values
    /// and its header is valid.
    #[inline]
    fn lone_type(&self) -> Option<(VariantType, bool)> {
        let header = u32::from_le_bytes(*self.rest().first_chunk::<HEADER_LEN>()?);
        let of = VariantType::from_number(header & 0xff)?;
        let is_container =
            matches!(of, VariantType::Array | VariantType::Dictionary | VariantType::Object);
        (!is_container).then_some((of, header & FLAG_WIDE != 0))
    }

    fn value(&mut self) -> Result<Variant, VariantError> {
        let mut open: Vec<Open> = Vec::new();
        loop {
            if open.len() > self.limits.depth {
                return Err(VariantError::TooDeep { limit: self.limits.depth });
            }
            if let Some(Open { content: Content::Object(object), .. }) = open.last_mut() {
                object.properties.push((self.name()?, Variant::Nil));
            }
            let mut value = match self.start()? {
                Started::Value(value) => value,
                Started::Container(left, content) => {
                    let keys = open.last().map_or(0, Open::keys_within);
                    if keys > self.limits.key_depth {
                        let limit = self.limits.key_depth;
                        return Err(VariantError::KeysTooDeep { at: self.at, limit });
                    }
                    let container = Open { left, keys, content };
                    if left > 0 {
                        open.push(container);
                        continue;
                    }
                    container.finish()
                }
            };
            loop {
                let Some(mut innermost) = open.pop() else { return Ok(value) };
                self.charge(innermost.cost(&value))?;
                innermost.take(value);
                if innermost.left > 0 {
                    open.push(innermost);
                    break;
                }
                value = innermost.finish();
            }
        }
    }

    /// Decodes a value, or the part of a container before its values.
    fn start(&mut self) -> Result<Started, VariantError> {
        let at = self.at;
        let header = self.u32("a header")?;
        let unknown = VariantError::UnknownType { at, got: header & 0xff };
        let of = VariantType::from_number(header & 0xff).ok_or(unknown)?;
        match of {
            VariantType::Array => self.array(header),
            VariantType::Dictionary => self.dictionary(header),
            VariantType::Object => self.object(header),
            _ => self.flat(of, header & FLAG_WIDE != 0).map(Started::Value),
        }
    }

    fn array(&mut self, header: u32) -> Result<Started, VariantError> {
        self.charge(CONTAINER_COST)?;
        let element_type = self.element_type(header >> KIND_SHIFT)?;
        let count = self.u32("a count")? & COUNT_MASK;
        let ahead = ELEMENTS_AHEAD.min(count as usize);
        let values = Vec::with_capacity(ahead);
        Ok(Started::Container(count, Content::Array { element_type, values }))
    }

    fn dictionary(&mut self, header: u32) -> Result<Started, VariantError> {
        self.charge(CONTAINER_COST)?;
        let key_type = self.element_type(header >> KIND_SHIFT)?;
        let value_type = self.element_type(header >> (KIND_SHIFT + KIND_BITS))?;
        let count = (self.u32("a count")? & COUNT_MASK).saturating_mul(2);
        let entries = Dictionary::typed(key_type, value_type);
        Ok(Started::Container(count, Content::Dictionary { entries, key: None }))
    }

    fn object(&mut self, header: u32) -> Result<Started, VariantError> {
        if header & FLAG_WIDE != 0 {
            let id = self.u64("an object's id")?;
            return Ok(Started::Value(Object::Id(id).into()));
        }
        let Some(is_known) = self.limits.full_objects else {
            return Err(VariantError::ObjectsRefused);
        };
        self.charge(CONTAINER_COST)?;
        let at = self.at;
        let class = self.name()?;
        if class.is_empty() {
            return Ok(Started::Value(Object::NULL.into()));
        }
        if !is_known(&class) {
            return Err(VariantError::UnknownClass { at });
        }
        let count = not_negative(self.u32("a count")?);
        Ok(Started::Container(count, Content::Object(FullObject { class, properties: Vec::new() })))
    }

    fn element_type(&mut self, kind: u32) -> Result<ElementType, VariantError> {
        let full = self.limits.full_objects.is_some();
        let at = self.at;
        Ok(match kind & ((1 << KIND_BITS) - 1) {
            KIND_ANY => ElementType::Any,
            KIND_BUILTIN => {
                let got = self.u32("an element type")?;
                let of = VariantType::from_number(got);
                match of.ok_or(VariantError::UnknownType { at, got })? {
                    VariantType::Object if !full => encoded_object_as_id(),
                    of => of.into(),
                }
            }
            _ if !full => {
                self.text()?;
                encoded_object_as_id()
            }
            KIND_CLASS => ElementType::Class(self.name()?),
            _script => {
                let path = self.name()?;
                if !path.starts_with(SCRIPT_PATH_PREFIX) {
                    return Err(VariantError::ScriptPath);
                }
                ElementType::Script(path)
            }
        })
    }
}

impl Open {
    /// Returns the number of dictionary keys that contain the next value.
    fn keys_within(&self) -> usize {
        let in_key = matches!(self.content, Content::Dictionary { key: None, .. });
        self.keys + usize::from(in_key)
    }

    /// Returns the memory to charge for the next value, besides its own.
    fn cost(&self, value: &Variant) -> usize {
        let (place, of) = match &self.content {
            Content::Array { element_type, .. } => (ELEMENT_COST, element_type),
            Content::Dictionary { entries, key: None } => (ENTRY_COST / 2, entries.key_type()),
            Content::Dictionary { entries, .. } => (ENTRY_COST / 2, entries.value_type()),
            Content::Object(_) => (2 * size_of::<(StringName, Variant)>(), &ElementType::Any),
        };
        match (of, value) {
            (ElementType::Builtin(VariantType::NodePath), Variant::String(text)) => {
                place + PATH_COST * text.len()
            }
            _ => place,
        }
    }

    fn take(&mut self, value: Variant) {
        self.left -= 1;
        match &mut self.content {
            Content::Array { values, .. } => values.push(value),
            Content::Dictionary { entries, key } => match key.take() {
                None => *key = Some(value),
                // As in Godot, entries of the wrong type are dropped.
                Some(key) => drop(entries.insert(key, value)),
            },
            Content::Object(object) => {
                if let Some((_, property)) = object.properties.last_mut() {
                    *property = value;
                }
            }
        }
    }

    fn finish(self) -> Variant {
        match self.content {
            Content::Array { element_type, values } => {
                Array::typed_lossy(element_type, values).into()
            }
            Content::Dictionary { entries, .. } => entries.into(),
            Content::Object(object) => Object::Full(Arc::new(object)).into(),
        }
    }
}

/// Returns 0 for a negative count: Godot 4.6.3 compares some counts as signed numbers.
const fn not_negative(count: u32) -> u32 {
    if count.cast_signed() < 0 { 0 } else { count }
}

/// Returns the element type of object ids. Created once, since untrusted packets determine how
/// often it is needed.
fn encoded_object_as_id() -> ElementType {
    static CLASS: LazyLock<StringName> = LazyLock::new(|| ElementType::ENCODED_OBJECT_AS_ID.into());
    ElementType::Class(CLASS.clone())
}
