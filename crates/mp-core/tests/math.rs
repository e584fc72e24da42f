//! Godot's math: each result as Godot 4.6.3 prints it, from `testdata/godot4/math.txt`.
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;

use mp_core::variant::{
    Aabb, Basis, Color, Plane, Quaternion, Rect2, Transform2D, Transform3D, Vector2, Vector2i,
    Vector3, Vector4,
};
use mp_core::{Variant, math};

/// Compares the rows whose name begins with one of `groups`; there must be no others.
fn check<const N: usize>(groups: &[&str], results: [(&str, Variant); N]) {
    let golden: BTreeMap<&str, &str> = include_str!("../../../testdata/godot4/math.txt")
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .filter(|(name, _)| groups.iter().any(|group| name.starts_with(group)))
        .collect();
    let results = results.map(|(name, value)| (name, value.to_string()));
    let results: BTreeMap<&str, &str> =
        results.iter().map(|(name, text)| (*name, text.as_str())).collect();
    assert_eq!(results, golden);
}

#[test]
fn vectors_in_2d_compute_as_in_godot() {
    let (a, b, down) = (Vector2::new(3.0, 4.0), Vector2::new(-1.0, 2.0), Vector2::DOWN);
    let g = Vector2i::new(7, -7);
    check(
        &["v2"],
        [
            ("v2 angle", a.angle().into()),
            ("v2 angle_to", a.angle_to(b).into()),
            ("v2 angle_to_point", a.angle_to_point(b).into()),
            ("v2 aspect", a.aspect().into()),
            ("v2 bounce", a.bounce(down).into()),
            ("v2 reflect", a.reflect(down).into()),
            ("v2 slide", a.slide(down).into()),
            ("v2 project", a.project(b).into()),
            ("v2 ceil", Vector2::new(1.2, -1.2).ceil().into()),
            ("v2 floor", Vector2::new(1.2, -1.2).floor().into()),
            ("v2 round", Vector2::new(1.5, -1.5).round().into()),
            ("v2 sign", Vector2::new(-2.0, 0.0).sign().into()),
            ("v2 clamp", a.clamp(Vector2::ZERO, Vector2::splat(3.5)).into()),
            ("v2 cross", a.cross(b).into()),
            ("v2 dot", a.dot(b).into()),
            ("v2 direction_to", a.direction_to(b).into()),
            ("v2 distance_to", a.distance_to(b).into()),
            ("v2 from_angle", Vector2::from_angle(1.0).into()),
            ("v2 equal within 1e-5", a.is_equal_approx(Vector2::new(3.00001, 4.0)).into()),
            ("v2 equal beyond 1e-5", a.is_equal_approx(Vector2::new(3.0001, 4.0)).into()),
            ("v2 is_normalized", Vector2::new(0.6, 0.8).is_normalized().into()),
            ("v2 is_normalized of long", a.is_normalized().into()),
            ("v2 is_zero_approx", Vector2::new(0.000009, 0.0).is_zero_approx().into()),
            ("v2 is_zero_approx of 2e-5", Vector2::new(0.00002, 0.0).is_zero_approx().into()),
            ("v2 lerp", a.lerp(b, 0.25).into()),
            ("v2 limit_length", a.limit_length(2.0).into()),
            ("v2 move_toward", a.move_toward(b, 1.0).into()),
            ("v2 move_toward beyond", a.move_toward(b, 100.0).into()),
            ("v2 move_toward back", a.move_toward(b, -1.0).into()),
            ("v2 normalized", a.normalized().into()),
            ("v2 orthogonal", a.orthogonal().into()),
            ("v2 posmod", Vector2::new(-1.0, 5.0).posmod(3.0).into()),
            ("v2 rotated", a.rotated(0.5).into()),
            ("v2 slerp", a.slerp(b, 0.25).into()),
            ("v2 snapped", Vector2::new(3.3, 4.7).snapped(Vector2::new(0.5, 0.0)).into()),
            ("v2 divided", (a / b).into()),
            ("v2i clamp", g.clamp(Vector2i::ZERO, Vector2i::new(5, 5)).into()),
            ("v2i sign", g.sign().into()),
            ("v2i distance_to", g.distance_to(Vector2i::ONE).into()),
            ("v2i distance_squared_to", g.distance_squared_to(Vector2i::ONE).into()),
        ],
    );
}

