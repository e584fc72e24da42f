//! Rust types of properties.

use bytes::BytesMut;
use mp_core::variant::{
    Aabb, Array, Basis, Color, Dictionary, FromVariant, FromVariantError, Object, Plane,
    Projection, Quaternion, Rect2, Rect2i, Transform2D, Transform3D, TypedArray, TypedDictionary,
    TypedElement, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};
use mp_core::{NodePath, PeerId, StringName, Variant, VariantType};

use super::{Attached, Mark};
use crate::codec::godot::VariantError;
use crate::codec::godot::compressed::encode_compressed;
use crate::codec::{Objects, godot};

/// A field that can be replicated: Rust types for Godot's types, and
/// [`Replicated`](super::Replicated) of them.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a property",
    label = "not a value of Godot",
    note = "properties are of Godot's types (bool, i64, f64, String, Vector2, Dictionary, …), or \
            Replicated<T> of one"
)]
pub trait Property: 'static {
    /// Returns the value.
    fn to_variant(&self) -> Variant;

    /// Sets the value.
    ///
    /// # Errors
    ///
    /// If Godot would not convert `value` to the field's type.
    fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError>;

    /// Appends the encoded value. The value may be moved out and back meanwhile to avoid a copy; it
    /// is unchanged afterwards.
    ///
    /// # Errors
    ///
    /// If the value cannot be encoded.
    fn encode(&mut self, objects: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
        encode_compressed(&self.to_variant(), objects, out)
    }

    /// Attaches a mark that records changes. `force` replaces the mark of another property.
    #[doc(hidden)]
    fn attach(&mut self, _mark: &Mark, _force: bool) -> Attached {
        Attached::Plain
    }
}

/// Implements [`Property`] for types whose conversion to [`Variant`] does not allocate.
macro_rules! cheap {
    ($($type:ty),+ $(,)?) => {
        $(
            impl Property for $type {
                fn to_variant(&self) -> Variant {
                    self.clone().into()
                }

                fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
                    *self = Self::from_variant(value)?;
                    Ok(())
                }
            }
        )+
    };
}

cheap!(
    bool, i8, i16, i32, i64, u8, u16, u32, f32, f64, Vector2i, Rect2i, Vector3i, Vector4i,
    StringName, NodePath, Object, Dictionary, Array, PeerId,
);

impl<T: TypedElement + 'static> Property for TypedArray<T> {
    fn to_variant(&self) -> Variant {
        self.clone().into()
    }

    fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
        *self = Self::from_variant(value)?;
        Ok(())
    }
}

impl<K: TypedElement + 'static, V: TypedElement + 'static> Property for TypedDictionary<K, V> {
    fn to_variant(&self) -> Variant {
        self.clone().into()
    }

    fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
        *self = Self::from_variant(value)?;
        Ok(())
    }
}

/// Implements [`Property`] for types that consist of numbers only.
macro_rules! components {
    ($($type:ident),+ $(,)?) => {
        $(
            impl Property for $type {
                fn to_variant(&self) -> Variant {
                    (*self).into()
                }

                fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
                    *self = Self::from_variant(value)?;
                    Ok(())
                }

                fn encode(&mut self, _: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
                    godot::variant::encode_components(VariantType::$type, self, out);
                    Ok(())
                }
            }
        )+
    };
}

components!(Vector2, Rect2, Vector3, Transform2D, Vector4, Plane, Quaternion, Aabb, Color);

/// Implements [`Property`] for types whose clone allocates: they are moved into the [`Variant`] to
/// be encoded, and back.
macro_rules! moved {
    ($($type:ty: $variant:ident),+ $(,)?) => {
        $(
            impl Property for $type {
                fn to_variant(&self) -> Variant {
                    self.clone().into()
                }

                fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
                    *self = Self::from_variant(value)?;
                    Ok(())
                }

                fn encode(&mut self, objects: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
                    let value = Variant::$variant(std::mem::take(self));
                    let result = encode_compressed(&value, objects, out);
                    if let Variant::$variant(value) = value {
                        *self = value;
                    }
                    result
                }
            }
        )+
    };
}

moved!(
    String: String,
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

/// Implements [`Property`] for types that a [`Variant`] boxes.
macro_rules! boxed {
    ($($type:ty: $encode:ident),+ $(,)?) => {
        $(
            impl Property for $type {
                fn to_variant(&self) -> Variant {
                    (*self).into()
                }

                fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
                    *self = Self::from_variant(value)?;
                    Ok(())
                }

                fn encode(&mut self, _: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
                    godot::variant::$encode(self, out);
                    Ok(())
                }
            }
        )+
    };
}

boxed!(Basis: encode_basis, Transform3D: encode_transform_3d, Projection: encode_projection);

impl Property for Variant {
    fn to_variant(&self) -> Variant {
        self.clone()
    }

    fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError> {
        *self = value;
        Ok(())
    }

    fn encode(&mut self, objects: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
        encode_compressed(self, objects, out)
    }
}
