//! Strictly typed comparison of values, and constructors of typed containers.

use std::fmt;

use mp_core::variant::{Array, Dictionary, Object};
use mp_core::{Variant, VariantType};

/// A value that equals only values of the same types throughout: an `Array[int]` differs from an
/// `Array`, and dictionaries keep their order. Object ids are valid on their sender only, so any
/// object equals any other.
#[derive(Clone)]
pub(crate) struct Exact(pub(crate) Variant);

impl Exact {
    /// Wraps each of `values`.
    pub(crate) fn list(values: impl IntoIterator<Item = Variant>) -> Vec<Self> {
        values.into_iter().map(Self).collect()
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        same(&self.0, &other.0)
    }
}

impl<T: Into<Variant>> From<T> for Exact {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}

impl fmt::Debug for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.variant_type(), self.0)
    }
}

/// Creates a typed array.
pub(crate) fn array<T: Into<Variant>, const N: usize>(
    of: VariantType,
    elements: [T; N],
) -> Variant {
    let mut array = Array::typed(of);
    for element in elements {
        array.push(element).expect("elements of the array's type");
    }
    array.into()
}

/// Creates a typed dictionary; `Nil` means any type.
pub(crate) fn dictionary<K: Into<Variant>, V: Into<Variant>, const N: usize>(
    key: VariantType,
    value: VariantType,
    entries: [(K, V); N],
) -> Variant {
    let mut dictionary = Dictionary::typed(key, value);
    for (key, value) in entries {
        dictionary.insert(key, value).expect("entries of the dictionary's types");
    }
    dictionary.into()
}

fn same(a: &Variant, b: &Variant) -> bool {
    match (a, b) {
        (Variant::Array(a), Variant::Array(b)) => {
            a.element_type() == b.element_type()
                && a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| same(a, b))
        }
        (Variant::Dictionary(a), Variant::Dictionary(b)) => {
            a.key_type() == b.key_type()
                && a.value_type() == b.value_type()
                && a.len() == b.len()
                && a.iter().zip(b.iter()).all(|(a, b)| same(a.0, b.0) && same(a.1, b.1))
        }
        (Variant::Object(Object::Id(a)), Variant::Object(Object::Id(b))) => (*a == 0) == (*b == 0),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_order_are_compared() {
        let exact = |value: Variant| Exact(value);
        assert_ne!(exact(1.into()), exact(1.0.into()));
        assert_ne!(exact(Array::new().into()), exact(Array::typed(VariantType::Int).into()));
        let nested = |array: Array| exact(Array::from([array]).into());
        assert_ne!(nested(Array::new()), nested(Array::typed(VariantType::Int)));
        assert_ne!(
            exact(Dictionary::from([(1, 2), (3, 4)]).into()),
            exact(Dictionary::from([(3, 4), (1, 2)]).into())
        );
        assert_ne!(
            exact(Dictionary::new().into()),
            exact(Dictionary::typed(VariantType::Int, VariantType::Nil).into())
        );
    }

    #[test]
    fn an_object_equals_any_other_object_but_not_null() {
        assert_eq!(Exact::from(Object::Id(1)), Exact::from(Object::Id(2)));
        assert_ne!(Exact::from(Object::Id(1)), Exact::from(Object::NULL));
    }
}