#[test]
fn vectors_in_3d_compute_as_in_godot() {
    let (c, e, up) = (Vector3::new(1.0, 2.0, 3.0), Vector3::new(-2.0, 0.5, 4.0), Vector3::UP);
    check(
        &["v3", "v4"],
        [
            ("v3 angle_to", c.angle_to(e).into()),
            ("v3 signed_angle_to", c.signed_angle_to(e, up).into()),
            ("v3 bounce", c.bounce(up).into()),
            ("v3 reflect", c.reflect(up).into()),
            ("v3 slide", c.slide(up).into()),
            ("v3 project", c.project(e).into()),
            ("v3 cross", c.cross(e).into()),
            ("v3 lerp", c.lerp(e, 0.25).into()),
            ("v3 limit_length", c.limit_length(2.0).into()),
            ("v3 move_toward", c.move_toward(e, 1.0).into()),
            ("v3 normalized", c.normalized().into()),
            ("v3 rotated", c.rotated(up, 0.5).into()),
            ("v3 slerp", c.slerp(e, 0.25).into()),
            ("v3 posmod", Vector3::new(-1.0, 5.0, -7.0).posmod(3.0).into()),
            ("v3 snapped", Vector3::new(3.3, 4.7, 1.0).snapped(Vector3::ONE).into()),
            ("v4 normalized", Vector4::new(1.0, 2.0, 3.0, 4.0).normalized().into()),
            ("v4 lerp", Vector4::new(1.0, 2.0, 3.0, 4.0).lerp(Vector4::ZERO, 0.25).into()),
        ],
    );
}

#[test]
fn numbers_compute_as_in_godot() {
    check(
        &["move", "lerp", "angle", "rotate", "wrapf", "remap", "equal"],
        [
            ("move_toward", math::move_toward(1.0, 5.0, 1.5).into()),
            ("move_toward beyond", math::move_toward(1.0, 2.0, 1.5).into()),
            ("move_toward down", math::move_toward(5.0, 1.0, 1.5).into()),
            ("lerp_angle", math::lerp_angle(0.1, 6.2, 0.5).into()),
            ("lerp_angle over pi", math::lerp_angle(3.0, -3.0, 0.5).into()),
            ("angle_difference", math::angle_difference(3.0, -3.0).into()),
            ("rotate_toward", math::rotate_toward(0.0, -3.0, 1.0).into()),
            ("rotate_toward beyond", math::rotate_toward(0.0, 0.5, 1.0).into()),
            ("wrapf above", math::wrapf(7.5, 0.0, 5.0).into()),
            ("wrapf below", math::wrapf(-1.0, 0.0, 5.0).into()),
            ("remap", math::remap(75.0, 0.0..=100.0, -1.0..=1.0).into()),
            ("equal within 1e-5", math::is_equal_approx(1.0, 1.000001).into()),
            ("equal beyond 1e-5", math::is_equal_approx(1.0, 1.00002).into()),
        ],
    );
}

