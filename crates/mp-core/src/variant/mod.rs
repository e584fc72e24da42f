//! Godot's values: [`Variant`] and what it can hold.
#![expect(
    clippy::exhaustive_enums,
    reason = "Godot lists the types, and programs match on all of them"
)]

mod compare;
mod container;
mod convert;
mod display;
mod geometry;
mod math;
mod object;
mod string_name;
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
pub use types::VariantType;

use crate::NodePath;

/// Any value that Godot can send.
///
/// Copies of a container share its content until one of them is changed, so that cloning a value is cheap but for packed
/// arrays and texts. Nothing is shared with a packet, not even by a `PackedByteArray`: values are kept by the game for as
/// long as it likes, and a few bytes must not keep a receive buffer of 48 KiB.
///
/// `==` follows Godot's `hash_compare`: types must be equal (`Int(1)` is not `Float(1.0)`, a `String` is no `StringName`),
/// `0.0` equals `-0.0`, arrays compare element by element whatever their element type, and dictionaries whatever their
/// order. A NaN equals any NaN, so that every value equals itself; in Godot that is so everywhere but within containers.
///
/// Make one `from` a Rust value, take one apart by `match` or with [`to`](Self::to).
#[derive(Clone, Default)]
pub enum Variant {
    /// `null`.
    #[default]
    Nil,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    String(String),
    /// A point or direction in the plane.
    Vector2(Vector2),
    /// A cell of a grid.
    Vector2i(Vector2i),
    /// A rectangle.
    Rect2(Rect2),
    /// A rectangle of cells.
    Rect2i(Rect2i),
    /// A point or direction in space.
    Vector3(Vector3),
    /// A cell of a grid in space.
    Vector3i(Vector3i),
    /// Position, rotation, scale and skew in the plane.
    Transform2D(Transform2D),
    /// Four numbers.
    Vector4(Vector4),
    /// Four whole numbers.
    Vector4i(Vector4i),
    /// A plane in space.
    Plane(Plane),
    /// A rotation in space.
    Quaternion(Quaternion),
    /// A box in space.
    Aabb(Aabb),
    /// Rotation, scale and shear in space.
    Basis(Box<Basis>),
    /// Position, rotation, scale and shear in space.
    Transform3D(Box<Transform3D>),
    /// A 4×4 matrix.
    Projection(Box<Projection>),
    /// A colour.
    Color(Color),
    /// A name.
    StringName(StringName),
    /// The way to a node or a property.
    NodePath(NodePath),
    /// A resource of a server of the engine; means something only within one process.
    Rid(u64),
    /// An object, by its id or, if both sides allow it, by its content.
    Object(Object),
    /// A method of an object. Godot sends nothing of it, so that only the null Callable exists here.
    Callable,
    /// A signal of an object; the null Signal has no name and object 0.
    Signal {
        /// Name of the signal.
        name: StringName,
        /// Id of the object within the process of the sender.
        object: u64,
    },
    /// Keys and values, in the order of insertion.
    Dictionary(Dictionary),
    /// Values.
    Array(Array),
    /// Bytes.
    PackedByteArray(Vec<u8>),
    /// Whole numbers of 32 bits.
    PackedInt32Array(Vec<i32>),
    /// Whole numbers of 64 bits.
    PackedInt64Array(Vec<i64>),
    /// Numbers of 32 bits.
    PackedFloat32Array(Vec<f32>),
    /// Numbers of 64 bits.
    PackedFloat64Array(Vec<f64>),
    /// Texts.
    PackedStringArray(Vec<String>),
    /// Points in the plane.
    PackedVector2Array(Vec<Vector2>),
    /// Points in space.
    PackedVector3Array(Vec<Vector3>),
    /// Colours.
    PackedColorArray(Vec<Color>),
    /// Quadruples of numbers.
    PackedVector4Array(Vec<Vector4>),
}

// An array of nils is 4 bytes each on the wire: what a stranger's packet costs grows with this size.
const _: () = assert!(size_of::<Variant>() <= 32);

impl Variant {
    /// Its type.
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

    /// Whether it is [`Variant::Nil`].
    pub const fn is_nil(&self) -> bool {
        matches!(self, Self::Nil)
    }

    /// The value as a Rust type, by the rules of [`FromVariant`].
    ///
    /// # Errors
    ///
    /// When Godot would not pass it to a parameter of that type.
    pub fn to<T: FromVariant>(self) -> Result<T, FromVariantError> {
        T::from_variant(self)
    }

    /// The text of a `String` or a `StringName`.
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

    /// Half of what actix gives its arbiters and Rust its threads: the rest is for those who call.
    const STACK: usize = 1024 * 1024;

    /// What may be nested in a value from the wire.
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
        let shown = value.to_string();
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
