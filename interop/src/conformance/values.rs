//! Values of `rpc_basic`; the index in the list is the number `k`.

use mp_core::variant::{
    Aabb, Array, Basis, Color, Dictionary, Object, Plane, Projection, Quaternion, Rect2, Rect2i,
    StringName, Transform2D, Transform3D, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};
use mp_core::{NodePath, Variant, VariantType};

use crate::exact::{array, dictionary};

/// Returns the values in the order of the project's `variants.gd`.
pub(super) fn list() -> Vec<Variant> {
    let mut list = vec![Variant::Nil, true.into(), false.into()];
    list.extend(INTS.map(Variant::from));
    list.extend(FLOATS.map(Variant::from));
    list.extend(TEXTS.map(Variant::from));
    list.extend(plane());
    list.extend(space());
    list.extend(names());
    list.extend(containers());
    list.extend(packed());
    list.extend([
        "x".repeat(5000).into(),
        (0..1000).collect::<Array>().into(),
        Variant::Callable,
        Variant::Signal { name: StringName::EMPTY, object: 0 },
        Object::Id(1).into(),
    ]);
    list
}

const INTS: [i64; 22] = [
    0,
    1,
    -1,
    127,
    128,
    -128,
    -129,
    255,
    256,
    32767,
    32768,
    -32768,
    -32769,
    65535,
    65536,
    2_147_483_647,
    2_147_483_648,
    -2_147_483_648,
    -2_147_483_649,
    4_294_967_296,
    i64::MAX,
    i64::MIN,
];

const FLOATS: [f64; 11] = [
    0.0,
    0.5,
    -1.25,
    0.1,
    std::f64::consts::PI,
    1e300,
    -1e-300,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::NAN,
    16_777_217.0,
];

const TEXTS: [&str; 7] =
    ["", "a", "abc", "abcd", "Hello, World!", "żółć 漢字 🎮", "tab\tnew\nline \"quoted\" \\"];

fn plane() -> Vec<Variant> {
    let (sin, cos) = (0.479_425_55, 0.877_582_55); // of half a radian
    let turned =
        Transform2D::new(Vector2::new(cos, sin), Vector2::new(-sin, cos), Vector2::new(10., -20.));
    vec![
        Vector2::ZERO.into(),
        Vector2::new(1.5, -2.25).into(),
        Vector2i::ZERO.into(),
        Vector2i::new(-3, i32::MAX).into(),
        Rect2::new(Vector2::new(1., 2.), Vector2::new(3.5, 4.25)).into(),
        Rect2i::new(Vector2i::new(-1, -2), Vector2i::new(30, 40)).into(),
        Vector3::new(1., 2., 3.).into(),
        Vector3::new(0.1, -0.2, 1e10).into(),
        Vector3i::new(7, -8, 9).into(),
        Transform2D::IDENTITY.into(),
        turned.into(),
    ]
}

fn space() -> Vec<Variant> {
    let [x, y, z] = [(1., 2., 3.), (4., 5., 6.), (7., 8., 9.)].map(Vector3::from);
    let rows = [(1., 2., 3., 4.), (5., 6., 7., 8.), (9., 10., 11., 12.), (13., 14., 15., 16.)];
    let [a, b, c, d] = rows.map(Vector4::from);
    vec![
        Vector4::new(1., 2., 3., 4.).into(),
        Vector4i::new(1, -2, 3, -4).into(),
        Plane::new(Vector3::new(0., 1., 0.), 5.).into(),
        Quaternion::IDENTITY.into(),
        Quaternion::new(0.5, 0.5, 0.5, 0.5).into(),
        Aabb::new(x, y).into(),
        Basis::IDENTITY.into(),
        Basis::new(x, y, z).into(),
        Transform3D::new(Basis::new(x, y, z), Vector3::new(-1., -2., -3.)).into(),
        Projection::new(a, b, c, d).into(),
        Color::new(0., 0., 0., 1.).into(),
        Color::new(0.25, 0.5, 0.75, 0.125).into(),
        Color::new(2., -1., 0., 1.).into(),
    ]
}

