//! Rust types as properties.

use bytes::BytesMut;
use mp_core::variant::{
    Aabb, Array, Basis, Color, Dictionary, FromVariant, FromVariantError, Object, Plane,
    Projection, Quaternion, Rect2, Rect2i, Transform2D, Transform3D, Vector2, Vector2i, Vector3,
    Vector3i, Vector4, Vector4i,
};
use mp_core::{NodePath, PeerId, StringName, Variant, VariantType};

use super::{Attached, Mark};
use crate::codec::godot::VariantError;
use crate::codec::godot::compressed::encode_compressed;
use crate::codec::{Objects, godot};

/// A field that can be replicated: every Rust type that stands for one of Godot's, and [`Replicated`](super::Replicated) of them.
pub trait Property: 'static {
    /// Its value.
    fn to_variant(&self) -> Variant;

    /// Sets it.
    ///
    /// # Errors
    ///
    /// When Godot would not convert `value` to its type.
    fn set_variant(&mut self, value: Variant) -> Result<(), FromVariantError>;

    /// Appends its value as it travels. It may be moved out and back meanwhile, so that nothing need be copied, and is the same
    /// afterwards.
    ///
    /// # Errors
    ///
    /// When it has no form on the wire.
    fn encode(&mut self, objects: Objects, out: &mut BytesMut) -> Result<(), VariantError> {
        encode_compressed(&self.to_variant(), objects, out)
    }

    /// Asks it to report its changes with `mark`; `force` replaces the mark of another property.
    #[doc(hidden)]
    fn attach(&mut self, _mark: &Mark, _force: bool) -> Attached {
        Attached::Plain
    }
}

/// Types that a [`Variant`] holds without memory of their own, or shares.
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

/// Types that are nothing but numbers.
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

/// Types whose copy takes memory: they are moved into the [`Variant`] that is encoded and back.
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

/// Types that a [`Variant`] holds in a box.
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
