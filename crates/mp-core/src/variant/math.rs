//! Vectors and their arithmetic. Components are `f32`, as in Godot's official builds.
#![expect(clippy::exhaustive_structs, reason = "plain values with public fields")]

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub, SubAssign};

/// A value that consists of `f32` components in a fixed order. A codec encodes and decodes all such
/// types alike.
pub trait Components: Copy {
    /// Number of components.
    const COUNT: usize;

    /// Calls `visit` with each component, in the order of the fields.
    fn each(&self, visit: &mut impl FnMut(f32));

    /// Builds the value from `COUNT` calls of `next`, in the order of the fields.
    fn build(next: &mut impl FnMut() -> f32) -> Self;

    /// Returns whether all components are [the same number](same).
    fn same(&self, other: &Self) -> bool;
}

impl Components for f32 {
    const COUNT: usize = 1;

    fn each(&self, visit: &mut impl FnMut(Self)) {
        visit(*self);
    }

    fn build(next: &mut impl FnMut() -> Self) -> Self {
        next()
    }

    fn same(&self, other: &Self) -> bool {
        same(f64::from(*self), f64::from(*other))
    }
}

/// Returns whether two numbers within a [`Variant`](crate::Variant) are equal: `0.0` equals `-0.0`,
/// and any NaN equals any NaN (Godot: `hash_compare`). A value therefore always equals itself and
/// can be found as a key.
pub fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// Implements [`Components`] for a struct whose fields have components.
macro_rules! components {
    ($name:ident { $($field:ident: $type:ty),+ }) => {
        impl $crate::variant::Components for $name {
            const COUNT: usize = 0 $(+ <$type as $crate::variant::Components>::COUNT)+;

            fn each(&self, visit: &mut impl FnMut(f32)) {
                $($crate::variant::Components::each(&self.$field, visit);)+
            }

            fn build(next: &mut impl FnMut() -> f32) -> Self {
                Self { $($field: $crate::variant::Components::build(next)),+ }
            }

            fn same(&self, other: &Self) -> bool {
                $($crate::variant::Components::same(&self.$field, &other.$field))&&+
            }
        }
    };
}
pub(super) use components;

