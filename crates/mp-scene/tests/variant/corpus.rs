//! The golden rows, and the values that they describe.

use bytes::BytesMut;
use mp_core::variant::{
    Aabb, Array, Basis, Color, Dictionary, ElementType, Object, Plane, Projection, Quaternion,
    Rect2, Rect2i, Transform2D, Transform3D, Vector2, Vector2i, Vector3, Vector3i, Vector4,
    Vector4i,
};
use mp_core::{NodePath, Variant, VariantType};
use mp_scene::codec::godot::compressed::encode_compressed;
use mp_scene::codec::godot::variant::{Decoder, Limits, Objects, encode_variant};
use serde_json::Value;

/// Returns the values that Godot 4.6.3 encoded and decoded; see `about` in the file.
pub(crate) fn variants() -> Value {
    serde_json::from_str(include_str!("../../../../testdata/godot4/variants.json")).unwrap()
}

/// Returns the values that the Godot project of the interoperability tests sends, one JSON object
/// per line.
pub(crate) fn conformance() -> Vec<Value> {
    let lines = include_str!("../../../../testdata/godot4/variants.jsonl").lines();
    lines.map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Returns all encoded values of both files.
pub(crate) fn bytes() -> Vec<Vec<u8>> {
    let variants = variants();
    let sections =
        ["encode", "full_objects", "decode", "decode_objects", "decode_compressed_argument"];
    let rows = sections.iter().flat_map(|section| variants[section].as_array().unwrap());
    let hexes = rows.flat_map(|row| [&row["hex"], &row["hex_compressed"]]);
    let mut all: Vec<_> = hexes.filter_map(Value::as_str).map(unhex).collect();
    let sent = conformance();
    let whole = sent.iter().map(|row| text(&row["hex"])).filter(|hex| !hex.ends_with("..."));
    all.extend(whole.map(unhex));
    all
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "{hex}");
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}

pub(crate) fn hex_of(row: &Value, field: &str) -> Vec<u8> {
    unhex(text(&row[field]))
}

pub(crate) fn encode(value: &Variant, objects: Objects) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_variant(value, objects, &mut out).unwrap();
    out.to_vec()
}

pub(crate) fn encode_small(value: &Variant, objects: Objects) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode_compressed(value, objects, &mut out).unwrap();
    out.to_vec()
}

/// Decodes one value. Returns it and the number of bytes that it took.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Variant, usize), String> {
    decode_with(bytes, &Limits::default())
}

pub(crate) fn decode_with(bytes: &[u8], limits: &Limits) -> Result<(Variant, usize), String> {
    let mut decoder = Decoder::new(bytes, limits);
    let value = decoder.variant().map_err(|error| format!("{error} ({})", error.godot_code()))?;
    Ok((value, decoder.position()))
}

pub(crate) fn decode_small(bytes: &[u8]) -> Result<Variant, String> {
    let mut decoder = Decoder::new(bytes, &Limits::default());
    let value = decoder.compressed().map_err(|error| error.to_string())?;
    if decoder.rest().is_empty() { Ok(value) } else { Err("there are extra bytes".into()) }
}

/// Compares more strictly than `==`: also container types and the bits of numbers.
pub(crate) fn identical(a: &Variant, b: &Variant) -> bool {
    let bytes = |value| encode(value, Objects::Full);
    a == b && a.to_string() == b.to_string() && bytes(a) == bytes(b)
}

