//! [`TypedArray`]: Godot's `Array[int]` and the like.

use std::ops::{Deref, DerefMut};

use super::{Array, ElementType, FromVariant, FromVariantError, Variant};

/// A Rust type of the elements of a typed container.
pub trait TypedElement: Clone + FromVariant + Into<Variant> {
    /// Returns Godot's type of the elements; [`ElementType::Any`] for [`Variant`].
    fn element_type() -> ElementType;
}

/// An array whose elements have one type: `TypedArray<i64>` is Godot's `Array[int]`.
///
/// It is a vector, which it dereferences to. As an argument or property it is sent with its element
/// type, and accepts only arrays of exactly this type, as a GDScript parameter `Array[int]` does. A
/// `Vec<i64>` is another type: Godot's `PackedInt64Array`.
///
/// ```
/// use mp_core::Variant;
/// use mp_core::variant::TypedArray;
///
/// let mut scores = TypedArray::from([3, 5]);
/// scores.push(8);
/// let sent = Variant::from(scores.clone());
/// assert_eq!(sent.clone().to::<TypedArray<i64>>(), Ok(scores));
/// assert!(sent.to::<TypedArray<String>>().is_err());
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TypedArray<T>(Vec<T>);

impl<T> TypedArray<T> {
    /// Returns an empty array.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the elements.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> Deref for TypedArray<T> {
    type Target = Vec<T>;

    fn deref(&self) -> &Vec<T> {
        &self.0
    }
}

impl<T> DerefMut for TypedArray<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.0
    }
}

impl<T> From<Vec<T>> for TypedArray<T> {
    fn from(elements: Vec<T>) -> Self {
        Self(elements)
    }
}

impl<T, const N: usize> From<[T; N]> for TypedArray<T> {
    fn from(elements: [T; N]) -> Self {
        Self(elements.into())
    }
}

impl<T> FromIterator<T> for TypedArray<T> {
    fn from_iter<I: IntoIterator<Item = T>>(elements: I) -> Self {
        Self(elements.into_iter().collect())
    }
}

impl<T> IntoIterator for TypedArray<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a TypedArray<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: TypedElement> From<TypedArray<T>> for Array {
    fn from(array: TypedArray<T>) -> Self {
        let values = array.0.into_iter().map(Into::into).collect();
        Self::typed_lossy(T::element_type(), values)
    }
}

impl<T: TypedElement> From<TypedArray<T>> for Variant {
    fn from(array: TypedArray<T>) -> Self {
        Self::Array(array.into())
    }
}

/// Accepts arrays of exactly this element type; see [`Array::expect_type`].
impl<T: TypedElement> FromVariant for TypedArray<T> {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        let array = Array::from_variant(value)?.expect_type(&T::element_type())?;
        array.into_iter().map(T::from_variant).collect()
    }
}

impl TypedElement for Variant {
    fn element_type() -> ElementType {
        ElementType::Any
    }
}

/// Implements [`TypedElement`] for the types of a variant.
macro_rules! elements {
    ($($variant:ident: $($type:ty),+;)+) => {
        $($(
            impl TypedElement for $type {
                fn element_type() -> ElementType {
                    ElementType::Builtin(super::VariantType::$variant)
                }
            }
        )+)+
    };
}

elements! {
    Bool: bool;
    Int: i8, i16, i32, i64, u8, u16, u32, crate::PeerId;
    Float: f32, f64;
    String: String;
    Vector2: super::Vector2;
    Vector2i: super::Vector2i;
    Rect2: super::Rect2;
    Rect2i: super::Rect2i;
    Vector3: super::Vector3;
    Vector3i: super::Vector3i;
    Transform2D: super::Transform2D;
    Vector4: super::Vector4;
    Vector4i: super::Vector4i;
    Plane: super::Plane;
    Quaternion: super::Quaternion;
    Aabb: super::Aabb;
    Basis: super::Basis;
    Transform3D: super::Transform3D;
    Projection: super::Projection;
    Color: super::Color;
    StringName: super::StringName;
    NodePath: crate::NodePath;
    Dictionary: super::Dictionary;
    Array: Array;
    PackedByteArray: Vec<u8>;
    PackedInt32Array: Vec<i32>;
    PackedInt64Array: Vec<i64>;
    PackedFloat32Array: Vec<f32>;
    PackedFloat64Array: Vec<f64>;
    PackedStringArray: Vec<String>;
    PackedVector2Array: Vec<super::Vector2>;
    PackedVector3Array: Vec<super::Vector3>;
    PackedColorArray: Vec<super::Color>;
    PackedVector4Array: Vec<super::Vector4>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::VariantType;

    #[test]
    fn elements_are_sent_with_their_type() {
        let sent = Variant::from(TypedArray::from([1i32, 2]));
        let Variant::Array(array) = &sent else { panic!("{sent:?}") };
        assert_eq!(*array.element_type(), ElementType::Builtin(VariantType::Int));
        assert_eq!(format!("{sent:?}"), "Array[int]([1, 2])");
        assert_eq!(format!("{:?}", Variant::from(TypedArray::<Variant>::new())), "[]");
    }

    #[test]
    fn only_the_exact_element_type_is_accepted() {
        let untyped = Variant::from(Array::from([1, 2]));
        let error = untyped.clone().to::<TypedArray<i64>>().unwrap_err();
        assert_eq!(error.to_string(), "expected Array[int], got Array[Variant]");
        assert_eq!(untyped.to::<TypedArray<Variant>>().unwrap().len(), 2);
        let large = Variant::from(TypedArray::from([300i64]));
        assert!(large.to::<TypedArray<u8>>().is_err());
    }
}