macro_rules! vector {
    ($(#[$doc:meta])* $name:ident, $scalar:ty, $zero:literal, $one:literal, [$($field:ident),+], $tuple:ty) => {
        #[derive(Clone, Copy, Debug, Default, PartialEq)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        $(#[$doc])*
        pub struct $name {
            $(#[doc = concat!("The ", stringify!($field), " component.")] pub $field: $scalar,)+
        }

        impl $name {
            /// The vector of zeros.
            pub const ZERO: Self = Self::splat($zero);

            /// The vector of ones.
            pub const ONE: Self = Self::splat($one);

            /// Returns the vector with these components.
            pub const fn new($($field: $scalar),+) -> Self {
                Self { $($field),+ }
            }

            /// Returns the vector whose components are all `value`.
            pub const fn splat(value: $scalar) -> Self {
                Self { $($field: value),+ }
            }

            /// Returns the component-wise minimum.
            pub fn min(self, other: Self) -> Self {
                Self { $($field: self.$field.min(other.$field)),+ }
            }

            /// Returns the component-wise maximum.
            pub fn max(self, other: Self) -> Self {
                Self { $($field: self.$field.max(other.$field)),+ }
            }

            /// Returns the component-wise absolute value.
            pub fn abs(self) -> Self {
                Self { $($field: scalar::Scalar::magnitude(self.$field)),+ }
            }
        }

        impl From<$tuple> for $name {
            fn from(($($field),+): $tuple) -> Self {
                Self { $($field),+ }
            }
        }

        impl Add for $name {
            type Output = Self;

            fn add(self, other: Self) -> Self {
                Self { $($field: scalar::Scalar::plus(self.$field, other.$field)),+ }
            }
        }

        impl AddAssign for $name {
            fn add_assign(&mut self, other: Self) {
                *self = *self + other;
            }
        }

        impl Sub for $name {
            type Output = Self;

            fn sub(self, other: Self) -> Self {
                Self { $($field: scalar::Scalar::minus(self.$field, other.$field)),+ }
            }
        }

        impl SubAssign for $name {
            fn sub_assign(&mut self, other: Self) {
                *self = *self - other;
            }
        }

        impl Neg for $name {
            type Output = Self;

            fn neg(self) -> Self {
                Self { $($field: scalar::Scalar::negated(self.$field)),+ }
            }
        }

        /// Multiplies each component by a scalar.
        impl Mul<$scalar> for $name {
            type Output = Self;

            fn mul(self, factor: $scalar) -> Self {
                Self { $($field: scalar::Scalar::times(self.$field, factor)),+ }
            }
        }

        /// Multiplies component-wise.
        impl Mul for $name {
            type Output = Self;

            fn mul(self, other: Self) -> Self {
                Self { $($field: scalar::Scalar::times(self.$field, other.$field)),+ }
            }
        }
    };
}

macro_rules! float_vector {
    ($(#[$doc:meta])* $name:ident, $integer:ident, [$($field:ident),+], $tuple:ty) => {
        vector!($(#[$doc])* $name, f32, 0.0, 1.0, [$($field),+], $tuple);
        components!($name { $($field: f32),+ });

        impl $name {
            /// Returns the dot product.
            pub fn dot(self, other: Self) -> f32 {
                0.0 $(+ self.$field * other.$field)+
            }

            /// Returns the length.
            pub fn length(self) -> f32 {
                self.length_squared().sqrt()
            }

            /// Returns the square of the length, which is cheaper to compare.
            pub fn length_squared(self) -> f32 {
                self.dot(self)
            }

            /// Returns the vector of length 1 in this direction. The zero vector stays zero, as in
            /// Godot.
            pub fn normalized(self) -> Self {
                let length = self.length();
                if length == 0.0 { Self::ZERO } else { self / length }
            }

            /// Returns the vector, shortened to length `max` if it is longer.
            pub fn limit_length(self, max: f32) -> Self {
                let length = self.length();
                if length > 0.0 && length > max { self / length * max } else { self }
            }

            /// Returns the distance between two points.
            pub fn distance_to(self, to: Self) -> f32 {
                (to - self).length()
            }

            /// Returns the square of the distance, which is cheaper to compare.
            pub fn distance_squared_to(self, to: Self) -> f32 {
                (to - self).length_squared()
            }

            /// Returns the vector of length 1 that points from `self` to `to`.
            pub fn direction_to(self, to: Self) -> Self {
                (to - self).normalized()
            }

            /// Returns the linear interpolation between `self` (`weight` 0) and `to` (`weight` 1).
            pub fn lerp(self, to: Self, weight: f32) -> Self {
                self + (to - self) * weight
            }

            /// Returns whether no component is infinite or NaN. Check untrusted input before
            /// computing with it.
            pub fn is_finite(self) -> bool {
                $(self.$field.is_finite())&&+
            }
        }

        /// Divides each component by a scalar.
        impl Div<f32> for $name {
            type Output = Self;

            fn div(self, divisor: f32) -> Self {
                Self { $($field: self.$field / divisor),+ }
            }
        }

        impl From<$integer> for $name {
            fn from(from: $integer) -> Self {
                Self { $($field: from.$field as f32),+ }
            }
        }

        /// Truncates, saturates, and maps NaN to 0.
        impl From<$name> for $integer {
            fn from(from: $name) -> Self {
                Self { $($field: from.$field as i32),+ }
            }
        }
    };
}

macro_rules! integer_vector {
    ($(#[$doc:meta])* $name:ident, [$($field:ident),+], $tuple:ty) => {
        vector!(
            $(#[$doc])*
            ///
            /// Arithmetic wraps around, as in Godot, so that untrusted input cannot cause a panic.
            #[derive(Eq, Hash)]
            $name, i32, 0, 1, [$($field),+], $tuple
        );

        impl $name {
            /// Returns the square of the length.
            pub fn length_squared(self) -> i64 {
                0i64 $(.wrapping_add(i64::from(self.$field) * i64::from(self.$field)))+
            }

            /// Returns the vector with each component limited to the range of `min` and `max`.
            pub fn clamp(self, min: Self, max: Self) -> Self {
                self.max(min).min(max)
            }

            /// Returns the sign of each component: −1, 0 or 1.
            pub const fn sign(self) -> Self {
                Self { $($field: self.$field.signum()),+ }
            }

            /// Returns the distance between two points.
            pub fn distance_to(self, to: Self) -> f64 {
                (to - self).length()
            }

            /// Returns the square of the distance, which is cheaper to compare.
            pub fn distance_squared_to(self, to: Self) -> i64 {
                (to - self).length_squared()
            }

            /// Returns the length.
            pub fn length(self) -> f64 {
                (0.0 $(+ f64::from(self.$field) * f64::from(self.$field))+).sqrt()
            }
        }
    };
}

float_vector!(
    /// A vector in 2D.
    #[cfg_attr(feature = "serde", serde(rename = "mp::Vector2"))]
    Vector2, Vector2i, [x, y], (f32, f32)
);
float_vector!(
    /// A vector in 3D.
    #[cfg_attr(feature = "serde", serde(rename = "mp::Vector3"))]
    Vector3, Vector3i, [x, y, z], (f32, f32, f32)
);
float_vector!(
    /// A vector of four components.
    #[cfg_attr(feature = "serde", serde(rename = "mp::Vector4"))]
    Vector4, Vector4i, [x, y, z, w], (f32, f32, f32, f32)
);
integer_vector!(
    /// A vector in 2D with integer components.
    #[cfg_attr(feature = "serde", serde(rename = "mp::Vector2i"))]
    Vector2i, [x, y], (i32, i32)
);
integer_vector!(
    /// A vector in 3D with integer components.
    #[cfg_attr(feature = "serde", serde(rename = "mp::Vector3i"))]
    Vector3i, [x, y, z], (i32, i32, i32)
);
integer_vector!(
    /// A vector of four integer components.
    #[cfg_attr(feature = "serde", serde(rename = "mp::Vector4i"))]
    Vector4i, [x, y, z, w], (i32, i32, i32, i32)
);

impl Vector2 {
    /// Returns the cross product in 2D: the sine of the angle between the vectors times their
    /// lengths.
    pub fn cross(self, other: Self) -> f32 {
        self.x * other.y - self.y * other.x
    }

    /// Returns the angle to the X axis in radians.
    pub fn angle(self) -> f32 {
        self.y.atan2(self.x)
    }

    /// Returns the vector rotated by `angle` radians.
    pub fn rotated(self, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self::new(self.x * cos - self.y * sin, self.x * sin + self.y * cos)
    }
}

impl Vector3 {
    /// Returns the cross product, which is perpendicular to both vectors.
    pub fn cross(self, other: Self) -> Self {
        Self::new(
            self.y * other.z - self.z * other.y,
            self.z * other.x - self.x * other.z,
            self.x * other.y - self.y * other.x,
        )
    }
}

/// The arithmetic that `f32` and `i32` components provide.
mod scalar {
    pub(super) trait Scalar: Copy {
        fn plus(self, other: Self) -> Self;
        fn minus(self, other: Self) -> Self;
        fn times(self, other: Self) -> Self;
        fn negated(self) -> Self;
        fn magnitude(self) -> Self;
    }

    impl Scalar for f32 {
        fn plus(self, other: Self) -> Self {
            self + other
        }

        fn minus(self, other: Self) -> Self {
            self - other
        }

        fn times(self, other: Self) -> Self {
            self * other
        }

        fn negated(self) -> Self {
            -self
        }

        fn magnitude(self) -> Self {
            self.abs()
        }
    }

    impl Scalar for i32 {
        fn plus(self, other: Self) -> Self {
            self.wrapping_add(other)
        }

        fn minus(self, other: Self) -> Self {
            self.wrapping_sub(other)
        }

        fn times(self, other: Self) -> Self {
            self.wrapping_mul(other)
        }

        fn negated(self) -> Self {
            self.wrapping_neg()
        }

        fn magnitude(self) -> Self {
            self.wrapping_abs()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vector_arithmetic() {
        let v = Vector2::new(3.0, 4.0);
        assert_eq!(v.length(), 5.0);
        assert_eq!((v + Vector2::ONE) * 2.0 - Vector2::ONE, Vector2::new(7.0, 9.0));
        assert_eq!(v.normalized().length(), 1.0);
        assert_eq!(v.limit_length(2.5), Vector2::new(1.5, 2.0));
        assert_eq!(v.limit_length(9.0), v);
        assert_eq!(Vector2::ZERO.lerp(v, 0.5), Vector2::new(1.5, 2.0));
        assert_eq!(v.distance_to(Vector2::ZERO), 5.0);
        assert_eq!(
            Vector3::new(1.0, 0.0, 0.0).cross((0.0, 1.0, 0.0).into()),
            (0.0, 0.0, 1.0).into()
        );
    }

    #[test]
    fn zero_vector_stays_zero_when_normalized_or_limited() {
        assert_eq!(Vector3::ZERO.normalized(), Vector3::ZERO);
        assert_eq!(Vector3::ZERO.limit_length(0.0), Vector3::ZERO);
    }

    #[test]
    fn integer_vectors_wrap_around() {
        let far = Vector2i::new(i32::MAX, i32::MIN);
        assert_eq!(far + Vector2i::ONE, Vector2i::new(i32::MIN, i32::MIN + 1));
        assert_eq!((-far).y, i32::MIN);
        assert_eq!(far.abs().y, i32::MIN);
        assert!(far.length() > 3.0e9);
    }

    #[test]
    fn conversion_to_integer_vectors_truncates_and_saturates() {
        assert_eq!(Vector2i::from(Vector2::new(-1.9, f32::INFINITY)), Vector2i::new(-1, i32::MAX));
        assert_eq!(Vector2::from(Vector2i::new(1, -2)), Vector2::new(1.0, -2.0));
    }
}
