//! Vectors, geometry and colors, which are types of Godot and structs of serde.
//!
//! Their derived `Serialize` names them `mp::Vector2` and the like. A type of a program cannot have
//! such a name.

use serde::{Deserialize, Serialize};

use super::SerdeError;
use super::de::OfVariant;
use super::ser::ToVariant;
use crate::Variant;
use crate::variant::{
    Aabb, Basis, Color, Dictionary, Plane, Projection, Quaternion, Rect2, Rect2i, Transform2D,
    Transform3D, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};

macro_rules! geometry {
    ($($type:ident)+) => {
        /// Returns the value with these fields of a type, by the name of the type; the dictionary
        /// if it is another type.
        pub(super) fn from_fields(name: &str, fields: Dictionary) -> Result<Variant, SerdeError> {
            match name {
                $(concat!("mp::", stringify!($type)) => {
                    Ok($type::deserialize(OfVariant::new(fields.into()))?.into())
                })+
                _ => Ok(fields.into()),
            }
        }

        /// Returns a dictionary of the fields of a value; `None` if it is of another type.
        pub(super) fn fields_of(value: &Variant) -> Option<Result<Variant, SerdeError>> {
            match value {
                $(Variant::$type(value) => Some(value.serialize(ToVariant::fields_only())),)+
                _ => None,
            }
        }
    };
}

geometry!(
    Vector2 Vector2i Rect2 Rect2i Vector3 Vector3i Transform2D Vector4 Vector4i Plane Quaternion
    Aabb Basis Transform3D Projection Color
);
