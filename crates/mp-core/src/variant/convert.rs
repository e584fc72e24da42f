//! Conversion between Rust types and [`Variant`].

use super::{
    Aabb, Array, Basis, Color, Dictionary, Object, Plane, Projection, Quaternion, Rect2, Rect2i,
    StringName, Transform2D, Transform3D, Variant, VariantType, Vector2, Vector2i, Vector3,
    Vector3i, Vector4, Vector4i,
};
use crate::{NodePath, PeerId};

/// A Rust type that a [`Variant`] converts to, by the rules for an argument of a typed GDScript
/// parameter (see [`Variant::convert`]). Integers must also be in the range of the Rust type.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be converted from a `Variant`",
    label = "not a value of Godot",
    note = "derive ToVariant and FromVariant for `{Self}`, or use a Dictionary"
)]
pub trait FromVariant: Sized {
    /// Converts `value`.
    ///
    /// # Errors
    ///
    /// If the value has another type or is out of range.
    fn from_variant(value: Variant) -> Result<Self, FromVariantError>;

    /// Returns the value for an argument that a call omits. Only `Option` has one: it stands for a
    /// parameter with a default.
    fn absent() -> Option<Self> {
        None
    }
}

/// The error of a conversion from [`Variant`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FromVariantError {
    /// The value has another type, which Godot would not convert.
    #[error("expected {expected}, got {got}")]
    Type {
        /// Requested type.
        expected: VariantType,
        /// Type of the value.
        got: VariantType,
    },
    /// The integer is out of range.
    #[error("int {got} is out of range for {expected}")]
    Range {
        /// Requested Rust type.
        expected: &'static str,
        /// The integer.
        got: i64,
    },
    /// A dictionary lacks a key, or an array an element, of a type that is made of several values.
    #[error("{of} needs {key:?}")]
    Missing {
        /// Requested type.
        of: &'static str,
        /// The key, or the index of the element.
        key: String,
    },
    /// The value is no variant of an enum.
    #[error("{of} has no variant {got}")]
    NoVariant {
        /// Requested type.
        of: &'static str,
        /// The value, of which at most 64 characters are kept.
        got: String,
    },
    /// A value in a dictionary or array does not convert.
    #[error("{key}: {source}")]
    Part {
        /// The key, or the index of the element.
        key: String,
        /// The reason.
        source: Box<Self>,
    },
    /// A typed array or dictionary does not have exactly the requested type.
    #[error("expected {expected}, got {got}")]
    Typed {
        /// Requested type, such as `Array[int]`.
        expected: String,
        /// Type of the value.
        got: String,
    },
}

