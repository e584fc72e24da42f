//! Operations of rotations: quaternions and 3×3 matrices.

use std::ops::Mul;

use super::{Basis, Quaternion, Vector3};

impl Quaternion {
    /// Returns the rotation by `angle` radians around `axis`, which must be normalized.
    pub fn from_axis_angle(axis: Vector3, angle: f32) -> Self {
        let (sin, cos) = (angle * 0.5).sin_cos();
        let Vector3 { x, y, z } = axis * sin;
        Self { x, y, z, w: cos }
    }

    /// Returns the rotation by Euler angles in radians, in Godot's order: Z, then X, then Y.
    pub fn from_euler(euler: Vector3) -> Self {
        let [(sx, cx), (sy, cy), (sz, cz)] =
            [euler.x, euler.y, euler.z].map(|a| (a * 0.5).sin_cos());
        Self {
            x: sy * cx * sz + cy * sx * cz,
            y: sy * cx * cz - cy * sx * sz,
            z: cy * cx * sz - sy * sx * cz,
            w: sy * sx * sz + cy * cx * cz,
        }
    }

    const fn imaginary(self) -> Vector3 {
        Vector3::new(self.x, self.y, self.z)
    }

    /// Returns the dot product.
    pub fn dot(self, other: Self) -> f32 {
        self.imaginary().dot(other.imaginary()) + self.w * other.w
    }

    /// Returns the length, which is 1 for a rotation.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// Returns the quaternion of length 1, or the identity for zero. Godot's is not a number then.
    pub fn normalized(self) -> Self {
        let length = self.length();
        if length == 0.0 { Self::IDENTITY } else { self.scaled(1.0 / length) }
    }

    fn scaled(self, factor: f32) -> Self {
        let Self { x, y, z, w } = self;
        Self { x: x * factor, y: y * factor, z: z * factor, w: w * factor }
    }

    /// Returns the opposite rotation of a normalized quaternion.
    pub const fn inverse(self) -> Self {
        Self { x: -self.x, y: -self.y, z: -self.z, w: self.w }
    }

    /// Returns the angle to another rotation in radians.
    pub fn angle_to(self, to: Self) -> f32 {
        let dot = self.dot(to);
        (2.0 * dot * dot - 1.0).clamp(-1.0, 1.0).acos()
    }

    /// Returns the interpolation to another rotation by the shorter way. Both must be normalized.
    pub fn slerp(self, to: Self, weight: f32) -> Self {
        let dot = self.dot(to);
        let (dot, to) = if dot < 0.0 { (-dot, to.scaled(-1.0)) } else { (dot, to) };
        let (own, other) = if 1.0 - dot > super::float_ops::EPSILON {
            let angle = dot.acos();
            let sin = angle.sin();
            (((1.0 - weight) * angle).sin() / sin, (weight * angle).sin() / sin)
        } else {
            (1.0 - weight, weight)
        };
        let (a, b) = (self.scaled(own), to.scaled(other));
        Self { x: a.x + b.x, y: a.y + b.y, z: a.z + b.z, w: a.w + b.w }
    }

    /// Returns the rotated vector (Godot: `quaternion * vector`).
    pub fn apply(self, vector: Vector3) -> Vector3 {
        let axis = self.imaginary();
        let cross = axis.cross(vector);
        vector + (cross * self.w + axis.cross(cross)) * 2.0
    }
}

/// Combines rotations: the right one is applied first.
impl Mul for Quaternion {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        let (a, b) = (self.imaginary(), other.imaginary());
        let Vector3 { x, y, z } = b * self.w + a * other.w + a.cross(b);
        Self { x, y, z, w: self.w * other.w - a.dot(b) }
    }
}

impl Basis {
    /// Returns the rotation by `angle` radians around `axis`, which must be normalized.
    pub fn from_axis_angle(axis: Vector3, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        let (of, with) = (axis * (1.0 - cos), axis * sin);
        Self {
            x: Vector3::new(axis.x * of.x + cos, axis.y * of.x + with.z, axis.z * of.x - with.y),
            y: Vector3::new(axis.x * of.y - with.z, axis.y * of.y + cos, axis.z * of.y + with.x),
            z: Vector3::new(axis.x * of.z + with.y, axis.y * of.z - with.x, axis.z * of.z + cos),
        }
    }

