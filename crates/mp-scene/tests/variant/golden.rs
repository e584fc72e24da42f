//! Encoding and decoding of all golden rows, plain and compressed.

use std::collections::BTreeSet;

use mp_core::Variant;
use mp_core::variant::{Array, Object};
use mp_scene::codec::godot::variant::{Decoder, Limits, Objects, encode_variant};
use serde_json::Value;

use crate::corpus::{
    conformance, decode, decode_small, decode_with, encode, encode_small, hex_of, identical, list,
    text, type_named, unhex, value_of, variants,
};

/// Runs `check` on all rows of a section, which must have `count`, and lists the rows that fail.
fn each_row(section: &str, count: usize, check: impl Fn(&Value) -> Result<(), String>) {
    let variants = variants();
    let rows = list(&variants[section]);
    assert_eq!(rows.len(), count, "the section {section} has changed");
    let failures: Vec<String> = rows
        .iter()
        .filter_map(|row| check(row).err().map(|why| format!("{}: {why}", text(&row["name"]))))
        .collect();
    assert!(failures.is_empty(), "{section}:\n{}", failures.join("\n"));
}

fn expect(what: &str, is: bool) -> Result<(), String> {
    if is { Ok(()) } else { Err(what.into()) }
}

fn equal<T: PartialEq + std::fmt::Debug>(what: &str, got: T, expected: T) -> Result<(), String> {
    if got == expected {
        Ok(())
    } else {
        Err(format!("{what}: expected {expected:x?}, got {got:x?}"))
    }
}

fn same(got: &Variant, expected: &Variant) -> Result<(), String> {
    expect(&format!("expected {expected}, got {got}"), identical(got, expected))
}

fn is(row: &Value, field: &str) -> bool {
    row[field].as_bool().unwrap_or_default()
}

/// Classes of the objects in the rows with full objects.
const FULL: Limits = Limits {
    depth: 1024,
    key_depth: 8,
    allocation: 64 << 20,
    full_objects: Some(|class| ["RefCounted", "Resource", "EncodedObjectAsID"].contains(&class)),
};

#[test]
fn every_section_is_tested() {
    let variants = variants();
    let sections: BTreeSet<_> = variants.as_object().unwrap().keys().map(String::as_str).collect();
    let known = [
        "about",
        "decode",
        "decode_compressed_argument",
        "decode_objects",
        "encode",
        "full_objects",
        "recursion_nested_arrays",
    ];
    assert_eq!(sections, BTreeSet::from(known));
}

#[test]
fn values_are_encoded_and_decoded_as_in_godot() {
    each_row("encode", 170, |row| {
        let (plain, compressed) = (hex_of(row, "hex"), hex_of(row, "hex_compressed"));
        // Volatile rows contain ids of objects of the recorded run, so they can only be decoded.
        if !is(row, "volatile") {
            let value = value_of(row);
            equal("written", encode(&value, Objects::Ids), plain.clone())?;
            equal("compressed", encode_small(&value, Objects::Ids), compressed.clone())?;
        }
        let expected = value_of(if row["decodes_to"].is_null() { row } else { &row["decodes_to"] });
        let (value, consumed) = decode(&plain)?;
        same(&value, &expected)?;
        equal("consumed", consumed, plain.len())?;
        equal("written again", encode(&value, Objects::Ids), plain)?;
        let value = decode_small(&compressed)?;
        same(&value, &expected)?;
        equal("compressed again", encode_small(&value, Objects::Ids), compressed)
    });
}

#[test]
fn full_objects_are_decoded_if_allowed() {
    each_row("full_objects", 8, |row| {
        let (plain, compressed) = (hex_of(row, "hex"), hex_of(row, "hex_compressed"));
        let (value, consumed) = decode_with(&plain, &FULL)?;
        equal("consumed", consumed, plain.len())?;
        equal("type", value.variant_type(), type_named(text(&row["decodes_to"]["type"])))?;
        equal("written again", encode(&value, Objects::Full), plain.clone())?;
        equal("compressed again", encode_small(&value, Objects::Full), compressed)?;
        if let Variant::Object(Object::Full(object)) = &value {
            let expected = &row["decodes_to"]["value"];
            equal("class", object.class.as_str(), text(&expected["class"]))?;
            if let Some(id) = expected["object_id"].as_str() {
                let id = Variant::Int(id.parse().unwrap());
                equal("id", object.property("object_id"), Some(&id))?;
            }
        }
        match decode(&plain) {
            Ok(_) => expect("read without objects", is(row, "decodable_without_objects")),
            Err(error) => {
                expect("refused without objects", !is(row, "decodable_without_objects"))?;
                expect(&error, error.ends_with("(4)"))
            }
        }
    });
}

