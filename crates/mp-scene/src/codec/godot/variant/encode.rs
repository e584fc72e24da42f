//! Encoding of values.
#![expect(clippy::exhaustive_enums, reason = "Godot has these two forms")]

use bytes::{BufMut, BytesMut};
use mp_core::variant::{
    Array, Basis, Components, Dictionary, DictionaryIter, ElementType, FullObject, Object,
    Projection, StringName, Transform3D,
};
use mp_core::{NodePath, Variant, VariantType};

use super::{
    DEPTH_MAX, FLAG_WIDE, KIND_ANY, KIND_BITS, KIND_BUILTIN, KIND_CLASS, KIND_SCRIPT, KIND_SHIFT,
    PATH_ABSOLUTE, PATH_NEW_FORM, SCRIPT_PATH_PREFIX, VariantError, padding,
};

/// The encoding of objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Objects {
    /// Objects as their ids (Godot: `allow_object_decoding = false`, the default).
    #[default]
    Ids,
    /// [`Object::Full`] with its content, and containers with their actual classes (Godot:
    /// `allow_object_decoding = true`). [`Object::Id`] is encoded as an id.
    Full,
}

/// Appends `value` to `out`. A text ends at its first NUL, where Godot's decoder would end it.
///
/// # Errors
///
/// If values are nested deeper than [`DEPTH_MAX`], a length does not fit into 31 bits, or there is
/// a full object and `objects` is [`Objects::Ids`]. `out` is unchanged then.
#[doc(alias = "var_to_bytes_with_objects")]
pub fn encode_variant(
    value: &Variant,
    objects: Objects,
    out: &mut BytesMut,
) -> Result<(), VariantError> {
    let start = out.len();
    let result = Encoder { objects, out }.write(value);
    if result.is_err() {
        out.truncate(start);
    }
    result
}

struct Encoder<'a> {
    objects: Objects,
    out: &'a mut BytesMut,
}