/// Returns the value that a row describes.
pub(crate) fn value_of(row: &Value) -> Variant {
    let value = &row["value"];
    match type_named(text(&row["type"])) {
        VariantType::Nil => Variant::Nil,
        VariantType::Bool => value.as_bool().unwrap().into(),
        VariantType::Int => parsed::<i64>(value).into(),
        VariantType::Float => {
            let bits = u64::from_str_radix(text(&row["f64_bits"]), 16).unwrap();
            f64::from_bits(bits).into()
        }
        VariantType::String => text(value).into(),
        VariantType::StringName => Variant::StringName(text(value).into()),
        VariantType::Vector2 => vector2(value).into(),
        VariantType::Vector2i => vector2i(value).into(),
        VariantType::Rect2 => {
            Rect2::new(vector2(&value["position"]), vector2(&value["size"])).into()
        }
        VariantType::Rect2i => {
            Rect2i::new(vector2i(&value["position"]), vector2i(&value["size"])).into()
        }
        VariantType::Vector3 => vector3(value).into(),
        VariantType::Vector3i => {
            let [x, y, z] = ints(value);
            Vector3i { x, y, z }.into()
        }
        VariantType::Transform2D => Transform2D::new(
            vector2(&value["x_column"]),
            vector2(&value["y_column"]),
            vector2(&value["origin"]),
        )
        .into(),
        VariantType::Vector4 => vector4(value).into(),
        VariantType::Vector4i => {
            let [x, y, z, w] = ints(value);
            Vector4i { x, y, z, w }.into()
        }
        VariantType::Plane => Plane::new(vector3(&value["normal"]), float(&value["d"])).into(),
        VariantType::Quaternion => {
            let [x, y, z, w] = ["x", "y", "z", "w"].map(|part| float(&value[part]));
            Quaternion { x, y, z, w }.into()
        }
        VariantType::Aabb => Aabb::new(vector3(&value["position"]), vector3(&value["size"])).into(),
        VariantType::Basis => basis(value).into(),
        VariantType::Transform3D => {
            Transform3D::new(basis(value), vector3(&value["origin"])).into()
        }
        VariantType::Projection => {
            let columns = ["x_column", "y_column", "z_column", "w_column"];
            let [x, y, z, w] = columns.map(|column| vector4(&value[column]));
            Projection { x, y, z, w }.into()
        }
        VariantType::Color => {
            let [r, g, b, a] = ["r", "g", "b", "a"].map(|part| float(&value[part]));
            Color { r, g, b, a }.into()
        }
        VariantType::NodePath => node_path(value).into(),
        VariantType::Rid => Variant::Rid(parsed(&value["id"])),
        VariantType::Object if value.is_null() => Object::NULL.into(),
        VariantType::Object => Object::Id(id(&value["object_id"])).into(),
        VariantType::Callable => Variant::Callable,
        VariantType::Signal => {
            Variant::Signal { name: text(&value["name"]).into(), object: id(&value["object_id"]) }
        }
        VariantType::Dictionary => {
            let (key, of) = (element_type(&row["key_type"]), element_type(&row["value_type"]));
            let mut dictionary = Dictionary::typed(key, of);
            for entry in list(value) {
                dictionary.insert(value_of(&entry[0]), value_of(&entry[1])).unwrap();
            }
            dictionary.into()
        }
        VariantType::Array => {
            let mut array = Array::typed(element_type(&row["element_type"]));
            list(value).iter().for_each(|element| array.push(value_of(element)).unwrap());
            array.into()
        }
        VariantType::PackedByteArray => unhex(text(value)).into(),
        VariantType::PackedInt32Array => each(value, |v| v.as_i64().unwrap() as i32).into(),
        VariantType::PackedInt64Array => each(value, parsed::<i64>).into(),
        VariantType::PackedFloat32Array => each(value, float).into(),
        VariantType::PackedFloat64Array => each(value, double).into(),
        VariantType::PackedStringArray => each(value, |v| text(v).to_owned()).into(),
        VariantType::PackedVector2Array => each(value, vector2).into(),
        VariantType::PackedVector3Array => each(value, vector3).into(),
        VariantType::PackedColorArray => {
            each(value, |v| Color::new(float(&v[0]), float(&v[1]), float(&v[2]), float(&v[3])))
                .into()
        }
        VariantType::PackedVector4Array => each(value, vector4).into(),
    }
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("expected a text, got {value}"))
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("expected a list, got {value}"))
}

pub(crate) fn type_named(name: &str) -> VariantType {
    let found = VariantType::ALL.into_iter().find(|of| of.name() == name);
    found.unwrap_or_else(|| panic!("there is no type named {name}"))
}

fn element_type(of: &Value) -> ElementType {
    if of.is_null() {
        return ElementType::Any;
    }
    if let Some(path) = of["script"].as_str() {
        return ElementType::Script(path.into());
    }
    match of["class"].as_str() {
        Some(class) => ElementType::Class(class.into()),
        None => type_named(text(&of["type"])).into(),
    }
}

fn node_path(value: &Value) -> NodePath {
    let names = |field: &str| each(&value[field], |name| text(name).into());
    let absolute = value["absolute"].as_bool().unwrap();
    let path = NodePath::new(names("names"), names("subnames"), absolute);
    assert_eq!(path, NodePath::from(text(&value["text"])));
    path
}

fn each<T>(value: &Value, from: impl Fn(&Value) -> T) -> Vec<T> {
    list(value).iter().map(from).collect()
}

fn parsed<T: std::str::FromStr>(value: &Value) -> T {
    text(value).parse().unwrap_or_else(|_| panic!("not a number: {value}"))
}

/// Converts an id from the signed number that Godot prints.
fn id(value: &Value) -> u64 {
    parsed::<i64>(value).cast_unsigned()
}

fn double(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| parsed(value))
}

fn float(value: &Value) -> f32 {
    double(value) as f32
}

fn ints<const N: usize>(value: &Value) -> [i32; N] {
    std::array::from_fn(|i| i32::try_from(value[i].as_i64().unwrap()).unwrap())
}

fn vector2(value: &Value) -> Vector2 {
    Vector2::new(float(&value[0]), float(&value[1]))
}

fn vector2i(value: &Value) -> Vector2i {
    let [x, y] = ints(value);
    Vector2i { x, y }
}

fn vector3(value: &Value) -> Vector3 {
    Vector3::new(float(&value[0]), float(&value[1]), float(&value[2]))
}

fn vector4(value: &Value) -> Vector4 {
    Vector4::new(float(&value[0]), float(&value[1]), float(&value[2]), float(&value[3]))
}

fn basis(value: &Value) -> Basis {
    let [x, y, z] = ["x_column", "y_column", "z_column"].map(|column| vector3(&value[column]));
    Basis { x, y, z }
}
