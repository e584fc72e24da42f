//! Limits on memory and stack for bytes of untrusted peers.

use mp_core::variant::{Array, Color, Dictionary, FullObject, Object, Vector2};
use mp_core::{Variant, VariantType};
use mp_scene::codec::godot::variant::{
    DEPTH_MAX, Decoder, Limits, Objects, VariantError, decode_variant,
};

use crate::corpus::{encode, unhex};

/// Stack size of the tests: half of that of actix arbiters and Rust threads, which leaves the rest
/// to callers.
const STACK: usize = 1024 * 1024;

const ARRAY_OF_ONE: &str = "1c00000001000000";
const INT: &str = "0200000001000000";

fn read(bytes: &[u8]) -> Result<Variant, VariantError> {
    decode_variant(&mut &bytes[..], &Limits::default())
}

/// Returns the bytes of values nested to the maximum depth: `outer` around each other, `inner`
/// innermost.
fn nested(outer: &str, inner: &str) -> Vec<u8> {
    let mut bytes = unhex(outer).repeat(DEPTH_MAX);
    bytes.extend(unhex(inner));
    bytes
}

fn on_a_small_stack(test: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new().stack_size(STACK).spawn(test).unwrap().join().unwrap();
}

#[test]
fn deep_arrays_are_decoded_and_encoded_on_a_small_stack() {
    on_a_small_stack(|| {
        let bytes = nested(ARRAY_OF_ONE, INT);
        let value = read(&bytes).unwrap();
        assert_eq!(value, value.clone());
        assert_eq!(encode(&value, Objects::Ids), bytes);
        let deeper = [unhex(ARRAY_OF_ONE), bytes].concat();
        assert_eq!(read(&deeper), Err(VariantError::TooDeep { limit: DEPTH_MAX }));
    });
}

#[test]
fn deep_dictionaries_are_decoded_and_encoded_on_a_small_stack() {
    on_a_small_stack(|| {
        // {1: {1: …}}
        let bytes = nested("1b000000010000000200000001000000", INT);
        let value = read(&bytes).unwrap();
        assert_eq!(encode(&value, Objects::Ids), bytes);
    });
}

#[test]
fn deep_objects_are_decoded_and_encoded_on_a_small_stack() {
    on_a_small_stack(|| {
        let value = (0..DEPTH_MAX).fold(Variant::Int(1), |value, _| {
            let properties = vec![("p".into(), value)];
            Object::Full(FullObject { class: "C".into(), properties }.into()).into()
        });
        let bytes = encode(&value, Objects::Full);
        let limits = Limits { full_objects: Some(|_| true), ..Limits::default() };
        let again = decode_variant(&mut &bytes[..], &limits).unwrap();
        assert_eq!(again, value);
    });
}

#[test]
fn nesting_of_dictionaries_in_keys_is_bounded() {
    // A dictionary that is the key of a dictionary is refused beyond the limit…
    let within = |depth| {
        let mut bytes = unhex("1b00000001000000").repeat(depth);
        bytes.extend(unhex(INT));
        bytes.extend(unhex(INT).repeat(depth));
        bytes
    };
    assert!(read(&within(9)).is_ok());
    let error = read(&within(10)).unwrap_err();
    assert_eq!(error, VariantError::KeysTooDeep { at: 80, limit: 8 });
    assert_eq!(error.godot_code(), 6);
    // …but a deep array as a key is accepted, since it is hashed once.
    let mut bytes = unhex("1b00000001000000");
    bytes.extend(unhex(ARRAY_OF_ONE).repeat(DEPTH_MAX - 1));
    bytes.extend(unhex(INT).repeat(2));
    assert!(read(&bytes).is_ok());
}

#[test]
fn a_count_beyond_the_data_reserves_no_memory() {
    for hex in [
        "1c000000ffffff7f",
        "1b000000ffffff7f",
        "1d000000ffffff7f",
        "1f000000ffffffff",
        "22000000ffffff3f",
        "26000100ffffff0f",
        "16000000ffffffff0000000000000000",
        "1600000000000080ffffffff02000000",
    ] {
        let bytes = unhex(hex);
        let info = allocation_counter::measure(|| assert!(read(&bytes).is_err(), "{hex}"));
        assert!(info.bytes_total < 4096, "{hex}: {info:?}");
    }
}

#[test]
fn memory_of_a_packet_is_bounded() {
    let nils = |count: u32| {
        let mut bytes = unhex("1c000000");
        bytes.extend(count.to_le_bytes());
        bytes.resize(8 + 4 * count as usize, 0);
        bytes
    };
    assert!(read(&nils(1_000_000)).is_ok());
    let info = allocation_counter::measure(|| {
        let error = read(&nils(2_000_000)).unwrap_err();
        assert!(matches!(error, VariantError::TooLarge { .. }), "{error}");
        assert_eq!(error.godot_code(), 6);
    });
    let input = 8_000_008;
    assert!(info.bytes_max < Limits::default().allocation as u64 + input, "{info:?}");
    // Bytes and texts are charged their size.
    let mut bytes = unhex("1d00000000000001");
    bytes.resize(8 + (1 << 24), 7);
    assert!(read(&bytes).is_ok());
}

#[test]
fn values_of_a_packet_share_one_memory_limit() {
    let limits = Limits { allocation: 100, ..Limits::default() };
    let bytes = [unhex("1d00000040000000"), vec![7; 64]].concat().repeat(2);
    let mut decoder = Decoder::new(&bytes, &limits);
    assert!(decoder.variant().is_ok());
    assert_eq!(decoder.allocated(), 64);
    assert!(matches!(decoder.variant(), Err(VariantError::TooLarge { limit: 100, .. })));
}

