//! Property tests: any value survives encoding and decoding, and any bytes are decoded without a
//! panic. The seed is fixed, so that failures reproduce.

use mp_core::variant::{
    Array, Components, Dictionary, ElementType, FullObject, Object, Rect2i, Vector2i, Vector3i,
    Vector4i,
};
use mp_core::{NodePath, StringName, Variant, VariantType};
use mp_scene::codec::godot::variant::{Decoder, Limits, Objects};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::Union;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use crate::corpus::{self, decode_with, encode, encode_small, identical};

/// Runs `test` on the same `cases` values each time, and shows the smallest that fails.
fn check<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>)
where
    S::Value: std::fmt::Debug,
{
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    match TestRunner::new_with_rng(config, rng).run(&strategy, test) {
        Ok(()) => {}
        Err(TestError::Fail(why, value)) => panic!("{why}\nsmallest case: {value:#?}"),
        Err(error) => panic!("{error}"),
    }
}

const FULL: Limits = Limits {
    depth: 1024,
    key_depth: 8,
    allocation: 64 << 20,
    full_objects: Some(|class| !class.is_empty()),
};

#[test]
fn any_value_survives_encoding_and_decoding() {
    check(500, any_variant(), |value| {
        let bytes = encode(&value, Objects::Full);
        prop_assert_eq!(bytes.len() % 4, 0);
        let (read, consumed) = decode_with(&bytes, &FULL).map_err(TestCaseError::fail)?;
        prop_assert!(identical(&read, &value), "got {}", read);
        prop_assert_eq!(consumed, bytes.len());
        prop_assert_eq!(encode(&read, Objects::Full), bytes);
        Ok(())
    });
}

#[test]
fn any_value_survives_compressed_encoding_and_decoding() {
    check(200, vec(any_variant(), 0..4), |values| {
        let bytes: Vec<u8> =
            values.iter().flat_map(|value| encode_small(value, Objects::Full)).collect();
        let mut decoder = Decoder::new(&bytes, &FULL);
        let (read, error) = decoder.compressed_list(values.len());
        prop_assert_eq!(error, None);
        prop_assert!(decoder.rest().is_empty());
        prop_assert!(read.iter().zip(&values).all(|(a, b)| identical(a, b)), "got {:?}", read);
        Ok(())
    });
}

#[test]
fn arbitrary_bytes_are_decoded_without_a_panic() {
    check(5_000, vec(any::<u8>(), 0..256), |bytes| survive(&bytes));
}

#[test]
fn arbitrary_bytes_after_a_valid_header_are_decoded_without_a_panic() {
    let header = (0u8..39, any::<u8>(), any::<u8>());
    let part = prop_oneof![
        header.prop_map(|(of, flags, count)| [of, 0, flags & 15, 0, count % 5, 0, 0, 0].to_vec()),
        vec(any::<u8>(), 4),
        Just(vec![0; 4]),
    ];
    check(5_000, vec(part, 0..32), |parts| survive(&parts.concat()));
}

#[test]
fn mutated_golden_rows_are_decoded_without_a_panic() {
    let rows = corpus::bytes();
    let row = || proptest::sample::select(rows.clone());
    let edits = vec((any::<proptest::sample::Index>(), any::<Edit>()), 1..6);
    check(5_000, (row(), row(), edits), |(mut bytes, other, edits)| {
        for (at, edit) in edits {
            let at = at.index(bytes.len() + 1);
            match edit {
                Edit::Flip(bit) => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << (bit % 8);
                    }
                }
                Edit::Put(byte) => bytes.insert(at, byte),
                Edit::Cut => bytes.truncate(at),
                Edit::Splice => {
                    bytes.truncate(at);
                    bytes.extend(&other);
                }
            }
        }
        survive(&bytes)
    });
}

#[derive(Clone, Debug)]
enum Edit {
    Flip(u8),
    Put(u8),
    Cut,
    Splice,
}

impl Arbitrary for Edit {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        prop_oneof![
            4 => any::<u8>().prop_map(Self::Flip),
            2 => any::<u8>().prop_map(Self::Put),
            1 => Just(Self::Cut),
            2 => Just(Self::Splice),
        ]
        .boxed()
    }
}

/// Checks that decoding neither panics nor exceeds the memory limit, and that a decoded value can
/// be encoded and decoded again.
fn survive(bytes: &[u8]) -> Result<(), TestCaseError> {
    for limits in [&Limits::default(), &FULL] {
        for compressed in [false, true] {
            let mut read = None;
            let info = allocation_counter::measure(|| {
                let mut decoder = Decoder::new(bytes, limits);
                read = if compressed { decoder.compressed() } else { decoder.variant() }.ok();
            });
            let bound = 32 * bytes.len() as u64 + (1 << 20);
            prop_assert!(info.bytes_max <= bound, "{:?} for {} bytes", info, bytes.len());
            let Some(value) = read else { continue };
            let objects = if limits.full_objects.is_some() { Objects::Full } else { Objects::Ids };
            let written = encode(&value, objects);
            let (again, _) = decode_with(&written, limits).map_err(TestCaseError::fail)?;
            prop_assert_eq!(encode(&again, objects), written);
        }
    }
    Ok(())
}

