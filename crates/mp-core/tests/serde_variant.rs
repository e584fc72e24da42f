//! Conversion between values and types of serde (feature `serde`).
#![allow(missing_docs, reason = "a test")]

use std::collections::BTreeMap;
use std::fmt::Debug;

use mp_core::limits::SERDE_DEPTH_MAX;
use mp_core::serde::{from_variant, to_variant};
use mp_core::variant::{
    Aabb, Basis, Color, Dictionary, Object, Plane, Projection, Quaternion, Rect2, Rect2i,
    Transform2D, Transform3D, Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};
use mp_core::{PeerId, StringName, Variant, array, dict};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Unit {
    id: u32,
    name: String,
    position: (f32, f64),
    tags: Vec<Tag>,
    target: Option<Box<Self>>,
    stock: BTreeMap<String, i8>,
    seats: BTreeMap<i64, bool>,
    nothing: (),
    letter: char,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Tag {
    Ready,
    Level(i64),
    Range(i32, i32),
    Owner { peer: PeerId, since: Option<f64> },
    Wrapped(Meters),
    Tags(Vec<Self>),
    Flag(bool),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Meters(f64);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pair(i64, String);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Marker;

/// Checks the variant of `value` and the round trip.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    value: T,
    expected: impl Into<Variant>,
) {
    let variant = to_variant(&value).unwrap();
    assert_eq!(variant, expected.into());
    assert_eq!(from_variant::<T>(variant).unwrap(), value);
}

/// Returns the text of the error for a variant that is no `T`.
#[track_caller]
fn error<T: DeserializeOwned + Debug>(value: impl Into<Variant>) -> String {
    from_variant::<T>(value.into()).unwrap_err().to_string()
}

#[test]
fn simple_values_have_their_types_in_godot() {
    check(true, true);
    check(-7i8, -7);
    check(7u64, 7);
    check(i64::MIN, i64::MIN);
    check(7i128, 7);
    check(0.5f32, 0.5);
    check(0.1f64, 0.1);
    check('x', "x");
    check(String::from("text"), "text");
    check((), ());
    check(Marker, ());
    check(None::<i64>, ());
    check(Some(3), 3);
    check(PeerId::SERVER, 1);
}

#[test]
fn containers_are_arrays_and_dictionaries() {
    check(vec![1, 2], array![1, 2]);
    check((1, "a".to_owned()), array![1, "a"]);
    check(Pair(1, "a".into()), array![1, "a"]);
    check(Meters(2.5), 2.5);
    check(BTreeMap::from([(3, true)]), Dictionary::from([(3, true)]));
    let unit = Unit { id: 1, name: "tank".into(), letter: 'x', ..Unit::default() };
    let Variant::Dictionary(fields) = to_variant(&unit).unwrap() else { panic!("a Dictionary") };
    let keys: Vec<_> = fields.iter().map(|(key, _)| key.as_str().unwrap()).collect();
    let expected =
        ["id", "name", "position", "tags", "target", "stock", "seats", "nothing", "letter"];
    assert_eq!(keys, expected);
}

#[test]
fn variants_of_enums_are_tagged_by_name() {
    check(Tag::Ready, "Ready");
    check(Tag::Level(3), dict! { "Level" => 3 });
    check(Tag::Range(1, 2), dict! { "Range" => array![1, 2] });
    let owner = Tag::Owner { peer: PeerId::SERVER, since: None };
    check(owner, dict! { "Owner" => dict! { "peer" => 1, "since" => () } });
    check(Tag::Wrapped(Meters(1.5)), dict! { "Wrapped" => 1.5 });
    check(Tag::Tags(vec![Tag::Ready]), dict! { "Tags" => array!["Ready"] });
}

#[test]
fn vectors_and_geometry_keep_their_types() {
    let (point, cell) = (Vector2::new(1.0, -2.5), Vector2i::new(3, -4));
    check(point, point);
    check(cell, cell);
    check(Vector3::ONE, Vector3::ONE);
    check(Vector3i::ONE, Vector3i::ONE);
    check(Vector4::ONE, Vector4::ONE);
    check(Vector4i::ONE, Vector4i::ONE);
    check(Rect2::new(point, point), Rect2::new(point, point));
    check(Rect2i::new(cell, cell), Rect2i::new(cell, cell));
    check(Color::BLACK, Color::BLACK);
    check(Quaternion::IDENTITY, Quaternion::IDENTITY);
    check(Transform2D::IDENTITY, Transform2D::IDENTITY);
    check(Transform3D::IDENTITY, Transform3D::IDENTITY);
    check(Basis::IDENTITY, Basis::IDENTITY);
    check(Projection::IDENTITY, Projection::IDENTITY);
    check(Plane::new(Vector3::ONE, 2.0), Plane::new(Vector3::ONE, 2.0));
    check(Aabb::new(Vector3::ZERO, Vector3::ONE), Aabb::new(Vector3::ZERO, Vector3::ONE));
    check(vec![point], array![point]);
}

/// A vector of another crate.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename = "Vector2")]
struct Point {
    x: f64,
    y: f64,
}

#[test]
fn struct_of_a_program_reads_a_vector_but_is_a_dictionary() {
    check(Point { x: 0.1, y: 2.0 }, dict! { "x" => 0.1, "y" => 2.0 });
    let vector = Variant::from(Vector2::new(1.0, 2.0));
    assert_eq!(from_variant::<Point>(vector.clone()).unwrap(), Point { x: 1.0, y: 2.0 });
    assert_eq!(from_variant::<[f32; 2]>(vector.clone()).unwrap(), [1.0, 2.0]);
    assert_eq!(from_variant::<BTreeMap<String, f32>>(vector).unwrap()["y"], 2.0);
}

#[test]
fn values_convert_as_for_typed_parameters() {
    assert_eq!(from_variant::<i64>(3.9.into()).unwrap(), 3);
    assert_eq!(from_variant::<f64>(3.into()).unwrap(), 3.0);
    assert_eq!(from_variant::<String>(StringName::from("a").into()).unwrap(), "a");
    assert_eq!(from_variant::<Tag>(StringName::from("Ready").into()).unwrap(), Tag::Ready);
    assert_eq!(from_variant::<Vec<u8>>(vec![1u8, 2].into()).unwrap(), [1, 2]);
    assert_eq!(from_variant::<Vec<f64>>(vec![0.5f32].into()).unwrap(), [0.5]);
    assert_eq!(from_variant::<Vec<Vector2>>(vec![Vector2::ONE].into()).unwrap(), [Vector2::ONE]);
    let typed = Dictionary::from([(StringName::from("peer"), 7)]);
    let owner = from_variant::<Tag>(dict! { "Owner" => typed }.into()).unwrap();
    assert_eq!(owner, Tag::Owner { peer: PeerId::new(7).unwrap(), since: None });
}

#[test]
fn integer_that_exceeds_an_int_is_refused() {
    let refused = to_variant(&BTreeMap::from([("a", [0, u64::MAX])])).unwrap_err();
    assert_eq!(refused.to_string(), "a[1]: 18446744073709551615 exceeds an int");
    assert_eq!(refused.path(), "a[1]");
}

#[test]
fn errors_name_the_path() {
    assert_eq!(error::<i64>("3"), "expected int, got String");
    assert_eq!(error::<Vec<i64>>(array![1, "2"]), "[1]: expected int, got String");
    assert_eq!(error::<u8>(300), "invalid value: integer `300`, expected u8");
    assert_eq!(error::<Meters>(()), "expected float, got Nil");
    let tags = dict! { "Tags" => array![dict! { "Range" => array![1, "x"] }] };
    assert_eq!(error::<Tag>(tags), "Tags[0].Range[1]: expected int, got String");
    let owner = dict! { "Owner" => dict! { "peer" => 0 } };
    assert!(error::<Tag>(owner).starts_with("Owner.peer: "));
    assert_eq!(error::<Point>(dict! { "x" => 1 }), "missing field `y`");
    assert_eq!(error::<Point>(array![1, 2]), "expected a Dictionary, got Array");
    assert_eq!(error::<Vec<i64>>(3), "expected an Array, got int");
    assert_eq!(error::<(i64, i64)>(array![1, 2, 3]), "invalid length 3, expected an array of 2");
    assert_eq!(error::<()>(1), "expected null, got int");
    let seats = Dictionary::from([(3, "yes")]);
    assert_eq!(error::<BTreeMap<i64, bool>>(seats), "3: expected bool, got String");
}

#[test]
fn wrong_forms_of_an_enum_are_refused() {
    assert!(error::<Tag>("Fast").starts_with("unknown variant `Fast`, expected one of `Ready`"));
    assert_eq!(
        error::<Tag>(3),
        "expected a String, or a Dictionary with one String as key, got int"
    );
    let two = dict! { "Ready" => (), "Level" => 3 };
    assert_eq!(
        error::<Tag>(two),
        "invalid length 2, expected a Dictionary with the name of a variant as its only key"
    );
    assert_eq!(
        error::<Tag>("Level"),
        "invalid type: unit variant, expected Level as a Dictionary with its fields, a newtype variant"
    );
    assert_eq!(error::<Tag>(dict! { "Ready" => 3 }), "Ready: expected null, got int");
}

#[test]
fn texts_of_a_peer_are_shortened_in_errors() {
    let long = "ä".repeat(100_000);
    assert!(error::<Tag>(long.as_str()).chars().count() < 300);
    assert!(error::<BTreeMap<String, i64>>(dict! { long.as_str() => "x" }).chars().count() < 400);
}

#[test]
fn objects_are_refused() {
    #[derive(Debug, Deserialize)]
    #[serde(untagged)]
    enum Any {
        #[expect(dead_code, reason = "never read")]
        Int(i64),
    }
    let refused = error::<Any>(Variant::Object(Object::NULL));
    assert_eq!(refused, "expected a value that is no object, got Object");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested(Vec<Self>);

#[test]
fn depth_is_bounded_in_both_directions() {
    // Each level counts twice: the struct and its vector.
    let nested = |depth| (0..depth).fold(Nested(vec![]), |inner, _| Nested(vec![inner]));
    let levels = SERDE_DEPTH_MAX / 2;
    let deepest = to_variant(&nested(levels - 1)).unwrap();
    assert_eq!(from_variant::<Nested>(deepest).unwrap(), nested(levels - 1));
    let refused = to_variant(&nested(levels)).unwrap_err().to_string();
    assert!(refused.ends_with("[0]: nested deeper than 128"), "{refused}");
    let deep = (0..1_000).fold(Variant::Nil, |inner, _| array![inner].into());
    let refused = error::<Nested>(deep);
    assert!(refused.ends_with("[0]: nested deeper than 128"), "{refused}");
}

fn tags() -> impl Strategy<Value = Tag> {
    let leaf = prop_oneof![
        Just(Tag::Ready),
        any::<i64>().prop_map(Tag::Level),
        any::<(i32, i32)>().prop_map(|(low, high)| Tag::Range(low, high)),
        (1..i32::MAX, any::<Option<u32>>()).prop_map(|(peer, since)| Tag::Owner {
            peer: PeerId::new(peer).unwrap(),
            since: since.map(f64::from),
        }),
        (-1.0e9..1.0e9).prop_map(|meters| Tag::Wrapped(Meters(meters))),
        any::<bool>().prop_map(Tag::Flag),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| prop::collection::vec(inner, 0..4).prop_map(Tag::Tags))
}

fn units() -> impl Strategy<Value = Unit> {
    let target = prop_oneof![Just(None), tags().prop_map(|tag| Some(vec![tag]))];
    let maps = (
        prop::collection::btree_map(".*", any::<i8>(), 0..4),
        prop::collection::btree_map(any::<i64>(), any::<bool>(), 0..4),
    );
    let position = (-1.0e6f32..1.0e6, -1.0e9..1.0e9);
    let tags = prop::collection::vec(tags(), 0..4);
    (any::<u32>(), ".*", position, tags, target, maps, any::<char>()).prop_map(
        |(id, name, position, tags, target, (stock, seats), letter)| {
            let target = target.map(|tags| Box::new(Unit { tags, ..Unit::default() }));
            Unit { id, name, position, tags, target, stock, seats, nothing: (), letter }
        },
    )
}

proptest! {
    #[test]
    fn any_value_round_trips(unit in units()) {
        let variant = to_variant(&unit).unwrap();
        prop_assert_eq!(from_variant::<Unit>(variant).unwrap(), unit);
    }
}