impl Variant {
    /// Converts the value as Godot 4.6.3 converts an argument for a typed parameter or an element
    /// for a typed array.
    ///
    /// * `bool`, `int` and `float` convert to one another.
    /// * `String` converts to and from `StringName` and `NodePath`.
    /// * Vectors and rectangles convert to and from their integer types.
    /// * Rotations and transforms convert where the target can represent them.
    /// * `Array` converts to packed arrays.
    /// * All other values must have the requested type.
    ///
    /// Some conversions of Godot are rejected here: `String` or `int` to `Color`, `Basis` to
    /// `Quaternion`, a packed array to `Array`, an object to `RID`, and a packed array with zeros
    /// in place of elements that do not convert.
    ///
    /// # Errors
    ///
    /// If the value cannot be converted to the type.
    pub fn convert(self, to: VariantType) -> Result<Self, FromVariantError> {
        use VariantType as T;
        let got = self.variant_type();
        if got == to {
            return Ok(self);
        }
        Ok(match (self, to) {
            (Self::Int(v), T::Bool) => Self::Bool(v != 0),
            (Self::Float(v), T::Bool) => Self::Bool(v != 0.0),
            (Self::Bool(v), T::Int) => Self::Int(v.into()),
            // Truncates, saturates, and maps NaN to 0. In Godot out-of-range results depend on the
            // CPU.
            (Self::Float(v), T::Int) => Self::Int(v as i64),
            (Self::Bool(v), T::Float) => Self::Float(u8::from(v).into()),
            (Self::Int(v), T::Float) => Self::Float(v as f64),
            (Self::StringName(v), T::String) => Self::String(v.into()),
            (Self::NodePath(v), T::String) => Self::String(v.to_string()),
            (Self::String(v), T::StringName) => Self::StringName(v.into()),
            (Self::String(v), T::NodePath) => Self::NodePath(v.into()),
            (Self::Vector2(v), T::Vector2i) => Self::Vector2i(v.into()),
            (Self::Vector2i(v), T::Vector2) => Self::Vector2(v.into()),
            (Self::Vector3(v), T::Vector3i) => Self::Vector3i(v.into()),
            (Self::Vector3i(v), T::Vector3) => Self::Vector3(v.into()),
            (Self::Vector4(v), T::Vector4i) => Self::Vector4i(v.into()),
            (Self::Vector4i(v), T::Vector4) => Self::Vector4(v.into()),
            (Self::Rect2(v), T::Rect2i) => Self::Rect2i(v.into()),
            (Self::Rect2i(v), T::Rect2) => Self::Rect2(v.into()),
            (Self::Transform2D(v), T::Transform3D) => Transform3D::from(v).into(),
            (Self::Transform3D(v), T::Transform2D) => Transform2D::from(*v).into(),
            (Self::Quaternion(v), T::Basis) => Basis::from(v).into(),
            (Self::Quaternion(v), T::Transform3D) => Transform3D::from(Basis::from(v)).into(),
            (Self::Basis(v), T::Transform3D) => Transform3D::from(*v).into(),
            (Self::Projection(v), T::Transform3D) => Transform3D::from(*v).into(),
            (Self::Transform3D(v), T::Projection) => Projection::from(*v).into(),
            (Self::Nil, T::Object) => Self::Object(Object::NULL),
            (Self::Array(v), T::PackedByteArray) => Self::PackedByteArray(bytes(v)?),
            (Self::Array(v), T::PackedInt32Array) => Self::PackedInt32Array(ints(v)?),
            (Self::Array(v), T::PackedInt64Array) => Self::PackedInt64Array(pack(v)?),
            (Self::Array(v), T::PackedFloat32Array) => Self::PackedFloat32Array(pack(v)?),
            (Self::Array(v), T::PackedFloat64Array) => Self::PackedFloat64Array(pack(v)?),
            (Self::Array(v), T::PackedStringArray) => Self::PackedStringArray(pack(v)?),
            (Self::Array(v), T::PackedVector2Array) => Self::PackedVector2Array(pack(v)?),
            (Self::Array(v), T::PackedVector3Array) => Self::PackedVector3Array(pack(v)?),
            (Self::Array(v), T::PackedColorArray) => Self::PackedColorArray(pack(v)?),
            (Self::Array(v), T::PackedVector4Array) => Self::PackedVector4Array(pack(v)?),
            _ => return Err(FromVariantError::Type { expected: to, got }),
        })
    }
}

fn pack<T: FromVariant>(array: Array) -> Result<Vec<T>, FromVariantError> {
    array.into_iter().map(T::from_variant).collect()
}

/// Converts integers to their lower 32 bits.
fn ints(array: Array) -> Result<Vec<i32>, FromVariantError> {
    array.into_iter().map(|value| i64::from_variant(value).map(|int| int as i32)).collect()
}

fn bytes(array: Array) -> Result<Vec<u8>, FromVariantError> {
    array.into_iter().map(|value| i64::from_variant(value).map(|int| int as u8)).collect()
}

impl FromVariant for Variant {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        Ok(value)
    }
}

/// Converts nil to `None`.
impl<T: FromVariant> FromVariant for Option<T> {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        if value.is_nil() { Ok(None) } else { T::from_variant(value).map(Some) }
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

macro_rules! value {
    ($($type:ty: $variant:ident $($boxed:ident)?),+ $(,)?) => {
        $(
            impl From<$type> for Variant {
                fn from(value: $type) -> Self {
                    value!(@wrap $variant value $($boxed)?)
                }
            }

            impl FromVariant for $type {
                fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
                    // Usually the value has the type already.
                    let value = match value {
                        Variant::$variant(value) => return Ok(value!(@open value $($boxed)?)),
                        other => other.convert(VariantType::$variant)?,
                    };
                    match value {
                        Variant::$variant(value) => Ok(value!(@open value $($boxed)?)),
                        other => Err(FromVariantError::Type {
                            expected: VariantType::$variant,
                            got: other.variant_type(),
                        }),
                    }
                }
            }
        )+
    };
    (@wrap $variant:ident $value:ident boxed) => { Self::$variant(Box::new($value)) };
    (@wrap $variant:ident $value:ident) => { Self::$variant($value) };
    (@open $value:ident boxed) => { *$value };
    (@open $value:ident) => { $value };
}