/// A container whose values are being encoded. Open containers are kept in a vector, since
/// recursion could overflow the stack.
enum Open<'v> {
    Array(std::slice::Iter<'v, Variant>),
    Dictionary { entries: DictionaryIter<'v>, value: Option<&'v Variant> },
    Object(std::slice::Iter<'v, (StringName, Variant)>),
}

impl Encoder<'_> {
    fn write<'v>(&mut self, value: &'v Variant) -> Result<(), VariantError> {
        let mut open: Vec<Open<'v>> = Vec::new();
        let mut next = Some(value);
        loop {
            if let Some(value) = next {
                if open.len() > DEPTH_MAX {
                    return Err(VariantError::TooDeep { limit: DEPTH_MAX });
                }
                open.extend(self.start(value)?);
            }
            let Some(innermost) = open.last_mut() else { return Ok(()) };
            next = match innermost {
                Open::Array(values) => values.next(),
                Open::Dictionary { entries, value } => value.take().or_else(|| {
                    let (key, after) = entries.next()?;
                    *value = Some(after);
                    Some(key)
                }),
                Open::Object(properties) => match properties.next() {
                    Some((name, value)) => {
                        self.text(name)?;
                        Some(value)
                    }
                    None => None,
                },
            };
            if next.is_none() {
                open.pop();
            }
        }
    }

    /// Encodes a value, or the part of a container before its values.
    fn start<'v>(&mut self, value: &'v Variant) -> Result<Option<Open<'v>>, VariantError> {
        match value {
            Variant::Array(array) => self.array(array).map(Some),
            Variant::Dictionary(dictionary) => self.dictionary(dictionary).map(Some),
            Variant::Object(object) => self.object(object),
            _ => self.flat(value).map(|()| None),
        }
    }

    fn array<'v>(&mut self, array: &'v Array) -> Result<Open<'v>, VariantError> {
        let (kind, element_type) = self.kind(array.element_type())?;
        self.header(VariantType::Array, kind << KIND_SHIFT);
        self.element_type(element_type)?;
        self.count(array.len())?;
        Ok(Open::Array(array.iter()))
    }

    fn dictionary<'v>(&mut self, dictionary: &'v Dictionary) -> Result<Open<'v>, VariantError> {
        let (key_kind, key_type) = self.kind(dictionary.key_type())?;
        let (value_kind, value_type) = self.kind(dictionary.value_type())?;
        let kinds = key_kind | value_kind << KIND_BITS;
        self.header(VariantType::Dictionary, kinds << KIND_SHIFT);
        self.element_type(key_type)?;
        self.element_type(value_type)?;
        self.count(dictionary.len())?;
        Ok(Open::Dictionary { entries: dictionary.iter(), value: None })
    }

    fn object<'v>(&mut self, object: &'v Object) -> Result<Option<Open<'v>>, VariantError> {
        match object {
            Object::Id(0) => self.header(VariantType::Nil, 0),
            Object::Id(id) => {
                self.header(VariantType::Object, FLAG_WIDE);
                self.out.put_u64_le(*id);
            }
            Object::Full(_) if self.objects == Objects::Ids => {
                return Err(VariantError::ObjectsRefused);
            }
            Object::Full(object) => {
                let FullObject { class, properties } = &**object;
                self.header(VariantType::Object, 0);
                self.text(class)?;
                self.count(properties.len())?;
                return Ok(Some(Open::Object(properties.iter())));
            }
        }
        Ok(None)
    }

    /// Returns the kind of an element type, and its description.
    fn kind<'v>(&self, of: &'v ElementType) -> Result<(u32, Description<'v>), VariantError> {
        let full = self.objects == Objects::Full;
        Ok(match of {
            ElementType::Any => (KIND_ANY, Description::None),
            ElementType::Builtin(of) if full || *of != VariantType::Object => {
                (KIND_BUILTIN, Description::Builtin(*of))
            }
            ElementType::Class(class) if full => (KIND_CLASS, Description::Text(class)),
            ElementType::Script(path) if full => {
                if !path.starts_with(SCRIPT_PATH_PREFIX) {
                    return Err(VariantError::ScriptPath);
                }
                (KIND_SCRIPT, Description::Text(path))
            }
            ElementType::Builtin(_) | ElementType::Class(_) | ElementType::Script(_) => {
                (KIND_CLASS, Description::Text(ElementType::ENCODED_OBJECT_AS_ID))
            }
        })
    }

    fn element_type(&mut self, of: Description<'_>) -> Result<(), VariantError> {
        match of {
            Description::None => {}
            Description::Builtin(of) => self.out.put_u32_le(of.number()),
            Description::Text(text) => self.text(text)?,
        }
        Ok(())
    }

    fn flat(&mut self, value: &Variant) -> Result<(), VariantError> {
        use Variant as V;
        let wide = match value {
            V::Int(v) => i32::try_from(*v).is_err(),
            // Never equal for NaN, which therefore takes 8 bytes.
            V::Float(v) => f64::from(*v as f32) != *v,
            _ => false,
        };
        self.header(value.variant_type(), if wide { FLAG_WIDE } else { 0 });
        match value {
            V::Nil | V::Callable | V::Array(_) | V::Dictionary(_) | V::Object(_) => {}
            V::Bool(v) => self.out.put_u32_le((*v).into()),
            V::Int(v) if wide => self.out.put_i64_le(*v),
            V::Int(v) => self.out.put_i32_le(*v as i32),
            V::Float(v) if wide => self.out.put_f64_le(*v),
            V::Float(v) => self.out.put_f32_le(*v as f32),
            V::String(v) => self.text(v)?,
            V::StringName(v) => self.text(v)?,
            V::Vector2(v) => self.components(v),
            V::Vector2i(v) => self.ints([v.x, v.y]),
            V::Rect2(v) => self.components(v),
            V::Rect2i(v) => self.ints([v.position.x, v.position.y, v.size.x, v.size.y]),
            V::Vector3(v) => self.components(v),
            V::Vector3i(v) => self.ints([v.x, v.y, v.z]),
            V::Transform2D(v) => self.components(v),
            V::Vector4(v) => self.components(v),
            V::Vector4i(v) => self.ints([v.x, v.y, v.z, v.w]),
            V::Plane(v) => self.components(v),
            V::Quaternion(v) => self.components(v),
            V::Aabb(v) => self.components(v),
            // A Basis is encoded by rows.
            V::Basis(v) => self.components(&v.transposed()),
            V::Transform3D(v) => {
                self.components(&v.basis.transposed());
                self.components(&v.origin);
            }
            V::Projection(v) => self.components(&**v),
            V::Color(v) => self.components(v),
            V::NodePath(v) => self.node_path(v)?,
            V::Rid(v) => self.out.put_u64_le(*v),
            V::Signal { name, object } => {
                self.text(name)?;
                self.out.put_u64_le(*object);
            }
            V::PackedByteArray(v) => {
                self.count(v.len())?;
                self.out.put_slice(v);
                self.out.put_bytes(0, padding(v.len()));
            }
            V::PackedInt32Array(v) => self.packed(v, 4, |out, v| out.put_i32_le(*v))?,
            V::PackedInt64Array(v) => self.packed(v, 8, |out, v| out.put_i64_le(*v))?,
            V::PackedFloat32Array(v) => self.packed(v, 4, |out, v| out.put_f32_le(*v))?,
            V::PackedFloat64Array(v) => self.packed(v, 8, |out, v| out.put_f64_le(*v))?,
            V::PackedStringArray(v) => {
                self.count(v.len())?;
                v.iter().try_for_each(|text| self.text_with_nul(text))?;
            }
            V::PackedVector2Array(v) => self.packed_components(v)?,
            V::PackedVector3Array(v) => self.packed_components(v)?,
            V::PackedColorArray(v) => self.packed_components(v)?,
            V::PackedVector4Array(v) => self.packed_components(v)?,
        }
        Ok(())
    }

    fn node_path(&mut self, path: &NodePath) -> Result<(), VariantError> {
        let (names, subnames) = (path.names(), path.subnames());
        self.out.put_u32_le(length(names.len())? | PATH_NEW_FORM);
        self.count(subnames.len())?;
        self.out.put_u32_le(if path.is_absolute() { PATH_ABSOLUTE } else { 0 });
        names.iter().chain(subnames).try_for_each(|name| self.text(name))
    }

    fn header(&mut self, of: VariantType, flags: u32) {
        self.out.put_u32_le(of.number() | flags);
    }

    fn count(&mut self, count: usize) -> Result<(), VariantError> {
        self.out.put_u32_le(length(count)?);
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), VariantError> {
        let text = up_to_nul(text);
        self.count(text.len())?;
        self.out.put_slice(text.as_bytes());
        self.out.put_bytes(0, padding(text.len()));
        Ok(())
    }

    /// Encodes an element of a PackedStringArray, whose length includes a NUL.
    fn text_with_nul(&mut self, text: &str) -> Result<(), VariantError> {
        let text = up_to_nul(text);
        let len = text.len() + 1;
        self.count(len)?;
        self.out.put_slice(text.as_bytes());
        self.out.put_bytes(0, 1 + padding(len));
        Ok(())
    }

    fn ints<const N: usize>(&mut self, ints: [i32; N]) {
        ints.into_iter().for_each(|int| self.out.put_i32_le(int));
    }

    fn components(&mut self, value: &impl Components) {
        value.each(&mut |component| self.out.put_f32_le(component));
    }

    fn packed<T>(
        &mut self,
        values: &[T],
        size: usize,
        put: impl Fn(&mut BytesMut, &T),
    ) -> Result<(), VariantError> {
        self.count(values.len())?;
        self.out.reserve(values.len() * size);
        values.iter().for_each(|value| put(self.out, value));
        Ok(())
    }

    fn packed_components<T: Components>(&mut self, values: &[T]) -> Result<(), VariantError> {
        self.packed(values, 4 * T::COUNT, |out, value| {
            value.each(&mut |component| out.put_f32_le(component));
        })
    }
}

