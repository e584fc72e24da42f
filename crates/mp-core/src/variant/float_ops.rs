//! Operations of vectors with `f32` components, beyond arithmetic.

use std::ops::{Div, DivAssign, MulAssign};

use super::{Vector2, Vector3, Vector4};

/// Squared length by which a normalized vector may differ from 1.
const UNIT_EPSILON: f32 = 0.001;

pub(super) fn equal(a: f32, b: f32) -> bool {
    a == b || (a - b).abs() < EPSILON * a.abs().max(1.0)
}

fn zero(value: f32) -> bool {
    value.abs() < EPSILON
}

fn snapped(value: f32, step: f32) -> f32 {
    if step == 0.0 { value } else { (value / step + 0.5).floor() * step }
}

fn posmod(value: f32, divisor: f32) -> f32 {
    let rest = value % divisor;
    if (rest < 0.0 && divisor > 0.0) || (rest > 0.0 && divisor < 0.0) {
        rest + divisor
    } else {
        rest
    }
}

fn sign(value: f32) -> f32 {
    if value == 0.0 || value.is_nan() { 0.0 } else { value.signum() }
}

/// Godot's `CMP_EPSILON`.
pub(super) const EPSILON: f32 = crate::math::CMP_EPSILON as f32;

macro_rules! operations {
    ($name:ident, [$($field:ident),+]) => {
        impl $name {
            /// Returns whether all components are equal within 10⁻⁵, or this part of their size.
            pub fn is_equal_approx(self, other: Self) -> bool {
                $(equal(self.$field, other.$field))&&+
            }

            /// Returns whether all components are within 10⁻⁵ of 0.
            pub fn is_zero_approx(self) -> bool {
                $(zero(self.$field))&&+
            }

            /// Returns whether the length is 1, within about 0.0005.
            pub fn is_normalized(self) -> bool {
                (self.length_squared() - 1.0).abs() < UNIT_EPSILON
            }

            /// Returns the vector with each component limited to the range of `min` and `max`.
            pub fn clamp(self, min: Self, max: Self) -> Self {
                self.max(min).min(max)
            }

            /// Rounds each component down.
            pub fn floor(self) -> Self {
                Self { $($field: self.$field.floor()),+ }
            }

            /// Rounds each component up.
            pub fn ceil(self) -> Self {
                Self { $($field: self.$field.ceil()),+ }
            }

            /// Rounds each component to the nearest integer, halves away from 0.
            pub fn round(self) -> Self {
                Self { $($field: self.$field.round()),+ }
            }

            /// Returns the sign of each component: −1, 0 or 1.
            pub fn sign(self) -> Self {
                Self { $($field: sign(self.$field)),+ }
            }

            /// Returns the remainder of each component's division, with the sign of `divisor`.
            pub fn posmod(self, divisor: f32) -> Self {
                Self { $($field: posmod(self.$field, divisor)),+ }
            }

            /// Returns each component rounded to a multiple of `step`'s; 0 does not round.
            pub fn snapped(self, step: Self) -> Self {
                Self { $($field: snapped(self.$field, step.$field)),+ }
            }

            /// Returns the point moved by at most `delta` to `to`. A negative `delta` moves away.
            pub fn move_toward(self, to: Self, delta: f32) -> Self {
                let way = to - self;
                let length = way.length();
                if length <= delta || length < EPSILON { to } else { self + way / length * delta }
            }

            /// Returns the projection on the line along `onto`, which must not be zero.
            pub fn project(self, onto: Self) -> Self {
                onto * (self.dot(onto) / onto.length_squared())
            }

            /// Returns the vector without its part along `normal`, which must be normalized.
            pub fn slide(self, normal: Self) -> Self {
                self - normal * self.dot(normal)
            }

            /// Returns the vector reflected by the line along `normal`, which must be normalized.
            /// See [`bounce`](Self::bounce) for a wall.
            pub fn reflect(self, normal: Self) -> Self {
                normal * (2.0 * self.dot(normal)) - self
            }

            /// Returns the vector after it bounces off a wall with this normal, which must be
            /// normalized.
            pub fn bounce(self, normal: Self) -> Self {
                -self.reflect(normal)
            }
        }

        /// Divides component-wise.
        impl Div for $name {
            type Output = Self;

            fn div(self, other: Self) -> Self {
                Self { $($field: self.$field / other.$field),+ }
            }
        }

        impl MulAssign<f32> for $name {
            fn mul_assign(&mut self, factor: f32) {
                *self = *self * factor;
            }
        }

        impl DivAssign<f32> for $name {
            fn div_assign(&mut self, divisor: f32) {
                *self = *self / divisor;
            }
        }

        /// Multiplies each component.
        impl std::ops::Mul<$name> for f32 {
            type Output = $name;

            fn mul(self, vector: $name) -> $name {
                vector * self
            }
        }
    };
}

operations!(Vector2, [x, y]);
operations!(Vector3, [x, y, z]);
operations!(Vector4, [x, y, z, w]);
