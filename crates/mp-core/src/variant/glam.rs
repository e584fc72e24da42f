//! Conversions to and from glam 0.34 (feature `glam-034`).

use glam_034::{Affine2, Affine3A, IVec2, IVec3, IVec4, Mat3, Mat4, Quat, Vec2, Vec3, Vec4};

use super::{
    Basis, Projection, Quaternion, Transform2D, Transform3D, Vector2, Vector2i, Vector3, Vector3i,
    Vector4, Vector4i,
};

/// Converts types whose fields have the same names.
macro_rules! fields {
    ($($own:ident = $other:ident { $($field:ident),+ };)+) => {
        $(
            impl From<$other> for $own {
                fn from(from: $other) -> Self {
                    Self { $($field: from.$field),+ }
                }
            }

            impl From<$own> for $other {
                fn from(from: $own) -> Self {
                    Self::from_array([$(from.$field),+])
                }
            }
        )+
    };
}

fields! {
    Vector2 = Vec2 { x, y };
    Vector3 = Vec3 { x, y, z };
    Vector4 = Vec4 { x, y, z, w };
    Vector2i = IVec2 { x, y };
    Vector3i = IVec3 { x, y, z };
    Vector4i = IVec4 { x, y, z, w };
    Quaternion = Quat { x, y, z, w };
}

impl From<Mat3> for Basis {
    fn from(from: Mat3) -> Self {
        Self::new(from.x_axis.into(), from.y_axis.into(), from.z_axis.into())
    }
}

impl From<Basis> for Mat3 {
    fn from(from: Basis) -> Self {
        Self::from_cols(from.x.into(), from.y.into(), from.z.into())
    }
}

impl From<Mat4> for Projection {
    fn from(from: Mat4) -> Self {
        Self::new(from.x_axis.into(), from.y_axis.into(), from.z_axis.into(), from.w_axis.into())
    }
}

impl From<Projection> for Mat4 {
    fn from(from: Projection) -> Self {
        Self::from_cols(from.x.into(), from.y.into(), from.z.into(), from.w.into())
    }
}

impl From<Affine2> for Transform2D {
    fn from(from: Affine2) -> Self {
        let columns = from.matrix2;
        Self::new(columns.x_axis.into(), columns.y_axis.into(), from.translation.into())
    }
}

impl From<Transform2D> for Affine2 {
    fn from(from: Transform2D) -> Self {
        Self::from_cols(from.x.into(), from.y.into(), from.origin.into())
    }
}

impl From<Affine3A> for Transform3D {
    fn from(from: Affine3A) -> Self {
        Self::new(Mat3::from(from.matrix3).into(), Vec3::from(from.translation).into())
    }
}

impl From<Transform3D> for Affine3A {
    fn from(from: Transform3D) -> Self {
        Self::from_mat3_translation(from.basis.into(), from.origin.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_round_trip_and_transform_alike() {
        let v = Vector3::new(1.0, 2.0, 3.0);
        let basis = Basis::from_euler(Vector3::new(0.1, 0.2, 0.3));
        let transform = Transform3D::new(basis, v);
        let same = Affine3A::from(transform);
        assert_eq!(Transform3D::from(same), transform);
        let moved = Vector3::from(same.transform_point3(v.into()));
        assert!(moved.is_equal_approx(transform.apply(v)), "{moved}");
        let flat = Transform2D::from_angle(0.5, Vector2::new(10.0, 20.0));
        assert_eq!(Transform2D::from(Affine2::from(flat)), flat);
        let q = Quaternion::from(basis);
        let turned = Vector3::from(Quat::from(q) * Vec3::from(v));
        assert!(turned.is_equal_approx(q.apply(v)), "{turned}");
        assert_eq!(Quaternion::from(Quat::from(q)), q);
        let projection = Projection::from(transform);
        assert_eq!(Projection::from(Mat4::from(projection)), projection);
        assert_eq!(
            Vector4i::from(IVec4::from(Vector4i::new(1, 2, 3, 4))),
            Vector4i::new(1, 2, 3, 4)
        );
    }
}
