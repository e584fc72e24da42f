//! Angles between vectors, and their rotation.

use super::float_ops::EPSILON;
use super::{Basis, Vector2, Vector3};

impl Vector2 {
    /// To the left; in 2D the X axis points to the right.
    pub const LEFT: Self = Self::new(-1.0, 0.0);
    /// To the right.
    pub const RIGHT: Self = Self::new(1.0, 0.0);
    /// Up; in 2D the Y axis points down.
    pub const UP: Self = Self::new(0.0, -1.0);
    /// Down.
    pub const DOWN: Self = Self::new(0.0, 1.0);

    /// Returns the vector of length 1 at this angle to the X axis, in radians.
    pub fn from_angle(angle: f32) -> Self {
        Self::new(angle.cos(), angle.sin())
    }

    /// Returns the angle to another vector in radians, from −π to π.
    pub fn angle_to(self, to: Self) -> f32 {
        self.cross(to).atan2(self.dot(to))
    }

    /// Returns the angle between the X axis and the line from this point to another, in radians.
    pub fn angle_to_point(self, to: Self) -> f32 {
        (to - self).angle()
    }

    /// Returns the ratio of X to Y.
    pub fn aspect(self) -> f32 {
        self.x / self.y
    }

    /// Returns the vector turned by −90°.
    pub const fn orthogonal(self) -> Self {
        Self::new(self.y, -self.x)
    }

    /// Returns the interpolation of direction and length. Same as [`lerp`](Self::lerp) if a vector
    /// is zero.
    pub fn slerp(self, to: Self, weight: f32) -> Self {
        let (start, end) = (self.length(), to.length());
        if start == 0.0 || end == 0.0 {
            return self.lerp(to, weight);
        }
        let length = start + (end - start) * weight;
        self.rotated(self.angle_to(to) * weight) * (length / start)
    }
}

impl Vector3 {
    /// To the left.
    pub const LEFT: Self = Self::new(-1.0, 0.0, 0.0);
    /// To the right.
    pub const RIGHT: Self = Self::new(1.0, 0.0, 0.0);
    /// Up.
    pub const UP: Self = Self::new(0.0, 1.0, 0.0);
    /// Down.
    pub const DOWN: Self = Self::new(0.0, -1.0, 0.0);
    /// Forward, against the Z axis.
    pub const FORWARD: Self = Self::new(0.0, 0.0, -1.0);
    /// Backward.
    pub const BACK: Self = Self::new(0.0, 0.0, 1.0);

    /// Returns the angle to another vector in radians, from 0 to π.
    pub fn angle_to(self, to: Self) -> f32 {
        self.cross(to).length().atan2(self.dot(to))
    }

    /// Returns the angle to another vector in radians, negative if it is clockwise around `axis`.
    pub fn signed_angle_to(self, to: Self, axis: Self) -> f32 {
        let (cross, angle) = (self.cross(to), self.angle_to(to));
        if cross.dot(axis) < 0.0 { -angle } else { angle }
    }

    /// Returns the vector rotated by `angle` radians around `axis`, which must be normalized.
    pub fn rotated(self, axis: Self, angle: f32) -> Self {
        Basis::from_axis_angle(axis, angle).apply(self)
    }

    /// Returns the interpolation of direction and length. Same as [`lerp`](Self::lerp) if a vector
    /// is zero, or both have one direction.
    pub fn slerp(self, to: Self, weight: f32) -> Self {
        let (start, end, axis) = (self.length(), to.length(), self.cross(to));
        if start == 0.0 || end == 0.0 || axis.length() < EPSILON * start * end {
            return self.lerp(to, weight);
        }
        let length = start + (end - start) * weight;
        self.rotated(axis.normalized(), self.angle_to(to) * weight) * (length / start)
    }
}