#[test]
fn the_worst_packets_take_at_most_32_times_their_size() {
    let array = |element: &str, count: u32| {
        let mut bytes = unhex("1c000000");
        bytes.extend(count.to_le_bytes());
        bytes.extend(unhex(element).repeat(count as usize));
        bytes
    };
    let keys = {
        let mut bytes = unhex("1b000000");
        bytes.extend(30_000u32.to_le_bytes());
        for key in 0..30_000u32 {
            bytes.extend(unhex("02000000"));
            bytes.extend(key.to_le_bytes());
            bytes.extend(unhex("00000000"));
        }
        bytes
    };
    let typed_text = |of: &str, part: &str| {
        let mut bytes = unhex(&format!("1c000100{of}01000000"));
        bytes.extend(encode(&part.repeat(250_000).into(), Objects::Ids));
        bytes
    };
    let objects = Limits { full_objects: Some(|_| true), ..Limits::default() };
    for (what, bytes) in [
        ("nils", array("00000000", 100_000)),
        ("empty arrays", array("1c00000000000000", 50_000)),
        ("empty typed arrays", array("1c0001000200000000000000", 50_000)),
        ("arrays of a nil", array("1c0000000100000000000000", 50_000)),
        ("deep arrays", nested(ARRAY_OF_ONE, INT)),
        ("dictionaries of nils", array("1b000000010000000000000000000000", 50_000)),
        ("empty typed dictionaries", array("1b0001000200000000000000", 50_000)),
        ("dictionaries of objects", array("1b000a00000000000000000000000000", 50_000)),
        ("a dictionary of nils", keys),
        ("empty texts", array("0400000000000000", 50_000)),
        ("short texts", array("040000000100000061000000", 50_000)),
        ("names", array("150000000100000061000000", 50_000)),
        ("paths", array("1600000001000080000000000100000000000000", 50_000)),
        ("roots", array("16000000000000800000000001000000", 50_000)),
        ("objects without properties", array("18000000010000004300000000000000", 50_000)),
        ("objects", array("180000000100000043000000010000000000000000000000", 50_000)),
        ("paths from texts", typed_text("16000000", "a/")),
        ("properties from texts", typed_text("16000000", ":a")),
        ("names from texts", typed_text("15000000", "a/")),
        ("packed strings", array("22000000020000000000000000000000", 50_000)),
    ] {
        let info = allocation_counter::measure(|| {
            assert!(Decoder::new(&bytes, &objects).variant().is_ok(), "{what}");
        });
        let bound = 32 * bytes.len() as u64 + (1 << 20);
        assert!(info.bytes_max <= bound, "{what}: {} bytes, {info:?}", bytes.len());
    }
}

#[test]
fn charged_memory_is_at_least_the_memory_of_the_values() {
    let long = [
        vec![7u8; 5000].into(),
        vec![7i32; 5000].into(),
        vec![7i64; 5000].into(),
        vec![0.5f64; 5000].into(),
        vec!["text".to_owned(); 5000].into(),
        vec![Vector2::ONE; 5000].into(),
        vec![Color::BLACK; 5000].into(),
        "x".repeat(5000).into(),
        Variant::from((0..5000).collect::<Array>()),
        Variant::from((0..5000).map(|key| (key, key)).collect::<Dictionary>()),
    ];
    let mut all = crate::corpus::bytes();
    all.extend(long.iter().map(|value| encode(value, Objects::Ids)));
    for bytes in all {
        let mut decoder = Decoder::new(&bytes, &Limits::default());
        let mut value = None;
        let info = allocation_counter::measure(|| value = decoder.variant().ok());
        let Some(value) = value else { continue };
        // The first hash of the process also creates its secret, and the list of open containers is
        // freed.
        let kept = info.bytes_current as usize;
        assert!(kept <= decoder.allocated() + 512, "{value}: {info:?}");
        if value.variant_type() >= VariantType::PackedByteArray {
            assert!(info.bytes_max as usize <= decoder.allocated(), "{value}: {info:?}");
        }
    }
}

#[test]
fn a_small_memory_limit_holds_for_large_packets() {
    const BUDGET: usize = 4096;
    let limits = Limits { allocation: BUDGET, ..Limits::default() };
    for bytes in [
        [&unhex("1600000000000480")[..], &[0; 1 << 21]].concat(),
        [&unhex("2200000000000400")[..], &[0; 1 << 21]].concat(),
        [&unhex("2300010000000100")[..], &[0; 1 << 21]].concat(),
        [&unhex("1c00000000000400")[..], &[0; 1 << 21]].concat(),
        vec![0x01; 1 << 20],
    ] {
        let info = allocation_counter::measure(|| {
            let mut decoder = Decoder::new(&bytes, &limits);
            let (_, error) = decoder.compressed_list(1 << 20);
            assert!(matches!(error, Some(VariantError::TooLarge { .. })), "{error:?}");
        });
        assert!(info.bytes_max < 2 * BUDGET as u64, "{info:?}");
    }
}

#[test]
fn paths_made_from_texts_are_charged() {
    let mut bytes = unhex("1c0001001600000001000000");
    bytes.extend(encode(&"a/".repeat(2 << 20).into(), Objects::Ids));
    let error = read(&bytes).unwrap_err();
    assert!(matches!(error, VariantError::TooLarge { .. }), "{error}");
}

#[test]
fn an_element_of_an_array_is_charged_twice_its_size() {
    let value = Variant::from(Array::from([1, 2, 3]));
    let bytes = encode(&value, Objects::Ids);
    let mut decoder = Decoder::new(&bytes, &Limits::default());
    decoder.variant().unwrap();
    assert_eq!(decoder.allocated(), 160 + 3 * 2 * size_of::<Variant>());
}
