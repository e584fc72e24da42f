//! Typed and untyped arrays and dictionaries.
#![expect(clippy::exhaustive_enums, reason = "the kinds of element types are Godot's")]

use std::fmt;
use std::sync::Arc;

use indexmap::IndexMap;

use super::compare::{KeyRef, TextKey};
use super::{Key, StringName, Variant, VariantType};

/// The type of the elements of an array, or of the keys or values of a dictionary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ElementType {
    /// Any value: the container is not typed.
    #[default]
    Any,
    /// Values of one type: `Array[int]`.
    Builtin(VariantType),
    /// Objects of a class: `Array[Node]`. The class is not checked, since objects are only ids
    /// here.
    Class(StringName),
    /// Objects with the script at this `res://` path.
    Script(StringName),
}

impl ElementType {
    /// The class of every object that is encoded as an id. Godot 4.6.3 sends and reads it in place
    /// of any class or script, unless full objects are allowed.
    pub const ENCODED_OBJECT_AS_ID: &'static str = "EncodedObjectAsID";

    /// Returns the type that values must have; `None` if any is accepted.
    pub const fn variant_type(&self) -> Option<VariantType> {
        match self {
            Self::Any => None,
            Self::Builtin(of) => Some(*of),
            Self::Class(_) | Self::Script(_) => Some(VariantType::Object),
        }
    }

    /// Returns the value as a container of this type stores it, [converted](Variant::convert) if
    /// necessary. Nil is accepted as an object.
    ///
    /// # Errors
    ///
    /// If the value cannot be converted to this type.
    pub fn coerce(&self, value: Variant) -> Result<Variant, ElementTypeError> {
        let Some(expected) = self.variant_type() else { return Ok(value) };
        if expected == VariantType::Object && value.is_nil() {
            return Ok(value);
        }
        let got = value.variant_type();
        value.convert(expected).map_err(|_| ElementTypeError { expected: self.clone(), got })
    }
}

impl From<VariantType> for ElementType {
    /// Converts `Nil` to [`Any`](Self::Any), as in Godot.
    fn from(of: VariantType) -> Self {
        if of == VariantType::Nil { Self::Any } else { Self::Builtin(of) }
    }
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("Variant"),
            Self::Builtin(of) => of.fmt(f),
            Self::Class(class) => class.fmt(f),
            Self::Script(path) => write!(f, "Resource({:?})", path.as_str()),
        }
    }
}

/// The error for a value that does not fit a typed container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the container accepts {expected}, got {got}; convert the value first or use an untyped container"
)]
#[non_exhaustive]
pub struct ElementTypeError {
    /// Type that the container accepts.
    pub expected: ElementType,
    /// Type of the value.
    pub got: VariantType,
}

/// An array of values, all of one type if the array is typed.
///
/// Clones share the values until one of them is changed (copy on write). Cloning is cheap, and
/// changing a clone never changes the original, unlike in Godot.
#[derive(Clone, Default)]
pub struct Array(Option<Arc<Elements>>);

#[derive(Clone, Default)]
struct Elements {
    values: Vec<Variant>,
    element_type: ElementType,
}

impl Array {
    /// Returns an empty untyped array.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns an empty array whose elements have one type.
    pub fn typed(element_type: impl Into<ElementType>) -> Self {
        Self::typed_lossy(element_type, Vec::new())
    }

