//! Godot's functions on numbers, such as `move_toward` and `lerp_angle`.

use std::f64::consts::{PI, TAU};

/// Difference up to which numbers near 0 are equal (Godot: `CMP_EPSILON`). Larger numbers may
/// differ by this part of their size.
pub const CMP_EPSILON: f64 = 1e-5;

/// Returns whether two numbers are equal within [`CMP_EPSILON`].
pub fn is_equal_approx(a: f64, b: f64) -> bool {
    a == b || (a - b).abs() < CMP_EPSILON * a.abs().max(1.0)
}

/// Returns whether a number is within [`CMP_EPSILON`] of 0.
pub fn is_zero_approx(value: f64) -> bool {
    value.abs() < CMP_EPSILON
}

/// Returns the linear interpolation between `from` (`weight` 0) and `to` (`weight` 1).
pub fn lerp(from: f64, to: f64, weight: f64) -> f64 {
    from + (to - from) * weight
}

/// Returns the interpolation between two angles in radians, by the shorter way.
pub fn lerp_angle(from: f64, to: f64, weight: f64) -> f64 {
    from + angle_difference(from, to) * weight
}

/// Returns the difference of two angles in radians, from −π to π.
pub fn angle_difference(from: f64, to: f64) -> f64 {
    let difference = (to - from) % TAU;
    (2.0 * difference) % TAU - difference
}

/// Returns `from`, moved by at most `delta` to `to`. A negative `delta` moves away.
pub fn move_toward(from: f64, to: f64, delta: f64) -> f64 {
    if (to - from).abs() <= delta { to } else { from + delta.copysign(to - from) * delta.signum() }
}

/// Returns the angle `from`, turned by at most `delta` radians to `to`, by the shorter way. A
/// negative `delta` turns to the opposite angle.
pub fn rotate_toward(from: f64, to: f64, delta: f64) -> f64 {
    let difference = angle_difference(from, to);
    let size = difference.abs();
    // `clamp` would panic for a NaN.
    let turn = delta.max(size - PI).min(size);
    from + if difference >= 0.0 { turn } else { -turn }
}

/// Returns `value`, wrapped to `min..max`. Returns `min` for an empty range.
pub fn wrapf(value: f64, min: f64, max: f64) -> f64 {
    let range = max - min;
    if is_zero_approx(range) {
        return min;
    }
    let wrapped = value - range * ((value - min) / range).floor();
    if is_equal_approx(wrapped, max) { min } else { wrapped }
}

/// Maps `value` from one range to another, linearly and beyond its ends.
pub fn remap(
    value: f64,
    from: std::ops::RangeInclusive<f64>,
    to: std::ops::RangeInclusive<f64>,
) -> f64 {
    let weight = (value - from.start()) / (from.end() - from.start());
    lerp(*to.start(), *to.end(), weight)
}
