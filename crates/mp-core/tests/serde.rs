//! Serialized forms of values (feature `serde`).
#![allow(missing_docs, reason = "a test")]

use std::fmt::Debug;

use mp_core::variant::{
    Aabb, Basis, Color, Plane, Projection, Quaternion, Rect2, Rect2i, Transform2D, Transform3D,
    Vector2, Vector2i, Vector3, Vector3i, Vector4, Vector4i,
};
use mp_core::{BranchId, Channel, ConnectionId, EndpointId, TransferMode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Checks the JSON of `value` and the round trip.
#[track_caller]
fn check<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T, expected: &str) {
    let json = serde_json::to_string(&value).unwrap();
    assert_eq!(json, expected);
    assert_eq!(serde_json::from_str::<T>(&json).unwrap(), value);
}

#[test]
fn ids_channels_and_modes_serialize() {
    check(EndpointId(3), "3");
    check(BranchId(4), "4");
    check(Channel(5), "5");
    check(ConnectionId { slot: 6, generation: 7 }, r#"{"slot":6,"generation":7}"#);
    check(TransferMode::UnreliableOrdered, r#""UnreliableOrdered""#);
}

#[test]
fn vectors_and_geometry_serialize_as_objects_by_field() {
    let (point, cell) = (Vector2::new(1.0, -2.5), Vector2i::new(3, -4));
    check(point, r#"{"x":1.0,"y":-2.5}"#);
    check(cell, r#"{"x":3,"y":-4}"#);
    check(Vector3::ONE, r#"{"x":1.0,"y":1.0,"z":1.0}"#);
    check(Vector3i::ONE, r#"{"x":1,"y":1,"z":1}"#);
    check(Vector4::ZERO, r#"{"x":0.0,"y":0.0,"z":0.0,"w":0.0}"#);
    check(Vector4i::ZERO, r#"{"x":0,"y":0,"z":0,"w":0}"#);
    check(Rect2::new(point, point), r#"{"position":{"x":1.0,"y":-2.5},"size":{"x":1.0,"y":-2.5}}"#);
    check(Rect2i::new(cell, cell), r#"{"position":{"x":3,"y":-4},"size":{"x":3,"y":-4}}"#);
    check(Color::BLACK, r#"{"r":0.0,"g":0.0,"b":0.0,"a":1.0}"#);
    check(Quaternion::IDENTITY, r#"{"x":0.0,"y":0.0,"z":0.0,"w":1.0}"#);
}

#[test]
fn transforms_and_boxes_round_trip() {
    fn round_trip<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: T) {
        let json = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), value);
    }
    round_trip(Transform2D::IDENTITY);
    round_trip(Transform3D::IDENTITY);
    round_trip(Basis::IDENTITY);
    round_trip(Projection::IDENTITY);
    round_trip(Plane::new(Vector3::ONE, 2.0));
    round_trip(Aabb::new(Vector3::ZERO, Vector3::ONE));
}
