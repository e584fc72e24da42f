//! Values of bounded length, for received bytes: [`List`], [`Text`] and [`Payload`].

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A list of at most `MAX` elements. A longer one is refused before it is read, and memory is
/// allocated as elements are read.
#[derive(Debug)]
pub(crate) struct List<T, const MAX: usize>(pub(crate) Vec<T>);

/// Number of elements for which memory is allocated before the first is read.
const CAPACITY: usize = 64;

impl<T: Serialize, const MAX: usize> Serialize for List<T, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for List<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ListVisitor(PhantomData))
    }
}

struct ListVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for ListVisitor<T, MAX> {
    type Value = List<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MAX} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Self::Value, A::Error> {
        let len = elements.size_hint().unwrap_or(0);
        let too_long = |len| A::Error::invalid_length(len, &"a shorter list");
        if len > MAX {
            return Err(too_long(len));
        }
        let mut list = Vec::with_capacity(len.min(CAPACITY));
        while let Some(element) = elements.next_element()? {
            if list.len() == MAX {
                return Err(too_long(MAX + 1));
            }
            list.push(element);
        }
        Ok(List(list))
    }
}

/// A text of at most `MAX` bytes, which borrows the received bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Text<'a, const MAX: usize>(pub(crate) &'a str);

impl<const MAX: usize> Serialize for Text<'_, MAX> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de: 'a, 'a, const MAX: usize> Deserialize<'de> for Text<'a, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&str>::deserialize(deserializer)?;
        if text.len() > MAX {
            return Err(D::Error::invalid_length(text.len(), &"a shorter text"));
        }
        Ok(Self(text))
    }
}

/// The bytes of a packet, which borrow the received bytes. Their bound is that of the frame.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Payload<'a>(pub(crate) &'a [u8]);

impl Serialize for Payload<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Payload<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_lists_and_texts_are_refused() {
        let three = postcard::to_stdvec(&List::<u32, 3>(vec![7, 8, 9])).unwrap();
        assert_eq!(postcard::from_bytes::<List<u32, 3>>(&three).unwrap().0, [7, 8, 9]);
        assert!(postcard::from_bytes::<List<u32, 2>>(&three).is_err());
        // A length without elements allocates nothing.
        assert!(postcard::from_bytes::<List<u64, 3>>(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err());

        let text = postcard::to_stdvec(&Text::<4>("room")).unwrap();
        assert_eq!(postcard::from_bytes::<Text<'_, 4>>(&text).unwrap().0, "room");
        assert!(postcard::from_bytes::<Text<'_, 3>>(&text).is_err());
    }
}
