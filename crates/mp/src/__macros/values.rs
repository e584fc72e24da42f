//! Conversions of structs and enums.

use super::{Dictionary, FromVariant, FromVariantError, IntoVariant, Variant};

/// Converts a field.
pub fn to_variant<T: IntoVariant>(value: T) -> Variant {
    value.into_variant()
}

/// Returns the dictionary of a struct.
pub fn dictionary<const N: usize>(fields: [(&str, Variant); N]) -> Variant {
    Dictionary::from(fields).into()
}

/// Returns the field `key` of a value of type `of`.
pub fn field<T: FromVariant>(
    fields: &Dictionary,
    of: &'static str,
    key: &'static str,
) -> Result<T, FromVariantError> {
    match fields.get_text(key) {
        Some(value) => T::from_variant(value.clone()).map_err(|source| part(key, source)),
        None => T::absent().ok_or_else(|| FromVariantError::Missing { of, key: key.into() }),
    }
}

/// The elements of a tuple.
#[derive(Debug)]
pub struct Elements {
    rest: std::vec::IntoIter<Variant>,
    of: &'static str,
    index: usize,
}

impl Elements {
    /// Returns the elements of an array of a type `of` with at most `count` elements.
    pub fn new(value: Variant, of: &'static str, count: usize) -> Result<Self, FromVariantError> {
        let mut elements = Vec::<Variant>::from_variant(value)?;
        elements.truncate(count);
        Ok(Self { rest: elements.into_iter(), of, index: 0 })
    }

    /// Converts the next element.
    pub fn next_as<T: FromVariant>(&mut self) -> Result<T, FromVariantError> {
        let index = self.index;
        self.index += 1;
        match self.rest.next() {
            Some(value) => {
                T::from_variant(value).map_err(|source| part(&index.to_string(), source))
            }
            None => T::absent()
                .ok_or_else(|| FromVariantError::Missing { of: self.of, key: index.to_string() }),
        }
    }
}

/// Returns the name of an enum's variant and its content, which is nil without one.
pub fn enum_parts(value: Variant, of: &'static str) -> Result<(String, Variant), FromVariantError> {
    match value {
        Variant::Dictionary(fields) if fields.len() == 1 => {
            let (name, value) = fields.into_iter().next().expect("a dictionary with one entry");
            Ok((String::from_variant(name)?, value))
        }
        Variant::Dictionary(_) => Err(no_variant(of, "of a dictionary without exactly one key")),
        name => Ok((String::from_variant(name)?, Variant::Nil)),
    }
}

/// Returns the error of an unknown name.
pub fn no_variant(of: &'static str, name: &str) -> FromVariantError {
    let got = name.chars().take(64).collect();
    FromVariantError::NoVariant { of, got }
}

/// Returns the error of an unknown number.
pub fn no_number(of: &'static str, number: i64) -> FromVariantError {
    FromVariantError::NoVariant { of, got: number.to_string() }
}

fn part(key: &str, source: FromVariantError) -> FromVariantError {
    FromVariantError::Part { key: key.to_owned(), source: Box::new(source) }
}