value!(
    bool: Bool,
    i64: Int,
    f64: Float,
    String: String,
    Vector2: Vector2,
    Vector2i: Vector2i,
    Rect2: Rect2,
    Rect2i: Rect2i,
    Vector3: Vector3,
    Vector3i: Vector3i,
    Transform2D: Transform2D,
    Vector4: Vector4,
    Vector4i: Vector4i,
    Plane: Plane,
    Quaternion: Quaternion,
    Aabb: Aabb,
    Basis: Basis boxed,
    Transform3D: Transform3D boxed,
    Projection: Projection boxed,
    Color: Color,
    StringName: StringName,
    NodePath: NodePath,
    Object: Object,
    Dictionary: Dictionary,
    Array: Array,
    Vec<u8>: PackedByteArray,
    Vec<i32>: PackedInt32Array,
    Vec<i64>: PackedInt64Array,
    Vec<f32>: PackedFloat32Array,
    Vec<f64>: PackedFloat64Array,
    Vec<String>: PackedStringArray,
    Vec<Vector2>: PackedVector2Array,
    Vec<Vector3>: PackedVector3Array,
    Vec<Color>: PackedColorArray,
    Vec<Vector4>: PackedVector4Array,
);

macro_rules! integer {
    ($($type:ident),+) => {
        $(
            impl From<$type> for Variant {
                fn from(value: $type) -> Self {
                    Self::Int(value.into())
                }
            }

            impl FromVariant for $type {
                fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
                    integer(value, stringify!($type))
                }
            }
        )+
    };
}

integer!(i8, i16, i32, u8, u16, u32);

// No `From` for `u64` and `usize`: not all of their values fit Godot's int.
impl FromVariant for u64 {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        integer(value, "u64")
    }
}

impl FromVariant for usize {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        integer(value, "usize")
    }
}

/// Returns Godot's int of a peer id.
impl From<PeerId> for Variant {
    fn from(value: PeerId) -> Self {
        value.get().into()
    }
}

/// Accepts positive integers of up to 31 bits.
impl FromVariant for PeerId {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        let got = i64::from_variant(value)?;
        let id = i32::try_from(got).ok().and_then(Self::new);
        id.ok_or(FromVariantError::Range { expected: "PeerId", got })
    }
}

fn integer<T: TryFrom<i64>>(value: Variant, expected: &'static str) -> Result<T, FromVariantError> {
    let got = i64::from_variant(value)?;
    T::try_from(got).map_err(|_| FromVariantError::Range { expected, got })
}

impl From<f32> for Variant {
    fn from(value: f32) -> Self {
        Self::Float(value.into())
    }
}

/// Rounds to the nearest `f32`; large values become infinite.
impl FromVariant for f32 {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        f64::from_variant(value).map(|value| value as Self)
    }
}

impl From<&str> for Variant {
    fn from(text: &str) -> Self {
        Self::String(text.into())
    }
}

impl From<&[u8]> for Variant {
    fn from(bytes: &[u8]) -> Self {
        Self::PackedByteArray(bytes.into())
    }
}

impl From<&Self> for Variant {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl From<()> for Variant {
    fn from((): ()) -> Self {
        Self::Nil
    }
}

impl<T: Into<Self>> From<Option<T>> for Variant {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Nil, Into::into)
    }
}

/// Returns an untyped array.
impl From<Vec<Self>> for Variant {
    fn from(values: Vec<Self>) -> Self {
        Self::Array(values.into())
    }
}

/// Accepts arrays of any element type, as Godot's parameter type `Array` does.
impl FromVariant for Vec<Variant> {
    fn from_variant(value: Variant) -> Result<Self, FromVariantError> {
        Array::from_variant(value).map(Array::into_vec)
    }
}

impl Array {
    /// Returns the array if it has exactly this element type, which is how Godot checks a parameter
    /// such as `Array[int]`.
    ///
    /// # Errors
    ///
    /// If it has another element type, even if all elements would fit.
    pub fn expect_type(self, of: &super::ElementType) -> Result<Self, FromVariantError> {
        if self.element_type() == of {
            return Ok(self);
        }
        Err(FromVariantError::Typed {
            expected: format!("Array[{of}]"),
            got: format!("Array[{}]", self.element_type()),
        })
    }
}

