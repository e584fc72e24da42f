//! The types of a [`Variant`](super::Variant).
#![expect(clippy::exhaustive_enums, reason = "the types are Godot's")]

use std::fmt;

macro_rules! types {
    ($($variant:ident = $number:literal, $name:literal;)+) => {
        /// The type of a value, with the number that Godot's encoding and `typeof` use.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum VariantType {
            $(#[doc = concat!("Godot's `", $name, "`.")] $variant = $number,)+
        }

        impl VariantType {
            /// All types, ordered by number.
            pub const ALL: [Self; 39] = [$(Self::$variant),+];

            /// Returns Godot's name of the type.
            #[doc(alias = "type_string")]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }
        }
    };
}

types! {
    Nil = 0, "Nil";
    Bool = 1, "bool";
    Int = 2, "int";
    Float = 3, "float";
    String = 4, "String";
    Vector2 = 5, "Vector2";
    Vector2i = 6, "Vector2i";
    Rect2 = 7, "Rect2";
    Rect2i = 8, "Rect2i";
    Vector3 = 9, "Vector3";
    Vector3i = 10, "Vector3i";
    Transform2D = 11, "Transform2D";
    Vector4 = 12, "Vector4";
    Vector4i = 13, "Vector4i";
    Plane = 14, "Plane";
    Quaternion = 15, "Quaternion";
    Aabb = 16, "AABB";
    Basis = 17, "Basis";
    Transform3D = 18, "Transform3D";
    Projection = 19, "Projection";
    Color = 20, "Color";
    StringName = 21, "StringName";
    NodePath = 22, "NodePath";
    Rid = 23, "RID";
    Object = 24, "Object";
    Callable = 25, "Callable";
    Signal = 26, "Signal";
    Dictionary = 27, "Dictionary";
    Array = 28, "Array";
    PackedByteArray = 29, "PackedByteArray";
    PackedInt32Array = 30, "PackedInt32Array";
    PackedInt64Array = 31, "PackedInt64Array";
    PackedFloat32Array = 32, "PackedFloat32Array";
    PackedFloat64Array = 33, "PackedFloat64Array";
    PackedStringArray = 34, "PackedStringArray";
    PackedVector2Array = 35, "PackedVector2Array";
    PackedVector3Array = 36, "PackedVector3Array";
    PackedColorArray = 37, "PackedColorArray";
    PackedVector4Array = 38, "PackedVector4Array";
}

impl VariantType {
    /// Returns the type with this number, or `None` for an unknown number.
    pub fn from_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// Returns Godot's number of the type.
    pub const fn number(self) -> u32 {
        self as u32
    }
}

impl fmt::Display for VariantType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_round_trip_through_their_numbers() {
        for (number, of) in VariantType::ALL.into_iter().enumerate() {
            assert_eq!(of.number() as usize, number);
            assert_eq!(VariantType::from_number(of.number()), Some(of));
        }
        assert_eq!(VariantType::from_number(39), None);
        assert_eq!(VariantType::PackedVector4Array.name(), "PackedVector4Array");
    }
}
