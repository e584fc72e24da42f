//! Rectangles, planes, rotations, transforms and colors.
#![expect(clippy::exhaustive_structs, reason = "plain values with public fields")]

use super::math::components;
use super::{Vector2, Vector2i, Vector3, Vector4};

/// A rectangle in 2D.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Rect2"))]
pub struct Rect2 {
    /// Corner from which the size extends.
    pub position: Vector2,
    /// Width and height.
    pub size: Vector2,
}

impl Rect2 {
    /// Returns the rectangle with this corner and size.
    pub const fn new(position: Vector2, size: Vector2) -> Self {
        Self { position, size }
    }

    /// Returns the corner opposite to the position.
    pub fn end(self) -> Vector2 {
        self.position + self.size
    }

    /// Returns whether the point lies inside. The right and bottom edges are outside, as in Godot.
    pub fn has_point(self, point: Vector2) -> bool {
        let end = self.end();
        point.x >= self.position.x
            && point.y >= self.position.y
            && point.x < end.x
            && point.y < end.y
    }
}

/// A rectangle in 2D with integer coordinates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Rect2i"))]
pub struct Rect2i {
    /// Corner from which the size extends.
    pub position: Vector2i,
    /// Width and height.
    pub size: Vector2i,
}

impl Rect2i {
    /// Returns the rectangle with this corner and size.
    pub const fn new(position: Vector2i, size: Vector2i) -> Self {
        Self { position, size }
    }

    /// Returns the corner opposite to the position, which is outside the rectangle.
    pub fn end(self) -> Vector2i {
        self.position + self.size
    }
}

/// A transform in 2D: position, rotation, scale and skew.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Transform2D"))]
pub struct Transform2D {
    /// Image of the X axis (first column).
    pub x: Vector2,
    /// Image of the Y axis (second column).
    pub y: Vector2,
    /// Image of the origin (third column).
    pub origin: Vector2,
}

impl Transform2D {
    /// The identity transform.
    pub const IDENTITY: Self =
        Self { x: Vector2::new(1.0, 0.0), y: Vector2::new(0.0, 1.0), origin: Vector2::ZERO };

    /// Returns the transform with these columns.
    pub const fn new(x: Vector2, y: Vector2, origin: Vector2) -> Self {
        Self { x, y, origin }
    }

    /// Returns the transformed point (Godot: `transform * point`).
    pub fn apply(self, point: Vector2) -> Vector2 {
        self.x * point.x + self.y * point.y + self.origin
    }
}

/// A plane in 3D: the points `p` with `normal · p = d`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Plane"))]
pub struct Plane {
    /// Direction perpendicular to the plane.
    pub normal: Vector3,
    /// Distance from the origin along the normal.
    pub d: f32,
}

impl Plane {
    /// Returns the plane with this normal and distance.
    pub const fn new(normal: Vector3, d: f32) -> Self {
        Self { normal, d }
    }

    /// Returns the distance of a point above the plane; negative below it.
    pub fn distance_to(self, point: Vector3) -> f32 {
        self.normal.dot(point) - self.d
    }
}

/// A rotation in 3D.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Quaternion"))]
pub struct Quaternion {
    /// First imaginary part.
    pub x: f32,
    /// Second imaginary part.
    pub y: f32,
    /// Third imaginary part.
    pub z: f32,
    /// Real part.
    pub w: f32,
}

impl Quaternion {
    /// The identity rotation.
    pub const IDENTITY: Self = Self::new(0.0, 0.0, 0.0, 1.0);

    /// Returns the quaternion with these parts.
    pub const fn new(x: f32, y: f32, z: f32, w: f32) -> Self {
        Self { x, y, z, w }
    }
}

/// An axis-aligned box in 3D.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Aabb"))]
pub struct Aabb {
    /// Corner from which the size extends.
    pub position: Vector3,
    /// Extent on each axis.
    pub size: Vector3,
}

impl Aabb {
    /// Returns the box with this corner and size.
    pub const fn new(position: Vector3, size: Vector3) -> Self {
        Self { position, size }
    }

    /// Returns the corner opposite to the position.
    pub fn end(self) -> Vector3 {
        self.position + self.size
    }
}