#[test]
fn bytes_are_accepted_and_refused_as_in_godot() {
    each_row("decode", 50, |row| {
        let bytes = hex_of(row, "hex");
        match decode(&bytes) {
            Ok((value, consumed)) => {
                expect("accepted", is(row, "ok"))?;
                same(&value, &value_of(&row["value"]))?;
                equal("consumed", consumed as u64, row["consumed"].as_u64().unwrap())?;
                let again = encode(&value, Objects::Ids);
                same_after_null(&decode(&again)?.0, &value)
            }
            Err(error) => expect(&error, !is(row, "ok")),
        }
    });
}

/// Compares after one encoding, which turns a null object into nil.
fn same_after_null(got: &Variant, before: &Variant) -> Result<(), String> {
    match before {
        Variant::Object(object) if object.is_null() => same(got, &Variant::Nil),
        _ => same(got, before),
    }
}

#[test]
fn full_objects_of_unknown_classes_are_refused() {
    each_row("decode_objects", 4, |row| {
        let bytes = hex_of(row, "hex");
        equal("without objects", decode(&bytes).is_ok(), is(row, "ok_without_objects"))?;
        let with = decode_with(&bytes, &FULL);
        equal("with objects", with.is_ok(), is(row, "ok_with_objects"))?;
        let Ok((value, _)) = with else { return Ok(()) };
        match (&value, row["value"]["value"]["class"].as_str()) {
            (Variant::Object(Object::Full(object)), Some(class)) => {
                equal("class", object.class.as_str(), class)
            }
            (_, None) => same(&value, &value_of(&row["value"])),
            _ => Err(format!("got {value}")),
        }
    });
}

#[test]
fn arguments_are_decoded_as_in_godot() {
    each_row("decode_compressed_argument", 21, |row| {
        let bytes = hex_of(row, "hex_compressed");
        let (mut values, error) = Decoder::new(&bytes, &Limits::default()).compressed_list(1);
        equal("error", error.is_some(), values.is_empty())?;
        // The call is made with null for the invalid argument.
        expect("call made", is(row, "call_made"))?;
        values.resize(1, Variant::Nil);
        let expected: Vec<_> = list(&row["args"]).iter().map(value_of).collect();
        equal("arguments", &values, &expected)?;
        same(&values[0], &expected[0])
    });
}

#[test]
fn nesting_depth_is_limited_as_in_godot() {
    let variants = variants();
    let rows = variants["recursion_nested_arrays"].as_object().unwrap();
    assert_eq!(rows.len(), 6, "the section has changed");
    for (depth, row) in rows {
        let depth: usize = depth.parse().unwrap();
        let value = (0..depth).fold(Variant::Int(1), |value, _| Array::from([value]).into());
        let written = encode_variant(&value, Objects::Ids, &mut Default::default());
        assert_eq!(written.is_ok(), is(row, "encodes"), "{depth}: {written:?}");
        let mut bytes = [0x1c, 0, 0, 0, 1, 0, 0, 0].repeat(depth);
        bytes.extend([2, 0, 0, 0, 1, 0, 0, 0]);
        let read = decode(&bytes);
        assert_eq!(read.is_ok(), is(row, "decodes"), "{depth}: {read:?}");
        match read {
            Ok((read, _)) => assert_eq!(encode(&read, Objects::Ids), bytes),
            Err(error) => assert!(error.ends_with("(6)"), "{error}"),
        }
    }
}

#[test]
fn values_of_the_godot_project_are_decoded_and_encoded_again() {
    let rows = conformance();
    assert_eq!(rows.len(), 116, "the file has changed");
    for row in &rows {
        let (of, size) = (text(&row["type"]), row["size"].as_u64().unwrap() as usize);
        let bytes = match (text(&row["hex"]).strip_suffix("..."), of) {
            // Two long texts are recorded by their beginnings only.
            (Some(head), "String") => beginning_with(head, "x".repeat(5000).into()),
            (Some(head), "Array") => beginning_with(head, (0..1000).collect::<Array>().into()),
            // Object ids differ between runs.
            (None, "Object") => encode(&Object::Id(1 << 63).into(), Objects::Ids),
            _ => hex_of(row, "hex"),
        };
        if of != "Object" {
            assert_eq!(bytes.len(), size, "{row}");
        }
        let (value, consumed) = decode(&bytes).unwrap_or_else(|error| panic!("{row}: {error}"));
        assert_eq!(value.variant_type().name(), of, "{row}");
        assert_eq!(consumed, bytes.len(), "{row}");
        assert_eq!(encode(&value, Objects::Ids), bytes, "{row}");
        let compressed = encode_small(&value, Objects::Ids);
        assert!(identical(&decode_small(&compressed).unwrap(), &value), "{row}");
    }
}

fn beginning_with(head: &str, value: Variant) -> Vec<u8> {
    let bytes = encode(&value, Objects::Ids);
    let head = unhex(head);
    assert_eq!(bytes[..head.len()], head);
    bytes
}
