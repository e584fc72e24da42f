//! Cases beyond the golden rows: errors, offsets, and values that Rust can represent but Godot
//! cannot send.

use bytes::BytesMut;
use mp_core::variant::{Array, Dictionary, ElementType, FullObject, Object, Vector2};
use mp_core::{StringName, Variant, VariantType};
use mp_scene::codec::godot::compressed::{
    decode_compressed, decode_compressed_list, encode_compressed_list,
};
use mp_scene::codec::godot::variant::{
    Decoder, Limits, Objects, VariantError, decode_variant, encode_variant,
};

use crate::corpus::{decode, encode, hex_of, list, unhex};

fn refused(hex: &str) -> VariantError {
    decode_variant(&mut &unhex(hex)[..], &Limits::default()).unwrap_err()
}

#[test]
fn errors_contain_godots_code_and_the_expected_and_received_values() {
    for (hex, code, message) in [
        ("000000", 30, "at byte 0: expected a header of 4 bytes, got 3"),
        ("27000000", 30, "at byte 0: expected a type below 39, got 39"),
        ("02000000", 30, "at byte 4: expected an int of 4 bytes, got 0"),
        ("0500000000000000", 30, "at byte 4: expected components of 8 bytes, got 4"),
        ("0400000002000000c3280000", 30, "at byte 8: expected UTF-8"),
        ("040000000100000061", 18, "at byte 8: expected a text of 4 bytes with its padding, got 1"),
        (
            "04000000ffffffff",
            18,
            "at byte 8: expected a text of 4294967296 bytes with its padding, got 0",
        ),
        (
            "1e000000ffffff7f00000000",
            30,
            "at byte 8: expected a packed array of 8589934588 bytes, got 4",
        ),
        (
            "160000000100000061000000",
            30,
            "at byte 4: expected a NodePath in parts, got its obsolete form",
        ),
        (
            "1800000000000000",
            4,
            "full objects are not allowed; send ids, or allow full objects on both peers",
        ),
        ("1c0001002700000000000000", 30, "at byte 4: expected a type below 39, got 39"),
    ] {
        let error = refused(hex);
        assert_eq!((error.godot_code(), error.to_string().as_str()), (code, message), "{hex}");
    }
}

#[test]
fn failed_decoding_leaves_the_data_unchanged() {
    let bytes = unhex("0200000001000000" /* int */);
    let mut data = &bytes[..];
    assert_eq!(decode_variant(&mut data, &Limits::default()), Ok(1.into()));
    assert!(data.is_empty());
    assert!(decode_variant(&mut data, &Limits::default()).is_err());

    let bytes = unhex("1c000000020000000200000001000000");
    let mut data = &bytes[..];
    assert!(decode_variant(&mut data, &Limits::default()).is_err());
    assert_eq!(data.len(), bytes.len());
    let mut decoder = Decoder::new(&bytes, &Limits::default());
    assert!(decoder.variant().is_err());
    assert_eq!(decoder.position(), 0);
}

#[test]
fn failed_encoding_leaves_the_buffer_unchanged() {
    let object = Object::Full(FullObject::default().into());
    let value = Array::from([Variant::Int(1), object.into()]).into();
    let mut out = BytesMut::from(&b"before"[..]);
    let error = encode_variant(&value, Objects::Ids, &mut out).unwrap_err();
    assert_eq!((error.clone(), error.godot_code()), (VariantError::ObjectsRefused, 4));
    assert_eq!(&out[..], b"before");
    let values = [Variant::Int(1), value];
    encode_compressed_list(&values, Objects::Ids, &mut out).unwrap_err();
    assert_eq!(&out[..], b"before");
}

#[test]
fn a_list_is_decoded_up_to_its_count() {
    let mut out = BytesMut::new();
    let values = [Variant::from(300), true.into(), "a".into(), Variant::Nil];
    encode_compressed_list(&values, Objects::Ids, &mut out).unwrap();
    assert_eq!(out, unhex("422c018104000000010000006100000000000000"));
    let mut data = &out[..];
    assert_eq!(decode_compressed_list(&mut data, 2, &Limits::default()).unwrap(), values[..2]);
    assert_eq!(decode_compressed(&mut data, &Limits::default()).unwrap(), values[2]);
    assert!(decode_compressed_list(&mut data, 2, &Limits::default()).is_err());
    assert_eq!(data.len(), 4);
}

