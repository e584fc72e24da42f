//! [`TypedDictionary`]: Godot's `Dictionary[String, int]` and the like.

use std::fmt;
use std::marker::PhantomData;

use super::{Dictionary, DictionaryIter, FromVariant, FromVariantError, TypedElement, Variant};

/// A dictionary whose keys and values have one type each: `TypedDictionary<String, i64>` is Godot's
/// `Dictionary[String, int]`. It keeps the order of insertion.
///
/// As an argument or property it is sent with its types, and accepts only dictionaries of exactly
/// these types. [`Variant`] as a type leaves keys or values untyped.
///
/// ```
/// use mp_core::Variant;
/// use mp_core::variant::TypedDictionary;
///
/// let mut scores: TypedDictionary<String, i64> = [("Ann".to_owned(), 3)].into_iter().collect();
/// scores.insert("Ben".to_owned(), 5);
/// assert_eq!(scores.get("Ann"), Some(3));
/// assert_eq!(Variant::from(scores.clone()).to(), Ok(scores));
/// ```
pub struct TypedDictionary<K, V> {
    /// Has the types of `K` and `V`, and only keys and values that convert to them.
    content: Dictionary,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: TypedElement, V: TypedElement> TypedDictionary<K, V> {
    /// Returns an empty dictionary.
    pub fn new() -> Self {
        Self {
            content: Dictionary::typed(K::element_type(), V::element_type()),
            types: PhantomData,
        }
    }

    /// Sets the value of a key and returns the previous value. A key that already exists keeps its
    /// position.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.content.insert(key, value) {
            Ok(previous) => previous.and_then(converted),
            Err(error) => {
                crate::bug!("a value does not have its own type: {error}");
                None
            }
        }
    }

    /// Removes a key and returns its value. The order of the other keys stays.
    pub fn remove(&mut self, key: impl Into<Variant>) -> Option<V> {
        self.content.remove(&key.into()).and_then(converted)
    }

    /// Returns the value of a key.
    pub fn get(&self, key: impl Into<Variant>) -> Option<V> {
        self.content.get(&key.into()).cloned().and_then(converted)
    }

    /// Returns whether the key exists.
    pub fn contains_key(&self, key: impl Into<Variant>) -> bool {
        self.content.contains_key(&key.into())
    }

    /// Returns the number of keys.
    pub fn len(&self) -> usize {
        self.content.len()
    }

    /// Returns whether the dictionary is empty.
    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// Returns an iterator over copies of keys and values, in the order of insertion.
    pub fn iter(&self) -> TypedDictionaryIter<'_, K, V> {
        TypedDictionaryIter { entries: self.content.iter(), types: PhantomData }
    }
}

/// Converts a key or value; `None` never occurs, because all of them convert.
fn converted<T: FromVariant>(value: Variant) -> Option<T> {
    T::from_variant(value).ok()
}

/// An iterator over the entries of a [`TypedDictionary`].
#[derive(Debug)]
pub struct TypedDictionaryIter<'a, K, V> {
    entries: DictionaryIter<'a>,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K: FromVariant, V: FromVariant> Iterator for TypedDictionaryIter<'_, K, V> {
    type Item = (K, V);

    fn next(&mut self) -> Option<(K, V)> {
        let (key, value) = self.entries.next()?;
        Some((converted(key.clone())?, converted(value.clone())?))
    }
}

impl<'a, K: TypedElement, V: TypedElement> IntoIterator for &'a TypedDictionary<K, V> {
    type Item = (K, V);
    type IntoIter = TypedDictionaryIter<'a, K, V>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<K: TypedElement, V: TypedElement> FromIterator<(K, V)> for TypedDictionary<K, V> {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut dictionary = Self::new();
        for (key, value) in entries {
            dictionary.insert(key, value);
        }
        dictionary
    }
}

impl<K: TypedElement, V: TypedElement, const N: usize> From<[(K, V); N]> for TypedDictionary<K, V> {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

impl<K, V> From<TypedDictionary<K, V>> for Dictionary {
    fn from(dictionary: TypedDictionary<K, V>) -> Self {
        dictionary.content
    }
}

impl<K, V> From<TypedDictionary<K, V>> for Variant {
    fn from(dictionary: TypedDictionary<K, V>) -> Self {
        Self::Dictionary(dictionary.content)
    }
}

/// Accepts dictionaries of exactly these types; see [`Dictionary::expect_type`].
impl<K: TypedElement, V: TypedElement> FromVariant for TypedDictionary<K, V> {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        let content = Dictionary::from_variant(value)?;
        let content = content.expect_type(&K::element_type(), &V::element_type())?;
        for (key, value) in &content {
            K::from_variant(key.clone())?;
            V::from_variant(value.clone())?;
        }
        Ok(Self { content, types: PhantomData })
    }
}

impl<K: TypedElement, V: TypedElement> Default for TypedDictionary<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Clone for TypedDictionary<K, V> {
    fn clone(&self) -> Self {
        Self { content: self.content.clone(), types: PhantomData }
    }
}

impl<K, V> PartialEq for TypedDictionary<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.content == other.content
    }
}

impl<K, V> fmt::Debug for TypedDictionary<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.content.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::StringName;

    #[test]
    fn entries_are_sent_with_their_types() {
        let scores = TypedDictionary::from([("a".to_owned(), 1i64)]);
        assert_eq!(format!("{:?}", Variant::from(scores)), r#"Dictionary[String, int]({"a": 1})"#);
        let half: TypedDictionary<i64, Variant> = [(7, true.into())].into_iter().collect();
        assert_eq!(format!("{half:?}"), "Dictionary[int, Variant]({7: true})");
    }

    #[test]
    fn only_the_exact_types_are_accepted() {
        let untyped = Variant::from(Dictionary::from([("a", 1)]));
        let error = untyped.clone().to::<TypedDictionary<String, i64>>().unwrap_err();
        let expected = "expected Dictionary[String, int], got Dictionary[Variant, Variant]";
        assert_eq!(error.to_string(), expected);
        assert!(untyped.to::<TypedDictionary<Variant, Variant>>().is_ok());
        let large = Variant::from(TypedDictionary::from([(1i64, 300i64)]));
        assert!(large.clone().to::<TypedDictionary<i64, u8>>().is_err());
        assert_eq!(large.to::<TypedDictionary<u8, i64>>().unwrap().get(1), Some(300));
    }

    #[test]
    fn keys_keep_their_order_and_text_finds_names() {
        let mut ages: TypedDictionary<StringName, i64> =
            [("b".into(), 1), ("a".into(), 2)].into_iter().collect();
        assert_eq!(ages.insert("b".into(), 3), Some(1));
        assert_eq!(ages.iter().map(|(_, age)| age).collect::<Vec<_>>(), [3, 2]);
        assert_eq!((ages.get("a"), ages.remove("b"), ages.len()), (Some(2), Some(3), 1));
        assert!(!ages.contains_key("b"));
    }
}