fn any_variant() -> impl Strategy<Value = Variant> {
    any_flat().prop_recursive(4, 48, 6, |inner| {
        let entries = vec((inner.clone(), inner.clone()), 0..6);
        let properties = vec((any_name(), inner.clone()), 0..4);
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|values| Array::from(values).into()),
            (any_element_type(), vec(inner.clone(), 0..4), vec(any_flat(), 0..4)).prop_map(
                |(of, mut values, more)| {
                    values.extend(more);
                    Array::typed_lossy(of, values).into()
                }
            ),
            (any_element_type(), any_element_type(), entries).prop_map(|(key, of, entries)| {
                let mut dictionary = Dictionary::typed(key, of);
                for (key, value) in entries {
                    // Entries of the wrong type are dropped.
                    drop(dictionary.insert(key, value));
                }
                dictionary.into()
            }),
            (any_name().prop_filter("a class", |class| !class.is_empty()), properties).prop_map(
                |(class, properties)| {
                    Object::Full(FullObject { class, properties }.into()).into()
                }
            ),
        ]
    })
}

fn any_element_type() -> impl Strategy<Value = ElementType> {
    prop_oneof![
        3 => Just(ElementType::Any),
        3 => proptest::sample::select(&VariantType::ALL[..]).prop_map(ElementType::from),
        1 => any_name().prop_map(ElementType::Class),
        1 => "res://[a-z/]{0,8}".prop_map(|path| ElementType::Script(path.into())),
    ]
}

/// Any text without a NUL, which would end it, and without a leading byte order mark, which would
/// be removed.
fn any_text() -> impl Strategy<Value = String> {
    vec(any::<char>().prop_filter("no NUL", |c| *c != '\0'), 0..12)
        .prop_map(|chars| chars.into_iter().collect())
        .prop_filter("no byte order mark", |text: &String| !text.starts_with('\u{feff}'))
}

fn any_name() -> impl Strategy<Value = StringName> {
    any_text().prop_map(StringName::from)
}

fn any_path() -> impl Strategy<Value = NodePath> {
    (vec(any_name(), 0..4), vec(any_name(), 0..3), any::<bool>())
        .prop_map(|(names, subnames, absolute)| NodePath::new(names, subnames, absolute))
}

/// Any bits, including NaNs with payloads.
fn any_components<T: Components + std::fmt::Debug>() -> impl Strategy<Value = T> {
    vec(any::<u32>(), T::COUNT).prop_map(|bits| {
        let mut bits = bits.into_iter().map(f32::from_bits);
        T::build(&mut || bits.next().unwrap())
    })
}

fn any_int() -> impl Strategy<Value = i64> {
    (any::<i64>(), 0u32..64).prop_map(|(int, shift)| int >> shift)
}

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        any::<u32>().prop_map(|bits| f32::from_bits(bits).into()),
    ]
}

fn any_flat() -> Union<BoxedStrategy<Variant>> {
    fn of<T: Into<Variant> + std::fmt::Debug + 'static>(
        strategy: impl Strategy<Value = T> + 'static,
    ) -> BoxedStrategy<Variant> {
        strategy.prop_map(Into::into).boxed()
    }
    fn one<T: Components + Into<Variant> + std::fmt::Debug + 'static>() -> BoxedStrategy<Variant> {
        of(any_components::<T>())
    }
    fn many<T: Components + std::fmt::Debug + 'static>() -> BoxedStrategy<Variant>
    where
        Vec<T>: Into<Variant>,
    {
        of(vec(any_components::<T>(), 0..5))
    }
    use mp_core::variant as v;
    Union::new([
        Just(Variant::Nil).boxed(),
        Just(Variant::Callable).boxed(),
        of(any::<bool>()),
        of(any_int()),
        of(any_float()),
        of(any_text()),
        of(any_name()),
        of(any_path()),
        one::<v::Vector2>(),
        one::<v::Rect2>(),
        one::<v::Vector3>(),
        one::<v::Transform2D>(),
        one::<v::Vector4>(),
        one::<v::Plane>(),
        one::<v::Quaternion>(),
        one::<v::Aabb>(),
        one::<v::Basis>(),
        one::<v::Transform3D>(),
        one::<v::Projection>(),
        one::<v::Color>(),
        of(any::<[i32; 2]>().prop_map(|[x, y]| Vector2i { x, y })),
        of(any::<[i32; 3]>().prop_map(|[x, y, z]| Vector3i { x, y, z })),
        of(any::<[i32; 4]>().prop_map(|[x, y, z, w]| Vector4i { x, y, z, w })),
        of(any::<[i32; 4]>().prop_map(|[x, y, z, w]| Rect2i::new((x, y).into(), (z, w).into()))),
        any::<u64>().prop_map(Variant::Rid).boxed(),
        // The null object is encoded as nil.
        of((1..=u64::MAX).prop_map(Object::Id)),
        (any_name(), any::<u64>())
            .prop_map(|(name, object)| Variant::Signal { name, object })
            .boxed(),
        of(vec(any::<u8>(), 0..20)),
        of(vec(any::<i32>(), 0..5)),
        of(vec(any_int(), 0..5)),
        many::<f32>(),
        of(vec(any_float(), 0..5)),
        of(vec(any_text(), 0..5)),
        many::<v::Vector2>(),
        many::<v::Vector3>(),
        many::<v::Color>(),
        many::<v::Vector4>(),
    ])
}
