//! A deserializer whose input is a [`Variant`].

use serde::de::value::StringDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use super::{SerdeError, geometry};
use crate::limits::SERDE_DEPTH_MAX;
use crate::variant::{Dictionary, DictionaryIntoIter};
use crate::{Variant, VariantType};

/// Reads a value from a [`Variant`].
pub(super) struct OfVariant {
    value: Variant,
    /// Number of values around this one.
    depth: usize,
}

impl OfVariant {
    pub(super) const fn new(value: Variant) -> Self {
        Self { value, depth: 0 }
    }

    /// Returns the depth of the values in this one.
    fn inner_depth(&self) -> Result<usize, SerdeError> {
        if self.depth >= SERDE_DEPTH_MAX {
            return Err(SerdeError::too_deep());
        }
        Ok(self.depth + 1)
    }

    /// Returns the value in the type, as Godot converts it for a typed parameter.
    fn convert(self, to: VariantType) -> Result<Variant, SerdeError> {
        self.value.convert(to).map_err(SerdeError::new)
    }

    /// Returns the error for a value of another type.
    fn expected(&self, expected: &'static str) -> SerdeError {
        SerdeError::new(format_args!("expected {expected}, got {}", self.value.variant_type()))
    }

    fn visit_text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.convert(VariantType::String)? {
            Variant::String(text) => visitor.visit_string(text),
            other => Self::new(other).deserialize_any(visitor),
        }
    }

    fn visit_elements<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let depth = self.inner_depth()?;
        match self.elements() {
            Ok(values) => {
                let mut elements = Elements { values: values.into_iter(), index: 0, depth };
                let result = visitor.visit_seq(&mut elements)?;
                match elements.values.len() {
                    0 => Ok(result),
                    _ => Err(SerdeError::invalid_length(
                        elements.index + elements.values.len(),
                        &format!("an array of {}", elements.index).as_str(),
                    )),
                }
            }
            Err(value) => Self { value, depth }.refuse("an Array"),
        }
    }

    /// Returns the elements of an array, or the values of the fields of vectors and geometry.
    fn elements(self) -> Result<Vec<Variant>, Variant> {
        fn each<T: Into<Variant>>(values: Vec<T>) -> Vec<Variant> {
            values.into_iter().map(Into::into).collect()
        }
        Ok(match self.value {
            Variant::Array(values) => values.into_vec(),
            Variant::PackedByteArray(values) => each(values),
            Variant::PackedInt32Array(values) => each(values),
            Variant::PackedInt64Array(values) => each(values),
            Variant::PackedFloat32Array(values) => each(values),
            Variant::PackedFloat64Array(values) => each(values),
            Variant::PackedStringArray(values) => each(values),
            Variant::PackedVector2Array(values) => each(values),
            Variant::PackedVector3Array(values) => each(values),
            Variant::PackedColorArray(values) => each(values),
            Variant::PackedVector4Array(values) => each(values),
            value => match geometry::fields_of(&value) {
                Some(Ok(Variant::Dictionary(fields))) => {
                    fields.into_iter().map(|(_, value)| value).collect()
                }
                _ => return Err(value),
            },
        })
    }

    fn visit_entries<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        let depth = self.inner_depth()?;
        match self.entries() {
            Ok(entries) => {
                visitor.visit_map(Entries { entries: entries.into_iter(), value: None, depth })
            }
            Err(value) => Self { value, depth }.refuse("a Dictionary"),
        }
    }

    /// Returns the entries of a dictionary, or the fields of vectors and geometry.
    fn entries(self) -> Result<Dictionary, Variant> {
        match self.value {
            Variant::Dictionary(entries) => Ok(entries),
            value => match geometry::fields_of(&value) {
                Some(Ok(Variant::Dictionary(fields))) => Ok(fields),
                _ => Err(value),
            },
        }
    }

    fn refuse<T>(self, expected: &'static str) -> Result<T, SerdeError> {
        Err(self.expected(expected))
    }
}

macro_rules! convert {
    ($($method:ident)+ => $type:ident $visit:ident) => {
        $(
            fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
                match self.convert(VariantType::$type)? {
                    Variant::$type(value) => visitor.$visit(value),
                    other => Self::new(other).deserialize_any(visitor),
                }
            }
        )+
    };
}