/// Encodes a value that consists of numbers, as [`encode_variant`] does, with a single copy: most
/// properties are such values.
pub(crate) fn encode_components<T: Components>(of: VariantType, value: &T, out: &mut BytesMut) {
    let mut bytes = [0; 4 + 4 * COMPONENTS_MAX];
    bytes[..4].copy_from_slice(&of.number().to_le_bytes());
    let mut at = 4;
    value.each(&mut |component| {
        bytes[at..at + 4].copy_from_slice(&component.to_le_bytes());
        at += 4;
    });
    out.put_slice(&bytes[..at]);
}

/// Maximum number of components: those of a Projection.
const COMPONENTS_MAX: usize = 16;

/// Encodes as [`encode_variant`], without the box that a [`Variant`] would need.
pub(crate) fn encode_basis(value: &Basis, out: &mut BytesMut) {
    // A Basis is encoded by rows.
    encode_components(VariantType::Basis, &value.transposed(), out);
}

/// Encodes as [`encode_variant`], without the box that a [`Variant`] would need.
pub(crate) fn encode_transform_3d(value: &Transform3D, out: &mut BytesMut) {
    let mut encoder = Encoder { objects: Objects::Ids, out };
    encoder.header(VariantType::Transform3D, 0);
    encoder.components(&value.basis.transposed());
    encoder.components(&value.origin);
}

/// Encodes as [`encode_variant`], without the box that a [`Variant`] would need.
pub(crate) fn encode_projection(value: &Projection, out: &mut BytesMut) {
    encode_components(VariantType::Projection, value, out);
}

/// The description of an element type after a header.
enum Description<'v> {
    None,
    Builtin(VariantType),
    Text(&'v str),
}

fn length(len: usize) -> Result<u32, VariantError> {
    i32::try_from(len).map(i32::cast_unsigned).map_err(|_| VariantError::TooLong { len })
}

fn up_to_nul(text: &str) -> &str {
    text.split_once('\0').map_or(text, |(before, _)| before)
}
