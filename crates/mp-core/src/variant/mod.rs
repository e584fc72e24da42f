//! Godot's values: [`Variant`] and the types it holds.
#![expect(
    clippy::exhaustive_enums,
    reason = "the types are Godot's, and programs match on all of them"
)]

mod angles;
mod color_ops;
mod compare;
mod container;
mod convert;
mod debug;
mod float_ops;
mod geometry;
#[cfg(feature = "glam-034")]
mod glam;
mod literal;
mod math;
#[cfg(feature = "mint")]
mod mint;
mod object;
mod print;
mod rotation;
mod shapes;
mod string_name;
mod transforms;
mod typed_array;
mod typed_dictionary;
mod types;

pub use compare::Key;
pub use container::{
    Array, Dictionary, DictionaryIntoIter, DictionaryIter, ElementType, ElementTypeError,
};
pub use convert::{FromVariant, FromVariantError};
pub use geometry::{
    Aabb, Basis, Color, Plane, Projection, Quaternion, Rect2, Rect2i, Transform2D, Transform3D,
};
pub use math::{Components, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i, same};
pub use object::{FullObject, Object};
pub use string_name::StringName;
pub use typed_array::{TypedArray, TypedElement};
pub use typed_dictionary::{TypedDictionary, TypedDictionaryIter};
pub use types::VariantType;

use crate::NodePath;

