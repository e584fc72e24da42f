//! Typed containers, with the bytes of `var_to_bytes` of Godot 4.6.3.

use mp_core::Variant;
use mp_core::variant::{FromVariant, StringName, TypedArray, TypedDictionary, Vector2};
use mp_scene::codec::godot::variant::Objects;

use crate::corpus::{decode, encode, unhex};

fn check<T>(value: T, golden: &str)
where
    T: FromVariant + Into<Variant> + Clone + PartialEq + std::fmt::Debug,
{
    let bytes = unhex(golden);
    assert_eq!(encode(&value.clone().into(), Objects::Ids), bytes);
    let (decoded, _) = decode(&bytes).unwrap();
    assert_eq!(decoded.to::<T>(), Ok(value));
}

#[test]
fn typed_containers_have_the_bytes_of_godot() {
    check(TypedArray::from([1i64, 2]), "1c000100020000000200000002000000010000000200000002000000");
    check(
        TypedArray::from([StringName::from("a")]),
        "1c0001001500000001000000150000000100000061000000",
    );
    check(
        TypedArray::from([Vector2::new(1.0, 2.0)]),
        "1c0001000500000001000000050000000000803f00000040",
    );
    check(
        TypedDictionary::from([("a".to_owned(), 1i64)]),
        "1b0005000400000002000000010000000400000001000000610000000200000001000000",
    );
    check(
        TypedDictionary::from([(7i64, Variant::from(true))]),
        "1b000100020000000100000002000000070000000100000001000000",
    );
}
