//! Conversions to and from mint (feature `mint`), by which other math crates exchange values.

use mint::{ColumnMatrix3, ColumnMatrix4, Point2, Point3};

use super::{
    Basis, Projection, Quaternion, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};

/// Converts types whose fields have the same names.
macro_rules! fields {
    ($($own:ident = $other:ty { $($field:ident),+ };)+) => {
        $(
            impl From<$other> for $own {
                fn from(from: $other) -> Self {
                    Self { $($field: from.$field.into()),+ }
                }
            }

            impl From<$own> for $other {
                fn from(from: $own) -> Self {
                    Self { $($field: from.$field.into()),+ }
                }
            }

            impl ::mint::IntoMint for $own {
                type MintType = $other;
            }
        )+
    };
}

fields! {
    Vector2 = ::mint::Vector2<f32> { x, y };
    Vector3 = ::mint::Vector3<f32> { x, y, z };
    Vector4 = ::mint::Vector4<f32> { x, y, z, w };
    Vector2i = ::mint::Vector2<i32> { x, y };
    Vector3i = ::mint::Vector3<i32> { x, y, z };
    Vector4i = ::mint::Vector4<i32> { x, y, z, w };
    Basis = ColumnMatrix3<f32> { x, y, z };
    Projection = ColumnMatrix4<f32> { x, y, z, w };
}

impl From<Point2<f32>> for Vector2 {
    fn from(from: Point2<f32>) -> Self {
        Self::new(from.x, from.y)
    }
}

impl From<Point3<f32>> for Vector3 {
    fn from(from: Point3<f32>) -> Self {
        Self::new(from.x, from.y, from.z)
    }
}

impl From<::mint::Quaternion<f32>> for Quaternion {
    fn from(from: ::mint::Quaternion<f32>) -> Self {
        Self::new(from.v.x, from.v.y, from.v.z, from.s)
    }
}

impl From<Quaternion> for ::mint::Quaternion<f32> {
    fn from(from: Quaternion) -> Self {
        Self { v: Vector3::new(from.x, from.y, from.z).into(), s: from.w }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip() {
        let (v, w) = (Vector3::new(1.0, 2.0, 3.0), Vector4i::new(1, 2, 3, 4));
        assert_eq!(Vector3::from(::mint::Vector3::from(v)), v);
        assert_eq!(Vector4i::from(::mint::Vector4::from(w)), w);
        let basis = Basis::new(v, v * 2.0, v * 3.0);
        let columns = ColumnMatrix3::from(basis);
        assert_eq!(columns.y.z, 6.0);
        assert_eq!(Basis::from(columns), basis);
        let q = Quaternion::new(0.1, 0.2, 0.3, 0.9);
        assert_eq!(::mint::Quaternion::from(q).s, 0.9);
        assert_eq!(Quaternion::from(::mint::Quaternion::from(q)), q);
    }
}