#[test]
fn shapes_compute_as_in_godot() {
    let rect = |x, y, w, h| Rect2::new(Vector2::new(x, y), Vector2::new(w, h));
    let (r, other) = (rect(1.0, 2.0, 3.0, 4.0), rect(3.0, 3.0, 9.0, 9.0));
    let cube = Aabb::new(Vector3::new(1.0, 2.0, 3.0), Vector3::new(4.0, 5.0, 6.0));
    let (plane, up) = (Plane::new(Vector3::UP, 2.0), Vector3::UP);
    check(
        &["rect", "aabb", "plane"],
        [
            ("rect touches", r.intersects(rect(4.0, 2.0, 1.0, 1.0)).into()),
            ("rect intersects", r.intersects(other).into()),
            ("rect intersection", r.intersection(other).into()),
            ("rect no intersection", r.intersection(rect(30.0, 3.0, 9.0, 9.0)).into()),
            ("rect merge", r.merge(other).into()),
            ("rect grow", r.grow(1.0).into()),
            ("rect expand", r.expand(Vector2::new(0.0, 9.0)).into()),
            ("rect encloses itself", r.encloses(r).into()),
            ("rect encloses higher", r.encloses(rect(1.0, 2.0, 3.0, 5.0)).into()),
            ("rect center", r.center().into()),
            ("rect abs", rect(1.0, 2.0, -3.0, 4.0).abs().into()),
            ("aabb has its end", cube.has_point(Vector3::new(5.0, 7.0, 9.0)).into()),
            ("aabb has a point outside", cube.has_point(Vector3::new(6.0, 7.0, 9.0)).into()),
            (
                "aabb touches",
                cube.intersects(Aabb::new(Vector3::new(5.0, 2.0, 3.0), Vector3::ONE)).into(),
            ),
            (
                "aabb intersects",
                cube.intersects(Aabb::new(Vector3::new(4.0, 2.0, 3.0), Vector3::ONE)).into(),
            ),
            ("aabb merge", cube.merge(Aabb::new(Vector3::ZERO, Vector3::ONE)).into()),
            ("aabb grow", cube.grow(1.0).into()),
            ("aabb center", cube.center().into()),
            ("plane is_point_over", plane.is_point_over(Vector3::new(1.0, 5.0, 1.0)).into()),
            ("plane project", plane.project(Vector3::new(1.0, 5.0, 1.0)).into()),
            (
                "plane intersects_ray",
                plane.intersects_ray(Vector3::new(0.0, 5.0, 0.0), Vector3::DOWN).into(),
            ),
            ("plane no ray", plane.intersects_ray(Vector3::new(0.0, 5.0, 0.0), up).into()),
        ],
    );
}

#[test]
fn transforms_compute_as_in_godot() {
    let (c, up, euler) = (Vector3::new(1.0, 2.0, 3.0), Vector3::UP, Vector3::new(0.1, 0.2, 0.3));
    let t = Transform2D::from_angle(0.5, Vector2::new(10.0, 20.0));
    let (q, m) = (Quaternion::from_axis_angle(up, 0.5), Basis::from_euler(euler));
    let w = Transform3D::new(m, c);
    check(
        &["t2", "t3", "q", "b"],
        [
            ("t2", t.into()),
            ("t2 apply", t.apply(Vector2::new(1.0, 2.0)).into()),
            ("t2 affine_inverse", t.affine_inverse().into()),
            ("t2 rotation", t.rotation().into()),
            ("t2 multiplied", (t * t).into()),
            ("t2 rotated", t.rotated(1.0).into()),
            ("t2 translated", t.translated(Vector2::ONE).into()),
            ("t2 basis_xform", t.basis_xform(Vector2::new(1.0, 2.0)).into()),
            ("q", q.into()),
            ("q apply", q.apply(c).into()),
            ("q multiplied", (q * q).into()),
            ("q inverse", q.inverse().into()),
            ("q slerp", q.slerp(Quaternion::IDENTITY, 0.25).into()),
            ("q angle_to", q.angle_to(Quaternion::IDENTITY).into()),
            ("q from_euler", Quaternion::from_euler(euler).into()),
            ("b", m.into()),
            ("b apply", m.apply(c).into()),
            ("b inverse", m.scaled(Vector3::new(1.0, 2.0, 4.0)).inverse().into()),
            ("b multiplied", (m * m).into()),
            ("b euler", m.euler().into()),
            ("b quaternion", Quaternion::from(m).into()),
            ("b rotated", m.rotated(up, 0.5).into()),
            ("b axis angle", Basis::from_axis_angle(Vector3::new(0.6, 0.8, 0.0), 0.5).into()),
            ("t3 apply", w.apply(c).into()),
            ("t3 affine_inverse", w.affine_inverse().into()),
            ("t3 multiplied", (w * w).into()),
            ("t3 translated", w.translated(Vector3::ONE).into()),
            ("t3 rotated", w.rotated(up, 0.5).into()),
        ],
    );
}

#[test]
fn colors_compute_as_in_godot() {
    let color = Color::new(1.0, 0.5, 0.25, 0.5);
    check(
        &["color"],
        [
            ("color lerp", color.lerp(Color::BLACK, 0.25).into()),
            ("color to_html", color.to_html().into()),
            ("color html", Color::from_html("#ff800040").into()),
            ("color html short", Color::from_html("f80").into()),
            ("color darkened", color.darkened(0.5).into()),
            ("color lightened", color.lightened(0.5).into()),
        ],
    );
}