    /// Returns a typed array of those `values` that fit, [converted](ElementType::coerce) if
    /// necessary. Drops the others, as Godot does when it decodes a typed array.
    pub fn typed_lossy(element_type: impl Into<ElementType>, values: Vec<Variant>) -> Self {
        let element_type = element_type.into();
        if element_type == ElementType::Any {
            return values.into();
        }
        let values =
            values.into_iter().filter_map(|value| element_type.coerce(value).ok()).collect();
        Self(Some(Arc::new(Elements { values, element_type })))
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// If the array is typed and the value cannot be converted. Never for an untyped array.
    #[doc(alias = "append")]
    #[doc(alias = "push_back")]
    pub fn push(&mut self, value: impl Into<Variant>) -> Result<(), ElementTypeError> {
        let value = self.element_type().coerce(value.into())?;
        Arc::make_mut(self.0.get_or_insert_default()).values.push(value);
        Ok(())
    }

    /// Returns the type of the elements.
    #[doc(alias = "get_typed_builtin")]
    pub fn element_type(&self) -> &ElementType {
        self.0.as_ref().map_or(&ElementType::Any, |content| &content.element_type)
    }

    /// Returns the number of elements.
    #[doc(alias = "size")]
    pub fn len(&self) -> usize {
        self.as_slice().len()
    }

    /// Returns whether the array is empty.
    pub fn is_empty(&self) -> bool {
        self.as_slice().is_empty()
    }

    /// Returns the element at `index`.
    pub fn get(&self, index: usize) -> Option<&Variant> {
        self.as_slice().get(index)
    }

    /// Returns an iterator over the elements.
    pub fn iter(&self) -> std::slice::Iter<'_, Variant> {
        self.as_slice().iter()
    }

    /// Returns the elements as a slice.
    pub fn as_slice(&self) -> &[Variant] {
        self.0.as_ref().map_or(&[], |content| &content.values)
    }

    /// Returns the elements as a vector, which is not typed.
    pub fn into_vec(self) -> Vec<Variant> {
        self.0.map_or_else(Vec::new, |content| Arc::unwrap_or_clone(content).values)
    }

    pub(super) fn shares(&self, other: &Self) -> bool {
        shared(self.0.as_ref(), other.0.as_ref())
    }
}

impl From<Vec<Variant>> for Array {
    fn from(values: Vec<Variant>) -> Self {
        if values.is_empty() {
            return Self::new();
        }
        Self(Some(Arc::new(Elements { values, element_type: ElementType::Any })))
    }
}

impl<T: Into<Variant>, const N: usize> From<[T; N]> for Array {
    fn from(elements: [T; N]) -> Self {
        elements.into_iter().collect()
    }
}

impl<T: Into<Variant>> FromIterator<T> for Array {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Self::from(values.into_iter().map(Into::into).collect::<Vec<_>>())
    }
}

impl IntoIterator for Array {
    type Item = Variant;
    type IntoIter = std::vec::IntoIter<Variant>;

    fn into_iter(self) -> Self::IntoIter {
        self.into_vec().into_iter()
    }
}

impl<'a> IntoIterator for &'a Array {
    type Item = &'a Variant;
    type IntoIter = std::slice::Iter<'a, Variant>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// A map from keys to values in the order of insertion, of one type each if the dictionary is
/// typed.
///
/// See [`Key`] for how keys compare. The hash has a secret that is random for each process, so that
/// untrusted input cannot cause collisions. Clones share the content until one of them is changed
/// (copy on write).
#[derive(Clone, Default)]
pub struct Dictionary(Option<Arc<Content>>);

#[derive(Clone, Default)]
struct Content {
    entries: IndexMap<Key, Variant>,
    key_type: ElementType,
    value_type: ElementType,
}

impl Dictionary {
    /// Returns an empty untyped dictionary.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Returns an empty dictionary whose keys and values have one type each.
    pub fn typed(key_type: impl Into<ElementType>, value_type: impl Into<ElementType>) -> Self {
        let (key_type, value_type) = (key_type.into(), value_type.into());
        if key_type == ElementType::Any && value_type == ElementType::Any {
            return Self::new();
        }
        Self(Some(Arc::new(Content { entries: IndexMap::new(), key_type, value_type })))
    }

    /// Sets the value of a key and returns the previous value. A key that already exists keeps its
    /// position and its original form.
    ///
    /// # Errors
    ///
    /// If the dictionary is typed and the key or the value cannot be converted. Never for an
    /// untyped dictionary.
    #[doc(alias = "set")]
    pub fn insert(
        &mut self,
        key: impl Into<Variant>,
        value: impl Into<Variant>,
    ) -> Result<Option<Variant>, ElementTypeError> {
        let key = self.key_type().coerce(key.into())?;
        let value = self.value_type().coerce(value.into())?;
        let content = Arc::make_mut(self.0.get_or_insert_default());
        Ok(content.entries.insert(Key(key), value))
    }

