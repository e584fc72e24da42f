//! A serializer whose output is a [`Variant`].

use serde::ser::{
    Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::{SerdeError, geometry};
use crate::Variant;
use crate::limits::SERDE_DEPTH_MAX;
use crate::variant::Dictionary;

/// Converts a value to a [`Variant`].
#[derive(Clone, Copy)]
pub(super) struct ToVariant {
    /// Number of values around this one.
    depth: usize,
    /// True to convert vectors and geometry to dictionaries of their fields.
    fields_only: bool,
}

impl ToVariant {
    pub(super) const fn new() -> Self {
        Self { depth: 0, fields_only: false }
    }

    pub(super) const fn fields_only() -> Self {
        Self { depth: 0, fields_only: true }
    }

    /// Returns the serializer of a value in this one.
    fn inner(self) -> Result<Self, SerdeError> {
        if self.depth >= SERDE_DEPTH_MAX {
            return Err(SerdeError::too_deep());
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn elements(self, variant: Option<&'static str>) -> Result<Elements, SerdeError> {
        Ok(Elements { inner: self.inner()?, variant, values: Vec::new() })
    }

    fn entries(self, name: &'static str, variant: Option<&'static str>) -> Entries {
        Entries { outer: self, name, variant, key: None, entries: Dictionary::new() }
    }
}

/// Returns the value of a variant of an enum with fields.
fn tagged(variant: &'static str, fields: impl Into<Variant>) -> Variant {
    Dictionary::from([(variant, fields.into())]).into()
}

fn int<T: TryInto<i64> + ToString + Copy>(value: T) -> Result<Variant, SerdeError> {
    let too_large = |_| SerdeError::new(format_args!("{} exceeds an int", value.to_string()));
    value.try_into().map(Variant::Int).map_err(too_large)
}

macro_rules! into {
    ($($method:ident: $type:ty),+ $(,)?) => {
        $(
            fn $method(self, value: $type) -> Result<Variant, SerdeError> {
                Ok(value.into())
            }
        )+
    };
}

impl Serializer for ToVariant {
    type Ok = Variant;
    type Error = SerdeError;
    type SerializeSeq = Elements;
    type SerializeTuple = Elements;
    type SerializeTupleStruct = Elements;
    type SerializeTupleVariant = Elements;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    into!(
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_str: &str,
        serialize_bytes: &[u8],
    );

    fn serialize_u64(self, value: u64) -> Result<Variant, SerdeError> {
        int(value)
    }

    fn serialize_i128(self, value: i128) -> Result<Variant, SerdeError> {
        int(value)
    }

    fn serialize_u128(self, value: u128) -> Result<Variant, SerdeError> {
        int(value)
    }

    fn serialize_char(self, value: char) -> Result<Variant, SerdeError> {
        Ok(value.to_string().into())
    }

    fn serialize_none(self) -> Result<Variant, SerdeError> {
        Ok(Variant::Nil)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Variant, SerdeError> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Variant, SerdeError> {
        Ok(Variant::Nil)
    }

    fn serialize_unit_struct(self, _name: &'static str) -> Result<Variant, SerdeError> {
        Ok(Variant::Nil)
    }

    fn serialize_unit_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
    ) -> Result<Variant, SerdeError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        value: &T,
    ) -> Result<Variant, SerdeError> {
        // Counted: a type may contain itself without a container between.
        value.serialize(self.inner()?)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Variant, SerdeError> {
        let value = value.serialize(self.inner()?).map_err(|error| error.in_key(variant))?;
        Ok(tagged(variant, value))
    }

    fn serialize_seq(self, _len: Option<usize>) -> Result<Elements, SerdeError> {
        self.elements(None)
    }

    fn serialize_tuple(self, _len: usize) -> Result<Elements, SerdeError> {
        self.elements(None)
    }

    fn serialize_tuple_struct(
        self,
        _name: &'static str,
        _len: usize,
    ) -> Result<Elements, SerdeError> {
        self.elements(None)
    }

    fn serialize_tuple_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Elements, SerdeError> {
        self.elements(Some(variant))
    }

    fn serialize_map(self, _len: Option<usize>) -> Result<Entries, SerdeError> {
        Ok(self.entries("", None))
    }

    fn serialize_struct(self, name: &'static str, _len: usize) -> Result<Entries, SerdeError> {
        Ok(self.entries(name, None))
    }

    fn serialize_struct_variant(
        self,
        _name: &'static str,
        _index: u32,
        variant: &'static str,
        _len: usize,
    ) -> Result<Entries, SerdeError> {
        Ok(self.entries("", Some(variant)))
    }
}

/// The elements of an array.
pub(super) struct Elements {
    inner: ToVariant,
    variant: Option<&'static str>,
    values: Vec<Variant>,
}

impl Elements {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let value = value.serialize(self.inner).map_err(|error| {
            let error = error.in_element(self.values.len());
            match self.variant {
                Some(variant) => error.in_key(variant),
                None => error,
            }
        })?;
        self.values.push(value);
        Ok(())
    }

    fn finish(self) -> Variant {
        match self.variant {
            Some(variant) => tagged(variant, self.values),
            None => self.values.into(),
        }
    }
}

macro_rules! elements {
    ($($of:ident $method:ident),+) => {
        $(
            impl $of for Elements {
                type Ok = Variant;
                type Error = SerdeError;

                fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
                    self.push(value)
                }

                fn end(self) -> Result<Variant, SerdeError> {
                    Ok(self.finish())
                }
            }
        )+
    };
}

elements!(
    SerializeSeq serialize_element,
    SerializeTuple serialize_element,
    SerializeTupleStruct serialize_field,
    SerializeTupleVariant serialize_field
);

/// The entries of a dictionary.
pub(super) struct Entries {
    outer: ToVariant,
    /// Name of the struct; empty for a map.
    name: &'static str,
    variant: Option<&'static str>,
    /// Key whose value follows.
    key: Option<Variant>,
    entries: Dictionary,
}

impl Entries {
    fn insert<T: Serialize + ?Sized>(&mut self, key: Variant, value: &T) -> Result<(), SerdeError> {
        let serialized = self.outer.inner().and_then(|inner| value.serialize(inner));
        let value = serialized.map_err(|error| {
            let error = error.in_key_of(&key);
            match self.variant {
                Some(variant) => error.in_key(variant),
                None => error,
            }
        })?;
        self.entries.insert(key, value).map_err(SerdeError::new)?;
        Ok(())
    }

    fn finish(self) -> Result<Variant, SerdeError> {
        match self.variant {
            Some(variant) => Ok(tagged(variant, self.entries)),
            None if self.outer.fields_only => Ok(self.entries.into()),
            None => geometry::from_fields(self.name, self.entries),
        }
    }
}

impl SerializeMap for Entries {
    type Ok = Variant;
    type Error = SerdeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), SerdeError> {
        self.key = Some(key.serialize(self.outer.inner()?)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), SerdeError> {
        let key = self.key.take().ok_or_else(|| SerdeError::new("a value without a key"))?;
        self.insert(key, value)
    }

    fn end(self) -> Result<Variant, SerdeError> {
        self.finish()
    }
}

macro_rules! entries {
    ($($of:ident),+) => {
        $(
            impl $of for Entries {
                type Ok = Variant;
                type Error = SerdeError;

                fn serialize_field<T: Serialize + ?Sized>(
                    &mut self,
                    key: &'static str,
                    value: &T,
                ) -> Result<(), SerdeError> {
                    self.insert(key.into(), value)
                }

                fn end(self) -> Result<Variant, SerdeError> {
                    self.finish()
                }
            }
        )+
    };
}

entries!(SerializeStruct, SerializeStructVariant);
