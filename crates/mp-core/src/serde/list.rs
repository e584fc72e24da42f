//! Lists of a bounded length.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Deserializes a list of untrusted input with at most `MAX` elements: a field's
/// `#[serde(deserialize_with = "list_of_at_most::<_, _, 16>")]`.
///
/// # Errors
///
/// If the list is longer. No memory is allocated for further elements.
pub fn list_of_at_most<'de, D, T, const MAX: usize>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    deserializer.deserialize_seq(List::<T, MAX>(PhantomData))
}

struct List<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for List<T, MAX> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = elements.next_element()? {
            if list.len() == MAX {
                return Err(A::Error::invalid_length(MAX + 1, &self));
            }
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Deserializer, Error};

    use super::*;

    #[test]
    fn longer_list_is_refused() {
        let list = |text| list_of_at_most::<_, u8, 2>(&mut Deserializer::from_str(text));
        assert_eq!(list("[1, 2]").unwrap(), [1, 2]);
        let error: Error = list("[1, 2, 3]").unwrap_err();
        let expected = "invalid length 3, expected a list of at most 2 elements";
        assert!(error.to_string().starts_with(expected), "{error}");
    }
}