#[test]
fn a_nul_ends_an_encoded_text() {
    for value in [Variant::from("a\0b"), StringName::from("a\0b").into()] {
        let (read, _) = decode(&encode(&value, Objects::Ids)).unwrap();
        assert_eq!(read.as_str(), Some("a"));
    }
    let strings = Variant::from(vec!["a\0b".to_owned(), "\0".to_owned()]);
    let expected = unhex("2200000002000000020000006100000001000000" /* "a" */);
    let written = encode(&strings, Objects::Ids);
    assert_eq!(written[..20], expected);
    let read = decode(&written).unwrap().0;
    assert_eq!(read, vec!["a".to_owned(), String::new()].into());
}

#[test]
fn the_null_object_is_encoded_as_nil() {
    assert_eq!(encode(&Object::NULL.into(), Objects::Ids), [0; 4]);
    assert_eq!(encode(&Object::NULL.into(), Objects::Full), [0; 4]);
}

#[test]
fn containers_of_objects_name_their_class_only_with_full_objects() {
    let nodes = Variant::from(Array::typed(ElementType::Class("Node".into())));
    let objects = Variant::from(Array::typed(VariantType::Object));
    let ids = unhex("1c00020011000000456e636f6465644f626a6563744173494400000000000000");
    assert_eq!(encode(&nodes, Objects::Ids), ids);
    assert_eq!(encode(&objects, Objects::Ids), ids);
    assert_eq!(encode(&nodes, Objects::Full), unhex("1c000200040000004e6f646500000000"));
    assert_eq!(encode(&objects, Objects::Full), unhex("1c0001001800000000000000"));
}

#[test]
fn a_script_without_a_path_is_neither_encoded_nor_decoded() {
    let scripts = Variant::from(Array::typed(ElementType::Script("x.gd".into())));
    let mut out = BytesMut::new();
    let error = encode_variant(&scripts, Objects::Full, &mut out).unwrap_err();
    assert_eq!(error, VariantError::ScriptPath);
    let bytes = unhex("1c00030004000000782e676400000000");
    let limits = Limits { full_objects: Some(|_| true), ..Limits::default() };
    let error = decode_variant(&mut &bytes[..], &limits).unwrap_err();
    assert_eq!(error, VariantError::ScriptPath);
}