    /// Returns the rotation by Euler angles in radians, in Godot's order: Z, then X, then Y.
    pub fn from_euler(euler: Vector3) -> Self {
        let around = Self::from_axis_angle;
        let [x, y, z] = [Vector3::RIGHT, Vector3::UP, Vector3::BACK];
        around(y, euler.y) * around(x, euler.x) * around(z, euler.z)
    }

    /// Returns the Euler angles in radians of a rotation, in Godot's order.
    pub fn euler(self) -> Vector3 {
        // The second row of Y·X·Z is (cos x · sin z, cos x · cos z, −sin x).
        let sin = -self.z.y;
        if sin.abs() >= 1.0 - super::float_ops::EPSILON {
            // Looking straight up or down: Z is part of Y.
            let x = std::f32::consts::FRAC_PI_2.copysign(sin);
            return Vector3::new(x, (-self.x.z).atan2(self.x.x), 0.0);
        }
        Vector3::new(sin.asin(), self.z.x.atan2(self.z.z), self.x.y.atan2(self.y.y))
    }

    /// Returns the matrix after a rotation by `angle` radians around `axis`, which must be
    /// normalized.
    pub fn rotated(self, axis: Vector3, angle: f32) -> Self {
        Self::from_axis_angle(axis, angle) * self
    }

    /// Returns the matrix after a scaling along the axes.
    pub fn scaled(self, scale: Vector3) -> Self {
        Self { x: self.x * scale, y: self.y * scale, z: self.z * scale }
    }

    /// Returns the determinant: the volume of a transformed unit cube, negative if mirrored.
    pub fn determinant(self) -> f32 {
        self.x.dot(self.y.cross(self.z))
    }

    /// Returns the inverse matrix; `None` if there is none, because the determinant is 0.
    pub fn inverse(self) -> Option<Self> {
        let Self { x, y, z } = self;
        let determinant = self.determinant();
        if determinant == 0.0 {
            return None;
        }
        let rows = [y.cross(z), z.cross(x), x.cross(y)].map(|row| row / determinant);
        Some(Self::new(rows[0], rows[1], rows[2]).transposed())
    }
}

/// Combines matrices: the right one is applied first.
impl Mul for Basis {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self { x: self.apply(other.x), y: self.apply(other.y), z: self.apply(other.z) }
    }
}

/// Converts a rotation matrix.
impl From<Basis> for Quaternion {
    fn from(from: Basis) -> Self {
        let Basis { x, y, z } = from;
        // Each is four times the square of a part, less rounding errors; the largest divides.
        let [xx, yy, zz] = [x.x - y.y - z.z, y.y - x.x - z.z, z.z - x.x - y.y];
        let ww = x.x + y.y + z.z;
        let half = |square: f32| (square + 1.0).max(0.0).sqrt() * 0.5;
        if ww > 0.0 {
            let w = half(ww);
            let part = |difference: f32| difference / (4.0 * w);
            Self { x: part(y.z - z.y), y: part(z.x - x.z), z: part(x.y - y.x), w }
        } else if xx >= yy && xx >= zz {
            let own = half(xx);
            let part = |sum: f32| sum / (4.0 * own);
            Self { x: own, y: part(x.y + y.x), z: part(x.z + z.x), w: part(y.z - z.y) }
        } else if yy >= zz {
            let own = half(yy);
            let part = |sum: f32| sum / (4.0 * own);
            Self { x: part(x.y + y.x), y: own, z: part(y.z + z.y), w: part(z.x - x.z) }
        } else {
            let own = half(zz);
            let part = |sum: f32| sum / (4.0 * own);
            Self { x: part(x.z + z.x), y: part(y.z + z.y), z: own, w: part(x.y - y.x) }
        }
    }
}
