//! Values of `calls`: every type of Variant, and boundary values of types with several encodings.
//! The index is the number `k`.

use mp_core::variant::{
    Aabb, Array, Basis, Color, Dictionary, Object, Plane, Projection, Quaternion, Rect2, Rect2i,
    StringName, Transform2D, Transform3D, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};
use mp_core::{NodePath, Variant, VariantType};

use crate::exact::{array, dictionary};

/// Returns the values in the order of `values.gd`.
pub(super) fn list() -> Vec<Variant> {
    let mut list = plain();
    list.extend(geometry());
    list.extend(names());
    list.extend(containers());
    list.extend(packed());
    list
}

fn plain() -> Vec<Variant> {
    vec![
        Variant::Nil,
        false.into(),
        true.into(),
        0.into(),
        (-1).into(),
        127.into(),
        (-128).into(),
        128.into(),
        (-32768).into(),
        32768.into(),
        (-2_147_483_648).into(),
        2_147_483_648_i64.into(),
        i64::MAX.into(),
        i64::MIN.into(),
        0.0.into(),
        0.5.into(),
        0.1.into(),
        (-1e300).into(),
        f64::INFINITY.into(),
        f64::NAN.into(),
        "".into(),
        "plain".into(),
        "Grüße, 世界 🌍".into(),
    ]
}

fn geometry() -> Vec<Variant> {
    let axes = [(1., 2., 3.), (4., 5., 6.), (7., 8., 9.)].map(Vector3::from);
    let [x, y, z] = axes;
    let rows = [(1., 2., 3., 4.), (5., 6., 7., 8.), (9., 10., 11., 12.), (13., 14., 15., 16.)];
    let [a, b, c, d] = rows.map(Vector4::from);
    vec![
        Vector2::new(1.5, -2.25).into(),
        Vector2i::new(-3, i32::MAX).into(),
        Rect2::new(Vector2::new(1., 2.), Vector2::new(3.5, 4.)).into(),
        Rect2i::new(Vector2i::new(-1, -2), Vector2i::new(3, 4)).into(),
        Vector3::new(1., 2., -0.5).into(),
        Vector3i::new(1, -2, 3).into(),
        Transform2D::new(Vector2::new(1., 2.), Vector2::new(3., 4.), Vector2::new(5., 6.)).into(),
        Vector4::new(1., 2., 3., 4.5).into(),
        Vector4i::new(1, 2, 3, -4).into(),
        Plane::new(Vector3::new(0., 1., 0.), 7.5).into(),
        Quaternion::new(0.5, -0.5, 0.5, 0.5).into(),
        Aabb::new(x, y).into(),
        Basis::new(x, y, z).into(),
        Transform3D::new(Basis::new(x, y, z), Vector3::new(10., 11., 12.)).into(),
        Projection::new(a, b, c, d).into(),
        Color::new(0.25, 0.5, 0.75, 1.).into(),
    ]
}

fn names() -> Vec<Variant> {
    vec![
        StringName::from("a string name").into(),
        NodePath::from("Some/Node:position:x").into(),
        NodePath::from("/root/Main").into(),
        Variant::Rid(0),
        Object::Id(1).into(),
        Variant::Callable,
        Variant::Signal { name: StringName::EMPTY, object: 0 },
    ]
}

fn containers() -> Vec<Variant> {
    let deep = Array::from([Variant::Nil, Dictionary::from([("deep", true)]).into()]);
    let mixed: [(Variant, Variant); 3] = [
        ("one".into(), 1.into()),
        (2.into(), "two".into()),
        (Vector2i::new(3, 3).into(), deep.into()),
    ];
    let nested = Array::from([Variant::from(4), Array::new().into()]);
    vec![
        Dictionary::new().into(),
        Dictionary::from(mixed).into(),
        Array::new().into(),
        Array::from([1.into(), "two".into(), 3.5.into(), nested.into(), Variant::Nil]).into(),
        array(VariantType::Int, [1, 2, 3]),
        array(VariantType::String, ["a", "b"]),
        array(VariantType::Vector2, [Vector2::new(1., 2.)]),
        array(VariantType::Float, [0.0; 0]),
        dictionary(VariantType::String, VariantType::Int, [("a", 1), ("b", 2)]),
        dictionary(
            VariantType::Int,
            VariantType::Nil,
            [(1, Variant::from("x")), (2, Array::from([3]).into())],
        ),
        dictionary(VariantType::Nil, VariantType::Color, [(0, 0); 0]),
    ]
}

fn packed() -> Vec<Variant> {
    vec![
        vec![0u8, 1, 255].into(),
        Vec::<u8>::new().into(),
        vec![1i32, -2, i32::MAX].into(),
        vec![1i64, -2, i64::MAX].into(),
        vec![0.5f32, -1.25].into(),
        vec![0.1f64, -1e300].into(),
        ["", "a", "bcde", "é"].map(String::from).to_vec().into(),
        vec![Vector2::new(1., 2.), Vector2::new(3., 4.)].into(),
        vec![Vector3::new(1., 2., 3.)].into(),
        vec![Color::new(1., 0.5, 0.25, 0.)].into(),
        vec![Vector4::new(1., 2., 3., 4.)].into(),
    ]
}