/// A 3×3 matrix: rotation, scale and shear in 3D.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Basis"))]
pub struct Basis {
    /// Image of the X axis (first column).
    pub x: Vector3,
    /// Image of the Y axis (second column).
    pub y: Vector3,
    /// Image of the Z axis (third column).
    pub z: Vector3,
}

impl Basis {
    /// The identity matrix.
    pub const IDENTITY: Self = Self {
        x: Vector3::new(1.0, 0.0, 0.0),
        y: Vector3::new(0.0, 1.0, 0.0),
        z: Vector3::new(0.0, 0.0, 1.0),
    };

    /// Returns the basis with these columns.
    pub const fn new(x: Vector3, y: Vector3, z: Vector3) -> Self {
        Self { x, y, z }
    }

    /// Returns the matrix with rows and columns swapped.
    pub const fn transposed(self) -> Self {
        let Self { x, y, z } = self;
        Self {
            x: Vector3::new(x.x, y.x, z.x),
            y: Vector3::new(x.y, y.y, z.y),
            z: Vector3::new(x.z, y.z, z.z),
        }
    }

    /// Returns the transformed vector (Godot: `basis * vector`).
    pub fn apply(self, vector: Vector3) -> Vector3 {
        self.x * vector.x + self.y * vector.y + self.z * vector.z
    }
}

/// A transform in 3D: position, rotation, scale and shear.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Transform3D"))]
pub struct Transform3D {
    /// Rotation, scale and shear.
    pub basis: Basis,
    /// Image of the origin.
    pub origin: Vector3,
}

impl Transform3D {
    /// The identity transform.
    pub const IDENTITY: Self = Self { basis: Basis::IDENTITY, origin: Vector3::ZERO };

    /// Returns the transform with this basis and origin.
    pub const fn new(basis: Basis, origin: Vector3) -> Self {
        Self { basis, origin }
    }

    /// Returns the transformed point (Godot: `transform * point`).
    pub fn apply(self, point: Vector3) -> Vector3 {
        self.basis.apply(point) + self.origin
    }
}

/// A 4×4 matrix, for camera projections.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Projection"))]
pub struct Projection {
    /// First column.
    pub x: Vector4,
    /// Second column.
    pub y: Vector4,
    /// Third column.
    pub z: Vector4,
    /// Fourth column.
    pub w: Vector4,
}

impl Projection {
    /// The identity matrix.
    pub const IDENTITY: Self = Self {
        x: Vector4::new(1.0, 0.0, 0.0, 0.0),
        y: Vector4::new(0.0, 1.0, 0.0, 0.0),
        z: Vector4::new(0.0, 0.0, 1.0, 0.0),
        w: Vector4::new(0.0, 0.0, 0.0, 1.0),
    };

    /// Returns the matrix with these columns.
    pub const fn new(x: Vector4, y: Vector4, z: Vector4, w: Vector4) -> Self {
        Self { x, y, z, w }
    }
}

/// A color. Components are usually in 0.0..=1.0 but may lie outside.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename = "mp::Color"))]
pub struct Color {
    /// Red.
    pub r: f32,
    /// Green.
    pub g: f32,
    /// Blue.
    pub b: f32,
    /// Opacity; 1.0 is opaque.
    pub a: f32,
}

impl Color {
    /// Opaque black.
    pub const BLACK: Self = Self::new(0.0, 0.0, 0.0, 1.0);

    /// Opaque white.
    pub const WHITE: Self = Self::new(1.0, 1.0, 1.0, 1.0);

    /// Returns the color with these components.
    pub const fn new(r: f32, g: f32, b: f32, a: f32) -> Self {
        Self { r, g, b, a }
    }

    /// Returns an opaque color.
    pub const fn rgb(r: f32, g: f32, b: f32) -> Self {
        Self::new(r, g, b, 1.0)
    }
}

/// Truncates the components.
impl From<Rect2> for Rect2i {
    fn from(from: Rect2) -> Self {
        Self::new(from.position.into(), from.size.into())
    }
}

impl From<Rect2i> for Rect2 {
    fn from(from: Rect2i) -> Self {
        Self::new(from.position.into(), from.size.into())
    }
}