impl<'de> Deserializer<'de> for OfVariant {
    type Error = SerdeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.value {
            Variant::Nil => visitor.visit_unit(),
            Variant::Bool(value) => visitor.visit_bool(value),
            Variant::Int(value) => visitor.visit_i64(value),
            Variant::Float(value) => visitor.visit_f64(value),
            Variant::String(_) | Variant::StringName(_) | Variant::NodePath(_) => {
                self.visit_text(visitor)
            }
            Variant::PackedByteArray(bytes) => visitor.visit_byte_buf(bytes),
            Variant::Dictionary(_) => self.visit_entries(visitor),
            Variant::Rid(_) | Variant::Object(_) | Variant::Callable | Variant::Signal { .. } => {
                self.refuse("a value that is no object")
            }
            _ if geometry::fields_of(&self.value).is_some() => self.visit_entries(visitor),
            _ => self.visit_elements(visitor),
        }
    }

    convert!(deserialize_bool => Bool visit_bool);
    convert!(
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        => Int visit_i64
    );
    convert!(deserialize_f32 deserialize_f64 => Float visit_f64);
    convert!(
        deserialize_char deserialize_str deserialize_string deserialize_identifier
        => String visit_string
    );

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.deserialize_byte_buf(visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.value {
            Variant::String(text) => visitor.visit_string(text),
            Variant::PackedByteArray(bytes) => visitor.visit_byte_buf(bytes),
            _ => self.visit_elements(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.value {
            Variant::Nil => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        match self.value {
            Variant::Nil => visitor.visit_unit(),
            _ => self.refuse("null"),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        // Counted: a type may contain itself without a container between.
        let depth = self.inner_depth()?;
        visitor.visit_newtype_struct(Self { depth, ..self })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.visit_elements(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.visit_elements(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.visit_elements(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        self.visit_entries(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.visit_entries(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        let depth = self.inner_depth()?;
        let (name, fields) = match self.value {
            Variant::Dictionary(entries) if entries.len() == 1 => {
                let (key, fields) = entries.into_iter().next().unwrap_or_default();
                (key, Some(fields))
            }
            Variant::Dictionary(entries) => {
                return Err(SerdeError::invalid_length(
                    entries.len(),
                    &"a Dictionary with the name of a variant as its only key",
                ));
            }
            name => (name, None),
        };
        match name {
            Variant::String(name) => visitor.visit_enum(Tagged { name, fields, depth }),
            Variant::StringName(name) => {
                visitor.visit_enum(Tagged { name: name.into(), fields, depth })
            }
            other => Self::new(other).refuse("a String, or a Dictionary with one String as key"),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, SerdeError> {
        visitor.visit_unit()
    }
}

/// The elements of an array.
struct Elements {
    values: std::vec::IntoIter<Variant>,
    index: usize,
    depth: usize,
}

impl<'de> SeqAccess<'de> for Elements {
    type Error = SerdeError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, SerdeError> {
        let Some(value) = self.values.next() else { return Ok(None) };
        let read = seed.deserialize(OfVariant { value, depth: self.depth });
        let read = read.map_err(|error| error.in_element(self.index))?;
        self.index += 1;
        Ok(Some(read))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

/// The entries of a dictionary.
struct Entries {
    entries: DictionaryIntoIter,
    /// Key and value whose key was read.
    value: Option<(Variant, Variant)>,
    depth: usize,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = SerdeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, SerdeError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some((key.clone(), value));
        seed.deserialize(OfVariant { value: key, depth: self.depth }).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, SerdeError> {
        let (key, value) =
            self.value.take().ok_or_else(|| SerdeError::new("a value without a key"))?;
        let read = seed.deserialize(OfVariant { value, depth: self.depth });
        read.map_err(|error| error.in_key_of(&key))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.entries.size_hint().0)
    }
}

/// A variant of an enum.
struct Tagged {
    name: String,
    fields: Option<Variant>,
    depth: usize,
}

impl<'de> EnumAccess<'de> for Tagged {
    type Error = SerdeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Self), SerdeError> {
        let name: StringDeserializer<SerdeError> = self.name.clone().into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl Tagged {
    /// Reads the fields.
    fn fields<T>(
        self,
        form: Unexpected<'_>,
        read: impl FnOnce(OfVariant) -> Result<T, SerdeError>,
    ) -> Result<T, SerdeError> {
        let Self { name, fields, depth } = self;
        match fields {
            Some(value) => read(OfVariant { value, depth }).map_err(|error| error.in_key(&name)),
            None => Err(SerdeError::invalid_type(
                Unexpected::UnitVariant,
                &format!("{name} as a Dictionary with its fields, a {form}").as_str(),
            )),
        }
    }
}

impl<'de> VariantAccess<'de> for Tagged {
    type Error = SerdeError;

    fn unit_variant(self) -> Result<(), SerdeError> {
        match &self.fields {
            None | Some(Variant::Nil) => Ok(()),
            Some(_) => self.fields(Unexpected::UnitVariant, |of| of.refuse("null")),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, SerdeError> {
        self.fields(Unexpected::NewtypeVariant, |of| seed.deserialize(of))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.fields(Unexpected::TupleVariant, |of| of.visit_elements(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, SerdeError> {
        self.fields(Unexpected::StructVariant, |of| of.visit_entries(visitor))
    }
}