fn names() -> Vec<Variant> {
    let mut list: Vec<Variant> =
        ["", "string_name", "żółć"].map(|name| StringName::from(name).into()).into();
    let paths =
        ["", "/root/Main/Echo", "../Sibling/Child", "Node2D:position:x", ".:visible", "a/b:c"];
    list.extend(paths.map(|path| Variant::from(NodePath::from(path))));
    list.push(Variant::Rid(0));
    list
}

fn containers() -> Vec<Variant> {
    let nil_inside = Dictionary::from([("c", Variant::Nil)]);
    let mixed: [(Variant, Variant); 6] = [
        ("a".into(), 1.into()),
        ("b".into(), Array::from([1.into(), 2.into(), Variant::from(nil_inside)]).into()),
        (3.into(), "three".into()),
        (Vector2i::new(1, 2).into(), true.into()),
        (StringName::from("sn").into(), 1.5.into()),
        (Variant::Nil, "nil key".into()),
    ];
    let six = Array::from([Variant::from(5), Array::from([6]).into()]);
    let list: [Variant; 8] = [
        1.into(),
        "two".into(),
        3.0.into(),
        Variant::Nil,
        true.into(),
        Vector2::new(1., 2.).into(),
        Array::from([Variant::from(4), six.into()]).into(),
        Dictionary::from([("k", "v")]).into(),
    ];
    let arrays = [Array::from([1]), Array::new(), Array::from([Variant::from("z"), Variant::Nil])];
    vec![
        Dictionary::new().into(),
        Dictionary::from(mixed).into(),
        Array::new().into(),
        Array::from(list).into(),
        array(VariantType::Int, [1, -2, 300_000, 1_i64 << 40]),
        array(VariantType::String, ["a", "", "héé"]),
        array(VariantType::Vector2, [Vector2::new(1., 2.), Vector2::new(-0.5, 3.25)]),
        array(VariantType::StringName, ["x", "y"]),
        array(VariantType::Array, arrays),
        array(VariantType::Float, [0.0; 0]),
        dictionary(VariantType::String, VariantType::Int, [("one", 1), ("two", 2)]),
        dictionary(
            VariantType::Int,
            VariantType::Nil,
            [(1, Variant::from("x")), (2, Vector3::new(1., 2., 3.).into())],
        ),
        dictionary(VariantType::StringName, VariantType::PackedByteArray, [(0, 0); 0]),
    ]
}

fn packed() -> Vec<Variant> {
    vec![
        Vec::<u8>::new().into(),
        vec![0u8, 1, 2, 254, 255].into(),
        vec![1u8, 2, 3, 4].into(),
        Vec::<i32>::new().into(),
        vec![1i32, -2, i32::MAX].into(),
        Vec::<i64>::new().into(),
        vec![1i64, -2, i64::MAX].into(),
        Vec::<f32>::new().into(),
        vec![1.5f32, -0.25, f32::INFINITY].into(),
        Vec::<f64>::new().into(),
        vec![0.1f64, 1e300].into(),
        Vec::<String>::new().into(),
        ["a", "", "żółć", "four"].map(String::from).to_vec().into(),
        Vec::<Vector2>::new().into(),
        vec![Vector2::new(1., 2.), Vector2::new(3., 4.)].into(),
        Vec::<Vector3>::new().into(),
        vec![Vector3::new(1., 2., 3.), Vector3::new(4., 5., 6.)].into(),
        Vec::<Color>::new().into(),
        vec![Color::new(1., 0., 0., 1.), Color::new(0., 0.5, 0., 0.25)].into(),
        Vec::<Vector4>::new().into(),
        vec![Vector4::new(1., 2., 3., 4.), Vector4::new(5., 6., 7., 8.)].into(),
    ]
}
