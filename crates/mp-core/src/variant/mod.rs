//! Godot's values: [`Variant`] and what it can hold.

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
/// It owns everything it holds. A `PackedByteArray` is a copy too: values are kept by the game for as long as it likes,
/// and a share of the packet would keep the receive buffer of 48 KiB for the sake of a few bytes.
///
/// `==` is what Godot calls `hash_compare`: types must be equal (`Int(1)` is not `Float(1.0)`, a `String` is no
/// `StringName`), a NaN equals any NaN and `0.0` equals `-0.0`, arrays compare element by element whatever their element
/// type, and dictionaries whatever their order.
///
/// Make one `from` a Rust value, take one apart by `match` or with [`to`](Self::to).
#[derive(Default)]
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
const _: () = assert!(size_of::<Variant>() <= 40);

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

// By hand, as one function with all types would take too much stack for each level of a nested value.
impl Clone for Variant {
    fn clone(&self) -> Self {
        match self {
            Self::Array(array) => Self::Array(array.clone()),
            Self::Dictionary(dictionary) => Self::Dictionary(dictionary.clone()),
            Self::Object(object) => Self::Object(object.clone()),
            _ => self.clone_flat(),
        }
    }
}

impl Variant {
    #[inline(never)]
    fn clone_flat(&self) -> Self {
        match self {
            Self::Nil | Self::Array(_) | Self::Dictionary(_) | Self::Object(_) => Self::Nil,
            Self::Bool(v) => Self::Bool(*v),
            Self::Int(v) => Self::Int(*v),
            Self::Float(v) => Self::Float(*v),
            Self::String(v) => Self::String(v.clone()),
            Self::Vector2(v) => Self::Vector2(*v),
            Self::Vector2i(v) => Self::Vector2i(*v),
            Self::Rect2(v) => Self::Rect2(*v),
            Self::Rect2i(v) => Self::Rect2i(*v),
            Self::Vector3(v) => Self::Vector3(*v),
            Self::Vector3i(v) => Self::Vector3i(*v),
            Self::Transform2D(v) => Self::Transform2D(*v),
            Self::Vector4(v) => Self::Vector4(*v),
            Self::Vector4i(v) => Self::Vector4i(*v),
            Self::Plane(v) => Self::Plane(*v),
            Self::Quaternion(v) => Self::Quaternion(*v),
            Self::Aabb(v) => Self::Aabb(*v),
            Self::Basis(v) => Self::Basis(v.clone()),
            Self::Transform3D(v) => Self::Transform3D(v.clone()),
            Self::Projection(v) => Self::Projection(v.clone()),
            Self::Color(v) => Self::Color(*v),
            Self::StringName(v) => Self::StringName(v.clone()),
            Self::NodePath(v) => Self::NodePath(v.clone()),
            Self::Rid(v) => Self::Rid(*v),
            Self::Callable => Self::Callable,
            Self::Signal { name, object } => Self::Signal { name: name.clone(), object: *object },
            Self::PackedByteArray(v) => Self::PackedByteArray(v.clone()),
            Self::PackedInt32Array(v) => Self::PackedInt32Array(v.clone()),
            Self::PackedInt64Array(v) => Self::PackedInt64Array(v.clone()),
            Self::PackedFloat32Array(v) => Self::PackedFloat32Array(v.clone()),
            Self::PackedFloat64Array(v) => Self::PackedFloat64Array(v.clone()),
            Self::PackedStringArray(v) => Self::PackedStringArray(v.clone()),
            Self::PackedVector2Array(v) => Self::PackedVector2Array(v.clone()),
            Self::PackedVector3Array(v) => Self::PackedVector3Array(v.clone()),
            Self::PackedColorArray(v) => Self::PackedColorArray(v.clone()),
            Self::PackedVector4Array(v) => Self::PackedVector4Array(v.clone()),
        }
    }
}