#[test]
fn dictionary_entries_of_the_wrong_type_are_dropped() {
    let mut untyped = Dictionary::from([(Variant::from("a"), Variant::from(1.0))]);
    untyped.insert(2, 2).unwrap();
    untyped.insert("b", "b").unwrap();
    let mut bytes = unhex("1b0005000400000002000000" /* Dictionary[String, int] */);
    bytes.extend(&encode(&untyped.into(), Objects::Ids)[4..]);
    let (read, _) = decode(&bytes).unwrap();
    assert_eq!(format!("{read:?}"), r#"Dictionary[String, int]({"a": 1})"#);
}

#[test]
fn byte_arrays_may_lack_padding_only_at_the_end() {
    let unpadded = unhex("1d0000000100000061");
    let within = [&unhex("1c00000001000000")[..], &unpadded].concat();
    assert_eq!(decode(&within).unwrap().1, within.len() + 3);
    let followed = [&unhex("1c00000002000000")[..], &unpadded].concat();
    assert!(decode(&followed).is_err());
    let (values, error) = Decoder::new(&unpadded, &Limits::default()).compressed_list(2);
    assert_eq!((values.len(), error.is_some()), (1, true));
}

#[test]
fn a_byte_order_mark_is_encoded_and_removed_by_decoding() {
    let marked = unhex("0400000004000000efbbbf61");
    assert_eq!(encode(&"\u{feff}a".into(), Objects::Ids), marked);
    assert_eq!(decode(&marked).unwrap().0, "a".into());
    assert_eq!(decode(&unhex("0400000003000000efbbbf00")).unwrap().0, "".into());
    let twice = unhex("0400000006000000efbbbfefbbbf0000");
    assert_eq!(decode(&twice).unwrap().0, "\u{feff}".into());
}

#[test]
fn bytes_after_the_nul_of_a_text_need_not_be_utf_8() {
    assert_eq!(decode(&unhex("04000000030000006100ff00")).unwrap().0, "a".into());
}

#[test]
fn a_negative_count_of_strings_or_properties_means_zero() {
    assert_eq!(decode(&unhex("22000000ffffffff")).unwrap().0, Vec::<String>::new().into());
    assert!(decode(&unhex("1d00000000000080")).is_err());
    let limits = Limits { full_objects: Some(|_| true), ..Limits::default() };
    let object = unhex("180000000100000043000000ffffffff");
    let value = decode_variant(&mut &object[..], &limits).unwrap();
    assert_eq!(
        value,
        Object::Full(FullObject { class: "C".into(), properties: vec![] }.into()).into()
    );
}

#[test]
fn keys_are_equal_as_in_godot() {
    // Godot 4.6.3's encoding of {"a": 1, &"a": 2, NAN: 3, -NAN: 4, 0.0: 5, -0.0: 6, 1: 7, 1.0: 8,
    // [1, "a"]: 9, [1, &"a"]: 10, {1: 2, 3: 4}: 11, {3: 4, 1: 2}: 12, [1]: 13, [1.0]: 14,
    // Vector2(NAN, 0): 15, Vector2(NAN, -0.0): 16}.
    let name = |text: &str| Variant::StringName(text.into());
    let mut dictionary = Dictionary::new();
    let keys = [
        "a".into(),
        name("a"),
        f64::NAN.into(),
        (-f64::NAN).into(),
        0.0.into(),
        (-0.0).into(),
        1.into(),
        1.0.into(),
        Array::from([1.into(), Variant::from("a")]).into(),
        Array::from([1.into(), name("a")]).into(),
        Dictionary::from([(1, 2), (3, 4)]).into(),
        Dictionary::from([(3, 4), (1, 2)]).into(),
        Array::from([1]).into(),
        Array::from([1.0]).into(),
        Vector2::new(f32::NAN, 0.0).into(),
        Variant::from(Vector2::new(f32::NAN, -0.0)),
    ];
    for (value, key) in (1..).zip(keys) {
        dictionary.insert(key, value).unwrap();
    }
    let written = unhex(KEYS);
    assert_eq!(encode(&dictionary.into(), Objects::Ids), written);
    let (read, _) = decode(&written).unwrap();
    assert_eq!(encode(&read, Objects::Ids), written);
}

const KEYS: &str = concat!(
    "1b0000000c000000040000000100000061000000020000000200000003000100000000000000f87f0200000004000000",
    "0300000000000000020000000600000002000000010000000200000007000000030000000000803f0200000008000000",
    "1c00000002000000020000000100000004000000010000006100000002000000090000001c0000000200000002000000",
    "01000000150000000100000061000000020000000a0000001b0000000200000002000000010000000200000002000000",
    "02000000030000000200000004000000020000000b0000001b0000000200000002000000030000000200000004000000",
    "02000000010000000200000002000000020000000c0000001c000000010000000200000001000000020000000d000000",
    "1c00000001000000030000000000803f020000000e000000050000000000c07f000000000200000010000000",
);

#[test]
fn values_convert_as_in_godot() {
    // Conversions that mp refuses; `Variant::convert` documents the reason.
    let refused = |from: VariantType, to: VariantType| match (from, to) {
        (VariantType::String | VariantType::Int, VariantType::Color)
        | (VariantType::Basis, VariantType::Quaternion)
        | (VariantType::Object, VariantType::Rid) => true,
        (from, VariantType::Array) => from >= VariantType::PackedByteArray,
        _ => false,
    };
    let golden = include_str!("../../../../testdata/godot4/conversions.json");
    let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
    let rows = list(&golden["rows"]);
    assert_eq!(rows.len(), 52, "the file has changed");
    let (mut failures, mut refusals) = (Vec::new(), 0);
    for row in rows {
        let (value, _) = decode(&hex_of(row, "from")).unwrap();
        for to in VariantType::ALL.into_iter().skip(1) {
            let expected = row["to"][to.name()].as_str().map(unhex);
            let got = value.clone().convert(to).ok().map(|value| encode(&value, Objects::Ids));
            let known = got.is_none() && (refused(value.variant_type(), to) || misfits(&value, to));
            if got == expected {
                continue;
            }
            if known {
                refusals += 1;
            } else {
                failures.push(format!("{value} to {to}: expected {expected:x?}, got {got:x?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // 9 colours, quaternions and RIDs, 10 packed arrays to arrays, 33 arrays whose elements do not
    // fit a packed array.
    assert_eq!(refusals, 52, "conversions that only mp refuses");
}

/// Returns whether Godot replaced elements by zeros or texts because a packed array cannot contain
/// them.
fn misfits(value: &Variant, to: VariantType) -> bool {
    let Variant::Array(array) = value else { return false };
    to >= VariantType::PackedByteArray && !array.is_empty()
}