/// Any value that Godot can send.
///
/// Construct a variant with `from` a Rust value. Read one by `match` or with [`to`](Self::to).
///
/// Clones of a container share its content until one of them is changed, so cloning is cheap except
/// for strings and packed arrays. No value shares memory with a packet, not even a
/// `PackedByteArray`: a few bytes that the game keeps must not keep a receive buffer of 48 KiB
/// alive.
///
/// # Matching
///
/// `match` distinguishes the types that a script may pass. Values are untrusted input, so each arm
/// checks its content, and `_` rejects all other types:
///
/// ```
/// use mp_core::{Variant, array, dict};
///
/// /// Returns name and count of a stack of items: `"bow"`, `["bow", 12]`, or
/// /// `{ "item": "bow", "count": 12 }`.
/// fn stack(value: &Variant) -> Option<(&str, i64)> {
///     match value {
///         // A name may be a String or a StringName: `as_str` reads both.
///         Variant::String(_) | Variant::StringName(_) => Some((value.as_str()?, 1)),
///         Variant::Array(parts) => match parts.as_slice() {
///             [name, Variant::Int(count @ 1..=99)] => Some((name.as_str()?, *count)),
///             _ => None,
///         },
///         // `get_text` finds keys that are String or StringName.
///         Variant::Dictionary(parts) => match parts.get_text("count") {
///             Some(Variant::Int(count @ 1..=99)) => {
///                 Some((parts.get_text("item")?.as_str()?, *count))
///             }
///             _ => None,
///         },
///         _ => None,
///     }
/// }
///
/// assert_eq!(stack(&"bow".into()), Some(("bow", 1)));
/// assert_eq!(stack(&array!["bow", 12].into()), Some(("bow", 12)));
/// assert_eq!(stack(&array!["bow", 100].into()), None);
/// assert_eq!(stack(&dict! { "item" => "bow", "count" => 3 }.into()), Some(("bow", 3)));
/// assert_eq!(stack(&Variant::Nil), None);
/// ```
///
/// A pattern does not convert: `Variant::Int(_)` does not match the `Float` of a script that parses
/// JSON. [`to`](Self::to) converts as Godot does for a typed parameter, and
/// `derive(FromVariant)` of the crate `mp` does so for structs and enums.
///
/// ```
/// # use mp_core::Variant;
/// assert!(!matches!(Variant::from(2.0), Variant::Int(_)));
/// assert_eq!(Variant::from(2.0).to(), Ok(2i64));
/// ```
///
/// # Equality
///
/// `==` follows Godot's `hash_compare`:
///
/// * Types must be equal: `Int(1)` is not `Float(1.0)`, and a `String` is not a `StringName`.
/// * `0.0` equals `-0.0`. A NaN equals any NaN, so that every value equals itself. Godot's NaNs
///   differ within containers.
/// * Arrays compare by element regardless of their element type, dictionaries regardless of their
///   order.
#[derive(Clone, Default)]
pub enum Variant {
    /// `null`.
    #[default]
    Nil,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating-point number.
    Float(f64),
    /// A string.
    String(String),
    /// A vector in 2D.
    Vector2(Vector2),
    /// A vector in 2D with integer components.
    Vector2i(Vector2i),
    /// A rectangle.
    Rect2(Rect2),
    /// A rectangle with integer coordinates.
    Rect2i(Rect2i),
    /// A vector in 3D.
    Vector3(Vector3),
    /// A vector in 3D with integer components.
    Vector3i(Vector3i),
    /// A transform in 2D.
    Transform2D(Transform2D),
    /// A vector of four components.
    Vector4(Vector4),
    /// A vector of four integer components.
    Vector4i(Vector4i),
    /// A plane in 3D.
    Plane(Plane),
    /// A rotation in 3D.
    Quaternion(Quaternion),
    /// An axis-aligned box in 3D.
    Aabb(Aabb),
    /// A 3×3 matrix.
    Basis(Box<Basis>),
    /// A transform in 3D.
    Transform3D(Box<Transform3D>),
    /// A 4×4 matrix.
    Projection(Box<Projection>),
    /// A color.
    Color(Color),
    /// A name.
    StringName(StringName),
    /// A path to a node or a property.
    NodePath(NodePath),
    /// The id of a resource of an engine server. It is valid only within one process.
    Rid(u64),
    /// An object, by its id or, if both peers allow it, by its content.
    Object(Object),
    /// A method of an object. Godot encodes every `Callable` as the null one, so only that exists
    /// here.
    Callable,
    /// A signal of an object. The null signal has no name and object 0.
    Signal {
        /// Name of the signal.
        name: StringName,
        /// Instance id of the object in the sender's process.
        object: u64,
    },
    /// A dictionary.
    Dictionary(Dictionary),
    /// An array.
    Array(Array),
    /// Bytes.
    PackedByteArray(Vec<u8>),
    /// 32-bit integers.
    PackedInt32Array(Vec<i32>),
    /// 64-bit integers.
    PackedInt64Array(Vec<i64>),
    /// 32-bit floating-point numbers.
    PackedFloat32Array(Vec<f32>),
    /// 64-bit floating-point numbers.
    PackedFloat64Array(Vec<f64>),
    /// Strings.
    PackedStringArray(Vec<String>),
    /// Vectors in 2D.
    PackedVector2Array(Vec<Vector2>),
    /// Vectors in 3D.
    PackedVector3Array(Vec<Vector3>),
    /// Colors.
    PackedColorArray(Vec<Color>),
    /// Vectors of four components.
    PackedVector4Array(Vec<Vector4>),
}

// A nil in an array is 4 bytes on the wire but this size in memory, which bounds amplification.
const _: () = assert!(size_of::<Variant>() <= 32);

