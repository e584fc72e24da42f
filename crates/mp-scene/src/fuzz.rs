//! Bodies of the fuzz targets of this crate. Each accepts any bytes and panics when a property is
//! violated. See `fuzz/` in the repository.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use mp_core::variant::{Color, Dictionary, Vector2, Vector3};
use mp_core::{NodePath, Variant};

use crate::codec::godot::compressed::{decode_compressed, encode_compressed};
use crate::codec::godot::variant::{decode_variant, encode_variant};
use crate::codec::{Codec, GodotVersion, Limits, Objects};
use crate::property::{component, set_component};
use crate::replication::ReplicationConfig;

/// Checks that a value that is decoded, in each encoding, can be encoded and decoded again.
pub fn variant(data: &[u8]) {
    for (limits, objects) in [
        (Limits::default(), Objects::Ids),
        (Limits { full_objects: Some(|_| true), ..Limits::default() }, Objects::Full),
    ] {
        let write = |value: &Variant, out: &mut BytesMut| encode_variant(value, objects, out);
        is_stable(data, |data| decode_variant(&mut &data[..], &limits), write);
        let write = |value: &Variant, out: &mut BytesMut| encode_compressed(value, objects, out);
        is_stable(data, |data| decode_compressed(&mut &data[..], &limits), write);
    }
}

/// Checks that a message that is decoded, in each version of the protocol, can be encoded and
/// decoded again.
pub fn scene_message(data: &[u8]) {
    let limits = Limits::default();
    for version in [GodotVersion::V4_0, GodotVersion::V4_3] {
        let codec = Codec::Godot4(version);
        let read = |data: &[u8]| codec.decode(&Bytes::copy_from_slice(data), &limits);
        is_stable(data, read, |message, out| codec.encode(message, Objects::Ids, out));
    }
}

/// Checks that a value that `read` accepts can be written, and that its bytes are stable from the
/// second writing on. The first writing may change a value: a null object becomes nil, so that two
/// keys of a dictionary become one.
fn is_stable<T: Debug, R: Debug, W: Debug>(
    data: &[u8],
    read: impl Fn(&[u8]) -> Result<T, R>,
    write: impl Fn(&T, &mut BytesMut) -> Result<(), W>,
) {
    let Ok(value) = read(data) else { return };
    let again = |value: &T| {
        let mut bytes = BytesMut::new();
        write(value, &mut bytes).expect("what was read can be written");
        let value = read(&bytes).expect("what was written can be read");
        (bytes, value)
    };
    let (_, once) = again(&value);
    let (bytes, twice) = again(&once);
    assert_eq!(again(&twice).0, bytes, "{value:?}");
}

/// Adds a property by its path, and reads and writes the components that the path names, of values
/// of several types. A component that can be read must accept its own value.
pub fn property_path(data: &[u8]) {
    let path = NodePath::from(&*String::from_utf8_lossy(data));
    let mut config = ReplicationConfig::new();
    if config.add_property(path.clone(), None).is_ok() {
        assert!(config.has_property(&path));
        assert!(config.add_property(path.clone(), None).is_err(), "a duplicate");
        assert!(config.remove_property(&path));
    }
    let mut entries = Dictionary::new();
    for name in path.subnames() {
        entries
            .insert(Variant::from(name.clone()), Variant::Int(1))
            .expect("an untyped dictionary");
    }
    for value in [
        Variant::from(Vector2::ONE),
        Variant::from(Vector3::ONE),
        Variant::from(Color::WHITE),
        Variant::from(mp_core::variant::Transform3D::IDENTITY),
        Variant::from(entries),
        Variant::Nil,
    ] {
        for name in path.subnames() {
            let mut changed = value.clone();
            if let Some(part) = component(&value, name) {
                assert!(set_component(&mut changed, name, part), "{name:?} of {value}");
                assert_eq!(changed, value);
            }
        }
    }
}