impl From<Quaternion> for Basis {
    fn from(from: Quaternion) -> Self {
        let Quaternion { x, y, z, w } = from;
        let scale = 2.0 / (x * x + y * y + z * z + w * w);
        let (xs, ys, zs) = (x * scale, y * scale, z * scale);
        let (wx, wy, wz) = (w * xs, w * ys, w * zs);
        let (xx, xy, xz) = (x * xs, x * ys, x * zs);
        let (yy, yz, zz) = (y * ys, y * zs, z * zs);
        Self {
            x: Vector3::new(1.0 - (yy + zz), xy + wz, xz - wy),
            y: Vector3::new(xy - wz, 1.0 - (xx + zz), yz + wx),
            z: Vector3::new(xz + wy, yz - wx, 1.0 - (xx + yy)),
        }
    }
}

impl From<Basis> for Transform3D {
    fn from(basis: Basis) -> Self {
        Self { basis, origin: Vector3::ZERO }
    }
}

/// Extends the transform to 3D in the plane of X and Y.
impl From<Transform2D> for Transform3D {
    fn from(from: Transform2D) -> Self {
        let [x, y, origin] = [from.x, from.y, from.origin].map(|v| Vector3::new(v.x, v.y, 0.0));
        Self { basis: Basis { x, y, z: Basis::IDENTITY.z }, origin }
    }
}

/// Drops the Z components.
impl From<Transform3D> for Transform2D {
    fn from(from: Transform3D) -> Self {
        let columns = [from.basis.x, from.basis.y, from.origin];
        let [x, y, origin] = columns.map(|v| Vector2::new(v.x, v.y));
        Self { x, y, origin }
    }
}

/// Drops the perspective row.
impl From<Projection> for Transform3D {
    fn from(from: Projection) -> Self {
        let columns = [from.x, from.y, from.z, from.w];
        let [x, y, z, origin] = columns.map(|v| Vector3::new(v.x, v.y, v.z));
        Self { basis: Basis { x, y, z }, origin }
    }
}

impl From<Transform3D> for Projection {
    fn from(from: Transform3D) -> Self {
        let column = |v: Vector3, w| Vector4::new(v.x, v.y, v.z, w);
        let Transform3D { basis: Basis { x, y, z }, origin } = from;
        Self { x: column(x, 0.0), y: column(y, 0.0), z: column(z, 0.0), w: column(origin, 1.0) }
    }
}

components!(Rect2 { position: Vector2, size: Vector2 });
components!(Transform2D { x: Vector2, y: Vector2, origin: Vector2 });
components!(Plane { normal: Vector3, d: f32 });
components!(Quaternion { x: f32, y: f32, z: f32, w: f32 });
components!(Aabb { position: Vector3, size: Vector3 });
components!(Basis { x: Vector3, y: Vector3, z: Vector3 });
components!(Transform3D { basis: Basis, origin: Vector3 });
components!(Projection { x: Vector4, y: Vector4, z: Vector4, w: Vector4 });
components!(Color { r: f32, g: f32, b: f32, a: f32 });

/// Implements `Default` for types whose default is not all zeros, as Godot's constructors without
/// arguments.
macro_rules! default {
    ($($name:ident: $value:ident),+) => {
        $(impl Default for $name {
            fn default() -> Self {
                Self::$value
            }
        })+
    };
}
default!(Transform2D: IDENTITY, Quaternion: IDENTITY, Basis: IDENTITY, Projection: IDENTITY, Color: BLACK);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangle_excludes_its_right_and_bottom_edges() {
        let rect = Rect2::new(Vector2::ONE, Vector2::new(2.0, 3.0));
        assert_eq!(rect.end(), Vector2::new(3.0, 4.0));
        assert!(rect.has_point(Vector2::ONE));
        assert!(!rect.has_point(rect.end()));
    }

    #[test]
    fn transforms_apply_to_points() {
        let turn = Transform2D::new((0.0, 1.0).into(), (-1.0, 0.0).into(), (10.0, 0.0).into());
        assert_eq!(turn.apply(Vector2::new(1.0, 2.0)), Vector2::new(8.0, 1.0));
        assert_eq!(Transform3D::IDENTITY.apply(Vector3::ONE), Vector3::ONE);
    }

    #[test]
    fn transposing_twice_is_the_identity() {
        let basis =
            Basis::new((1.0, 2.0, 3.0).into(), (4.0, 5.0, 6.0).into(), (7.0, 8.0, 9.0).into());
        assert_eq!(basis.transposed().x, Vector3::new(1.0, 4.0, 7.0));
        assert_eq!(basis.transposed().transposed(), basis);
    }
}