impl Variant {
    /// Returns the type of the value.
    #[doc(alias = "typeof")]
    #[doc(alias = "get_type")]
    pub const fn variant_type(&self) -> VariantType {
        match self {
            Self::Nil => VariantType::Nil,
            Self::Bool(_) => VariantType::Bool,
            Self::Int(_) => VariantType::Int,
            Self::Float(_) => VariantType::Float,
            Self::String(_) => VariantType::String,
            Self::Vector2(_) => VariantType::Vector2,
            Self::Vector2i(_) => VariantType::Vector2i,
            Self::Rect2(_) => VariantType::Rect2,
            Self::Rect2i(_) => VariantType::Rect2i,
            Self::Vector3(_) => VariantType::Vector3,
            Self::Vector3i(_) => VariantType::Vector3i,
            Self::Transform2D(_) => VariantType::Transform2D,
            Self::Vector4(_) => VariantType::Vector4,
            Self::Vector4i(_) => VariantType::Vector4i,
            Self::Plane(_) => VariantType::Plane,
            Self::Quaternion(_) => VariantType::Quaternion,
            Self::Aabb(_) => VariantType::Aabb,
            Self::Basis(_) => VariantType::Basis,
            Self::Transform3D(_) => VariantType::Transform3D,
            Self::Projection(_) => VariantType::Projection,
            Self::Color(_) => VariantType::Color,
            Self::StringName(_) => VariantType::StringName,
            Self::NodePath(_) => VariantType::NodePath,
            Self::Rid(_) => VariantType::Rid,
            Self::Object(_) => VariantType::Object,
            Self::Callable => VariantType::Callable,
            Self::Signal { .. } => VariantType::Signal,
            Self::Dictionary(_) => VariantType::Dictionary,
            Self::Array(_) => VariantType::Array,
            Self::PackedByteArray(_) => VariantType::PackedByteArray,
            Self::PackedInt32Array(_) => VariantType::PackedInt32Array,
            Self::PackedInt64Array(_) => VariantType::PackedInt64Array,
            Self::PackedFloat32Array(_) => VariantType::PackedFloat32Array,
            Self::PackedFloat64Array(_) => VariantType::PackedFloat64Array,
            Self::PackedStringArray(_) => VariantType::PackedStringArray,
            Self::PackedVector2Array(_) => VariantType::PackedVector2Array,
            Self::PackedVector3Array(_) => VariantType::PackedVector3Array,
            Self::PackedColorArray(_) => VariantType::PackedColorArray,
            Self::PackedVector4Array(_) => VariantType::PackedVector4Array,
        }
    }

    /// Returns whether the value is [`Variant::Nil`].
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// Converts the value to a Rust type, by the rules of [`FromVariant`].
    ///
    /// # Errors
    ///
    /// If Godot would not accept it for a parameter of that type.
    pub fn to<T: FromVariant>(self) -> Result<T, FromVariantError> {
        T::from_variant(self)
    }

    /// Returns the text of a `String` or a `StringName`.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text) => Some(text),
            Self::StringName(name) => Some(name),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    /// Half of the default stack of an actix arbiter or a Rust thread; callers need the rest.
    const STACK: usize = 1024 * 1024;

    /// Maximum nesting depth of a decoded value.
    const DEPTH: usize = 1024;

    fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
        std::thread::Builder::new().stack_size(STACK).spawn(test).unwrap().join().unwrap();
    }

    fn nested(wrap: impl Fn(Variant) -> Variant) -> Variant {
        (0..DEPTH).fold(Variant::Int(1), |value, _| wrap(value))
    }

    fn handle(value: Variant) {
        let copy = value.clone();
        assert_eq!(value, copy);
        let shown = format!("{value:?}");
        assert!(value.to_string().len() < 16 * 1024);
        assert!(shown.contains("...") && shown.len() < 16 * 1024);
        let key = Dictionary::from([(value.clone(), 1)]);
        assert!(key.contains_key(&copy));
        drop(value);
    }

    #[test]
    fn deep_arrays_are_handled_on_a_small_stack() {
        on_a_small_stack(|| handle(nested(|value| Array::from([value]).into())));
    }

    #[test]
    fn deep_dictionaries_are_handled_on_a_small_stack() {
        on_a_small_stack(|| handle(nested(|value| Dictionary::from([("k", value)]).into())));
    }

    #[test]
    fn deep_objects_are_handled_on_a_small_stack() {
        on_a_small_stack(|| {
            handle(nested(|value| {
                let properties = vec![("p".into(), value)];
                Object::Full(Arc::new(FullObject { class: "C".into(), properties })).into()
            }));
        });
    }
}
