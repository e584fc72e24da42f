//! Whole numbers in JSON, as JSON Schema defines them: `3.0` is one.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// Reads a whole number of 0 to [`WHOLE_NUMBER_MAX`]; for `deserialize_with`.
pub(crate) fn whole_number<'de, D, T>(value: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    WholeNumber::deserialize(value).map(|WholeNumber(number)| number)
}

/// Reads a whole number or null; for `deserialize_with`.
pub(crate) fn optional_whole_number<'de, D, T>(value: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<u64>,
{
    let number = Option::<WholeNumber<T>>::deserialize(value)?;
    Ok(number.map(|WholeNumber(number)| number))
}

/// Largest whole number: that which all JSON parsers read exactly (RFC 7493).
pub(crate) const WHOLE_NUMBER_MAX: u64 = (1 << 53) - 1;

struct WholeNumber<T>(T);

impl<'de, T: TryFrom<u64>> Deserialize<'de> for WholeNumber<T> {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        value.deserialize_u64(WholeNumberVisitor(PhantomData))
    }
}

struct WholeNumberVisitor<T>(PhantomData<T>);

impl<T: TryFrom<u64>> Visitor<'_> for WholeNumberVisitor<T> {
    type Value = WholeNumber<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number within the range of the field")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let is_exact = number <= WHOLE_NUMBER_MAX;
        let number_of_type = T::try_from(number).ok().filter(|_| is_exact);
        let out_of_range = || E::invalid_value(Unexpected::Unsigned(number), &self);
        number_of_type.map(WholeNumber).ok_or_else(out_of_range)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Self::Value, E> {
        let is_whole = number.fract() == 0.0 && (0.0..=WHOLE_NUMBER_MAX as f64).contains(&number);
        match is_whole {
            true => self.visit_u64(number as u64),
            false => Err(E::invalid_value(Unexpected::Float(number), &self)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Numbers {
        #[serde(deserialize_with = "whole_number")]
        count: u16,
        #[serde(default, deserialize_with = "optional_whole_number")]
        seconds: Option<u64>,
    }

    fn read(text: &str) -> Option<(u16, Option<u64>)> {
        let numbers: Option<Numbers> = serde_json::from_str(text).ok();
        numbers.map(|Numbers { count, seconds }| (count, seconds))
    }

    #[test]
    fn whole_numbers_may_be_written_with_a_fraction_of_zero() {
        assert_eq!(read(r#"{"count": 3.0, "seconds": 4e0}"#), Some((3, Some(4))));
        assert_eq!(read(r#"{"count": 3, "seconds": null}"#), Some((3, None)));
        assert_eq!(read(r#"{"count": 3}"#), Some((3, None)));
    }

    #[test]
    fn other_numbers_are_refused() {
        for count in ["3.5", "-1", "65536", "1e300", "\"3\"", "null"] {
            assert_eq!(read(&format!(r#"{{"count": {count}}}"#)), None, "{count}");
        }
        let exact = |seconds| read(&format!(r#"{{"count": 0, "seconds": {seconds}}}"#));
        assert!(exact(WHOLE_NUMBER_MAX).is_some() && exact(WHOLE_NUMBER_MAX + 1).is_none());
    }
}
