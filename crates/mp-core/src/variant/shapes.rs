//! Operations of rectangles, boxes and planes.

use super::float_ops::EPSILON;
use super::{Aabb, Plane, Rect2, Vector2, Vector3};

/// Operations of rectangles and boxes, which have a position and a size that is not negative.
macro_rules! operations {
    ($name:ident, $vector:ident, [$($field:ident),+]) => {
        impl $name {
            /// Returns the shape with these corners.
            fn from_corners(position: $vector, end: $vector) -> Self {
                Self { position, size: end - position }
            }

            /// Returns whether both overlap. Shapes that only touch do not.
            pub fn intersects(self, other: Self) -> bool {
                let (end, other_end) = (self.end(), other.end());
                $(self.position.$field < other_end.$field && other.position.$field < end.$field)&&+
            }

            /// Returns the overlap of both; zeros if they do not overlap.
            pub fn intersection(self, other: Self) -> Self {
                if !self.intersects(other) {
                    return Self::default();
                }
                let end = self.end().min(other.end());
                Self::from_corners(self.position.max(other.position), end)
            }

            /// Returns the smallest shape that contains both.
            pub fn merge(self, other: Self) -> Self {
                let end = self.end().max(other.end());
                Self::from_corners(self.position.min(other.position), end)
            }

            /// Returns the smallest shape that contains this one and a point.
            pub fn expand(self, to: $vector) -> Self {
                Self::from_corners(self.position.min(to), self.end().max(to))
            }

            /// Returns the shape, larger by `by` on each side.
            pub fn grow(self, by: f32) -> Self {
                let by = $vector::splat(by);
                Self { position: self.position - by, size: self.size + by * 2.0 }
            }

            /// Returns whether the other shape lies completely inside.
            pub fn encloses(self, other: Self) -> bool {
                let (end, other_end) = (self.end(), other.end());
                $(self.position.$field <= other.position.$field && other_end.$field <= end.$field)&&+
            }

            /// Returns the center.
            pub fn center(self) -> $vector {
                self.position + self.size * 0.5
            }

            /// Returns the shape whose size is not negative and whose corners are the same.
            pub fn abs(self) -> Self {
                let negative = self.size.min($vector::ZERO);
                Self { position: self.position + negative, size: self.size.abs() }
            }
        }
    };
}

operations!(Rect2, Vector2, [x, y]);
operations!(Aabb, Vector3, [x, y, z]);

impl Rect2 {
    /// Returns the area.
    pub fn area(self) -> f32 {
        self.size.x * self.size.y
    }
}

impl Aabb {
    /// Returns whether the point lies inside. All sides are inside, unlike those of a rectangle.
    pub fn has_point(self, point: Vector3) -> bool {
        point.clamp(self.position, self.end()) == point
    }

    /// Returns the volume.
    pub fn volume(self) -> f32 {
        self.size.x * self.size.y * self.size.z
    }
}

impl Plane {
    /// Returns whether the point lies above the plane.
    pub fn is_point_over(self, point: Vector3) -> bool {
        self.distance_to(point) > 0.0
    }

    /// Returns the point of the plane that is nearest to `point`.
    pub fn project(self, point: Vector3) -> Vector3 {
        point - self.normal * self.distance_to(point)
    }

    /// Returns the point at which the ray from `from` in the direction `along` meets the plane.
    pub fn intersects_ray(self, from: Vector3, along: Vector3) -> Option<Vector3> {
        let slope = self.normal.dot(along);
        if slope.abs() < EPSILON {
            return None;
        }
        let distance = self.distance_to(from) / -slope;
        (distance >= -EPSILON).then(|| from + along * distance)
    }
}
