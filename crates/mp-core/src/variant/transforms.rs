//! Operations of transforms.

use std::ops::Mul;

use super::{Basis, Transform2D, Transform3D, Vector2, Vector3};

impl Transform2D {
    /// Returns the transform that rotates by `angle` radians and moves to `origin`.
    pub fn from_angle(angle: f32, origin: Vector2) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { x: Vector2::new(cos, sin), y: Vector2::new(-sin, cos), origin }
    }

    /// Returns the rotation in radians.
    pub fn rotation(self) -> f32 {
        self.x.angle()
    }

    /// Returns the transformed vector without the origin: for directions.
    pub fn basis_xform(self, vector: Vector2) -> Vector2 {
        self.x * vector.x + self.y * vector.y
    }

    /// Returns the transform after a movement.
    pub fn translated(self, by: Vector2) -> Self {
        Self { origin: self.origin + by, ..self }
    }

    /// Returns the transform after a rotation by `angle` radians around the origin of the
    /// coordinates.
    pub fn rotated(self, angle: f32) -> Self {
        Self::from_angle(angle, Vector2::ZERO) * self
    }

    /// Returns the inverse transform; `None` if there is none, because an axis has no length.
    pub fn affine_inverse(self) -> Option<Self> {
        let determinant = self.x.cross(self.y);
        if determinant == 0.0 {
            return None;
        }
        let Self { x, y, origin } = self;
        let inverse = Self {
            x: Vector2::new(y.y, -x.y) / determinant,
            y: Vector2::new(-y.x, x.x) / determinant,
            origin: Vector2::ZERO,
        };
        Some(Self { origin: inverse.apply(-origin), ..inverse })
    }
}

/// Combines transforms: the right one is applied first.
impl Mul for Transform2D {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let [x, y] = [other.x, other.y].map(|axis| self.basis_xform(axis));
        Self { x, y, origin: self.apply(other.origin) }
    }
}

impl Transform3D {
    /// Returns the transform after a movement.
    pub fn translated(self, by: Vector3) -> Self {
        Self { origin: self.origin + by, ..self }
    }

    /// Returns the transform after a rotation by `angle` radians around `axis`, which must be
    /// normalized, through the origin of the coordinates.
    pub fn rotated(self, axis: Vector3, angle: f32) -> Self {
        Self::from(Basis::from_axis_angle(axis, angle)) * self
    }

    /// Returns the inverse transform; `None` if there is none, because the determinant is 0.
    pub fn affine_inverse(self) -> Option<Self> {
        let basis = self.basis.inverse()?;
        Some(Self { basis, origin: basis.apply(-self.origin) })
    }
}

/// Combines transforms: the right one is applied first.
impl Mul for Transform3D {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { basis: self.basis * other.basis, origin: self.apply(other.origin) }
    }
}