impl Dictionary {
    /// Returns the dictionary if it has exactly these types, which is how Godot checks a parameter
    /// such as `Dictionary[String, int]`.
    ///
    /// # Errors
    ///
    /// If it has other types, even if all keys and values would fit.
    pub fn expect_type(
        self,
        key: &super::ElementType,
        value: &super::ElementType,
    ) -> Result<Self, FromVariantError> {
        if self.key_type() == key && self.value_type() == value {
            return Ok(self);
        }
        Err(FromVariantError::Typed {
            expected: format!("Dictionary[{key}, {value}]"),
            got: format!("Dictionary[{}, {}]", self.key_type(), self.value_type()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variant::ElementType;

    #[test]
    fn values_round_trip_through_their_rust_types() {
        assert_eq!(Variant::from(7u8).to::<i64>(), Ok(7));
        assert_eq!(Variant::from(-7i16).to::<i8>(), Ok(-7));
        assert_eq!(Variant::from(0.5f32).to::<f64>(), Ok(0.5));
        assert_eq!(Variant::from("text").to::<String>(), Ok("text".into()));
        assert_eq!(Variant::from(vec![1u8, 2]).to::<Vec<u8>>(), Ok(vec![1, 2]));
        assert_eq!(Variant::from(Transform3D::IDENTITY).to(), Ok(Transform3D::IDENTITY));
        assert_eq!(Variant::from(vec![Variant::Nil]).to::<Vec<Variant>>(), Ok(vec![Variant::Nil]));
        assert_eq!(Variant::from(None::<i64>).to::<Option<i64>>(), Ok(None));
        assert_eq!(Variant::from(Some(1)).to::<Option<i64>>(), Ok(Some(1)));
        assert_eq!(Variant::from(PeerId::SERVER), Variant::Int(1));
        assert_eq!(Variant::from(7).to::<PeerId>(), Ok(PeerId::new(7).unwrap()));
    }

    #[test]
    fn floats_convert_to_integers_by_truncation() {
        assert_eq!(Variant::from(2.9).to::<i32>(), Ok(2));
        assert_eq!(Variant::from(-2.9).to::<i32>(), Ok(-2));
        assert_eq!(Variant::from(f64::NAN).to::<i32>(), Ok(0));
        assert_eq!(Variant::from(3).to::<f32>(), Ok(3.0));
        assert_eq!(Variant::from(true).to::<i64>(), Ok(1));
        assert_eq!(Variant::from(0.0).to::<bool>(), Ok(false));
    }

    #[test]
    fn strings_convert_to_and_from_names_and_paths() {
        let name = StringName::from("a/b");
        assert_eq!(Variant::from("a/b").to::<StringName>(), Ok(name.clone()));
        assert_eq!(Variant::from(name.clone()).to::<String>(), Ok("a/b".into()));
        assert_eq!(Variant::from("a/b").to::<NodePath>(), Ok("a/b".into()));
        assert_eq!(Variant::from(NodePath::from("a/b")).to::<String>(), Ok("a/b".into()));
        let error = Variant::from(name).to::<NodePath>().unwrap_err();
        assert_eq!(error.to_string(), "expected NodePath, got StringName");
    }

    #[test]
    fn array_converts_to_a_packed_array_if_all_elements_convert() {
        let array = Variant::from(vec![Variant::from(1), 2.5.into(), true.into()]);
        assert_eq!(array.clone().to(), Ok(vec![1u8, 2, 1]));
        assert_eq!(array.clone().to(), Ok(vec![1.0f64, 2.5, 1.0]));
        assert!(array.to::<Vec<String>>().is_err());
    }

    #[test]
    fn type_error_names_both_types() {
        let error = Variant::from("5").to::<i64>().unwrap_err();
        assert_eq!(error.to_string(), "expected int, got String");
        let error = Variant::Nil.to::<Vec<u8>>().unwrap_err();
        assert_eq!(error.to_string(), "expected PackedByteArray, got Nil");
    }

    #[test]
    fn integer_out_of_range_is_rejected() {
        let error = Variant::from(300).to::<u8>().unwrap_err();
        assert_eq!(error.to_string(), "int 300 is out of range for u8");
        assert!(Variant::from(-1).to::<u64>().is_err());
        for no_peer in [0, -2, 1 << 31] {
            let error = Variant::from(no_peer).to::<PeerId>();
            assert_eq!(error, Err(FromVariantError::Range { expected: "PeerId", got: no_peer }));
        }
    }

    #[test]
    fn expect_type_accepts_only_the_exact_type() {
        let int = ElementType::from(VariantType::Int);
        let error = Array::from([1, 2]).expect_type(&int).unwrap_err();
        assert_eq!(error.to_string(), "expected Array[int], got Array[Variant]");
        assert!(Array::typed(VariantType::Int).expect_type(&int).is_ok());
        let dictionary = Dictionary::typed(VariantType::String, VariantType::Int);
        assert!(dictionary.clone().expect_type(&VariantType::String.into(), &int).is_ok());
        assert!(dictionary.expect_type(&ElementType::Any, &ElementType::Any).is_err());
    }
}