    /// Removes a key and returns its value. The order of the other keys stays.
    #[doc(alias = "erase")]
    pub fn remove(&mut self, key: &Variant) -> Option<Variant> {
        Arc::make_mut(self.0.as_mut()?).entries.shift_remove(&KeyRef(key))
    }

    /// Returns the value of a key.
    pub fn get(&self, key: &Variant) -> Option<&Variant> {
        self.0.as_ref()?.entries.get(&KeyRef(key))
    }

    /// Returns the value of a key that is a `String` or a `StringName`.
    pub fn get_text(&self, key: &str) -> Option<&Variant> {
        self.0.as_ref()?.entries.get(&TextKey(key))
    }

    /// Returns whether the key exists.
    #[doc(alias = "has")]
    pub fn contains_key(&self, key: &Variant) -> bool {
        self.get(key).is_some()
    }

    /// Returns the number of keys.
    #[doc(alias = "size")]
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |content| content.entries.len())
    }

    /// Returns whether the dictionary is empty.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the type of the keys.
    #[doc(alias = "get_typed_key_builtin")]
    pub fn key_type(&self) -> &ElementType {
        self.0.as_ref().map_or(&ElementType::Any, |content| &content.key_type)
    }

    /// Returns the type of the values.
    #[doc(alias = "get_typed_value_builtin")]
    pub fn value_type(&self) -> &ElementType {
        self.0.as_ref().map_or(&ElementType::Any, |content| &content.value_type)
    }

    /// Returns an iterator over keys and values, in the order of insertion.
    pub fn iter(&self) -> DictionaryIter<'_> {
        DictionaryIter(match &self.0 {
            Some(content) => content.entries.iter(),
            None => Default::default(),
        })
    }

    pub(super) fn shares(&self, other: &Self) -> bool {
        shared(self.0.as_ref(), other.0.as_ref())
    }
}

impl<K: Into<Variant>, V: Into<Variant>> FromIterator<(K, V)> for Dictionary {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let entries = entries.into_iter().map(|(key, value)| (Key(key.into()), value.into()));
        let entries: IndexMap<_, _> = entries.collect();
        if entries.is_empty() {
            return Self::new();
        }
        Self(Some(Arc::new(Content { entries, ..Content::default() })))
    }
}

impl<K: Into<Variant>, V: Into<Variant>, const N: usize> From<[(K, V); N]> for Dictionary {
    fn from(entries: [(K, V); N]) -> Self {
        entries.into_iter().collect()
    }
}

/// An iterator over the entries of a [`Dictionary`].
#[derive(Clone, Debug)]
pub struct DictionaryIter<'a>(indexmap::map::Iter<'a, Key, Variant>);

impl<'a> Iterator for DictionaryIter<'a> {
    type Item = (&'a Variant, &'a Variant);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key.value(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for DictionaryIter<'_> {}

impl<'a> IntoIterator for &'a Dictionary {
    type Item = (&'a Variant, &'a Variant);
    type IntoIter = DictionaryIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Dictionary {
    type Item = (Variant, Variant);
    type IntoIter = DictionaryIntoIter;

    fn into_iter(self) -> Self::IntoIter {
        let content = self.0.map(Arc::unwrap_or_clone).unwrap_or_default();
        DictionaryIntoIter(content.entries.into_iter())
    }
}

/// An owning iterator over the entries of a [`Dictionary`].
#[derive(Debug)]
pub struct DictionaryIntoIter(indexmap::map::IntoIter<Key, Variant>);

impl Iterator for DictionaryIntoIter {
    type Item = (Variant, Variant);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(Key(key), value)| (key, value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

fn shared<T>(a: Option<&Arc<T>>, b: Option<&Arc<T>>) -> bool {
    matches!((a, b), (Some(a), Some(b)) if Arc::ptr_eq(a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_array_converts_like_godot_and_rejects_other_types() {
        let mut whole = Array::typed(VariantType::Int);
        whole.push(2.0).unwrap();
        assert_eq!(whole.as_slice(), [Variant::Int(2)]);
        let refused = whole.push("2").unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the container accepts int, got String; convert the value first or use an untyped container"
        );
        let mut names = Array::typed(VariantType::StringName);
        names.push("a").unwrap();
        assert_eq!(names.as_slice(), [Variant::StringName("a".into())]);
        let mut nodes = Array::typed(ElementType::Class("Node".into()));
        nodes.push(()).unwrap();
        assert!(nodes.push(1).is_err());
    }

    #[test]
    fn reinserted_key_keeps_its_position_and_takes_the_new_value() {
        let mut dictionary = Dictionary::from([("a", 1), ("b", 2)]);
        assert_eq!(dictionary.insert("a", 3), Ok(Some(Variant::Int(1))));
        assert_eq!(dictionary.to_string(), r#"{ "a": 3, "b": 2 }"#);
        assert_eq!(dictionary.remove(&"a".into()), Some(Variant::Int(3)));
        assert_eq!(dictionary.len(), 1);
    }

    #[test]
    fn string_and_string_name_are_the_same_key_but_int_and_float_are_not() {
        let mut dictionary = Dictionary::new();
        dictionary.insert(StringName::from("a"), 1).unwrap();
        dictionary.insert(1, "int").unwrap();
        dictionary.insert(1.0, "float").unwrap();
        assert_eq!(dictionary.get(&"a".into()), Some(&Variant::Int(1)));
        assert_eq!(dictionary.get_text("a"), Some(&Variant::Int(1)));
        assert_eq!(dictionary.get(&1.into()), Some(&Variant::from("int")));
        assert_eq!(dictionary.get(&1.0.into()), Some(&Variant::from("float")));
    }

    #[test]
    fn nans_are_one_key_and_zeros_are_one_key() {
        let mut dictionary = Dictionary::new();
        dictionary.insert(f64::NAN, 1).unwrap();
        dictionary.insert(0.0, 2).unwrap();
        assert_eq!(dictionary.get(&(-f64::NAN).into()), Some(&Variant::Int(1)));
        assert_eq!(dictionary.get(&(-0.0).into()), Some(&Variant::Int(2)));
    }

    #[test]
    fn containers_as_keys_compare_by_content() {
        let mut dictionary = Dictionary::new();
        dictionary.insert(Array::from([1, 2]), "array").unwrap();
        dictionary.insert(Dictionary::from([(1, 2), (3, 4)]), "dictionary").unwrap();
        assert!(dictionary.contains_key(&Array::from([1, 2]).into()));
        assert!(!dictionary.contains_key(&Array::from([2, 1]).into()));
        dictionary.insert(Array::from(["a"]), "texts").unwrap();
        assert!(!dictionary.contains_key(&Array::from([StringName::from("a")]).into()));
        assert!(dictionary.contains_key(&Dictionary::from([(1, 2), (3, 4)]).into()));
        assert!(!dictionary.contains_key(&Dictionary::from([(3, 4), (1, 2)]).into()));
    }

    #[test]
    fn equality_ignores_the_order_of_dictionaries_and_the_types_of_containers() {
        assert_eq!(Dictionary::from([(1, 2), (3, 4)]), Dictionary::from([(3, 4), (1, 2)]));
        assert_ne!(Dictionary::from([(1, 2)]), Dictionary::from([(1, 3)]));
        assert_eq!(Array::typed(VariantType::Int), Array::new());
        assert_ne!(Variant::from("a"), Variant::from(StringName::from("a")));
        assert_ne!(Variant::from(1), Variant::from(1.0));
        assert_eq!(Variant::from(vec![f32::NAN, 0.0]), Variant::from(vec![f32::NAN, -0.0]));
    }
}
